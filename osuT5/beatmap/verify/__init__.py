"""Checks beatmaps and mends them: format (class A), playability (B), the simpler ranking criteria (C).

A clean report never means "rankable": it says that the automatic checks passed, and nothing more.
"""

from osuT5.beatmap.verify.breaks import with_breaks
from osuT5.beatmap.verify.findings import AudioFacts, Change, Finding, GateResult, RepairResult
from osuT5.beatmap.verify.gate import gate, inspect, mend
from osuT5.beatmap.verify.repair import repair
from osuT5.beatmap.verify.rules import check
from osuT5.beatmap.verify.song_facts import song_facts
from osuT5.beatmap.verify.text_check import check_text, repair_text

__all__ = [
    "AudioFacts",
    "Change",
    "Finding",
    "GateResult",
    "RepairResult",
    "check",
    "check_text",
    "gate",
    "inspect",
    "mend",
    "repair",
    "repair_text",
    "song_facts",
    "with_breaks",
]
