"""`python evaluate.py`: configuration in, rows as they come, totals and the paths of the report out."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markdown import Markdown

from osuT5 import cli
from osuT5.errors import OptionErrors
from osuT5.evaluation import report, summary
from osuT5.evaluation.processes import OnRow, Row
from osuT5.evaluation.songs import EvaluationSong, read_evaluation_songs
from osuT5.evaluation.timing_suite import run_timing

TREE = "evaluate"
TEXTS = ("songs", "model_path", "out", "device")
ABOUT = """python evaluate.py suite=maps|timing songs=FOLDER [key=value ...]

Measures on songs whose truth is known: one folder a song with audio.ogg, meta.json and charts/.
  suite          maps: generate maps and compare them; timing: what the signal alone says of the beats
  songs          folder of song folders, or one of them
  only           parts of names: measure these songs only
  out            folder for maps and report; maps that lie there, made with the same settings, are not made again
  processes      songs at a time
 suite=maps:
  model_path     checkpoint folder or hub id; null: the embedded model
  gamemode       0 osu!, 1 taiko, 2 catch, 3 mania
  difficulties   star ratings, a map for each
  seed, seeds    of the first map, and how many maps with seeds that follow
  device, precision
  options        further options of inference.py, as +options.temperature=0.8"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code of one evaluation."""
    return cli.run(work, TREE, "default", TEXTS, arguments, ABOUT)


def work(config: dict[str, Any]) -> int:
    """Runs the suite that a configuration names. Raises OptionErrors naming every wrong option."""
    console = Console(stderr=True)
    problems = check(config)
    if problems:
        raise OptionErrors(problems)
    out = Path(config["out"]).expanduser()
    songs = read_evaluation_songs(Path(config["songs"]).expanduser(), config["only"])
    page, paths = SUITES[config["suite"]](config, songs, out, console)
    console.print(Markdown(page.split("\n## Maps")[0]) if console.is_terminal else "")
    for path in paths:
        console.print(f"[bold green]{path}", soft_wrap=True, highlight=False)
    return 0


def check(config: dict[str, Any]) -> list[str]:
    """What is wrong with the options, a sentence each."""
    problems = []
    if config["suite"] not in SUITES:
        problems.append(f"suite={config['suite']!r}: choose one of {', '.join(SUITES)}")
    if not config["songs"]:
        problems.append("songs is missing: name the folder of songs to measure on, e.g. songs=data/heldout")
    elif not Path(config["songs"]).expanduser().is_dir():
        problems.append(f"songs: no such folder: {config['songs']}")
    for name in ("processes", "seeds"):
        if not isinstance(config[name], int) or config[name] < 1:
            problems.append(f"{name}={config[name]!r} must be a whole number of at least 1")
    if not isinstance(config["seed"], int) or config["seed"] < 0:
        problems.append(f"seed={config['seed']!r} must be a whole number of at least 0")
    difficulties = config["difficulties"]
    numbers = isinstance(difficulties, list) and all(
        isinstance(d, (int, float)) and not isinstance(d, bool) and 0 <= d <= 30 for d in difficulties
    )
    if not numbers or not difficulties:
        problems.append(f"difficulties={difficulties!r} must be a list of star ratings, e.g. [2,4,6]")
    return problems


def maps(
    config: dict[str, Any], songs: list[EvaluationSong], out: Path, console: Console
) -> tuple[str, tuple[Path, Path]]:
    """The suite `maps`: page and files."""
    # not above: the other suite needs no model and starts much faster without one
    from osuT5.evaluation.generation import Settings
    from osuT5.evaluation.map_suite import MapTask, run_maps

    settings = Settings(
        config["model_path"], config["gamemode"], config["device"], config["precision"], config["options"] or {}
    )
    difficulties = tuple(float(d) for d in config["difficulties"])
    # a wrong option is told before a model is loaded
    settings.request(songs[0], out, difficulties[0], config["seed"])
    seeds = tuple(config["seed"] + n for n in range(config["seeds"]))
    tasks = [MapTask(song, difficulties, seeds) for song in songs]
    show = _teller(console, len(songs) * len(difficulties) * len(seeds), _map_line)
    rows = run_maps(tasks, settings, out, config["processes"], show)
    facts = {
        "model": settings.model_path or "embedded",
        "songs": f"{len(songs)} of {config['songs']}",
        "mode": settings.gamemode,
        "seeds": ", ".join(map(str, seeds)),
        "options": dict(settings.options) or "the model's own",
        "date": datetime.date.today().isoformat(),
    }
    totals = summary.map_summary(rows)
    page = report.map_page("Generated maps", facts, rows, totals)
    return page, report.save(out, "maps", {"facts": facts, "summary": totals, "rows": rows}, page)


def timing(
    config: dict[str, Any], songs: list[EvaluationSong], out: Path, console: Console
) -> tuple[str, tuple[Path, Path]]:
    """The suite `timing`: page and files."""
    rows = run_timing(songs, config["processes"], _teller(console, len(songs), _timing_line))
    facts = {"songs": f"{len(songs)} of {config['songs']}", "date": datetime.date.today().isoformat()}
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
