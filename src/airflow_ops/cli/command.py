"""The command line: built from the table of verbs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import click

from airflow_ops.cli import values
from airflow_ops.cli.outcome import Outcome
from airflow_ops.cli.runs import runs
from airflow_ops.cli.verbs import VERBS, Option, Verb

PROGRAM = "airflow-ops"
SHELLS = ("bash", "zsh", "fish")
METAVARS: dict[Callable[[str], Any], str] = {
    values.below: "PATH",
    values.checks: "NAME,...",
    values.conf: "JSON|@FILE",
    values.folder: "FOLDER",
    values.moment: "DATE",
    values.name: "NAME",
    values.new_file: "FILE",
    values.pattern: "REGEX",
    values.repository: "URL",
    values.revision: "REVISION",
    values.run_id: "ID",
    values.sentence: "TEXT",
    values.severity: "|".join(values.SEVERITIES),
}
EPILOG = "\b\nExit codes: " + ", ".join(f"{int(outcome)} {outcome.words}" for outcome in Outcome) + "."


@dataclass(frozen=True)
class Common:
    """What every verb takes."""

    environment: str = "dev"
    as_json: bool = False
    verbosity: int = 0

    def merged(self, environment: str | None, as_json: bool, verbosity: int) -> Common:
        """Return these, with what was said after the verb."""
        return replace(
            self,
            environment=environment or self.environment,
            as_json=as_json or self.as_json,
            verbosity=verbosity or self.verbosity,
        )


class Kind(click.ParamType[Any]):
    """A kind of value of the table, for click."""

    name = "text"

    def __init__(self, check: Callable[[str], Any]) -> None:
        self.check = check

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the value, or refuse it in one sentence."""
        try:
            return self.check(value) if isinstance(value, str) else value
        except values.BadValue as error:
            raise click.BadParameter(str(error), ctx, param) from error


def hosts_to_complete(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Return hosts and groups of the environment that the line names."""
    from airflow_ops.cli.environments import find  # noqa: PLC0415 (the help needs none of it)

    common = ctx.find_object(Common) or Common()
    environment = find(ctx.params.get("environment") or common.environment, os.environ)
    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in environment.names() if name.startswith(last)]


def environments_to_complete(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Return the names of the environments."""
    from airflow_ops.cli.environments import known  # noqa: PLC0415 (the help needs none of it)

    return [name for name in known(os.environ) if name.startswith(incomplete)]


def common_options(default: str | None) -> list[click.Parameter]:
    """Return the options that may stand before and after the verb."""
    return [
        click.Option(
            ["-e", "--environment"], type=Kind(values.name), metavar="NAME", default=default,
            shell_complete=environments_to_complete, help="The environment, by default dev; production must be named.",
        ),
        click.Option(["--json", "as_json"], is_flag=True, help="Print the result as JSON."),
        click.Option(["-v", "--verbose", "verbosity"], count=True, help="Show what Ansible says; repeat for more."),
    ]  # fmt: skip


def parameter(option: Option) -> click.Parameter:
    """Return an option or argument of the table for click."""
    if option.is_argument:
        name = option.flag.strip("[].")
        kind = Kind(option.kind) if option.kind else click.STRING
        complete = components_to_complete if option.kind is values.component else None
        return click.Argument(
            [option.variable], type=kind, nargs=-1 if option.many else 1, required=option.required,
            metavar=option.flag if option.many else name if option.required else f"[{name}]", shell_complete=complete,
        )  # fmt: skip
    text = f"{option.help[:1].upper()}{option.help[1:]}."
    names = [option.flag, option.variable]
    if option.kind is None:
        return click.Option(names, is_flag=True, flag_value=True, default=False, help=text)
    metavar = METAVARS.get(option.kind, "NUMBER")
    return click.Option(names, type=Kind(option.kind), metavar=metavar, required=option.required, help=text)


def components_to_complete(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Return the names of the services."""
    return [name for name in values.COMPONENTS if name.startswith(incomplete)]


def command(verb: Verb) -> click.Command:
    """Return the command of a verb."""

    @click.pass_context
    def callback(ctx: click.Context, /, **given: Any) -> None:
        from airflow_ops.cli.session import carry_out  # noqa: PLC0415 (the help needs none of it)

        common = ctx.find_object(Common) or Common()
        own = common.merged(given.pop("environment"), given.pop("as_json"), given.pop("verbosity"))
        ctx.exit(int(carry_out(verb, own, given)))

    own = [
        click.Option(
            ["-l", "--limit"], type=Kind(values.limit), metavar="PATTERN", default=None,
            shell_complete=hosts_to_complete, help="Only these hosts or groups.",
        ),
        click.Option(["--var"], multiple=True, metavar="NAME=VALUE", help="Another variable of the playbook."),
    ]  # fmt: skip
    if not verb.looks:
        own.append(click.Option(["--check"], is_flag=True, help="Only show what would change."))
        own.append(click.Option(["-y", "--yes"], is_flag=True, help="Do not ask."))
    examples = "\n".join(f"  {line}" for line in verb.examples or (f"{PROGRAM} -e prod {verb.name}",))
    return click.Command(
        verb.name.rpartition(" ")[2],
        params=[*map(parameter, verb.options), *own, *common_options(None)],
        callback=callback,
        help=f"{verb.summary}\n\nRuns {verb.playbook}.",
        short_help=verb.summary,
        epilog=f"\b\nExamples:\n{examples}",
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def build() -> click.Group:
    """Return the whole command line."""

    @click.pass_context
    def remember(ctx: click.Context, /, environment: str, as_json: bool, verbosity: int) -> None:
        ctx.obj = Common(environment, as_json, verbosity)

    group = InOrder(
        PROGRAM,
        params=common_options("dev"),
        callback=remember,
        help="Operate an Airflow cluster: each verb runs one playbook of this repository.",
        epilog=EPILOG,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
        no_args_is_help=True,
    )
    for verb in VERBS:
        before, _, _ = verb.name.rpartition(" ")
        parent = group.commands.setdefault(before, InOrder(before, help="The watchdog.")) if before else group
        assert isinstance(parent, click.Group)
        parent.add_command(command(verb))
    group.commands["watchdog"].help = "Look at the watchdog, pause it, let it act again."
    group.add_command(runs)
    group.add_command(completion)
    return group


class InOrder(click.Group):
    """A group whose help lists its commands in the order of the table."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (named so by click)
        """Return the names."""
        return list(self.commands)


@click.command(short_help="Print the completion script of a shell.")
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the completion script of a shell.

    \b
    Examples:
      eval "$(airflow-ops completion bash)"     # in ~/.bashrc
    """
    from click.shell_completion import get_completion_class  # noqa: PLC0415 (no other command needs it)

    kind = get_completion_class(shell)
    assert kind
    click.echo(kind(build(), {}, PROGRAM, COMPLETION_VARIABLE).source())


COMPLETION_VARIABLE = "_AIRFLOW_OPS_COMPLETE"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit code; what is refused is one sentence on stderr."""
    group = build()
    try:
        code = group.main(arguments, prog_name=PROGRAM, complete_var=COMPLETION_VARIABLE, standalone_mode=False)
        return int(code or 0)
    except click.Abort:
        return int(Outcome.INTERRUPTED)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return int(Outcome.REFUSED)
    except click.ClickException as error:
        return refuse(error.format_message(), arguments)
    except values.BadValue as error:
        return refuse(str(error), arguments)
    except OSError as error:  # of this machine: a full disk, a file that cannot be read
        print(f"{PROGRAM}: {error.strerror or error} ({error.filename or 'this machine'})", file=sys.stderr)
        return int(Outcome.FAILED)


def refuse(sentence: str, arguments: list[str] | None) -> int:
    """Say why a command is refused; no host was touched."""
    text = " ".join(sentence.split())
    if "--json" in (sys.argv[1:] if arguments is None else arguments):
        print(json.dumps({"outcome": "refused", "exit_code": int(Outcome.REFUSED), "reasons": [text]}))
    print(f"{PROGRAM}: {text}", file=sys.stderr)
    return int(Outcome.REFUSED)
