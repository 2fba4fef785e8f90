"""Repairs of objects in time: snapping, durations, spinners, combos.

Each takes the draft, the facts of the draft as it is, and the faults. Nothing is moved by more than half a quarter
beat.
"""

from __future__ import annotations

import math
from bisect import bisect_left

from osuT5.beatmap.types import Hold, Slider, Spinner
from osuT5.beatmap.verify.draft import Draft
from osuT5.beatmap.verify.facts import Facts
from osuT5.beatmap.verify.findings import Fault
from osuT5.beatmap.verify.limits import (
    MAX_COMBO_LENGTH,
    MAX_COORDINATE,
    MAX_LONG_SLIDER_MS,
    MIN_HOLD_WARNING_MS,
    MIN_SLIDER_MS,
    MIN_SPAN_MS,
    SNAP_DIVISORS,
    UNSNAP_ERROR_MS,
    spinner_limits,
)
from osuT5.beatmap.verify.object_rules import edge_unsnaps
from osuT5.beatmap.verify.snapping import DIVISOR_COST_MS
from osuT5.beatmap.verify.timing_repairs import extend_first_red
from osuT5.beatmap.writer import format_hit_object

_LARGEST_MOVE_BEATS = 1 / 8
_UNSNAPPED_COST, _COLLISION_COST = 1e6, 1e3
_SHORTENING_DIVISORS = (4, 3, 8, 6, 12, 16, 5, 7, 9)
_MEASURE_PARTS, _SHORTEST_COMBO = (1, 2, 4, 8), 2
_SPINNER_RECOVERY_MS = 250.0  # between a spinner and the next object


def pixels_per_ms(facts: Facts, time: float) -> float:
    """How fast a slider that begins at `time` runs."""
    velocity = 100.0 * facts.beatmap.slider_multiplier * facts.timing.velocity_at(time)
    return velocity / facts.timing.beat_length_at(time)


def set_slides(o: Slider, slides: int) -> None:
    """Another number of slides; edge sounds are cut, the last one stays last."""
    o.slides = slides
    for edges in (o.edge_sounds, o.edge_sets):
        if len(edges) > slides + 1:
            edges[slides:] = edges[-1:]


def unsnapped(draft: Draft, facts: Facts, faults: list[Fault]) -> None:
    """B003: starts to the nearest tick by cost, then ends; slider lengths follow."""
    if facts.grid is None:
        return
    faulty = {fault.objects[0] for fault in faults}
    starts = list(facts.starts)
    for place, index in enumerate(facts.indices):
        if index not in faulty:
            continue
        o = draft.beatmap.hit_objects[index]
        before = format_hit_object(o)
        if abs(facts.grid.unsnap(o.time)) >= UNSNAP_ERROR_MS:
            _, beat = facts.grid.at(o.time)
            low = starts[place - 1] if place else -math.inf
            high = starts[place + 1] if place + 1 < len(starts) else math.inf
            for tick, _ in facts.grid.ticks(o.time):
                if abs(tick - o.time) <= beat * _LARGEST_MOVE_BEATS + 1 and low <= tick <= high:
                    o.time = starts[place] = tick
                    break
        following = facts.starts[place + 1] if place + 1 < len(facts.starts) else math.inf
        if isinstance(o, Slider):
            _snap_slider(facts, o, following)
        elif isinstance(o, (Spinner, Hold)) and abs(facts.grid.unsnap(o.end)) >= UNSNAP_ERROR_MS:
            o.end = next((t for t, _ in facts.grid.ticks(o.end) if t >= o.time), o.end)
        draft.changed("B003", o, before)


def _snap_slider(facts: Facts, o: Slider, following: float) -> None:
    """Gives a slider the length with which all its repeats and its tail are on ticks, at the least cost."""
    speed = pixels_per_ms(facts, o.time)
    length = o.length if o.length > 0 else facts.paths.natural(o).length
    span, slides = length / speed, max(o.slides, 1)
    if edge_unsnaps(facts, o.time, span, slides) < UNSNAP_ERROR_MS:
        return
    _, beat = facts.grid.at(o.time)
    best, best_cost = span, math.inf
    tail = o.time + span * slides
    candidates = [(max(round(span * d / beat), 1) * beat / d, d) for d in SNAP_DIVISORS]
    candidates += [((tick - o.time) / slides, d) for tick, d in facts.grid.ticks(tail)]
    for new, divisor in sorted(candidates, key=lambda c: abs(c[0] - span) * slides + DIVISOR_COST_MS[c[1]]):
        if new < MIN_SPAN_MS or new * slides < MIN_SLIDER_MS or new * speed > MAX_COORDINATE:
            continue
        cost = abs(new - span) * slides + DIVISOR_COST_MS[divisor]
        if cost >= best_cost:
            break
        if edge_unsnaps(facts, o.time, new, slides) >= UNSNAP_ERROR_MS:
            cost += _UNSNAPPED_COST
        if o.time + new * slides > following - facts.limits.close_ms >= tail:
            cost += _COLLISION_COST
        if cost < best_cost:
            best, best_cost = new, cost
    o.length = best * speed


def no_curve(draft: Draft, facts: Facts, faults: list[Fault]) -> None:
    """B006: a slider without length takes its natural length; one without curve becomes a circle."""
    for fault in faults:
        index = fault.objects[0]
        o = draft.beatmap.hit_objects[index]
        natural = facts.paths.natural(o).length
        if 0 < natural <= MAX_COORDINATE and not o.length > 0:
            before = format_hit_object(o)
            o.length = natural
            draft.changed("B006", o, before)
        else:
            draft.to_circle("B006", o, index)


def to_circles(draft: Draft, facts: Facts, faults: list[Fault]) -> None:
    """B007, B016: what is over as soon as it begins becomes a circle or note."""
    for fault in faults:
        index = fault.objects[0]
        o = draft.beatmap.hit_objects[index]
        draft.to_circle("B016" if isinstance(o, Hold) else "B007", o, index)


def shorten(facts: Facts, o: Slider | Spinner | Hold, limit: float) -> bool:
    """Lets an object end on a tick at or before `limit` (ms). False if it would be too short; it is then unchanged."""
    shortest = {
        Hold: MIN_HOLD_WARNING_MS,
        Slider: MIN_SLIDER_MS,
        Spinner: spinner_limits(facts.beatmap.od)[1],
    }[type(o)]
    if isinstance(o, Slider):
        span = (o.length if o.length > 0 else facts.paths.natural(o).length) / pixels_per_ms(facts, o.time)
        slides = math.floor((limit - o.time) / span) if span > 0 else 0
        if 1 <= slides < o.slides:
            set_slides(o, slides)
            return True
    for divisor in _SHORTENING_DIVISORS if facts.grid else ():
        tick = facts.grid.tick_before(limit, divisor)
        if tick - o.time >= shortest:
            if isinstance(o, Slider):
                set_slides(o, 1)
                o.length = (tick - o.time) * pixels_per_ms(facts, o.time)
            else:
                o.end = tick
            return True
    return False


def out_of_song(draft: Draft, facts: Facts, faults: list[Fault]) -> None:
    """B011: the timing begins earlier; what is outside the song is shortened or dropped."""
    song_end = facts.audio.duration_ms if facts.audio and facts.audio.duration_ms > 0 else math.inf
    first = math.inf
    for fault in faults:
        o = draft.beatmap.hit_objects[fault.objects[0]]
        before = format_hit_object(o)
        if o.time < 0 or o.time >= song_end:
            draft.drop("B011", o)
        elif fault.limit == song_end:
            if isinstance(o, (Slider, Spinner, Hold)) and shorten(facts, o, song_end):
                draft.changed("B011", o, before)
            else:
                draft.drop("B011", o)
        else:
            first = min(first, o.time)
    if first < math.inf:
        extend_first_red(draft, "B011", facts.timing.reds[0], first)


def endless_sliders(draft: Draft, facts: Facts, faults: list[Fault]) -> None:
    """B021: cut at a tick within the first minute."""
    for fault in faults:
        o = draft.beatmap.hit_objects[fault.objects[0]]
        before = format_hit_object(o)
        if shorten(facts, o, o.time + MAX_LONG_SLIDER_MS):
            draft.changed("B021", o, before)


def ninja_spinners(draft: Draft, facts: Facts, faults: list[Fault]) -> None:
    """B009: extended to the first half beat that is long enough, if the next object leaves room; else removed."""
    _, warning = spinner_limits(facts.beatmap.od)
    for fault in faults:
        o = draft.beatmap.hit_objects[fault.objects[0]]
        following = bisect_left(facts.starts, o.time + 1)
        next_start = facts.starts[following] if following < len(facts.starts) else math.inf
        end = facts.grid.tick_after(o.time + warning, 2) if facts.grid else math.ceil(o.time + warning)
        song_end = facts.audio.duration_ms if facts.audio and facts.audio.duration_ms > 0 else math.inf
        if end <= min(next_start - _SPINNER_RECOVERY_MS, song_end):
            before = format_hit_object(o)
            o.end = end
            draft.changed("B009", o, before)
        else:
            draft.drop("B009", o)


def combos(draft: Draft, facts: Facts, faults: list[Fault]) -> None:
    """B020: combos begin with measures, with parts of them where one holds too many objects; none is of one object."""
    for fault in faults:
        members = draft.objects(fault.objects)
        before = [format_hit_object(o) for o in members]
        for parts in _MEASURE_PARTS:
            flags = _measure_starts(facts, members, parts)
            if _longest_run(flags) <= MAX_COMBO_LENGTH:
                break
        run = 0
        for o, starts in zip(members, flags, strict=True):
            run = 0 if starts and run >= _SHORTEST_COMBO or run >= MAX_COMBO_LENGTH else run
            o.new_combo = run == 0
            run += 1
        for o, text in zip(members, before, strict=True):
            draft.changed("B020", o, text)


def _measure_starts(facts: Facts, members: list, parts: int) -> list[bool]:
    """For each object, whether it is the first of its measure (or of that part of it)."""
    flags, last = [], None
    for o in members:
        red = facts.timing.red_at(o.time)
        measure = facts.timing.beat_length_at(o.time) * max(red.meter, 1) / parts
        number = red.time, math.floor((o.time + 2 - red.time) / measure)
        flags.append(number != last)
        last = number
    return flags


def _longest_run(flags: list[bool]) -> int:
    longest = run = 0
    for starts in flags:
        run = 1 if starts else run + 1
        longest = max(longest, run)
    return longest
