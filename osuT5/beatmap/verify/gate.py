"""The gate of generation, and the same for a file's text: mend, write, read back, check everything.

`gate` takes a beatmap, `inspect` and `mend` a file's text or bytes. A passed map "passes the automatic checks" and
nothing more.
"""

from __future__ import annotations

from osuT5.beatmap.reader import read
from osuT5.beatmap.types import Beatmap, Slider
from osuT5.beatmap.verify.findings import (
    FATAL,
    AudioFacts,
    Change,
    Finding,
    GateResult,
    sort_findings,
)
from osuT5.beatmap.verify.limits import MAX_DROPPED_SHARE
from osuT5.beatmap.verify.repair import repair
from osuT5.beatmap.verify.rules import check
from osuT5.beatmap.verify.text_check import check_text, repair_text
from osuT5.beatmap.writer import write

LENGTH_TOLERANCE_PX = 1e-6
ROUNDING = 0.5 + 1e-6  # whole ms and px are written


def inspect(text: str | bytes, audio: AudioFacts | None = None, level: str | None = None) -> list[Finding]:
    """All findings of a file's text: class A of the text, B and C of what a lenient reader makes of it.

    Raises BeatmapError if the text is no beatmap at all.
    """
    return sort_findings(check_text(text, audio) + check(read(text), audio, level))


def mend(text: str | bytes, audio: AudioFacts | None = None) -> tuple[str, list[Finding], int, list[Change]]:
    """(text, findings, dropped objects, changes) of a file's text; a clean one comes back byte for byte.

    Raises BeatmapError if the text is no beatmap at all.
    """
    read(text)  # refuses what is no beatmap before sections are put into it
    mended, on_text, changes = repair_text(text, audio)
    result = repair(read(mended), audio)
    if result.changes:
        mended, again, more = repair_text(write(result.beatmap), audio)
        on_text = [f for f in on_text if f.fixed] + again
        changes = changes + result.changes + more
    dropped = result.dropped + _lines_dropped(changes)
    return mended, sort_findings(on_text + result.findings), dropped, changes


def gate(beatmap: Beatmap, audio: AudioFacts | None = None) -> GateResult:
    """Mends a map and says whether it may be handed out. The given map is not changed.

    Raises BeatmapError only if the mended map cannot be written at all.
    """
    count = len(beatmap.hit_objects)
    first = repair(beatmap, audio)
    findings = [f for f in first.findings if f.fixed]
    dropped = first.dropped
    text = write(first.beatmap)
    mended, on_text, changes = repair_text(text, audio)
    if mended == text:
        findings += round_trip(first.beatmap, text)
    findings += [f for f in on_text if f.fixed]
    # the map as a reader sees it: whole ms and px
    second = repair(read(mended), audio)
    findings += [f for f in second.findings if f.fixed]
    dropped += second.dropped + _lines_dropped(changes)
    if second.changes:
        mended = write(second.beatmap)
    findings += round_trip(second.beatmap, mended)
    findings += [f for f in check_text(mended, audio) + check(second.beatmap, audio)]
    passed = not any(f.blocking for f in findings) and dropped <= MAX_DROPPED_SHARE * count
    return GateResult(second.beatmap, mended, sort_findings(findings), passed, dropped)


def _lines_dropped(changes: list[Change]) -> int:
    """Hit object lines that the text repair took out."""
    return sum(change.code in ("A012", "A024") and not change.after for change in changes)


def round_trip(beatmap: Beatmap, text: str) -> list[Finding]:
    """A026: what is written is what is read: objects, times, positions, types, lengths, timing lines."""
    again = read(text)
    problem = ""
    if len(again.hit_objects) != len(beatmap.hit_objects):
        problem = f"{len(beatmap.hit_objects)} objects were written and {len(again.hit_objects)} read"
    elif len(again.timing_points) != len(beatmap.timing_points):
        problem = f"{len(beatmap.timing_points)} timing lines were written and {len(again.timing_points)} read"
    else:
        for a, b in zip(beatmap.hit_objects, again.hit_objects, strict=True):
            same = type(a) is type(b) and all(
                abs(x - y) <= ROUNDING for x, y in ((a.time, b.time), (a.x, b.x), (a.y, b.y), (a.end_time, b.end_time))
            )
            if same and isinstance(a, Slider):
                same = a.slides == b.slides and len(a.points) == len(b.points) and (
                    abs(max(a.length, 0.0) - b.length) <= LENGTH_TOLERANCE_PX
                )  # fmt: skip
            if not same:
                problem = f"the object at {a.time:g} ms is another one when read back"
                break
        for a, b in zip(beatmap.timing_points, again.timing_points, strict=True):
            if (a.uninherited, a.meter, a.effects) != (b.uninherited, b.meter, b.effects) or a.time != b.time or (
                a.beat_length != b.beat_length
            ):
                problem = problem or f"the timing line at {a.time:g} ms is another one when read back"
    if not problem:
        return []
    return [Finding("A026", FATAL, None, f"The written file does not hold the map: {problem}; this is a bug")]
