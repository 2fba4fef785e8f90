"""`python evaluate.py`: configuration in, rows as they come, totals and the paths of the report out."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from osuT5 import cli
from osuT5.options import (
    Command,
    Int,
    Names,
    Options,
    PathText,
    Table,
    Text,
    contradiction,
    heading,
    must_exist,
    numbers,
    one_of,
    required,
)

if TYPE_CHECKING:
    from rich.console import Console

    from osuT5.evaluation.processes import OnRow, Row
    from osuT5.evaluation.songs import EvaluationSong

USAGE = """python evaluate.py suite=maps|timing songs=FOLDER [key=value ...]

Measures on songs whose truth is known: one folder a song with audio.ogg, meta.json and charts/. suite=maps generates
maps and compares them; suite=timing measures what the signal alone says of the beats."""



@contradiction("difficulties")
def no_difficulty(difficulties: tuple[float, ...]) -> str | None:
    return None if difficulties else "difficulties is empty: name star ratings, e.g. [2,4,6]"


_songs = heading("Songs")
_maps = heading("suite=maps")


class EvaluateOptions(Options):
    """Options of an evaluation. Raises OptionErrors."""

    command: ClassVar[Command] = Command(
        tree="evaluate",
        title="an evaluation",
        usage=USAGE,
        contradictions=(
            required("songs", "the folder of songs to measure on, e.g. songs=data/heldout"),
            must_exist("songs", "folder"),
            no_difficulty,
        ),
        words={"model": "model_path", "difficulty": "difficulties", "output": "out", "output_path": "out"},
    )

    suite: one_of("maps", "timing") = _songs("what is measured", "maps")
    songs: PathText | None = _songs("folder of song folders, or one of them")
    only: Names | None = _songs("parts of names: measure these songs only")
    out: PathText = _songs(
        "folder for maps and report; maps that lie there, made with the same settings, are not made again",
        "runs/evaluate",
    )
    processes: Int = _songs("songs at a time", 1, ge=1, le=256)
    model_path: PathText | None = _maps("checkpoint folder or hub id; null: the embedded model")
    gamemode: Int = _maps("0 osu!, 1 taiko, 2 catch, 3 mania", 0, ge=0, le=3)
    difficulties: numbers(ge=0, le=30) = _maps("star ratings, a map for each", (2.0, 4.0, 6.0))
    seed: Int = _maps("of the first map", 1, ge=0, le=2**32 - 1)
    seeds: Int = _maps("how many maps, with seeds that follow", 1, ge=1, le=1000)
    device: Text | None = _maps("auto, cpu, cuda, cuda:N, mps")
    precision: one_of("fp32", "fp16", "bf16", "amp") | None = _maps("type of the weights")
    options: Table = _maps("further options of inference.py, as options.temperature=0.8", {})


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code of one evaluation."""
    return cli.run(work, EvaluateOptions, "default", arguments)


def work(options: EvaluateOptions) -> int:
    """Runs the suite."""
    from rich.console import Console
    from rich.markdown import Markdown
    from rich.text import Text as Plain

    from osuT5.evaluation.songs import read_evaluation_songs

    folder, out = Path(str(options.songs)).expanduser(), Path(options.out).expanduser()
    console = Console(stderr=True)
    songs = read_evaluation_songs(folder, [str(part) for part in options.only or ()] or None)
    page, paths = SUITES[options.suite](options, songs, out, console)
    console.print(Markdown(page.split("\n## Maps")[0]) if console.is_terminal else "")
    for path in paths:
        console.print(Plain(str(path), style="bold green"), soft_wrap=True)
    return 0


def maps(
    options: EvaluateOptions, songs: list[EvaluationSong], out: Path, console: Console
) -> tuple[str, tuple[Path, Path]]:
    """The suite `maps`: page and files."""
    # not above: the other suite needs no model and starts much faster without one
    from osuT5.evaluation import report, summary
    from osuT5.evaluation.generation import Settings
    from osuT5.evaluation.map_suite import MapTask, run_maps

    settings = Settings(options.model_path, options.gamemode, options.device, options.precision, options.options)
    difficulties = options.difficulties
    # a wrong option is told before a model is loaded
    settings.request(songs[0], out, difficulties[0], options.seed)
    seeds = tuple(options.seed + n for n in range(options.seeds))
    tasks = [MapTask(song, difficulties, seeds) for song in songs]
    show = _teller(console, len(songs) * len(difficulties) * len(seeds), _map_line)
    rows = run_maps(tasks, settings, out, options.processes, show)
    facts = {
        "model": settings.model_path or "embedded",
        "songs": f"{len(songs)} of {options.songs}",
        "mode": settings.gamemode,
        "seeds": ", ".join(map(str, seeds)),
        "options": dict(settings.options) or "the model's own",
        "date": datetime.date.today().isoformat(),
    }
    totals = summary.map_summary(rows)
    page = report.map_page("Generated maps", facts, rows, totals)
    return page, report.save(out, "maps", {"facts": facts, "summary": totals, "rows": rows}, page)


def timing(
    options: EvaluateOptions, songs: list[EvaluationSong], out: Path, console: Console
) -> tuple[str, tuple[Path, Path]]:
    """The suite `timing`: page and files."""
    from osuT5.evaluation import report, summary
    from osuT5.evaluation.timing_suite import run_timing

    rows = run_timing(songs, options.processes, _teller(console, len(songs), _timing_line))
    facts = {"songs": f"{len(songs)} of {options.songs}", "date": datetime.date.today().isoformat()}
    totals = summary.timing_summary(rows)
    page = report.timing_page("Timing from the signal", facts, rows, totals)
    return page, report.save(out, "timing", {"facts": facts, "summary": totals, "rows": rows}, page)


SUITES = {"maps": maps, "timing": timing}


def _teller(console: Console, total: int, line: Callable[[Row], str]) -> OnRow:
    done = 0

    def tell(row: Row) -> None:
        nonlocal done
        done += 1
        console.print(f"{done}/{total} {line(row)}", highlight=False, markup=False, soft_wrap=True)

    return tell


def _map_line(row: Row) -> str:
    scores = row["scores"]
    if scores is None:
        return f"{row['song']} {row['difficulty']:g}*: {row['error']}"
    rhythm = f", F1 {scores['rhythm']['f1']:.2f}" if scores["rhythm"] else ""
    gate = "" if row["passed"] else ", REFUSED"
    again = "" if row["fresh"] else " (made before)"
    return f"{row['song']} {row['difficulty']:g}*: {scores['on_grid']:.0%} on grid{rhythm}{gate}{again}"


def _timing_line(row: Row) -> str:
    found = row["timing"]
    offset = "" if found["offset_ms"] is None else f", offset {found['offset_ms']:+.1f} ms"
    slip = ", HALF-BEAT SLIP" if found["half_beat_slip"] else ""
    return f"{row['song']}: {found['bpm_found']:.2f} BPM of {found['bpm_true']:.2f}{offset}{slip}"
