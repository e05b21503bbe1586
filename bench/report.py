"""The figures as people read them: tables, the bars that ours has to clear, a plot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bench.results import Case, Results
from bench.ways import FIRST, FLOOR, NOTHING, ONE, OURS, PING, SYNCHRONIZE, WAYS, WORKS

MARKS = ("<!-- figures -->", "<!-- /figures -->")
TITLES = {FIRST: "first delivery", ONE: "one file changed", NOTHING: "nothing changed"}


def text(results: Results, limit: float) -> str:
    """Return all figures as Markdown."""
    parts = [table(results, hosts, files, limit) for hosts, files in results.sizes()]
    return "\n\n".join([*parts, "\n".join(bars(results))]) + "\n"


def table(results: Results, hosts: int, files: int, limit: float) -> str:
    """Return the table of one number of hosts and files: median seconds, and how many times ours that is."""
    head = ["way", *TITLES.values(), "MB on the wire", "memory, MB"]
    rows = [head, ["---"] * len(head)]
    for way in WAYS:
        cases = [Case(way.name, work, hosts, files) for work in WORKS]
        if any(results.runs.get(case) or results.late(case) for case in cases):
            wire = " / ".join(mega(results.wire(case)) for case in cases)
            cells = [timing(results, case, limit) for case in cases]
            rows.append([way.name, *cells, wire, mega(results.memory(way.name, hosts, files), digits=0)])
    lines = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"### {hosts} hosts, {files:,} files\n\n{lines}"


def timing(results: Results, case: Case, limit: float) -> str:
    """Return the text of one cell."""
    seconds = results.seconds(case)
    if seconds is None:
        return f"> {limit:.0f} s" if results.late(case) else "-"
    own = results.seconds(Case(OURS, case.work, case.hosts, case.files))
    ratio = f" ({seconds / own:.2f}×)" if own and case.way != OURS else ""
    return f"{seconds:.1f} s{ratio}"


def mega(count: float | None, digits: int = 2) -> str:
    """Return bytes in units of 10^6."""
    return "-" if count is None else f"{count / 1e6:.{digits}f}"


def bars(results: Results) -> Iterator[str]:
    """Yield one line for each demand on ours, with what was seen."""
    for hosts, files in results.sizes():
        where = f"{hosts} hosts, {files:,} files"
        for work, peer, factor in ((ONE, SYNCHRONIZE, 1.0), (NOTHING, PING, 1.3), (ONE, FLOOR, 3.0)):
            mine, other = (results.seconds(Case(way, work, hosts, files)) for way in (OURS, peer))
            if mine and other:
                aim = "aim" if peer == FLOOR else "bar"
                demand = f"{TITLES[work]}, at most {factor:g}× {peer}"
                seen = f"{mine:.1f} s is {mine / other:.2f}×"
                yield f"- {verdict(mine <= factor * other)} ({aim}) {where}: {demand}: {seen}"
    yield from growth(results)


def growth(results: Results) -> Iterator[str]:
    """Yield how the cost grew from the fewest hosts to the most, tree by tree and work by work."""
    for files in sorted({files for _, files in results.sizes()}):
        for work in WORKS:
            points = curve(results, OURS, work, files)
            if len(points) > 1:
                (few, short), (many, long) = points[0], points[-1]
                what = f"{files:,} files, {TITLES[work]}: {few} → {many} hosts is {many / few:.2g}×"
                yield f"- {verdict(long / short <= many / few)} (bar) {what}, the time {long / short:.2f}×"


def verdict(good: bool) -> str:
    """Return the word for a demand."""
    return "met" if good else "**missed**"


def curve(results: Results, way: str, work: str, files: int) -> list[tuple[int, float]]:
    """Return the times of a way against hosts."""
    sizes = sorted({hosts for hosts, count in results.sizes() if count == files})
    timed = [(hosts, results.seconds(Case(way, work, hosts, files))) for hosts in sizes]
    return [(hosts, seconds) for hosts, seconds in timed if seconds is not None]


def plot(results: Results, files: int, path: Path) -> None:
    """Draw time against hosts, one picture for each work."""
    import matplotlib as mpl  # noqa: PLC0415 (slow to import)

    mpl.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415

    figure, axes = pyplot.subplots(1, len(WORKS), figsize=(13, 4.2), layout="constrained")
    for axis, work in zip(axes, WORKS, strict=True):
        for way in WAYS:
            points = curve(results, way.name, work, files)
            if points:
                axis.plot(
                    *zip(*points, strict=True), marker="o", label=way.name, linewidth=2.5 if way.name == OURS else 1.2
                )
        axis.set(title=TITLES[work], xlabel="hosts", ylim=(0, None))
        axis.set_xticks(sorted({hosts for hosts, count in results.sizes() if count == files}))
        axis.grid(alpha=0.3)
        if axis.lines:
            axis.legend(fontsize="small")
    axes[0].set_ylabel(f"seconds, {files:,} files (median)")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def between_marks(page: str, figures: str) -> str:
    """Return the page with its figures replaced."""
    before, _, rest = page.partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    return f"{before}{MARKS[0]}\n{figures}{MARKS[1]}{after}"
