"""Class A rules about the lines of [TimingPoints] and [HitObjects]: would every parser take them?

Facts: osu! file format v14, and the limits of the parsers that mirror the official client's.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator
from itertools import pairwise

from osuT5.beatmap.numbers import format_number, parse_float, parse_int, round_half_up
from osuT5.beatmap.slider_path import SliderPath
from osuT5.beatmap.verify.document import HOLD, SLIDER, SPINNER, Document, ObjectLine
from osuT5.beatmap.verify.findings import FATAL, AudioFacts, Fault
from osuT5.beatmap.verify.limits import (
    BEAT_LENGTHS,
    MAX_COORDINATE,
    MAX_OBJECT_SPREAD_MS,
    MAX_PLAUSIBLE_SLIDES,
    MAX_SLIDES,
    MODES,
)

_POINT = re.compile(r"-?\d{1,9}:-?\d{1,9}", re.ASCII)
_INT_PAIR = re.compile(r"([+-]?[\d.]{1,20}):([+-]?[\d.]{1,20})", re.ASCII)
_USUAL_BEAT_MS = (300.0, 600.0)  # 200 to 100 BPM, where most songs are


def red_line(document: Document, audio: AudioFacts | None) -> Iterator[Fault]:
    """A009: one uninherited timing line at least."""
    if any(line.uninherited for line in document.timing):
        return
    start, beat = guess_tempo([o.time for o in document.objects])
    new = f"{format_number(start)},{format_number(beat)},4,2,0,100,1,0"
    edits: tuple = ()
    timing = document.indices("TimingPoints")
    header = next((i for name, i, _ in document.sections if name == "TimingPoints"), None)
    if document.objects and header is not None:
        first = timing[0] if timing else header
        before = document.timing and document.timing[0].index == first and document.timing[0].time < start
        if before:  # the red line comes first, whole beats ahead, so that what follows keeps its place
            ahead = start - beat * 4 * (1 + (start - document.timing[0].time) // (beat * 4))
            new = f"{format_number(ahead)},{format_number(beat)},4,2,0,100,1,0"
        text = f"{new}\n{document.lines[first]}" if timing else f"{document.lines[header]}\n{new}"
        edits = ((first, text),)
    yield Fault("There is no red timing line; give the map the song's tempo (a guess from its rhythm is put in)",
                value=0, limit=1, edits=edits)  # fmt: skip


def guess_tempo(starts: list[float]) -> tuple[float, float]:
    """(offset, beat length) in ms that a row of object times suggests: their usual distance, in 100-200 BPM."""
    gaps = [b - a for a, b in pairwise(sorted(starts)) if b - a > 1]
    beat = statistics.median(gaps) if gaps else 500.0
    while beat < _USUAL_BEAT_MS[0]:
        beat *= 2
    while beat > _USUAL_BEAT_MS[1]:
        beat /= 2
    return (min(starts) if starts else 0.0), beat


def timing_lines(document: Document, audio: AudioFacts | None) -> Iterator[Fault]:
    """A010: timing lines that every parser takes."""
    for index, reason in document.bad_timing:
        yield Fault(f"Line {index + 1} of the timing is refused: {reason}; drop it", value=document.lines[index][:80],
                    edits=((index, None),))  # fmt: skip


def timing_ranges(document: Document, audio: AudioFacts | None) -> Iterator[Fault]:
    """A011: tempo and slider velocity lie where the game plays them."""
    slowest, fastest = MODES[document.mode].velocities
    for line in document.timing:
        if line.uninherited:
            low, high = BEAT_LENGTHS
            value, what = line.beat_length, "beat length"
            new = min(max(value, low), high)
        elif line.beat_length < 0:
            low, high = slowest, fastest
            value, what = -100 / line.beat_length, "slider velocity"
            new = -100 / min(max(value, low), high)
        else:
            continue
        if not low * (1 - 1e-9) <= value <= high * (1 + 1e-9):
            fields = [line.fields[0], format_number(new), *line.fields[2:]]
            yield Fault(f"Line {line.index + 1}: {what} {value:g} is beyond {low:g} to {high:g}; the game clamps it",
                        line.time, value=value, limit=f"{low:g}-{high:g}",
                        edits=((line.index, ",".join(fields)),))  # fmt: skip


def object_lines(document: Document, audio: AudioFacts | None) -> Iterator[Fault]:
    """A012: hit object lines that every parser takes."""
    for index, reason in document.bad_objects:
        yield Fault(f"Line {index + 1} of the hit objects is dropped by parsers: {reason}; take it out",
                    value=document.lines[index][:80], edits=((index, None),))  # fmt: skip


def coordinates(document: Document, audio: AudioFacts | None) -> Iterator[Fault]:
    """A013: positions are whole numbers within the parsers' limit."""
    for line in document.objects:
        x, y = line.fields[:2]
        if x.isdecimal() and y.isdecimal() and len(x) < 6 and len(y) < 6:
            continue
        whole = [min(max(round_half_up(parse_float(f)), -MAX_COORDINATE), MAX_COORDINATE) for f in (x, y)]
        if [x.strip(), y.strip()] != [str(w) for w in whole]:
            yield Fault(f"Line {line.index + 1}: position {x},{y} is not two whole numbers within ±{MAX_COORDINATE}",
                        line.time, value=f"{x},{y}", limit=MAX_COORDINATE,
                        edits=((line.index, ",".join([*map(str, whole), *line.fields[2:]])),))  # fmt: skip


def slider_lines(document: Document, audio: AudioFacts | None) -> Iterator[Fault]:
    """A014: a curve letter, one point at least, 1..9000 slides, a finite length."""
    for line in document.objects:
        if line.kind != SLIDER:
            continue
        fields = line.fields
        curve, _, rest = fields[5].partition("|") if len(fields) > 5 else ("", "", "")
        points = rest.split("|") if rest else []
        slides = fields[6].strip() if len(fields) > 6 else ""
        length = fields[7].strip() if len(fields) > 7 else "0"
        reasons = []
        if curve.strip() not in ("B", "C", "L", "P"):
            reasons.append(f"curve {curve[:10]!r} is none of B, C, L, P")
        bad_points = [p for p in points if not _POINT.fullmatch(p)]
        if not points or bad_points:
            reasons.append(f"point {bad_points[0][:20]!r} is not x:y" if bad_points else "it has no points")
        if not (slides.isdecimal() and len(slides) < 6 and 1 <= int(slides) <= MAX_SLIDES):
            reasons.append(f"slides {slides[:12]!r} is not 1 to {MAX_SLIDES}")
        try:
            if abs(parse_float(length)) > MAX_COORDINATE:
                reasons.append(f"length {length[:20]} is beyond {MAX_COORDINATE}")
        except ValueError:
            reasons.append(f"length {length[:20]!r} is no number")
        if reasons:
            yield Fault(f"Line {line.index + 1}: {'; '.join(reasons)}", line.time, value=", ".join(reasons),
                        edits=((line.index, _mended_slider(line, curve.strip(), points, slides, length)),))  # fmt: skip


def _mended_slider(line: ObjectLine, curve: str, points: list[str], slides: str, length: str) -> str:
    """A slider with what can be read of it; a circle where nothing is left to slide along."""
    anchors = []
    for point in points:
        found = _INT_PAIR.fullmatch(point.strip())
        try:
            pair = [round_half_up(parse_float(f)) for f in found.groups()] if found else None
        except ValueError:
            pair = None
        if pair:
            anchors.append([min(max(c, -MAX_COORDINATE), MAX_COORDINATE) for c in pair])
    if not anchors:
        return _as_circle(line)
    curve = curve if curve in ("B", "C", "L", "P") else "B"
    count = int(slides) if slides.isdecimal() and len(slides) < 6 and 1 <= int(slides) <= MAX_SLIDES else 1
    try:
        pixels = parse_float(length, MAX_COORDINATE)
    except ValueError:
        head = [round_half_up(parse_float(f)) for f in line.fields[:2]]
        pixels = min(SliderPath(curve, [head, *anchors]).length, MAX_COORDINATE)
    path = "|".join([curve, *(f"{x}:{y}" for x, y in anchors)])
    rest = line.fields[8:] if str(count) == slides else []  # edge sounds no longer fit another number of slides
    return ",".join([*line.fields[:5], path, str(count), format_number(pixels), *rest])


def _as_circle(line: ObjectLine) -> str:
    bits = line.bits & ~(SLIDER | SPINNER | HOLD) | 1
    return ",".join([*line.fields[:3], str(bits), line.fields[4], "0:0:0:0:"])


def edge_counts(document: Document, audio: AudioFacts | None) -> Iterator[Fault]:
    """A015: slides + 1 edge sounds and edge sets, or none."""
    for line in document.objects:
        if line.kind != SLIDER or len(line.fields) < 9:
            continue
        slides = line.fields[6].strip()
        if not slides.isdecimal() or not 1 <= int(slides[:6]) <= MAX_SLIDES:
            continue
        wanted = int(slides) + 1
        new, odd = list(line.fields), ""
        for place, name, filler in ((8, "edge sounds", "0"), (9, "edge sets", "0:0")):
            text = line.fields[place] if len(line.fields) > place else ""
            count = text.count("|") + 1
            if text.strip() and count != wanted:
                odd = odd or f"{count} {name}"
                new[place] = "|".join((text.split("|") + [filler] * wanted)[:wanted])
        if odd:
            yield Fault(f"Line {line.index + 1}: {odd} for {wanted - 1} slides; there must be {wanted} or none",
                        line.time, value=odd, limit=wanted, edits=((line.index, ",".join(new)),))  # fmt: skip


def end_times(document: Document, audio: AudioFacts | None) -> Iterator[Fault]:
    """A016: spinners and hold notes end, and not before they start."""
    for line in document.objects:
        if line.kind in (SPINNER, HOLD):
            text = line.fields[5].partition(":")[0].strip() if len(line.fields) > 5 else ""
            try:
                end = parse_float(text)
            except ValueError:
                end = None
            if end is None or end < line.time:
                name = "spinner" if line.kind == SPINNER else "hold note"
                said = f"ends at {text[:20]}, before its start" if end is not None else "has no end time"
                yield Fault(f"Line {line.index + 1}: the {name} {said}; make it a note", line.time, value=text[:20],
                            limit=line.time, edits=((line.index, _as_circle(line)),))  # fmt: skip


def hit_samples(document: Document, audio: AudioFacts | None) -> Iterator[Fault]:
    """A017: at most five fields, sets 0..3, index not negative, volume 0..100."""
    places = {1: 5, SLIDER: 10, SPINNER: 6}
    sound: dict[str, bool] = {}
    for line in document.objects:
        if line.kind == HOLD:
            place, prefix = 5, True
        else:
            place, prefix = places[line.kind], False
        if len(line.fields) <= place:
            continue
        before, _, text = line.fields[place].partition(":") if prefix else ("", "", line.fields[place])
        if text not in sound:
            sound[text] = _is_sample(text)
        if not sound[text]:
            mended = f"{before}:0:0:0:0:" if prefix else "0:0:0:0:"
            new = ",".join([*line.fields[:place], mended])
            yield Fault(f"Line {line.index + 1}: hit sample {text[:40]!r} is not set:addition:index:volume:file",
                        line.time, value=text[:40], edits=((line.index, new),))  # fmt: skip


def _is_sample(text: str) -> bool:
    parts = text.split(":")
    if not text.strip():
        return True
    try:
        numbers = [parse_int(p) for p in parts[:4]]
    except ValueError:
        return False
    limits = ((0, 3), (0, 3), (0, 1 << 30), (0, 100))
    return len(parts) <= 5 and all(low <= n <= high for n, (low, high) in zip(numbers, limits, strict=False))


def any_object(document: Document, audio: AudioFacts | None) -> Iterator[Fault]:
    """A018: one hit object at least."""
    if not document.objects:
        yield Fault("The map has no hit objects; generate it again", value=0, limit=1)


def order(document: Document, audio: AudioFacts | None) -> Iterator[Fault]:
    """A019: hit objects and timing lines are sorted by time."""
    for name, lines, key in (
        ("hit objects", document.objects, lambda o: o.time),
        ("timing lines", document.timing, lambda t: (t.time, not t.uninherited)),
    ):
        late = next((b for a, b in pairwise(lines) if b.time < a.time), None)
        if late is not None:
            slots = [line.index for line in lines]
            ordered = [document.lines[line.index] for line in sorted(lines, key=key)]
            edits = tuple((i, text) for i, text in zip(slots, ordered, strict=True) if document.lines[i] != text)
            yield Fault(f"The {name} are not sorted by time (first on line {late.index + 1}); sort them", late.time,
                        edits=edits)  # fmt: skip


def plausibility(document: Document, audio: AudioFacts | None) -> Iterator[Fault]:
    """A024: not more objects, slides or hours than a public difficulty calculator takes."""
    limits = MODES[document.mode]
    lines = sorted(document.objects, key=lambda o: o.time)
    if not lines:
        return
    for line in lines:
        slides = line.fields[6].strip() if line.kind == SLIDER and len(line.fields) > 6 else "1"
        if slides.isdecimal() and MAX_PLAUSIBLE_SLIDES < int(slides[:8]) <= MAX_SLIDES:
            new = ",".join([*line.fields[:6], str(MAX_PLAUSIBLE_SLIDES), *line.fields[7:8]])
            yield Fault(f"Line {line.index + 1}: {slides} slides; tools refuse more than {MAX_PLAUSIBLE_SLIDES}",
                        line.time, value=int(slides), limit=MAX_PLAUSIBLE_SLIDES,
                        edits=((line.index, new),))  # fmt: skip
    kept: list[float] = []
    dropped: list[ObjectLine] = []
    for line in lines:
        crowded = (
            len(kept) >= limits.objects
            or len(kept) + 1 >= limits.per_second and line.time - kept[1 - limits.per_second] < 1000
            or len(kept) + 1 >= limits.per_ten_seconds and line.time - kept[1 - limits.per_ten_seconds] < 10000
            or line.time - lines[0].time > MAX_OBJECT_SPREAD_MS
        )
        if crowded:
            dropped.append(line)
        else:
            kept.append(line.time)
    if dropped:
        yield Fault(
            f"{len(dropped)} of {len(lines)} objects are more than tools take ({limits.per_second} in a second, "
            f"{limits.per_ten_seconds} in ten, {limits.objects} in all, 24 hours); thin them out",
            dropped[0].time, value=len(lines), limit=limits.objects,
            severity=FATAL if len(dropped) > len(kept) else None,
            edits=tuple((line.index, None) for line in dropped),
        )  # fmt: skip
