"""A map against the truth of its song: everything that is measured on one map."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean

from osuT5.beatmap import Beatmap, GameMode, stars
from osuT5.evaluation import baselines, grid
from osuT5.evaluation.rhythm import nearest_in_density, onsets, score
from osuT5.evaluation.songs import EvaluationSong
from osuT5.evaluation.tempo import TimingScore, compare_timing

STACKED_PX = 4.0


@dataclass(frozen=True)
class RhythmScore:
    """Rhythm against the human chart nearest in density.

    Attributes:
        chart: its name; `human`: its onsets.
        f1, precision, recall: of object starts.
        f1_with_ends: our slider repeats and ends count as onsets too (theirs where the chart has them).
        f1_random, f1_steady: of rhythms as dense that never heard the song (`baselines`).
    """

    chart: str
    human: int
    f1: float
    precision: float
    recall: float
    f1_with_ends: float
    f1_random: float
    f1_steady: float


@dataclass(frozen=True)
class MapScore:
    """What is measured on one map; ms on the game clock, shares 0..1.

    Attributes:
        longest_gap_s: longest stretch of the song without an object, in seconds; its start and end count as objects.
        stacked: osu! only: share of objects that begin where the one before began; 8 % on average and at most 15 % in
            nine of ten human maps (250 of the training split). A map that has lost its way stays in one place.
        on_grid: share of object starts within 10 ms of the true quarters and thirds of beats.
        chance: that share for times scattered over the whole song.
        best_shift_ms, on_grid_shifted: the shift, within 60 ms, that brings most starts onto the grid, and that share.
        rhythm: None without a chart, or without objects.
        stars: obtained; None where the map has none.
    """

    objects: int
    objects_a_minute: float
    longest_gap_s: float
    stacked: float | None
    on_grid: float
    chance: float
    best_shift_ms: int
    on_grid_shifted: float
    timing: TimingScore
    rhythm: RhythmScore | None
    stars: float | None


def measure_map(beatmap: Beatmap, song: EvaluationSong, seed: int = 0) -> MapScore:
    """Measures one map against its song.

    Args:
        seed: of the random baseline.
    """
    starts = onsets(beatmap)
    shift, shifted = grid.best_shift(starts, song.timing)
    return MapScore(
        objects=len(beatmap.hit_objects),
        objects_a_minute=len(beatmap.hit_objects) / song.minutes,
        longest_gap_s=longest_gap(beatmap, song.duration_ms) / 1000,
        stacked=stacked_share(beatmap),
        on_grid=grid.share_on_grid(starts, song.timing),
        chance=grid.chance_level(song.timing, 0.0, song.duration_ms),
        best_shift_ms=shift,
        on_grid_shifted=shifted,
        timing=compare_timing(beatmap.timing, song.timing, song.duration_ms),
        rhythm=measure_rhythm(beatmap, song, seed),
        stars=stars(beatmap),
    )


def longest_gap(beatmap: Beatmap, duration_ms: float) -> float:
    """Milliseconds of the longest stretch of the song in which nothing begins or lasts."""
    timing = beatmap.timing
    longest, covered = 0.0, 0.0
    for start, end in sorted((o.time, beatmap.end_time(o, timing)) for o in beatmap.hit_objects):
        longest, covered = max(longest, start - covered), max(covered, end)
    return max(longest, duration_ms - covered)


def stacked_share(beatmap: Beatmap) -> float | None:
    """Share of objects that begin within `STACKED_PX` of where the one before began; None outside osu!."""
    if beatmap.mode != GameMode.STD or len(beatmap.hit_objects) < 2:
        return None
    objects = sorted(beatmap.hit_objects, key=lambda o: o.time)
    pairs = zip(objects, objects[1:], strict=False)
    return fmean(math.dist((a.x, a.y), (b.x, b.y)) <= STACKED_PX for a, b in pairs)


def measure_rhythm(beatmap: Beatmap, song: EvaluationSong, seed: int = 0) -> RhythmScore | None:
    """Rhythm against the nearest chart; None where there is none to compare with."""
    starts = onsets(beatmap)
    if not song.charts or not len(starts):
        return None
    chart = song.charts[nearest_in_density(len(starts), [len(c.starts) for c in song.charts])]
    own = score(starts, chart.starts)
    span = float(starts[0]), float(starts[-1])
    return RhythmScore(
        chart=chart.name,
        human=len(chart.starts),
        f1=own.f1,
        precision=own.precision,
        recall=own.recall,
        f1_with_ends=score(onsets(beatmap, with_ends=True), chart.all).f1,
        f1_random=baselines.random_quarters(len(starts), song.timing, span, chart.starts, seed),
        f1_steady=baselines.steady(len(starts), song.timing, span, chart.starts),
    )
