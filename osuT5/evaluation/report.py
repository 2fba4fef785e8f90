"""Rows and totals as JSON and as a page of Markdown. Per song, because means over songs hide failures."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from osuT5.evaluation.processes import Row
from osuT5.evaluation.summary import Value, rises

Column = tuple[str, Callable[[Row], str]]


def _percent(value: Value, digits: int = 0) -> str:
    return "-" if value is None else f"{round(100 * value, digits) + 0.0:.{digits}f} %"  # + 0.0: no "-0 %"


def _number(value: Value, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _signed(value: Value, digits: int = 1) -> str:
    return "-" if value is None else f"{round(value, digits) + 0.0:+.{digits}f}"


def _timing_columns(of: Callable[[Row], dict[str, Any]]) -> list[Column]:
    return [
        ("true BPM", lambda r: _number(of(r)["bpm_true"], 2)),
        ("BPM", lambda r: _number(of(r)["bpm_found"], 2)),
        ("BPM error", lambda r: _percent(of(r)["bpm_error"], 2)),
        ("folded", lambda r: _percent(of(r)["bpm_error_folded"], 3)),
        ("offset ms", lambda r: _signed(of(r)["offset_ms"])),
        ("worst ms", lambda r: _number(of(r)["offset_worst_ms"], 1)),
        ("half-beat slip", lambda r: {None: "-", True: "SLIP", False: "no"}[of(r)["half_beat_slip"]]),
    ]


TIMING_COLUMNS: list[Column] = [
    ("song", lambda r: r["song"]),
    *_timing_columns(lambda r: r["timing"]),
    ("beat F1 20 ms", lambda r: _number(r["timing"]["beat_f1"][0])),
    ("70 ms", lambda r: _number(r["timing"]["beat_f1"][1])),
    ("20 ms shifted", lambda r: _number(r["timing"]["beat_f1_shifted"][0])),
    ("confidence", lambda r: _number(r["confidence"])),
    ("s/min", lambda r: _number(r["seconds_a_minute"], 1)),
]


def _rhythm(name: str) -> Callable[[Row], str]:
    return lambda r: _number(r["scores"]["rhythm"][name]) if r["scores"]["rhythm"] else "-"


MAP_COLUMNS: list[Column] = [
    ("song", lambda r: r["song"]),
    ("stars", lambda r: f"{r['difficulty']:g}"),
    ("obtained", lambda r: _number(r["scores"]["stars"])),
    ("obj/min", lambda r: _number(r["scores"]["objects_a_minute"], 0)),
    ("longest gap s", lambda r: _number(r["scores"]["longest_gap_s"], 1)),
    ("stacked", lambda r: _percent(r["scores"]["stacked"])),
    ("on grid", lambda r: _percent(r["scores"]["on_grid"])),
    ("chance", lambda r: _percent(r["scores"]["chance"])),
    ("at best shift", lambda r: f"{_percent(r['scores']['on_grid_shifted'])} ({r['scores']['best_shift_ms']:+d} ms)"),
    *_timing_columns(lambda r: r["scores"]["timing"]),
    ("F1", _rhythm("f1")),
    ("with ends", _rhythm("f1_with_ends")),
    ("random", _rhythm("f1_random")),
    ("steady", _rhythm("f1_steady")),
    ("gate", lambda r: "1st" if r["passed_at_once"] else f"after {r['attempts']}" if r["passed"] else "REFUSED"),
    ("s/min", lambda r: _number(r["seconds_a_minute"], 1)),
]

TOTAL_FORMATS: dict[str, Callable[[Value], str]] = {
    **dict.fromkeys(
        "passed_at_once passed stacked on_grid on_grid_worst on_grid_shifted chance beats_random beats_steady "
        "tempo_right octave_right offset_within_10_ms".split(),
        _percent,
    ),
    "objects_a_minute": lambda v: _number(v, 0),
    "offset_median_ms": lambda v: _number(v, 1),
    **dict.fromkeys(("longest_gap_s", "longest_gap_worst_s"), lambda v: _number(v, 1)),
    "seconds_a_minute": lambda v: _number(v, 1),
    **dict.fromkeys(("maps", "missing", "songs", "half_beat_slips"), str),
}


def table(rows: Sequence[Row], columns: Sequence[Column]) -> str:
    """A Markdown table."""
    lines = [[name for name, _ in columns], ["---"] * len(columns)]
    lines += [[str(show(row)).replace("|", "/") for _, show in columns] for row in rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def totals_table(totals: dict[str, dict[str, Value]]) -> str:
    """Measures down, groups of maps across."""
    names = list(next(iter(totals.values())))
    rows = [{"name": n, **{g: TOTAL_FORMATS.get(n, _number)(v[n]) for g, v in totals.items()}} for n in names]
    columns: list[Column] = [("measure", lambda r: r["name"].replace("_", " "))]
    columns += [(group, lambda r, g=group: r[g]) for group in totals]
    return table(rows, columns)


def map_page(title: str, facts: dict[str, Any], rows: Sequence[Row], summary: dict[str, Any]) -> str:
    """The report of the suite `maps` in Markdown."""
    groups = {"all": summary["all"], **{f"{d} stars": t for d, t in summary["by_difficulty"].items()}}
    failed = [f"- {r['song']} at {r['difficulty']:g} stars: {r['error']}" for r in rows if r["error"]]
    flat = [song for song, up in rises(rows).items() if up is False]
    parts = [f"# {title}", _facts(facts), "## Totals", totals_table(groups)]
    if summary["density_rises"] is not None:
        parts.append(
            f"Objects a minute rise with difficulty in {_percent(summary['density_rises'])} of the songs"
            + (f"; not in {', '.join(flat)}." if flat else ".")
        )
    parts += ["## Maps", table([r for r in rows if r["scores"]], MAP_COLUMNS)]
    if failed:
        parts += ["## Refused or failed", "\n".join(failed)]
    return "\n\n".join([*parts, MAP_LEGEND]) + "\n"


def timing_page(title: str, facts: dict[str, Any], rows: Sequence[Row], summary: dict[str, Any]) -> str:
    """The report of the suite `timing` in Markdown."""
    body = ["## Totals", totals_table({"all": summary}), "## Songs", table(rows, TIMING_COLUMNS)]
    return "\n\n".join([f"# {title}", _facts(facts), *body, TIMING_LEGEND]) + "\n"


TIMING_LEGEND = (
    "BPM error is found / true - 1 as it is, folded after the best power of two. Offset: typical distance of our beats "
    "from the true beats or half beats, positive is late; worst: the farthest beat. SLIP: our beats are the true "
    "half beats. Truth and result are on the game clock."
)
MAP_LEGEND = (
    "On grid: object starts within 10 ms of the true quarters and thirds of beats; chance: times scattered over the "
    "song. F1: object starts against the human chart nearest in density, 25 ms, one to one; with ends: slider repeats "
    "and ends count too; random, steady: as many quarters of true beats at random, every beat or half beat. "
    + TIMING_LEGEND
)


def _facts(facts: dict[str, Any]) -> str:
    return "\n".join(f"- {name}: {value}" for name, value in facts.items())


def save(folder: Path, name: str, content: dict[str, Any], page: str) -> tuple[Path, Path]:
    """Writes `<name>.json` and `<name>.md`, each whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(_plain(content), indent=1, allow_nan=False)
    files = {folder / f"{name}.json": text, folder / f"{name}.md": page}
    for path, text in files.items():
        partial = path.with_name(path.name + ".partial")
        partial.write_text(text, "utf-8")
        os.replace(partial, path)
    first, second = files
    return first, second


def _plain(value: Any) -> Any:
    """JSON has no infinities: they become null."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
