"""Writes .osu files: format v14, strict, the same bytes for the same map.

UTF-8 without byte order mark, '\\n' line ends, sections in the order of the format, numbers by one rule
(`numbers.format_number`), everything that is not modelled verbatim. Facts: osu! file format v14.
"""

from __future__ import annotations

import re
from pathlib import Path

from osuT5.beatmap.numbers import format_number, round_half_up
from osuT5.beatmap.saving import write_atomically
from osuT5.beatmap.types import Beatmap, Circle, HitObject, HitSample, Hold, Section, Slider, TimingPoint
from osuT5.errors import BeatmapError

HEADER = "osu file format v14"
# how each `key: value` section is spaced, as the game writes it
_SEPARATORS = {"General": ": ", "Editor": ": ", "Metadata": ":", "Difficulty": ":", "Colours": " : "}
_LINE_BREAKS = re.compile(r"[\r\n\0]+")


def write(beatmap: Beatmap, path: str | Path | None = None, overwrite: bool = False) -> str:
    """The text of the beatmap, also written to `path` if given, whole or not at all.

    Args:
        overwrite: whether a file at `path` may be replaced; its old content is then kept as `<name>.bak`.
    Raises BeatmapError for NaN or infinite numbers, InputError if the file cannot be written.
    """
    text = format_beatmap(beatmap)
    if path is not None:
        write_atomically(path, text.encode("utf-8"), overwrite)
    return text


def format_beatmap(beatmap: Beatmap) -> str:
    """The text of the file."""
    lines = [HEADER]

    def section(name: str, body: list[str]) -> None:
        lines.extend(("", f"[{name}]", *body))

    def key_values(name: str, values: Section) -> None:
        separator = _SEPARATORS[name]
        section(name, [f"{_one_line(k)}{separator}{_one_line(v)}".rstrip() for k, v in values.values.items()])

    key_values("General", beatmap.general)
    if beatmap.editor.values:
        key_values("Editor", beatmap.editor)
    key_values("Metadata", beatmap.metadata)
    key_values("Difficulty", beatmap.difficulty)
    section("Events", [_LINE_BREAKS.sub(" ", line) for line in beatmap.events])
    section("TimingPoints", [format_timing_point(p) for p in beatmap.timing_points])
    if beatmap.colours.values:
        key_values("Colours", beatmap.colours)
    for name, body in beatmap.other_sections.items():
        section(_one_line(name), [_LINE_BREAKS.sub(" ", line) for line in body])
    section("HitObjects", [format_hit_object(o) for o in beatmap.hit_objects])
    lines.append("")
    # a lone surrogate, as a file system may hand one over in a name, has no UTF-8
    return "\n".join(lines).encode("utf-8", "replace").decode("utf-8")


def _one_line(text: str) -> str:
    return _LINE_BREAKS.sub(" ", text).strip()


def format_timing_point(point: TimingPoint) -> str:
    """`time,beatLength,meter,sampleSet,sampleIndex,volume,uninherited,effects`."""
    return (
        f"{format_number(point.time)},{format_number(point.beat_length)},{point.meter},{point.sample_set},"
        f"{point.sample_index},{point.volume},{int(point.uninherited)},{point.effects}"
    )


def format_hit_object(hit_object: HitObject) -> str:
    """One line; times are rounded to whole ms and positions to whole px, as format 14 has them."""
    combo = 4 * hit_object.new_combo | hit_object.combo_skip << 4
    start = f"{_whole(hit_object.x)},{_whole(hit_object.y)},{_whole(hit_object.time)}"
    sample = format_hit_sample(hit_object.sample)
    if isinstance(hit_object, Circle):
        return f"{start},{1 | combo},{hit_object.hitsound},{sample}"
    if isinstance(hit_object, Slider):
        return f"{start},{2 | combo},{hit_object.hitsound},{_slider_fields(hit_object, sample)}"
    if isinstance(hit_object, Hold):
        return f"{start},{128 | combo},{hit_object.hitsound},{_whole(hit_object.end)}:{sample}"
    return f"{start},{8 | combo},{hit_object.hitsound},{_whole(hit_object.end_time)},{sample}"


def _slider_fields(slider: Slider, sample: str) -> str:
    points = "".join(f"|{_whole(x)}:{_whole(y)}" for x, y in slider.points)
    fields = [slider.curve + points, str(slider.slides), format_number(slider.length)]
    sounds = "|".join(map(str, slider.edge_sounds))
    sets = "|".join(f"{normal}:{addition}" for normal, addition in slider.edge_sets)
    if sounds or sets or slider.sample != HitSample():
        fields += [sounds, sets, sample]
    return ",".join(fields)


def format_hit_sample(sample: HitSample) -> str:
    """`normalSet:additionSet:index:volume:filename`."""
    return (
        f"{sample.normal_set}:{sample.addition_set}:{sample.index}:{sample.volume}:"
        f"{_one_line(sample.filename).replace(',', ' ')}"
    )


def _whole(value: float) -> int:
    if type(value) is int:
        return value
    if value - value != 0:
        raise BeatmapError(f"a beatmap cannot hold the number {value}; whatever computed it is wrong")
    return round_half_up(value)
