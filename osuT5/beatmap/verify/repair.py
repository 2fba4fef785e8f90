"""Mends a beatmap: rules in the order of the table, up to three rounds, then what is left is dropped.

Invariants: a map without class A and B faults comes back as the same object; no object is added; the order is kept;
a second repair changes nothing. Facts: the checker's specification, section 9.
"""

from __future__ import annotations

import math
from itertools import pairwise

from osuT5.beatmap.types import Beatmap, HitObject, Slider, TimingPoint
from osuT5.beatmap.verify.draft import Draft
from osuT5.beatmap.verify.facts import Facts
from osuT5.beatmap.verify.findings import (
    BLOCKING,
    FATAL,
    INFO,
    AudioFacts,
    Change,
    Finding,
    RepairResult,
    sort_findings,
)
from osuT5.beatmap.verify.rules import RULES, check

MAX_ROUNDS = 3


def repair(beatmap: Beatmap, audio: AudioFacts | None = None) -> RepairResult:
    """A mended copy of a beatmap (the same object where nothing is to be done).

    Info findings (1 ms off a tick) are left alone. Findings of the result: those of the given map, `fixed` where they
    are gone, and those that are left or came up.
    """
    found = check(beatmap, audio) + [_not_finite(part) for part in not_finite(beatmap)]
    if not any(f.fixable and f.code[0] in "AB" and f.severity != INFO for f in found) and _is_sorted(beatmap):
        return RepairResult(beatmap, found)
    draft = Draft(beatmap)
    _drop_not_finite(draft)
    for _ in range(MAX_ROUNDS):
        settled = any(not _round(draft, audio) for _ in range(MAX_ROUNDS))
        if not _drop_offenders(draft, audio) and settled:
            break
    left = check(draft.beatmap, audio)
    still = {(f.code, None if f.time is None else round(f.time)) for f in left}
    for finding in found:
        place = finding.code, None if finding.time is None else round(finding.time)
        finding.fixed = finding.fixable and finding.severity != INFO and place not in still
    return RepairResult(
        draft.beatmap, sort_findings([f for f in found if f.fixed] + left), draft.dropped, draft.changes
    )


def _round(draft: Draft, audio: AudioFacts | None) -> bool:
    """One pass over the table; True if any rule had something to mend."""
    mended = _sort(draft)
    facts: Facts | None = None
    for rule in RULES:
        if rule.repair is None:
            continue
        facts = facts or Facts(draft.beatmap, audio, paths=draft.paths)
        if facts.mode not in rule.modes:
            continue
        faults = [fault for fault in rule.check(facts) if (fault.severity or rule.severity) != INFO]
        if faults:
            rule.repair(draft, facts, faults)
            draft.settle()
            facts, mended = None, True
            _sort(draft)
    return mended


def _drop_offenders(draft: Draft, audio: AudioFacts | None) -> bool:
    """Drops the objects that no round could mend; True if there were any."""
    facts = Facts(draft.beatmap, audio, paths=draft.paths)
    dropped = False
    for rule in RULES:
        if rule.repair is None or facts.mode not in rule.modes or rule.code[0] != "B":
            continue
        for fault in rule.check(facts):
            if (fault.severity or rule.severity) in BLOCKING and fault.objects and rule.code != "B012":
                draft.drop(rule.code, draft.beatmap.hit_objects[fault.objects[-1]])
                dropped = True
    draft.settle()
    return dropped


def _is_sorted(beatmap: Beatmap) -> bool:
    return all(
        a.time <= b.time for parts in (beatmap.hit_objects, beatmap.timing_points) for a, b in pairwise(parts)
    )


def _sort(draft: Draft) -> bool:
    """A019: objects and lines by time, stable, red before green."""
    if _is_sorted(draft.beatmap):
        return False
    draft.beatmap.hit_objects.sort(key=lambda o: o.time)
    draft.beatmap.timing_points.sort(key=lambda p: (p.time, not p.uninherited))
    draft.changes.append(Change("A019", None, "not sorted by time", "sorted by time"))
    return True


def not_finite(beatmap: Beatmap) -> list[HitObject | TimingPoint]:
    """Objects and lines that hold NaN or infinity, which no file can."""
    return [
        part
        for part in (*beatmap.timing_points, *beatmap.hit_objects)
        if not all(math.isfinite(number) for number in _numbers(part))
    ]


def _numbers(part: HitObject | TimingPoint) -> list[float]:
    if isinstance(part, TimingPoint):
        return [part.time, part.beat_length]
    numbers = [part.x, part.y, part.time, part.end_time]
    return [*numbers, part.length, *(c for p in part.points for c in p)] if isinstance(part, Slider) else numbers


def _not_finite(part: HitObject | TimingPoint) -> Finding:
    code, name = ("A010", "timing line") if isinstance(part, TimingPoint) else ("A012", "object")
    return Finding(code, FATAL, None, f"A {name} holds a number that is not finite; drop it", "dropped", fixable=True)


def _drop_not_finite(draft: Draft) -> None:
    bad = {id(part) for part in not_finite(draft.beatmap)}
    if bad:
        beatmap = draft.beatmap
        draft.dropped += sum(id(o) in bad for o in beatmap.hit_objects)
        draft.changes.append(Change("A012", None, f"{len(bad)} lines that are not finite", ""))
        beatmap.timing_points = [p for p in beatmap.timing_points if id(p) not in bad]
        beatmap.hit_objects = [o for o in beatmap.hit_objects if id(o) not in bad]
