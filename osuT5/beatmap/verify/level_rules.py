"""Class C criteria that depend on the difficulty level, mode by mode. Facts: Mapset Verifier's checks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

from osuT5.beatmap.types import FINISH, Circle, Slider, Spinner
from osuT5.beatmap.verify.criteria_rules import normalised_beat
from osuT5.beatmap.verify.facts import Facts
from osuT5.beatmap.verify.findings import WARNING, Fault

# standard, by level
SPINNER_MS = {"E": 1000, "N": 750, "H": 500}
RECOVERY_MS = {"E": 1000, "N": 500, "H": 250}
SPINNER_WARNING_FACTOR = 1.2
STACK_WITHIN_MS = {"E": 375.0, "N": 375.0, "H": 187.5, "I": 93.75}
CLOSE_ERROR_MS, CLOSE_WARNING_MS, CLOSE_LEVELS = 125.0, 188.0, ("E", "N")
FAILED_STACK_RADII = 1 / 14
# taiko, in normalised beats
GAP_BEATS = {"E": 1 / 2, "N": 1 / 3, "H": 1 / 6, "I": 1 / 6}
FINISHER_BEATS = {"E": 1 / 2, "N": 1 / 3, "H": 1 / 4, "I": 1 / 6}
# catch
NO_HYPERDASH = ("E", "N")
HYPERDASH_MIN_MS = {"H": 125.0, "I": 62.0}
SPINNER_BEFORE_MS = {"E": 250, "N": 250, "H": 125, "I": 125, "X": 62, "U": 62}
SPINNER_AFTER_MS = {"E": 250, "N": 250, "H": 250, "I": 125, "X": 125, "U": 125}
CATCHER_WIDTH_PX, FRAME_QUARTER_MS = 106.75, 1000 / 60 / 4
# mania
COLUMN_MANY, COLUMN_FEW = 1.2, 0.8


def scaled_bpm(bpm: float) -> float:
    """120 -> 0.5, 180 -> 1, 240 -> 2."""
    return bpm * bpm / 14400 - bpm / 80 + 1


def spinners(facts: Facts) -> Iterator[Fault]:
    """C018: spinners of easier difficulties are long enough and leave time to recover."""
    for place, o in enumerate(facts.objects):
        if not isinstance(o, Spinner) or facts.level not in SPINNER_MS:
            continue
        index = (facts.indices[place],)
        lasts, least = o.end - o.time, SPINNER_MS[facts.level]
        if lasts < least * SPINNER_WARNING_FACTOR:
            yield Fault(f"The spinner lasts {lasts:.0f} ms; {least} are asked for", o.time, index, lasts, least,
                        None if lasts < least else WARNING, end=o.end)  # fmt: skip
        if place + 1 < len(facts.objects):
            rest, least = facts.starts[place + 1] - o.end, RECOVERY_MS[facts.level]
            bpm = 60000 / facts.timing.beat_length_at(o.end)
            eased = max(rest, rest / max(scaled_bpm(bpm), 1e-9))
            if eased < least * SPINNER_WARNING_FACTOR:
                yield Fault(f"The next object is {rest:.0f} ms after the spinner; {least} are asked for", o.end, index,
                            rest, least, None if eased < least else WARNING)  # fmt: skip


def unstacked(facts: Facts) -> Iterator[Fault]:
    """C019: objects at one place follow each other soon enough to stack."""
    leniency = facts.beatmap.stack_leniency * facts.preempt
    for place in range(len(facts.objects) - 1):
        first, second = facts.objects[place], facts.objects[place + 1]
        if isinstance(first, Spinner) or isinstance(second, Spinner) or facts.level not in STACK_WITHIN_MS:
            continue
        gap = second.time - first.time
        if gap > STACK_WITHIN_MS[facts.level]:
            continue
        apart = math.hypot(first.x - second.x, first.y - second.y)
        index = facts.indices[place], facts.indices[place + 1]
        if apart == 0 and gap > leniency:
            tenths = math.ceil(gap / (0.1 * facts.preempt))
            yield Fault(f"Two objects {gap:.0f} ms apart lie on one another unstacked; a stack leniency of "
                        f"{tenths / 10:g} stacks them", second.time, index, gap, leniency,
                        WARNING if facts.level == "I" else None)  # fmt: skip
        elif 0 < apart <= facts.radius * FAILED_STACK_RADII:
            yield Fault(f"Two objects are {apart:.1f} px apart; stack them exactly or part them", second.time, index,
                        apart, 0, WARNING)  # fmt: skip


def close_circles(facts: Facts) -> Iterator[Fault]:
    """C020: in easy difficulties, circles close in time overlap."""
    for place in range(len(facts.objects) - 1):
        first, second = facts.objects[place], facts.objects[place + 1]
        gap = second.time - first.time
        if not (isinstance(first, Circle) and isinstance(second, Circle) and gap < CLOSE_WARNING_MS):
            continue
        if facts.level in CLOSE_LEVELS and math.hypot(first.x - second.x, first.y - second.y) >= 2 * facts.radius:
            yield Fault(f"Two circles {gap:.0f} ms apart do not overlap; space by time", second.time,
                        (facts.indices[place], facts.indices[place + 1]), gap, CLOSE_ERROR_MS,
                        None if gap < CLOSE_ERROR_MS else WARNING)  # fmt: skip


def taiko_gaps(facts: Facts) -> Iterator[Fault]:
    """C029: notes of easier taiko difficulties are not closer than the level allows."""
    limit = GAP_BEATS.get(facts.level)
    if limit is None:
        return
    for place in range(len(facts.objects) - 1):
        first, second = facts.objects[place], facts.objects[place + 1]
        gap = second.time - first.time
        least = normalised_beat(facts.timing.beat_length_at(first.time)) * limit
        if isinstance(first, Circle) and isinstance(second, Circle) and gap < least - 1:
            yield Fault(f"The notes are {gap:.0f} ms apart; {least:.0f} are usual at this level", second.time,
                        (facts.indices[place], facts.indices[place + 1]), gap, least)  # fmt: skip


def taiko_finishers(facts: Facts) -> Iterator[Fault]:
    """C032: no finisher inside a pattern that is fast for the level."""
    limit = FINISHER_BEATS.get(facts.level)
    if limit is None:
        return
    notes = [place for place, o in enumerate(facts.objects) if isinstance(o, Circle)]
    for number, place in enumerate(notes):
        o = facts.objects[place]
        if not o.hitsound & FINISH:
            continue
        gaps = [abs(facts.starts[n] - o.time) for n in notes[max(number - 1, 0) : number + 2] if n != place]
        least = normalised_beat(facts.timing.beat_length_at(o.time)) * limit
        if gaps and min(gaps) <= least:
            yield Fault(f"The finisher is {min(gaps):.0f} ms from a note; more than {least:.0f} are needed", o.time,
                        (facts.indices[place],), min(gaps), least)  # fmt: skip


def hyperdashes(facts: Facts) -> Iterator[Fault]:
    """C034: no hyperdash in Cup and Salad, no sudden one in Platter and Rain."""
    if facts.level not in NO_HYPERDASH and facts.level not in HYPERDASH_MIN_MS:
        return
    for first, second, place in _hyperdashes(facts):
        forbidden = facts.level in NO_HYPERDASH
        if forbidden or second - first < HYPERDASH_MIN_MS[facts.level]:
            what = "a hyperdash" if forbidden else f"a hyperdash within {second - first:.0f} ms"
            yield Fault(f"There is {what} to this object; bring the two nearer", second, (facts.indices[place],),
                        second - first, 0 if forbidden else HYPERDASH_MIN_MS[facts.level])  # fmt: skip


def _hyperdashes(facts: Facts) -> Iterator[tuple[float, float, int]]:
    """(time from, time to, place of the object reached) of movements that the catcher cannot make."""
    half = CATCHER_WIDTH_PX * abs(1 - 0.7 * (facts.beatmap.cs - 5) / 5) / 2
    fruits: list[tuple[float, float, int]] = []
    for place, o in enumerate(facts.objects):
        if isinstance(o, Spinner):
            continue
        fruits.append((o.time, o.x, place))
        if isinstance(o, Slider):
            end = facts.path(place).end[0]
            for k in range(1, o.slides + 1):
                fruits.append((o.time + k * facts.spans[place], end if k % 2 else o.x, place))
    last, carry = 0, half
    for (start, x, _), (time, to, place) in pairwise(fruits):
        direction = (int(to) > int(x)) - (int(to) < int(x))
        need = abs(to - x) - (carry if direction == last else half)
        slack = time - start - FRAME_QUARTER_MS - need
        if slack < 0:
            yield start, time, place
        carry = half if slack < 0 else min(max(slack, 0), half)
        last = direction


def catch_spinners(facts: Facts) -> Iterator[Fault]:
    """C035: fruits keep their distance from spinners."""
    for place, o in enumerate(facts.objects):
        if not isinstance(o, Spinner):
            continue
        index = (facts.indices[place],)
        if place and o.time - facts.ends[place - 1] < SPINNER_BEFORE_MS[facts.level]:
            gap = o.time - facts.ends[place - 1]
            yield Fault(f"The spinner begins {gap:.0f} ms after a fruit; {SPINNER_BEFORE_MS[facts.level]} are needed",
                        o.time, index, gap, SPINNER_BEFORE_MS[facts.level])  # fmt: skip
        if place + 1 < len(facts.objects) and facts.starts[place + 1] - o.end < SPINNER_AFTER_MS[facts.level]:
            gap = facts.starts[place + 1] - o.end
            yield Fault(f"A fruit comes {gap:.0f} ms after the spinner; {SPINNER_AFTER_MS[facts.level]} are needed",
                        o.end, index, gap, SPINNER_AFTER_MS[facts.level])  # fmt: skip


def mania_balance(facts: Facts) -> Iterator[Fault]:
    """C026: every mania column is used, and about as much as the others."""
    counts = [len(column) for column in facts.columns]
    average = sum(counts) // len(counts)
    for column, count in enumerate(counts, 1):
        if count == 0:
            yield Fault(f"Column {column} has no notes", value=0, limit=1)
        elif count >= COLUMN_MANY * average or count <= COLUMN_FEW * average:
            yield Fault(f"Column {column} has {count} notes, {average} are average", value=count, limit=average,
                        severity=WARNING)  # fmt: skip
