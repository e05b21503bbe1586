"""docs/manual.md and its twin: every heading of the operators' manual has a row, and what a row names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from airflow_ops import role_docs
from airflow_ops.cli.verbs import BY_NAME
from tests.unit.markdown import CODE, LINK, tables

ROOT = Path(__file__).parents[2]
ENGLISH, KOREAN = ROOT / "docs/manual.md", ROOT / "docs/manual.ko.md"
# The table of contents of the manual as it was in July 2023, and the two headings that its text has beyond that.
HEADINGS = """
1. 소개
1.1 목적 및 범위
1.2 대상 고객
1.3 Airflow 접근 계정
2. Airflow 아키텍처
2.1 구성 요소 및 종속성
2.2 데이터 처리 파이프라인
2.3 Workflow 및 Job
3. 설치 및 구성
3.1 시스템 요구 사항
3.2 설치 옵션
3.3 구성 매개변수
원래는 airflow.cfg 에서 통제를 하는것이지만, 현재 Ambari라는 UI를 사용하고있어서 대부분 Ambari UI에서 수정하면 다 적용됨.
3.4 데이터베이스 백엔드
Airflow with MariaDB 접속 정보
3.5 메시지 브로커
3.6 보안 및 인증
4. DAG 및 Job
4.1 정의 및 종속성
4.2 오퍼레이터와 센서
4.3 템플릿 및 변수
5. Workflow 및 스케쥴링
5.1 DAG 실행 및 Job 인스턴스
5.2 일정 정책 및 트리거
5.3 병렬성과 동시성
5.4 Job 대기열 및 실행자
6. 모니터링 및 경고
6.1 웹 UI 및 CLI
6.2 로그 및 지표
6.3 대시보드 및 시각화
6.4 경고 및 알림
6.5 Airflow Scheduler
7. 유지 관리 및 문제 해결
8. 맞춤화 및 통합
9. 참조 및 리소스
""".strip().splitlines()  # noqa: E501 - one heading of the manual is that long
ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())
# airflow-ops knows these beside the verbs that run a playbook.
OWN_COMMANDS = {"runs", "completion"}


def sections(page: Path) -> list[list[list[str]]]:
    """Return the three tables: the sections, the parameters, the glossary."""
    return [rows for rows in tables(page).values() if rows]


def rows() -> list[tuple[str, str]]:
    """Return heading and answer of both pages."""
    return [(row[0], row[1]) for page in (ENGLISH, KOREAN) for row in sections(page)[0]]


def references(cell: str) -> tuple[list[str], list[str]]:
    """Return what a cell names: pieces of code, and pages whatever their language."""
    pages = [target.partition("#")[0].replace(".ko.md", ".md") for target in LINK.findall(cell)]
    return sorted(CODE.findall(cell)), sorted(pages)


@pytest.mark.parametrize("page", [ENGLISH, KOREAN], ids=lambda page: page.name)
def test_every_heading_of_the_manual_has_a_row(page: Path) -> None:
    assert [row[0].partition(" (")[0] for row in sections(page)[0]] == HEADINGS


@pytest.mark.parametrize(("heading", "answer"), rows())
def test_every_row_says_where_or_why_not(heading: str, answer: str) -> None:
    """A row names a command, a variable or a page; what is not offered comes with its reason."""
    assert any(references(answer)) or "Not offered" in answer or "제공하지 않" in answer, heading
    assert ("Not offered" in answer) <= bool(re.search("because|undo each other", answer)), heading
    assert ("제공하지 않" in answer) <= ("때문입니다" in answer), heading


@pytest.mark.parametrize("number", [0, 1], ids=["sections", "parameters"])
def test_both_languages_name_the_same(number: int) -> None:
    for here, there in zip(sections(ENGLISH)[number], sections(KOREAN)[number], strict=True):
        assert references(here[1]) == references(there[1]), here[0]


def test_what_the_page_names_exists() -> None:
    """Verbs, variables and files of the repository; a plain word in code is something of Airflow's."""
    variables = {name for role in ROLES for name in role_docs.options(role)}
    prefixes = tuple(f"{role.name}_" for role in ROLES)
    for heading, answer in [*rows(), *((row[0], row[1]) for row in sections(ENGLISH)[1])]:
        for code in (piece.strip("`") for piece in CODE.findall(answer)):
            if code.startswith("airflow-ops ") and not code.startswith("airflow-ops --"):
                assert code.split()[1] in {*BY_NAME, *OWN_COMMANDS}, (heading, code)
            elif re.fullmatch(r"\w+", code) and code.startswith(prefixes):
                assert code in variables, (heading, code)
            elif code.startswith(("dags/", "playbooks/")):
                assert (ROOT / code).exists(), (heading, code)


def test_every_name_that_the_role_takes_from_the_manual_is_explained() -> None:
    data = yaml.safe_load((ROOT / "roles/airflow_config/vars/main.yml").read_text())
    text = " ".join(cell for row in sections(ENGLISH)[1] for cell in row)
    assert [name for name in data["__airflow_config_parameter_names"] if f"`{name}`" not in text] == []


def test_the_glossary_is_the_same_in_both_languages() -> None:
    assert [row[1:] for row in sections(ENGLISH)[2]] == [row[1:] for row in sections(KOREAN)[2]]
