"""What a check reports: faults of a rule, findings of a report, and what is known about the song.

A rule yields `Fault`s; the table (`rules.py`) turns them into `Finding`s by adding the rule's code and severity.
Facts: the checker's specification, sections 1 and 12.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from osuT5.beatmap.types import Beatmap

FATAL, ERROR, WARNING, INFO = "fatal", "error", "warning", "info"
SEVERITIES = (FATAL, ERROR, WARNING, INFO)
BLOCKING = (FATAL, ERROR)


class Fault(NamedTuple):
    """One violation of one rule.

    Attributes:
        message: place, fact and remedy, in one sentence.
        time: ms, or None where the whole file is meant.
        objects: places in `beatmap.hit_objects` (class A: none, the message names the line).
        value, limit: what was measured, what is allowed.
        severity: where it differs from the rule's own.
        edits: class A only: (line index, new text | None to drop the line), the mend.
    """

    message: str
    time: float | None = None
    objects: tuple[int, ...] = ()
    value: float | str | None = None
    limit: float | str | None = None
    severity: str | None = None
    edits: tuple[tuple[int, str | None], ...] = ()
    end: float | None = None


@dataclass
class Finding:
    """What is wrong with a map and how it was mended.

    Attributes:
        repair: what the repair does (or did, when `fixed`); empty where there is none.
        end: ms; end of the object or stretch that is meant, if it has one.
    """

    code: str
    severity: str
    time: float | None
    message: str
    repair: str = ""
    objects: tuple[int, ...] = ()
    value: float | str | None = None
    limit: float | str | None = None
    fixable: bool = False
    fixed: bool = False
    end: float | None = None

    @property
    def blocking(self) -> bool:
        """True for an unmended class A or B finding that keeps a map from being handed out."""
        return self.code[0] in "AB" and self.severity in BLOCKING and not self.fixed


@dataclass(frozen=True)
class AudioFacts:
    """What the rules may know about the song; every field but the duration is optional.

    Attributes:
        duration_ms: length of the song.
        loudness: one value per second of the song, any linear unit; None = unknown.
        file_name: base name of the audio file that goes with the map.
        size_bytes: 0 for an empty file, None = unknown.
        found: False when the file that the map names is not there.
        container: real format by content, as a suffix without dot (`mp3`, `ogg`, `wav`, `flac`); "" = unknown.
    """

    duration_ms: float = 0.0
    loudness: Sequence[float] | None = None
    file_name: str = ""
    size_bytes: int | None = None
    found: bool = True
    container: str = ""


@dataclass(frozen=True)
class Change:
    """One thing that a repair did; texts are object or timing lines, "" for none."""

    code: str
    time: float | None
    before: str
    after: str


@dataclass
class RepairResult:
    """A mended copy, what was found (with `fixed` set) and what is left, and what was done.

    Attributes:
        dropped: objects that were taken out because nothing else helped; exact duplicates are not counted.
    """

    beatmap: Beatmap
    findings: list[Finding]
    dropped: int = 0
    changes: list[Change] = field(default_factory=list)


@dataclass
class GateResult:
    """A map as it would be written.

    Attributes:
        findings: of the repair (`fixed`), and everything that is still there.
        passed: no fatal or error finding of class A or B is left, and no more than 2 % of the objects were dropped.
    """

    beatmap: Beatmap
    text: str
    findings: list[Finding]
    passed: bool
    dropped: int = 0


def sort_findings(findings: list[Finding]) -> list[Finding]:
    """The stable order of a report: time (whole-file findings first), code, first object."""
    return sorted(findings, key=lambda f: (-1e18 if f.time is None else f.time, f.code, f.objects[:1]))
