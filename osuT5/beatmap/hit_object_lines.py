"""Lines of [HitObjects] to hit objects.

Most lines of most maps are of four shapes; a fast path reads those, and whatever it cannot read goes field by
field through the strict grammar. Facts: osu! file format v14 and the game's lenient decoder.
"""

from __future__ import annotations

import math

from osuT5.beatmap.curves import parse_curve
from osuT5.beatmap.numbers import COORDINATE_LIMIT, NUMBER_LIMIT, parse_float, parse_int, round_half_up
from osuT5.beatmap.types import Circle, Diagnostic, HitObject, HitSample, Hold, Slider, Spinner

CIRCLE, SLIDER, NEW_COMBO, SPINNER, HOLD = 1, 2, 4, 8, 128
MAX_SLIDES = 9000

# what the fast path may meet: with these characters alone int() and float() are as strict as the grammar
_PLAIN = "0123456789,.-+:|BCLP \t\n"


def parse_hit_objects(
    lines: list[str], first_line: int, time_offset: int, decimals: bool, diagnostics: list[Diagnostic]
) -> list[HitObject]:
    """Objects in file order; lines that the game refuses are left out and noted.

    Args:
        lines: of the section, without line ends.
        first_line: 1-based number of the first of them, for diagnostics.
        time_offset: ms to add to all times.
        decimals: coordinates with decimals mean what they say (format 128) and are rounded; else they are truncated
            as the game does.
        diagnostics: appended to.
    """
    objects: list[HitObject] = []
    add = objects.append
    circles: dict[str, tuple] = {}
    samples: dict[str, tuple] = {}
    edges: dict[str, list] = {}
    all_plain = not "\n".join(lines).strip(_PLAIN)
    low, high = -COORDINATE_LIMIT, COORDINATE_LIMIT
    for number, line in enumerate(lines, first_line):
        try:
            x, y, time, tail = line.split(",", 3)
            x, y, time = int(x), int(y), int(time) + time_offset
            if not (all_plain or line.isascii() and "_" not in line):
                raise ValueError
            if not (low <= x <= high and low <= y <= high and -NUMBER_LIMIT <= time <= NUMBER_LIMIT):
                raise ValueError
            circle = circles.get(tail)
            if circle is not None:
                new_combo, skip, hitsound, sample = circle
                add(Circle(x, y, time, new_combo, skip, hitsound, HitSample(*sample)))
                continue
            fields = tail.split(",")
            kind, hitsound = int(fields[0]), int(fields[1])
            new_combo, skip = kind & NEW_COMBO != 0, kind >> 4 & 7
            if kind & CIRCLE:
                if len(fields) > 3:
                    raise ValueError
                sample = _plain_sample(fields[2], samples) if len(fields) == 3 else _NO_SAMPLE
                circles[tail] = new_combo, skip, hitsound, sample
                add(Circle(x, y, time, new_combo, skip, hitsound, HitSample(*sample)))
            elif kind & SLIDER:
                path = fields[2]
                coordinates = [*map(int, path[2:].replace("|", ":").split(":"))]
                if path[1] != "|" or path.count(":") != path.count("|") or path[0] not in "BCLP":
                    raise ValueError
                if min(coordinates) < low or max(coordinates) > high:
                    raise ValueError
                slides, length = int(fields[3]), float(fields[4])
                if not (1 <= slides <= MAX_SLIDES and 0 <= length <= COORDINATE_LIMIT):
                    raise ValueError
                count = len(fields)
                if count > 8:
                    raise ValueError
                sounds, sets = [], []
                if count > 5 and fields[5]:
                    sounds = edges.get(fields[5])
                    if sounds is None:
                        sounds = edges[fields[5]] = [*map(int, fields[5].split("|"))]
                    sounds = sounds.copy()
                if count > 6 and fields[6]:
                    sets = edges.get(fields[6])
                    if sets is None:
                        sets = edges[fields[6]] = _plain_sets(fields[6])
                    sets = sets.copy()
                sample = _plain_sample(fields[7], samples) if count == 8 else _NO_SAMPLE
                points = list(zip(coordinates[::2], coordinates[1::2], strict=True))
                add(
                    Slider(
                        x,
                        y,
                        time,
                        new_combo,
                        skip,
                        hitsound,
                        HitSample(*sample),
                        path[0],
                        points,
                        slides,
                        length,
                        sounds,
                        sets,
                    )  # fmt: skip
                )
            elif kind & SPINNER:
                end = int(fields[2]) + time_offset
                if len(fields) > 4 or not -NUMBER_LIMIT <= end <= NUMBER_LIMIT:
                    raise ValueError
                sample = _plain_sample(fields[3], samples) if len(fields) == 4 else _NO_SAMPLE
                add(Spinner(x, y, time, new_combo, skip, hitsound, HitSample(*sample), end))
            else:
                end, _, rest = fields[2].partition(":")
                end = int(end) + time_offset
                if len(fields) > 3 or not kind & HOLD or not -NUMBER_LIMIT <= end <= NUMBER_LIMIT:
                    raise ValueError
                sample = _plain_sample(rest, samples)
                add(Hold(x, y, time, new_combo, skip, hitsound, HitSample(*sample), end))
        except (ValueError, IndexError):
            text = line.strip()
            if not text or text.startswith("//"):
                continue
            try:
                add(parse_hit_object(text, time_offset, decimals, number, diagnostics))
            except ValueError as error:
                diagnostics.append(Diagnostic("hit-object", number, f"line left out: {error}"))
    return objects


_NO_SAMPLE = (0, 0, 0, 0, "")


def _plain_sample(text: str, seen: dict[str, tuple]) -> tuple:
    """Five fields of a hit sample; ValueError sends whatever is odd to the slow path."""
    sample = seen.get(text)
    if sample is None:
        if text:
            fields = text.split(":", 4)
            normal, addition, index, volume = map(int, fields[:4])
            sample = normal, addition, index, volume, fields[4].strip() if len(fields) > 4 else ""
        else:
            sample = _NO_SAMPLE
        seen[text] = sample
    return sample


def _plain_sets(text: str) -> list[tuple[int, int]]:
    sets = []
    for pair in text.split("|"):
        normal, addition = pair.split(":")
        sets.append((int(normal), int(addition)))
    return sets


def parse_hit_object(
    text: str, time_offset: int, decimals: bool, line: int, diagnostics: list[Diagnostic]
) -> HitObject:
    """One line by the strict grammar. Raises ValueError, saying why, where the game refuses the line."""
    fields = text.split(",")
    if len(fields) < 4:
        raise ValueError(f"a hit object has at least 4 fields, this line has {len(fields)}")
    whole = round_half_up if decimals else math.trunc
    x, y = (whole(parse_float(f, COORDINATE_LIMIT)) for f in fields[:2])
    if not fields[0].strip().lstrip("+-").isdigit() or not fields[1].strip().lstrip("+-").isdigit():
        diagnostics.append(Diagnostic("decimal-position", line, f"position {fields[0]},{fields[1]} became {x},{y}"))

    def parse_time(field: str) -> int:
        exact = parse_float(field)
        if exact != int(exact):
            diagnostics.append(Diagnostic("decimal-time", line, f"time {field.strip()} rounded to whole ms"))
        return round_half_up(exact) + time_offset

    time = parse_time(fields[2])
    kind = parse_int(fields[3])
    hitsound = 0
    if len(fields) > 4 and fields[4].strip():
        hitsound = parse_int(fields[4])
    else:
        diagnostics.append(Diagnostic("short-line", line, "no hitsound field; none assumed"))
    rest = fields[5:]

    def sample(field: int) -> HitSample:
        return _lenient_sample(rest[field], line, diagnostics) if len(rest) > field else HitSample()

    common = (x, y, time, bool(kind & NEW_COMBO), kind >> 4 & 7, hitsound)
    if kind & CIRCLE:
        return Circle(*common, sample(0))
    if kind & SLIDER:
        if not rest:
            raise ValueError("a slider without a curve")
        curve, points = parse_curve(rest[0], (x, y), whole, line, diagnostics)
        slides = parse_int(rest[1]) if len(rest) > 1 else 1
        if slides > MAX_SLIDES:
            raise ValueError(f"{slides} slides, the game allows {MAX_SLIDES}")
        if slides < 1:
            diagnostics.append(Diagnostic("slides", line, f"{slides} slides, played as 1"))
        length = parse_float(rest[2], COORDINATE_LIMIT) if len(rest) > 2 and rest[2].strip() else 0.0
        if length < 0:
            diagnostics.append(Diagnostic("slider-length", line, f"length {length} taken for the natural length"))
        sounds = _lenient_edges(rest[3], line, diagnostics) if len(rest) > 3 else []
        sets = _lenient_sets(rest[4], line, diagnostics) if len(rest) > 4 else []
        return Slider(*common, sample(5), curve, points, max(slides, 1), max(length, 0.0), sounds, sets)
    if kind & SPINNER:
        if not rest:
            raise ValueError("a spinner without an end time")
        return Spinner(*common, sample(1), parse_time(rest[0]))
    if kind & HOLD:
        end, colon, tail = rest[0].partition(":") if rest else ("", "", "")
        if not end.strip():
            diagnostics.append(Diagnostic("hold-end", line, "hold note without an end; it ends where it starts"))
            return Hold(*common, HitSample(), time)
        if not colon and len(rest) > 1:
            diagnostics.append(Diagnostic("hold-comma", line, "hold note's sample after a comma instead of a colon"))
            tail = rest[1]
        return Hold(*common, _lenient_sample(tail, line, diagnostics), parse_time(end))
    raise ValueError(f"type {kind} is no circle, slider, spinner or hold note")


def _lenient_int(text: str, line: int, diagnostics: list[Diagnostic]) -> int:
    """Sound fields do not cost an object: what is no integer counts as 0."""
    if not text.strip():
        return 0
    try:
        return parse_int(text)
    except ValueError as error:
        diagnostics.append(Diagnostic("sample", line, f"sound field taken for 0: {error}"))
        return 0


def _lenient_sample(text: str, line: int, diagnostics: list[Diagnostic]) -> HitSample:
    fields = text.split(":", 4)
    numbers = [_lenient_int(f, line, diagnostics) for f in fields[:4]]
    numbers += [0] * (4 - len(numbers))
    return HitSample(*numbers, fields[4].strip() if len(fields) > 4 else "")


def _lenient_edges(text: str, line: int, diagnostics: list[Diagnostic]) -> list[int]:
    return [_lenient_int(f, line, diagnostics) for f in text.split("|")] if text.strip() else []


def _lenient_sets(text: str, line: int, diagnostics: list[Diagnostic]) -> list[tuple[int, int]]:
    sets = []
    for pair in text.split("|") if text.strip() else ():
        fields = [*pair.split(":"), "0"]
        sets.append((_lenient_int(fields[0], line, diagnostics), _lenient_int(fields[1], line, diagnostics)))
    return sets
