"""One command from what was typed to its exit code: the plan, the question, the run, the summary."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import click

from airflow_ops.cli import show
from airflow_ops.cli.command import PROGRAM, Common
from airflow_ops.cli.environments import find
from airflow_ops.cli.extra import extra_variables
from airflow_ops.cli.library import Order, Result, execute
from airflow_ops.cli.outcome import Outcome
from airflow_ops.cli.values import BadValue
from airflow_ops.cli.verbs import BY_NAME, Verb

NAMED = 6  # hosts in one line; of more the number is enough
WHAT_TO_DO = {
    Outcome.FAILED: "mend the cause, then: {program} runs resume {record}",
    Outcome.PARTLY: "go on where it failed: {program} runs resume {record}",
    Outcome.UNREACHABLE: "mend the way to these hosts (ssh HOST), then: {program} runs resume {record}",
    Outcome.LOCKED: "wait for the other run, then: {program} runs resume {record}",
    Outcome.REFUSED: "mend the input and repeat the command",
    Outcome.INTERRUPTED: "repeat the command when you like; it goes on from what is there",
}


def carry_out(verb: Verb, common: Common, given: Mapping[str, Any]) -> Outcome:
    """Carry out what was typed."""
    variables = verb.prepare(chosen(verb, given)) | extra_variables(given["var"])
    order = Order(
        verb=verb,
        environment=common.environment,
        variables=variables,
        limit=given["limit"] or "",
        check=bool(given.get("check")),
        verbosity=common.verbosity,
    )
    return carry_on(order, common.as_json, yes=bool(given.get("yes")))


def chosen(verb: Verb, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the variables of the options that were typed."""
    found: dict[str, Any] = {}
    for option in verb.options:
        value = given[option.variable]
        if option.kind is None:
            if value:
                found[option.variable] = option.value
        elif value not in (None, ()):
            found[option.variable] = list(value) if option.many else value
    return found


def carry_on(order: Order, as_json: bool, yes: bool) -> Outcome:
    """Show the plan and ask where that is due, then run and report."""
    verb, target = order.verb, find(order.environments[-1], os.environ)
    asks = not (yes or order.check or verb.looks) and (target.is_production or bool(verb.confirmed))
    agreed: dict[str, Any] = {verb.confirmed: True} if verb.confirmed and not order.check else {}
    if asks:
        plan = ask(order, as_json, target.name)
        if isinstance(plan, Outcome):
            return plan
        agreed |= {verb.expected: plan.digest} if verb.expected and plan.digest else {}
    order = replace(order, variables={**order.variables, **agreed})
    result = execute(order, show.view(as_json, order.verbosity))
    state = where_hosts_are(order) if result.outcome is Outcome.INTERRUPTED and not verb.looks else []
    if as_json:
        print(json.dumps({**result.as_dict(), **({"state": state} if state else {})}, ensure_ascii=False))
    else:
        report(result, order, state)
    return result.outcome


def ask(order: Order, as_json: bool, target: str) -> Outcome | Result:
    """Show what would change and ask; return the plan that was agreed to, or the outcome when that is the end of it."""
    if not sys.stdin.isatty() or as_json:
        raise BadValue(
            f"{order.verb.name} on {target} shows its plan and asks first; "
            "without a terminal, or with --json, look with --check and then add --yes."
        )
    preview = replace(order, check=True)
    plan = execute(preview, show.view(as_json, order.verbosity), keep=False)
    report(plan, preview, [])
    if plan.outcome is not Outcome.DONE:
        return plan.outcome
    if click.confirm(f"Do this on {target}?", err=True):
        return plan
    print("Nothing was changed.", file=sys.stderr)
    return Outcome.INTERRUPTED


def where_hosts_are(order: Order) -> list[str]:
    """Look at the hosts after an interruption, by the verb that shows their state."""
    looking = Order(BY_NAME[order.verb.state], order.environments[-1])
    result = execute(looking, show.Silent(), keep=False)
    return [*result.messages, *result.reasons]


def report(result: Result, order: Order, state: list[str]) -> None:
    """Print what the playbook shows, what failed, and one last line."""
    for line in [*(result.diff if order.check else ()), *result.messages]:
        print(line)
    sys.stdout.flush()
    for line in summary(result, order, state):
        print(line, file=sys.stderr)


def summary(result: Result, order: Order, state: list[str]) -> list[str]:
    """Return the lines that end a run."""
    found = [f"FAILED  {line}" for line in result.reasons]
    if result.outcome is Outcome.INTERRUPTED:
        found += interrupted(result, state)
    changed = some(result.changed)
    would = "would change" if order.check else "changed"
    parts = [f"{order.heading}: {result.outcome.words} in {result.seconds:.1f} s"]
    parts += [f"{would} {changed}" if changed else f"nothing {would}"] if result.outcome is not Outcome.REFUSED else []
    parts += [f"record {result.record}"] if result.record else []
    found.append("; ".join(parts))
    hint = what_to_do(result, order)
    return [*found, f"What to do: {hint}"] if hint else found


def what_to_do(result: Result, order: Order) -> str:
    """Return how to go on after a run that did not succeed; nothing when there is no record to resume."""
    hint = WHAT_TO_DO.get(result.outcome, "")
    if hint and order.verb.once:
        harmless = order.check or result.outcome is Outcome.REFUSED
        return WHAT_TO_DO[Outcome.REFUSED] if harmless else order.verb.once
    if "{record}" in hint and not result.record:
        return ""
    return hint.format(program=PROGRAM, record=result.record)


def interrupted(result: Result, state: list[str]) -> list[str]:
    """Say where an interruption met the hosts."""
    met = [f"  {name}: {host.word}, last {host.last or 'nothing'}" for name, host in sorted(result.hosts.items())]
    now = ["What the hosts say now:", *(f"  {line}" for line in state)] if state else []
    return [f"Interrupted in: {result.task or 'the start'}", *met, *now]


def some(names: list[str]) -> str:
    """Return names, or their number when they are many."""
    return ", ".join(names) if len(names) <= NAMED else f"{len(names)} hosts"
