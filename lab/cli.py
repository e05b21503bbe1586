"""The command line of the lab."""

from __future__ import annotations

import os
import sys
import time
from datetime import timedelta
from typing import Annotated

import typer

from airflow_ops.columns import columns
from lab import cgroup, cluster, disk, host, image, machine, network, saved, settings, state, tree
from lab.errors import LabError
from lab.hosts import DEFAULT_HOSTS, choose, find
from lab.settings import Settings

app = typer.Typer(
    help="Real hosts for tests and the demo: systemd-nspawn containers on a bridge of their own.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # it would double the time to start
)

Names = Annotated[list[str] | None, typer.Argument(metavar="HOST", help="Hosts; all when none is named.")]
Name = Annotated[str, typer.Argument(metavar="HOST")]


def main() -> None:
    """Run the command line; a LabError is one sentence and exit code 1."""
    try:
        app(prog_name="lab")
    except LabError as error:
        typer.secho(f"lab: {error}", err=True, fg=typer.colors.RED)
        sys.exit(1)


def _lab() -> Settings:
    machine.check()
    return state.agree(settings.from_environment(os.environ))


def _say(text: str) -> None:
    typer.echo(text)


@app.command()
def up(
    names: Names = None,
    extra: Annotated[int, typer.Option(help="Boot so many plain hosts x01, x02, ... (sshd only).")] = 0,
    bare: Annotated[bool, typer.Option("--bare", help="Without prepared packages, as a fresh machine.")] = False,
) -> None:
    """Boot hosts and write the inventory; without HOST and --extra, all hosts of both environments."""
    lab = _lab()
    wanted = choose(names or [], extra)
    begin = time.monotonic()
    cluster.up(lab, wanted, bare, _say)
    _say(f"{len(wanted)} hosts up in {time.monotonic() - begin:.1f} s; inventory: {lab.inventory}")


@app.command()
def down(names: Names = None) -> None:
    """Shut hosts down; their disks stay."""
    cluster.down(_lab(), [find(name).name for name in names or []], _say)


@app.command()
def destroy(names: Names = None) -> None:
    """Remove hosts with their disks; without HOST the whole lab with all it made on this machine."""
    cluster.destroy(_lab(), [find(name).name for name in names or []], _say)


@app.command("list")
def list_hosts() -> None:
    """Show the hosts of the lab and their states."""
    lab = _lab()
    record = state.load(lab)
    rows = [("host", "address", "state", "pid", "uptime", "layer")]
    for one in [*DEFAULT_HOSTS, *cluster.extras(record)]:
        if one.name in record.hosts:
            pid = cgroup.processes(lab.name, one.name).init
            since = str(timedelta(seconds=round(host.uptime(pid)))) if pid else "-"
            layer = record.hosts[one.name].layer or "-"
            name, address = one.name, one.address(lab.network)
            rows.append((name, address, host.state(lab, name), str(pid or "-"), since, layer))
    _say("\n".join(columns(rows)))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def ssh(name: Name, command: Annotated[list[str] | None, typer.Argument(metavar="-- COMMAND")] = None) -> None:
    """Log in to a host as mbsadmin, or run a command there."""
    machine.check_root(os.geteuid())
    lab = state.agree(settings.from_environment(os.environ))
    find(name)
    if not lab.ssh_config.exists():
        raise LabError(f"There is no lab '{lab.name}'; `lab up {name}` makes it.")
    os.execvp("ssh", ["ssh", "-F", str(lab.ssh_config), name, *(command or [])])


@app.command()
def pause(name: Name) -> None:
    """Freeze all processes of a host, as if it hung."""
    lab = _lab()
    with cluster.one_host(lab, name):
        cgroup.freeze(lab.name, name, True)


@app.command()
def resume(name: Name) -> None:
    """Let a paused host go on."""
    lab = _lab()
    with cluster.one_host(lab, name):
        cgroup.freeze(lab.name, name, False)


@app.command()
def cut(name: Name) -> None:
    """Cut a host off from the network."""
    lab = _lab()
    with cluster.one_host(lab, name):
        network.plug(lab, name, connected=False)


@app.command()
def heal(name: Name) -> None:
    """Give a host its network back."""
    lab = _lab()
    with cluster.one_host(lab, name):
        network.plug(lab, name, connected=True)


@app.command()
def fill(name: Name, leave: Annotated[int, typer.Option(min=0, help="MiB that stay free.")] = 0) -> None:
    """Fill the disk of a host to the last block."""
    lab = _lab()
    with cluster.one_host(lab, name):
        disk.fill(host.disk_of(lab, name), leave * 2**20)


@app.command()
def free(name: Name) -> None:
    """Give back the space that `fill` took."""
    lab = _lab()
    with cluster.one_host(lab, name):
        disk.free(host.disk_of(lab, name))


@app.command()
def kill(name: Name) -> None:
    """Cut the power of a host; `lab up HOST` boots it again from its disk."""
    lab = _lab()
    with cluster.one_host(lab, name):
        cluster.cut_power(lab, name)


@app.command()
def save(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    hosts: Annotated[list[str] | None, typer.Argument(metavar="HOST", help="Hosts; all of the lab by default.")] = None,
) -> None:
    """Keep copies of hosts, with their secrets; those that run are shut down for it and boot again."""
    lab = _lab()
    saved.save(lab, name, [find(one).name for one in hosts or sorted(state.load(lab).hosts)], _say)


@app.command()
def restore(name: Annotated[str, typer.Argument(metavar="NAME")]) -> None:
    """Boot copies of saved hosts in place of all that the lab has."""
    saved.restore(_lab(), name, _say)


@app.command()
def layer(
    names: Annotated[list[str] | None, typer.Argument(metavar="LAYER", help="Layers; all by default.")] = None,
) -> None:
    """Build the base tree and prepared layers ahead, where they are missing."""
    lab = _lab()
    unknown = set(names or []) - set(tree.LAYERS)
    if unknown:
        raise LabError(f"There is no layer '{min(unknown)}'; there are {', '.join(tree.LAYERS)}.")
    for folders in image.lower_folders(lab.cache, set(names or tree.LAYERS), _say).values():
        _say(str(folders[0]))
