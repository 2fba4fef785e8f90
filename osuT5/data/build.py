"""Builds a data set from a folder of mapsets: `python -m osuT5.data.build osz_dir=FOLDER out=FOLDER`. See --help."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from osuT5 import cli
from osuT5.data.building.settings import BuildOptions, check_folders

if TYPE_CHECKING:
    from osuT5.data.building.builder import Progress, Report

LINE_EVERY_S = 10.0


def main(arguments: Sequence[str] | None = None) -> int:
    return cli.run(work, BuildOptions, "default", arguments)


def work(options: BuildOptions) -> int:
    """Builds; tells how far it is, and at the end what came of it."""
    check_folders(options)
    from osuT5.data.building.builder import build

    with _shown() as show:
        report = build(options, show)
    sys.stdout.write(summary(report, options))
    return 0


def describe(progress: Progress) -> str:
    """`120/1000 sets, 3.1 sets/s, 4:44 left; 118 sets with 512 maps, 2 skipped`."""
    speed = progress.done / progress.elapsed_s if progress.elapsed_s else 0.0
    left = "" if progress.left_s is None else f", {_clock(progress.left_s)} left"
    return (
        f"{progress.done}/{progress.total} read, {speed:.1f} sets/s{left}; "
        f"{progress.sets} sets with {progress.maps} maps, {progress.skipped} skipped"
    )


def summary(report: Report, options: BuildOptions) -> str:
    progress, out = report.progress, options.out_folder
    seconds = f" in {_clock(progress.elapsed_s)}" if progress.done else ""
    lines = [
        f"{progress.done} sources read{seconds}, {progress.settled} were done before: "
        f"{progress.sets} new sets with {progress.maps} maps",
        f"{out}: {report.rows} maps in metadata.parquet",
    ]
    for count, what, name in (
        (report.issues, "parts of sets were left out", "sets_with_issues.txt"),
        (report.skipped, "sets were skipped", "sets_skipped.txt"),
        (report.mismatched, "maps are not those of api_csv", "sets_with_mismatched_checksums.txt"),
    ):
        if count:
            lines.append(f"{count} {what}: {out / name}")
    if report.unread:
        lines.append(f"{len(report.unread)} of them could not be read this time; they are tried again in the next run")
    if report.ignored_columns:
        lines.append(f"api_csv: columns that no data set has were ignored: {', '.join(report.ignored_columns)}")
    if options.status is None and options.api_csv is None:
        lines.append("the status of these maps is unknown, which training on your own data does not mind")
    return "\n".join(lines) + "\n"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


@contextmanager
def _shown() -> Iterator[Callable[[Progress], None]]:
    """A bar on a terminal; elsewhere a line every ten seconds."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines()
        return
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    with Bar(BarColumn(), TextColumn("{task.description}"), console=console, transient=True) as bar:
        task = bar.add_task("reading", total=None)
        yield lambda p: bar.update(task, total=p.total, completed=p.done, description=describe(p))


def _lines() -> Callable[[Progress], None]:
    last = time.monotonic()

    def show(progress: Progress) -> None:
        nonlocal last
        if time.monotonic() - last >= LINE_EVERY_S or progress.done == progress.total:
            last = time.monotonic()
            sys.stderr.write(describe(progress) + "\n")

    return show


if __name__ == "__main__":
    sys.exit(main())
