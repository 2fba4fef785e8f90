"""Lines of [TimingPoints] to timing points. Facts: osu! file format v14 and the game's lenient decoder."""

from __future__ import annotations

from osuT5.beatmap.numbers import NUMBER_LIMIT, parse_float, parse_int
from osuT5.beatmap.types import Diagnostic, TimingPoint

_PLAIN = "0123456789,.-+eE \t\n"
# what a field means when the line ends before it: meter, sample set, index, volume, uninherited, effects
_DEFAULTS = (4, 0, 0, 100, 1, 0)


def parse_timing_points(
    lines: list[str], first_line: int, time_offset: int, diagnostics: list[Diagnostic]
) -> list[TimingPoint]:
    """Points in file order; lines that the game refuses are left out and noted. See `parse_hit_objects`."""
    points: list[TimingPoint] = []
    tails: dict[str, tuple] = {}
    all_plain = not "\n".join(lines).strip(_PLAIN)
    for number, line in enumerate(lines, first_line):
        try:
            time, beat_length, tail = line.split(",", 2)
            rest = tails.get(tail)
            if rest is None or not all_plain:
                raise ValueError
            time, beat_length = float(time) + time_offset, float(beat_length)
            if not (-NUMBER_LIMIT <= time <= NUMBER_LIMIT and -NUMBER_LIMIT <= beat_length <= NUMBER_LIMIT):
                raise ValueError
            points.append(TimingPoint(time, beat_length, *rest))
        except ValueError:
            text = line.strip()
            if not text or text.startswith("//"):
                continue
            try:
                point = parse_timing_point(text, time_offset, number, diagnostics)
            except ValueError as error:
                diagnostics.append(Diagnostic("timing-point", number, f"line left out: {error}"))
                continue
            points.append(point)
            noted = diagnostics and diagnostics[-1].line == number
            if point.fields > 2 and not noted:
                tails[text.split(",", 2)[2]] = (
                    point.meter, point.sample_set, point.sample_index,
                    point.volume, point.uninherited, point.effects, point.fields,
                )  # fmt: skip
    return points


def parse_timing_point(text: str, time_offset: int, line: int, diagnostics: list[Diagnostic]) -> TimingPoint:
    """One line by the strict grammar. Raises ValueError, saying why, where the game refuses the line."""
    fields = text.split(",")
    if len(fields) < 2:
        raise ValueError("a timing point has at least a time and a beat length")
    time, beat_length = parse_float(fields[0]) + time_offset, parse_float(fields[1])
    values = list(_DEFAULTS)
    for index, value in enumerate(fields[2:8]):
        if value.strip():
            values[index] = parse_int(value)
    meter, sample_set, sample_index, volume, uninherited, effects = values
    if meter < 1:
        diagnostics.append(Diagnostic("meter", line, f"meter {meter} taken for 4"))
        meter = 4
    if not 0 <= volume <= 100:
        diagnostics.append(Diagnostic("volume", line, f"volume {volume} clipped to 0..100"))
        volume = min(max(volume, 0), 100)
    if uninherited == 1 and beat_length < 0:
        diagnostics.append(Diagnostic("red-negative", line, f"red line with beat length {beat_length}"))
    return TimingPoint(
        time, beat_length, meter, sample_set, sample_index, volume, uninherited == 1, effects, min(len(fields), 8)
    )
