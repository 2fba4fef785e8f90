"""Sliders to groups of events: head, anchors, what is held, ends.

The two layouts are rows of a table (`SliderLayout`), chosen by the profile's slider version.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from osuT5.beatmap import GameMode, HitSample, Slider, SliderPath
from osuT5.events.line_view import MAX_SPEED
from osuT5.events.object_writer import NO_SAMPLE, ObjectWriter, Point, check_duration
from osuT5.events.slider_ends import curve_kind
from osuT5.events.types import Event, EventType

BODY_DELAY_US = 1000  # the sound of the slider body is looked up 1 ms after the start
MIN_SLIDER_VELOCITY = 0.1
# A slider with more points than fit is drawn as this many straight lines along its path.
DRAWN_LINES = 16
DRAWN_FROM_POINTS = 100


@dataclass(frozen=True)
class SliderLayout:
    """Where the control points of a slider stand in time.

    Attributes:
        anchors_at_head: all anchors bear the head's time; else they are spread over the first span.
        last_point_before: the last point has a last_anchor of its own before the held part; else it stands with the
            sounds at the first end.
    """

    anchors_at_head: bool
    last_point_before: bool


LAYOUTS = {1: SliderLayout(False, False), 2: SliderLayout(True, True)}
ANCHOR_TYPES = {"L": EventType.RED_ANCHOR, "C": EventType.CATMULL_ANCHOR, "P": EventType.PERFECT_ANCHOR}


def write_slider(writer: ObjectWriter, slider: Slider) -> None:
    rules = writer.rules
    is_drumroll = writer.mode == GameMode.TAIKO
    too_many_points = rules.max_slider_points is not None and len(slider.points) + 1 >= rules.max_slider_points
    if too_many_points and not is_drumroll:
        return
    slides = max(slider.slides, 1)
    start = writer.time_us(slider)
    end = start + duration_us(writer, slider, slides)
    if is_drumroll:
        writer.drumroll(slider, start, end)
        return
    if rules.max_slider_points is None and len(slider.points) + 1 >= DRAWN_FROM_POINTS:
        slider = _drawn_with_fewer_points(slider)
    layout = LAYOUTS[writer.profile.slider_version]
    span = round((end - start) / slides)
    span_end = start + span
    points = [(slider.x, slider.y), *slider.points]

    head = [*writer.time(start), *writer.position(points[0]), *writer.new_combo(slider)]
    if writer.profile.add_sv:
        head += writer.scroll_speed(start, rules.least_slider_speed)
    writer.add(EventType.SLIDER_HEAD, start, head + _edge_sound(writer, slider, 0, start))

    for i, kind in inner_anchors(curve_kind(slider), points):
        time = start if layout.anchors_at_head else start + round(i / (len(points) - 1) * span)
        writer.add(kind, time, writer.position(points[i]))
    if layout.last_point_before:
        writer.add(EventType.LAST_ANCHOR, start, writer.position(points[-1]))
    writer.sustain(EventType.SLIDER_SUSTAIN, start, span_end)

    last = writer.time(span_end)
    if not layout.last_point_before:
        last += writer.position(points[-1])
    last += writer.sound(slider.hitsound, slider.sample, start + BODY_DELAY_US)
    for edge in range(1, slides):
        last += _edge_sound(writer, slider, edge, start + edge * span)
    writer.add(EventType.LAST_ANCHOR, span_end, last)
    writer.sustain(EventType.SLIDER_REPEAT_SUSTAIN, span_end, end)

    tail = [*writer.time(end), *writer.position(rules.slider_end(slider))]
    last_edge = slides if rules.object_edges else -1
    writer.add(EventType.SLIDER_END, end, tail + _edge_sound(writer, slider, last_edge, end))


def duration_us(writer: ObjectWriter, slider: Slider, slides: int) -> int:
    """From the start to the end over all slides. Raises BeatmapError beyond a day (tiny multipliers, huge beats)."""
    rules = writer.rules
    start_us = writer.time_us(slider)
    line = writer.lines.at(start_us)
    beat_length = writer.lines.red_of(line).beat_length
    velocity = 1.0
    if line.parent is not None and line.beat_length:
        velocity = min(max(-100.0 / line.beat_length, MIN_SLIDER_VELOCITY), MAX_SPEED)
    length = slider.length
    if rules.natural_length and not length > 0:
        length = SliderPath.of(slider).length
    beats = length * slides / (writer.slider_multiplier * 100 * velocity)
    milliseconds = beats * beat_length
    check_duration(start_us, milliseconds * 1000)
    return int(milliseconds) * 1000 if rules.whole_slider_ms else round(milliseconds * 1000)


def inner_anchors(kind: str, points: Sequence[Point]) -> list[tuple[int, EventType]]:
    """(index, anchor type) of the control points between the first and the last."""
    inner = range(1, len(points) - 1)
    if kind in ANCHOR_TYPES:
        return [(i, ANCHOR_TYPES[kind]) for i in inner]
    anchors = []
    for i in inner:
        if points[i] == points[i + 1]:
            anchors.append((i, EventType.RED_ANCHOR))
        elif points[i] != points[i - 1]:
            anchors.append((i, EventType.BEZIER_ANCHOR))
    return anchors


def _edge_sound(writer: ObjectWriter, slider: Slider, edge: int, time_us: int) -> list[Event]:
    """Sound of the head (0), of a repeat, or of the tail (-1: whatever the lists end with)."""
    default_bits, default_sample = 0, NO_SAMPLE
    if writer.rules.object_edges:
        default_bits, default_sample = slider.hitsound, slider.sample
    bits = _element(slider.edge_sounds, edge, default_bits)
    sets = _element(slider.edge_sets, edge, None)
    sample = default_sample if sets is None else HitSample(sets[0], sets[1])
    return writer.sound(bits, sample, time_us)


def _element(values: Sequence, index: int, default):
    return values[index] if -len(values) <= index < len(values) else default


def _drawn_with_fewer_points(slider: Slider) -> Slider:
    path = SliderPath.of(slider)
    points = [path.position_at(i / DRAWN_LINES) for i in range(1, DRAWN_LINES + 1)]
    return replace(slider, curve="L", points=[(round(float(x)), round(float(y))) for x, y in points])
