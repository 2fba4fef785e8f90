"""Builds a data set from a folder of mapsets:

    python -m osuT5.data.build osz_dir=FOLDER out=FOLDER [option=value ...]

osz_dir holds .osz files, sets as folders (the game's Songs folder), or both, at any depth. Nothing is fetched, no
account is needed. out becomes an MMRS data set: metadata.parquet, data/<set folder>/ and text files that say what was
left out and why. Started again, it goes on where it was, however it ended, and adds the sets that are new; sets that
changed, and all sets when the choice of maps below has changed, are read again.

  workers=N             processes (all cores)
  ratings=true          star ratings at seven speeds; without them models learn no difficulty
  api_csv=FILE          what only the web site knows (ranked and submitted dates, status, mapper's id, tags): one row a
                        map with a column Id (or beatmap_id) and any columns of the table; with Checksum, maps of before
                        2012, whose files state no id, are found too
  status=N              states the status of all other maps: -2 graveyard, -1 wip, 0 pending, 1 ranked, 2 approved,
                        3 qualified, 4 loved. Without it the status stays unknown, and a training run that asks for
                        ranked_statuses takes none of them
  gamemodes=[0,1,2,3]   0 std, 1 taiko, 2 catch, 3 mania
  min_drain_s=S         seconds with objects at least          min_stars=S max_stars=S   star rating, from .. to
  min_mapped=SHARE      share of the song that a map lasts at least, 0..1 (decodes every song whole)
  max_sets=N            the data set gets no more sets than that
  retry_skipped=true    reads again what was skipped before
  keep_free_gib=G       space on the disk that is left free (1)    set_limit_s=S   time for one set (300)

Ids: sets and maps that state no online id get one from 1000000000 up, made of their content, the same everywhere. A
mapper's UserId is likewise made of the creator's name unless api_csv knows it: a class for training, not the web
site's id. Dates and what else only the web site knows stay empty without api_csv.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from osuT5 import cli
from osuT5.data.building.builder import Progress, Report, build
from osuT5.data.building.settings import BuildSettings, settings_from

TEXTS = ("osz_dir", "out", "api_csv")
LINE_EVERY_S = 10.0


def main(arguments: Sequence[str] | None = None) -> int:
    return cli.run(work, "build", "default", TEXTS, arguments, about=__doc__ or "")


def work(config: dict[str, Any]) -> int:
    """Builds; tells how far it is, and at the end what came of it."""
    settings = settings_from(config)
    with _shown() as show:
        report = build(settings, show)
    sys.stdout.write(summary(report, settings))
    return 0


def describe(progress: Progress) -> str:
    """`120/1000 sets, 3.1 sets/s, 4:44 left; 118 sets with 512 maps, 2 skipped`."""
    speed = progress.done / progress.elapsed_s if progress.elapsed_s else 0.0
    left = "" if progress.left_s is None else f", {_clock(progress.left_s)} left"
    return (
        f"{progress.done}/{progress.total} read, {speed:.1f} sets/s{left}; "
        f"{progress.sets} sets with {progress.maps} maps, {progress.skipped} skipped"
    )


def summary(report: Report, settings: BuildSettings) -> str:
    progress, out = report.progress, settings.out
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
    if settings.status is None and settings.api_csv is None:
        lines.append("the status of these maps is unknown: train without ranked_statuses, or build with status=1")
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
