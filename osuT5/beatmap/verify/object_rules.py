"""Class B rules about objects in time: overlaps, snapping, durations, bounds of the song.

Facts: Mapset Verifier's checks (gaps, snapping, spinners) and, for what it lacks, our own limits; see `limits.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from osuT5.beatmap.types import GameMode, Hold, Slider, Spinner
from osuT5.beatmap.verify.facts import Facts
from osuT5.beatmap.verify.findings import INFO, WARNING, Fault
from osuT5.beatmap.verify.limits import (
    MAX_COMBO,
    MAX_LONG_SLIDER_MS,
    MAX_SCORE,
    MIN_HOLD_ERROR_MS,
    MIN_HOLD_WARNING_MS,
    MIN_SLIDER_MS,
    MIN_SPAN_MS,
    PATH_STRETCH,
    TAIL_BEFORE_RED_MS,
    UNSNAP_ERROR_MS,
    UNSNAP_INFO_MS,
    spinner_limits,
)
from osuT5.beatmap.verify.snapping import practical_unsnap

_END_TICK_MARGIN_MS = 10.0  # no slider tick this close to the end
# score V1: most that mods multiply by (hidden, hard rock, double time, flashlight)
_MAX_MOD_MULTIPLIER = 1.06 * 1.06 * 1.12 * 1.12


def close_pairs(facts: Facts) -> Iterator[tuple[int, int, float]]:
    """(earlier place, later place, gap in ms) where an object begins before the last to end is safely over.

    One pair for each later object: with the object that ends last of those before it in its column. Without a
    tempo (A009) no slider's end is known, and nothing is said.
    """
    if facts.grid is None:
        return
    for column in facts.columns:
        longest = -1
        for place in column:
            if longest >= 0:
                gap = facts.starts[place] - facts.ends[longest]
                if gap <= facts.limits.close_ms:
                    yield longest, place, gap
            if longest < 0 or facts.ends[place] >= facts.ends[longest]:
                longest = place


def concurrent(facts: Facts) -> Iterator[Fault]:
    """B001: an object begins while another is still there."""
    for first, second, gap in close_pairs(facts):
        if gap <= 0:
            yield Fault(f"The object begins {-gap:.0f} ms before the end of another; shorten or drop one",
                        facts.starts[second], (facts.indices[first], facts.indices[second]), gap, 0)  # fmt: skip


def almost_concurrent(facts: Facts) -> Iterator[Fault]:
    """B002: an object begins only just after the end of another."""
    limit = facts.limits.close_ms
    for first, second, gap in close_pairs(facts):
        if 0 < gap and not isinstance(facts.objects[second], Spinner):
            yield Fault(f"The object begins {gap:.1f} ms after the end of another; more than {limit:g} are needed",
                        facts.starts[second], (facts.indices[first], facts.indices[second]), gap, limit)  # fmt: skip


_PARTS = {0: "start", -1: "end"}


def unsnapped(facts: Facts) -> Iterator[Fault]:
    """B003: starts, slider repeats and ends are on a tick."""
    places, parts, times = facts.edges
    for edge in np.nonzero(np.abs(facts.unsnaps) >= UNSNAP_INFO_MS)[0].tolist():
        place, part, time, off = int(places[edge]), int(parts[edge]), float(times[edge]), float(facts.unsnaps[edge])
        if part == -1 and isinstance(facts.objects[place], Slider) and _ends_before_new_timing(facts, time):
            continue
        name = _PARTS.get(part, "repeat")
        severe = abs(off) >= UNSNAP_ERROR_MS
        yield Fault(f"The object's {name} is {off:+.1f} ms off the nearest tick", time, (facts.indices[place],), off,
                    UNSNAP_ERROR_MS, None if severe else INFO)  # fmt: skip


def _ends_before_new_timing(facts: Facts, time: float) -> bool:
    """A tail just before a red line whose downbeat is not on the old grid may be on the new one."""
    red = facts.timing.next_red_after(time)
    if red is None or red.time - time > TAIL_BEFORE_RED_MS:
        return False
    old = facts.timing.red_at(time)
    beats = (red.time - old.time) / facts.timing.beat_length_at(time)
    off = abs(beats - round(beats)) * facts.timing.beat_length_at(time)
    return off > 1.0


def no_curve(facts: Facts) -> Iterator[Fault]:
    """B006: sliders have a curve and a length."""
    for place, o in enumerate(facts.objects):
        if isinstance(o, Slider):
            head = (o.x, o.y)
            if not o.points or all(point == head for point in o.points):
                yield Fault("The slider has no curve; make it a circle", o.time, (facts.indices[place],))
            elif not o.length > 0:
                yield Fault("The slider has no length; write its natural length or make it a circle", o.time,
                            (facts.indices[place],), o.length, 0)  # fmt: skip


def short_sliders(facts: Facts) -> Iterator[Fault]:
    """B007: a slide lasts 10 ms and a slider 20 ms at least."""
    for place, o in enumerate(facts.objects):
        if isinstance(o, Slider):
            span, whole = facts.spans[place], facts.ends[place] - o.time
            if span < MIN_SPAN_MS or whole < MIN_SLIDER_MS:
                value, limit = (span, MIN_SPAN_MS) if span < MIN_SPAN_MS else (whole, MIN_SLIDER_MS)
                yield Fault(f"The slider lasts {value:.1f} ms; make it a circle", o.time, (facts.indices[place],),
                            value, limit, end=facts.ends[place])  # fmt: skip


def stretched_paths(facts: Facts) -> Iterator[Fault]:
    """B008: the curve is about as long as the slider's length asks for."""
    low, high = PATH_STRETCH
    for place, o in enumerate(facts.objects):
        if not isinstance(o, Slider) or not o.points or not o.length > 0:
            continue
        # the polyline of control points is never shorter than the curve, nor their ends' distance longer
        last = o.points[-1]
        if o.curve in "BL" and low * o.length <= math.hypot(last[0] - o.x, last[1] - o.y):
            control = [(o.x, o.y), *o.points]
            if sum(math.dist(a, b) for a, b in pairwise(control)) <= high * o.length:
                continue
        natural = facts.paths.natural(o).length
        share = natural / o.length
        if natural > 0 and not low <= share <= high:
            what = "extended" if share < low else "cut"
            yield Fault(f"The curve is {natural:.0f} px long and the slider {o.length:.0f}: its end is {what}", o.time,
                        (facts.indices[place],), share, low if share < low else high)  # fmt: skip


def ninja_spinners(facts: Facts) -> Iterator[Fault]:
    """B009: spinners last long enough for the automatic player to reach 1000 points of bonus."""
    error, warning = spinner_limits(facts.beatmap.od)
    for place, o in enumerate(facts.objects):
        if isinstance(o, Spinner):
            lasts = o.end - o.time
            if lasts < warning:
                limit = error if lasts < error else warning
                yield Fault(f"The spinner lasts {lasts:g} ms; at this OD {limit:g} are needed", o.time,
                            (facts.indices[place],), lasts, limit, None if lasts < error else WARNING,
                            end=o.end)  # fmt: skip


def out_of_song(facts: Facts) -> Iterator[Fault]:
    """B011: objects lie after time 0 and the first red line, and end before the song does."""
    first_red = facts.timing.reds[0].time if facts.timing.reds else None
    song_end = facts.audio.duration_ms if facts.audio and facts.audio.duration_ms > 0 else None
    for place, o in enumerate(facts.objects):
        index = (facts.indices[place],)
        if o.time < 0:
            yield Fault(f"The object is at {o.time:g} ms, before the song begins; drop it", o.time, index, o.time, 0)
        elif first_red is not None and first_red - o.time >= UNSNAP_ERROR_MS:  # 1 ms early is rounding
            yield Fault(f"The object is {first_red - o.time:g} ms before the first red line; start the timing earlier",
                        o.time, index, o.time, first_red)  # fmt: skip
        elif song_end is not None and facts.ends[place] > song_end:
            yield Fault(f"The object ends at {facts.ends[place]:.0f} ms and the song at {song_end:.0f}; drop it",
                        o.time, index, facts.ends[place], song_end)  # fmt: skip


def short_holds(facts: Facts) -> Iterator[Fault]:
    """B016: hold notes last 30 ms (20 at the very least)."""
    for place, o in enumerate(facts.objects):
        if isinstance(o, Hold):
            lasts = o.end - o.time
            if lasts < MIN_HOLD_WARNING_MS:
                severe = lasts < MIN_HOLD_ERROR_MS
                yield Fault(f"The hold note lasts {lasts:g} ms; make it a note", o.time, (facts.indices[place],), lasts,
                            MIN_HOLD_ERROR_MS if severe else MIN_HOLD_WARNING_MS, None if severe else WARNING,
                            end=o.end)  # fmt: skip


def endless_sliders(facts: Facts) -> Iterator[Fault]:
    """B021: no slider longer than a minute (old clients refuse it)."""
    for place, o in enumerate(facts.objects):
        lasts = facts.ends[place] - o.time
        if isinstance(o, Slider) and lasts > MAX_LONG_SLIDER_MS:
            yield Fault(f"The slider lasts {lasts / 1000:.0f} s; cut it at a minute", o.time, (facts.indices[place],),
                        lasts, MAX_LONG_SLIDER_MS, end=facts.ends[place])  # fmt: skip


def combo_and_score(facts: Facts) -> Iterator[Fault]:
    """B022: combo and score fit the numbers in which the game keeps them."""
    combo, weighted = 0, 0.0
    per_beat = 100.0 * facts.beatmap.slider_multiplier / facts.beatmap.tick_rate
    for place, o in enumerate(facts.objects):
        if isinstance(o, Slider):
            length = o.length if o.length > 0 else facts.path(place).length
            distance = per_beat * facts.timing.velocity_at(o.time)
            margin = _END_TICK_MARGIN_MS * length / facts.spans[place] if facts.spans[place] > 0 else length
            ticks = max(math.ceil((length - margin) / distance) - 1, 0)
            combo += (1 + ticks) * max(o.slides, 1)
        weighted += combo
        combo += 1
    if combo > MAX_COMBO:
        yield Fault(f"The map's combo is {combo}; the game counts to {MAX_COMBO}", value=combo, limit=MAX_COMBO)
    if facts.mode in (GameMode.STD, GameMode.CATCH) and facts.objects:
        beatmap = facts.beatmap
        density = min(max(len(facts.objects) / max(facts.drain_ms / 1000, 1.0) * 8, 0), 16)
        multiplier = round((beatmap.hp + beatmap.cs + beatmap.od + density) / 38 * 5)
        score = 300 * (len(facts.objects) + weighted * multiplier * _MAX_MOD_MULTIPLIER / 25)
        if score > MAX_SCORE:
            yield Fault(f"The score can reach {score:.3g}, more than the game's old scoring can hold ({MAX_SCORE})",
                        value=score, limit=MAX_SCORE, severity=WARNING)  # fmt: skip


def is_snapped(facts: Facts, time: float) -> bool:
    """Whether a time is within the error limit of a tick (true where there is no grid)."""
    return facts.grid is None or abs(facts.grid.unsnap(time)) < UNSNAP_ERROR_MS


def edge_unsnaps(facts: Facts, start: float, span: float, slides: int) -> float:
    """The largest practical unsnap in ms of a slider's repeats and tail, for a span that is being tried."""
    if facts.grid is None:
        return 0.0
    times = start + span * np.arange(1, slides + 1, dtype=np.float64)
    lines = facts.grid.line_at(times)
    off = practical_unsnap(times, facts.grid.offsets[lines], facts.grid.beat_lengths[lines])
    return float(np.max(np.abs(off)))


