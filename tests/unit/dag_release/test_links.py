"""Links of a tree: inside and to something, and no way through them without end."""

import pytest

from airflow_ops.dag_release.links import findings

FILES = ["a.py", "kept/b.py", "kept/deep/c.py", "other/d.py"]


@pytest.mark.parametrize(
    ("links", "wrong"),
    [
        pytest.param({"b.py": "kept/b.py"}, {}, id="a file"),
        pytest.param({"b.py": "c.py", "c.py": "kept/b.py"}, {}, id="through another link"),
        pytest.param({"kept/e.py": "../other/./d.py"}, {}, id="up and down again"),
        pytest.param({"b.py": "/etc/passwd"}, {"b.py": "leaves the tree (to /etc/passwd)"}, id="absolute"),
        pytest.param({"b.py": "../x.py"}, {"b.py": "leaves the tree"}, id="above"),
        pytest.param({"b.py": "../dags/a.py"}, {"b.py": "leaves the tree"}, id="out and in by the name of the source"),
        pytest.param({"b.py": "c.py", "c.py": "/x"}, {"b.py": "leaves", "c.py": "leaves"}, id="out by another link"),
        pytest.param({"b.py": "gone.py"}, {"b.py": "leads nowhere in the release (to gone.py)"}, id="nowhere"),
        pytest.param({"b.py": "a.py/x"}, {"b.py": "leads nowhere"}, id="below a file"),
        pytest.param({"x/a": "a"}, {"x/a": "leads back to itself (to a)"}, id="itself"),
        pytest.param({"x": "y", "y": "x"}, {"x": "leads back to itself", "y": "leads back"}, id="each other"),
        pytest.param({"kept/loop": "."}, {"kept/loop": "in which it lies itself (to .)"}, id="its folder"),
        pytest.param({"kept/up": ".."}, {"kept/up": "in which it lies itself"}, id="the root"),
        pytest.param({"kept/deep/up": "../../kept"}, {"kept/deep/up": "lies itself"}, id="two folders above"),
        pytest.param(
            {"kept/o": "../other", "other/k": "../kept"}, {"kept/o": "lies itself", "other/k": "lies"}, id="two folders"
        ),
        pytest.param({"again": "kept"}, {"again": "Airflow comes to twice"}, id="a folder that is walked already"),
        pytest.param({"again": "kept/deep"}, {"again": "comes to twice"}, id="a folder below"),
        pytest.param(
            {"one": "hidden", "two": "hidden"}, {"one": "comes to twice"}, id="two links to an ignored folder"
        ),
        pytest.param({"one": "hidden"}, {}, id="one link to an ignored folder"),
        pytest.param({"hidden_too": "kept"}, {}, id="an ignored link"),
        pytest.param({"hidden/loop": "."}, {"hidden/loop": "lies itself"}, id="a loop where Airflow does not look"),
    ],
)
def test_links(links: dict[str, str], wrong: dict[str, str]) -> None:
    found = findings([*FILES, "hidden/e.py", *links], links, {"": lambda path: path.startswith("hidden")})
    assert found.keys() == wrong.keys()
    assert all(
        wrong[name] in sentence and sentence.startswith(f"{name} is a link ") for name, sentence in found.items()
    )


@pytest.mark.parametrize(
    ("links", "wrong"),
    [
        pytest.param({"sql": "../include/sql"}, "", id="a neighbour"),
        pytest.param({"P/q.sql": "../../include/sql/q.sql"}, "", id="a file of a neighbour"),
        pytest.param({"inc": "../include", "q.sql": "inc/sql/q.sql"}, "", id="through another link"),
        pytest.param({"sql": "../other/sql"}, "leaves the tree", id="none of the neighbours"),
        pytest.param({"sql": "../include/gone"}, "leads nowhere", id="what a neighbour lacks"),
        pytest.param({"sql": "../../include/sql"}, "leaves the tree", id="farther away"),
        pytest.param({"one": "../include/sql", "two": "../include/sql"}, "comes to twice", id="twice"),
        pytest.param({".neighbours/plugins/op/lib": "../lib"}, "no plugin", id="plugins that are walked twice"),
        pytest.param({".neighbours/plugins/op/lib": "../hidden"}, "", id="plugins that are ignored"),
        pytest.param({".neighbours/include/again": "sql"}, "", id="where Airflow does not look"),
    ],
)
def test_links_to_neighbours_and_in_them(links: dict[str, str], wrong: str) -> None:
    names = [".neighbours/include/sql/q.sql", *(f".neighbours/plugins/{name}/m.py" for name in ("lib", "op", "hidden"))]
    walks = {
        "": lambda path: path.startswith(".neighbours/"),
        ".neighbours/plugins": lambda path: path == "hidden",
    }
    said = " ".join(findings([*names, "P/a.py", *links], links, walks).values())
    assert (wrong in said) if wrong else not said, said
