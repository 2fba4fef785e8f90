"""Mends a beatmap: rules in the order of the table, up to three rounds, then what is left is dropped.

Invariants: a map without class A and B faults comes back as the same object; no object is added; the order is kept;
a second repair changes nothing. Facts: the checker's specification, section 9.
"""

from __future__ import annotations

from itertools import pairwise

from osuT5.beatmap.types import Beatmap
from osuT5.beatmap.verify.draft import Draft
from osuT5.beatmap.verify.facts import Facts
from osuT5.beatmap.verify.findings import (
    BLOCKING,
    INFO,
    AudioFacts,
    Change,
    RepairResult,
    sort_findings,
)
from osuT5.beatmap.verify.finite import finite_part
from osuT5.beatmap.verify.rules import RULES, check

MAX_ROUNDS = 3


def repair(beatmap: Beatmap, audio: AudioFacts | None = None) -> RepairResult:
    """A mended copy of a beatmap (the same object where nothing is to be done).

    Info findings (1 ms off a tick) are left alone. Findings of the result: those of the given map, `fixed` where they
    are gone, and those that are left or came up.
    """
    found = check(beatmap, audio)
    if not any(f.fixable and f.code[0] in "AB" and f.severity != INFO for f in found) and _is_sorted(beatmap):
        return RepairResult(beatmap, found)
    draft = Draft(finite_part(beatmap)[0])
    for code in ("A010", "A012"):
        lost = sum(f.code == code for f in found)
        draft.changes += [Change(code, None, "not a finite number", "")] * lost
        draft.dropped += lost if code == "A012" else 0
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
