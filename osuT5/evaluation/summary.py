"""Totals over rows: shares, means and medians that leave out what means nothing for a row."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import fmean, median
from typing import Any

from osuT5.evaluation.processes import Row
from osuT5.evaluation.tempo import SAME_TEMPO

Value = float | int | bool | str | None


def map_summary(rows: Sequence[Row]) -> dict[str, Any]:
    """Totals over maps: everything, and by difficulty. A map that does not exist counts as not passed."""
    difficulties = sorted({r["difficulty"] for r in rows})
    return {
        "all": _map_totals(rows),
        "by_difficulty": {f"{d:g}": _map_totals([r for r in rows if r["difficulty"] == d]) for d in difficulties},
        "density_rises": _share(rises(rows).values()),
    }


def rises(rows: Sequence[Row]) -> dict[str, bool | None]:
    """Song -> whether objects a minute rise with every difficulty (means over seeds); None for one difficulty."""
    found: dict[str, bool | None] = {}
    for song in sorted({r["song"] for r in rows}):
        of_song = [r for r in rows if r["song"] == song]
        difficulties = sorted({r["difficulty"] for r in of_song})
        groups = [[r for r in of_song if r["difficulty"] == d] for d in difficulties]
        densities = [_mean(_scores(r, "objects_a_minute") for r in group) for group in groups]
        if len(densities) < 2:
            found[song] = None
        else:
            pairs = zip(densities, densities[1:], strict=False)
            found[song] = all(a is not None and b is not None and a < b for a, b in pairs)
    return found


def timing_summary(rows: Sequence[Row]) -> dict[str, Any]:
    """Totals over songs of the suite `timing`."""
    return {"songs": len(rows), **_timing_totals([r["timing"] for r in rows]), **_speed(rows)}


def _map_totals(rows: Sequence[Row]) -> dict[str, Value]:
    measured = [r["scores"] for r in rows if r["scores"]]
    rhythms = [s["rhythm"] for s in measured if s["rhythm"]]
    wanted = [(r["difficulty"], r["scores"]["stars"]) for r in rows if r["scores"] and r["scores"]["stars"] is not None]
    return {
        "maps": len(rows),
        "missing": len(rows) - len(measured),
        "passed_at_once": _share(r["passed_at_once"] for r in rows),
        "passed": _share(r["passed"] for r in rows),
        "objects_a_minute": _mean(s["objects_a_minute"] for s in measured),
        "longest_gap_s": _mean(s["longest_gap_s"] for s in measured),
        "longest_gap_worst_s": max((s["longest_gap_s"] for s in measured), default=None),
        "stacked": _mean(s["stacked"] for s in measured),
        "on_grid": _mean(s["on_grid"] for s in measured),
        "on_grid_worst": min((s["on_grid"] for s in measured), default=None),
        "on_grid_shifted": _mean(s["on_grid_shifted"] for s in measured),
        "chance": _mean(s["chance"] for s in measured),
        **{name: _mean(r[name] for r in rhythms) for name in (
            "f1", "precision", "recall", "f1_with_ends", "f1_random", "f1_steady")},
        "beats_random": _share(r["f1"] > r["f1_random"] for r in rhythms),
        "beats_steady": _share(r["f1"] > r["f1_steady"] for r in rhythms),
        "stars_requested": _mean(d for d, _ in wanted),
        "stars_obtained": _mean(s for _, s in wanted),
        "stars_error": _mean(abs(s - d) for d, s in wanted),
        **_timing_totals([s["timing"] for s in measured]),
        **_speed(rows),
    }  # fmt: skip


def _timing_totals(timings: Sequence[dict[str, Any]]) -> dict[str, Value]:
    offsets = [abs(t["offset_ms"]) for t in timings if t["offset_ms"] is not None]
    return {
        "tempo_right": _share(abs(t["bpm_error_folded"]) <= SAME_TEMPO for t in timings),
        "octave_right": _share(abs(t["bpm_error"]) <= SAME_TEMPO for t in timings),
        "half_beat_slips": sum(bool(t["half_beat_slip"]) for t in timings),
        "offset_median_ms": median(offsets) if offsets else None,
        "offset_within_10_ms": _share(
            t["offset_ms"] is not None and abs(t["offset_ms"]) <= 10 and not t["half_beat_slip"] for t in timings
        ),
        "beat_f1_20": _mean(t["beat_f1"][0] for t in timings),
        "beat_f1_70": _mean(t["beat_f1"][1] for t in timings),
        "beat_f1_20_shifted": _mean(t["beat_f1_shifted"][0] for t in timings),
    }


def _speed(rows: Sequence[Row]) -> dict[str, Value]:
    return {"seconds_a_minute": _mean(r["seconds_a_minute"] for r in rows)}


def _scores(row: Row, name: str) -> Value:
    return row["scores"][name] if row["scores"] else None


def _mean(values: Iterable[Value]) -> float | None:
    known = [float(v) for v in values if v is not None and math.isfinite(v)]
    return fmean(known) if known else None


def _share(values: Iterable[Value]) -> float | None:
    known = [bool(v) for v in values if v is not None]
    return fmean(known) if known else None
