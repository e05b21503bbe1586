"""``airflow-ops runs``: the records of this account."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from airflow_ops.columns import columns

if TYPE_CHECKING:
    from airflow_ops.cli.library import Order
    from airflow_ops.cli.records import Record, Records

SHOWN = 20


@click.group(invoke_without_command=True, short_help="List, show and resume earlier runs.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "-n", "--number", type=click.IntRange(1, 1000), default=SHOWN, show_default=True, help="How many to list."
)
@click.pass_context
def runs(ctx: click.Context, as_json: bool, number: int) -> None:
    """List, show and resume earlier runs of this account.

    \b
    Examples:
      airflow-ops runs
      airflow-ops runs show last --log
      airflow-ops runs resume last
    """
    if ctx.invoked_subcommand:
        return
    records = list(_records().all())[:number]
    if as_json:
        click.echo(json.dumps([asdict(record) for record in records], ensure_ascii=False))
        return
    for line in table(records):
        click.echo(line)


@runs.command(short_help="Show one run.")
@click.argument("name", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--log", is_flag=True, help="Print what Ansible said.")
def show(name: str, as_json: bool, log: bool) -> None:
    """Show one run, by its id, the beginning of the id, or the word last."""
    records = _records()
    record = records.find(name)
    if as_json:
        click.echo(json.dumps(asdict(record), ensure_ascii=False))
    elif log:
        sys.stdout.write(records.log(record.id).read_text("utf-8"))
    else:
        for line in details(record):
            click.echo(line)


@runs.command(short_help="Go on with a run that did not succeed.")
@click.argument("name", metavar="ID")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_context
def resume(ctx: click.Context, name: str, yes: bool, as_json: bool) -> None:
    """Go on with a run on the hosts that failed; what is done on all hosts or on none is repeated."""
    from airflow_ops.cli.session import carry_on  # noqa: PLC0415 (the help needs none of it)

    ctx.exit(int(carry_on(order_of(_records().find(name)), as_json, yes)))


def order_of(record: Record) -> Order:
    """Return the order that goes on with a run."""
    from airflow_ops.cli.library import Order  # noqa: PLC0415 (the help needs none of it)
    from airflow_ops.cli.values import BadValue  # noqa: PLC0415 (the help needs none of it)
    from airflow_ops.cli.verbs import BY_NAME  # noqa: PLC0415 (the help needs none of it)

    if record.exit_code == 0:
        raise BadValue(f"{record.id} succeeded; there is nothing to resume.")
    verb = BY_NAME.get(record.verb)
    if not verb:
        raise BadValue(f"{record.verb} is no verb of this version.")
    if verb.once:
        raise BadValue(f"{record.verb} is not resumed: {verb.once}.")
    if not record.resumable:
        raise BadValue(f"{record.id} had secrets among its values, which are not kept; type the command again.")
    bad = [name for name, host in record.hosts.items() if host["state"] in ("failed", "unreachable")]
    limit = record.limit if verb.whole or not bad else ",".join(bad)
    return Order(verb, record.environment, record.variables, limit, record.check)


def table(records: list[Record]) -> list[str]:
    """Return the records as lines."""
    if not records:
        return ["No run is recorded."]
    rows = [("id", "who", "environment", "verb", "outcome", "seconds")]
    rows += [
        (
            record.id,
            record.who,
            record.environment,
            f"{record.verb}{' --check' if record.check else ''}",
            record.outcome,
            "-" if record.seconds is None else f"{record.seconds:.1f}",
        )
        for record in records
    ]
    return columns(rows)


def details(record: Record) -> list[str]:
    """Return one record as lines."""
    took = f"{record.seconds or 0:.1f} s, exit code {record.exit_code}"
    found = [
        f"{record.verb} on {record.environment}{f' -l {record.limit}' if record.limit else ''}: {record.outcome}",
        f"  by {record.who} on {record.where}, {record.started}, {took}",
    ]
    found += [f"  {name} = {json.dumps(value, ensure_ascii=False)}" for name, value in record.variables.items()]
    for name, host in sorted(record.hosts.items()):
        found.append(f"  {name}: {host['state']}, {host['ok']} ok, {host['changed']} changed, {host['failed']} failed")
    for failure in record.failures:
        found.append(
            f"  FAILED  {': '.join(failure[key] for key in ('host', 'role', 'task', 'message') if failure[key])}"
        )
    return [*found, *(f"  | {line}" for line in record.messages)]


def _records() -> Records:
    from airflow_ops.cli.records import Records, state_folder  # noqa: PLC0415 (the help needs none of it)

    return Records(state_folder(os.environ))
