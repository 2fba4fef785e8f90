"""A generated part put into a human's map.

Everything of the reference outside the part stays as it was, and plays as it did: lines inside the part come
from the generated map, and where the two meet, lines are added so that tempo, meter, slider velocity, volume,
sample set and kiai are those of the side that the objects came from.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from dataclasses import replace

from osuT5.beatmap.numbers import parse_float
from osuT5.beatmap.timing_lines import SOUND_LENIENCY_MS, TimingLines
from osuT5.beatmap.types import KIAI, Beatmap, Circle, GameMode, HitObject, Slider, Spinner, TimingPoint

MIN_GAP_MS = 10.0  # objects closer than this count as concurrent
MIN_HOLD_MS, MIN_SPINNER_MS = 30.0, 500.0
_ROUNDING_MS = 1.0  # times in files are whole ms, computed ends are not
_CUT_DIVISOR = 4  # ends that are cut fall on quarter beats
_SAME_TEMPO, _SAME_PHASE_MS, _SAME_VELOCITY = 1e-6, 1.0, 1e-4


def merge_range(
    reference: Beatmap, generated: Beatmap, start_ms: float | None = None, end_ms: float | None = None
) -> Beatmap:
    """A new beatmap: `reference` with objects and timing of `generated` from start_ms to end_ms, both included.

    Sections, events, colours and lines outside are the reference's. Objects of the reference that begin before the
    part and reach into it, and generated ones that reach over the next kept object, are cut on a quarter beat;
    what becomes too short turns into a circle, or is left out if it is a spinner. None is no limit.
    """
    start = -math.inf if start_ms is None else float(start_ms)
    end = math.inf if end_ms is None else float(end_ms)
    merged = copy.deepcopy(reference)
    merged.diagnostics = list(reference.diagnostics)
    part = [copy.deepcopy(o) for o in generated.hit_objects if start <= o.time <= end]
    before = [o for o in merged.hit_objects if o.time < start]
    after = [o for o in merged.hit_objects if o.time > end]
    timing = generated.timing
    before = _cut_all(before, part, start, reference, reference.timing)
    part = _cut_all(part, after, math.inf, generated, timing)
    merged.hit_objects = sorted([*before, *part, *after], key=lambda o: o.time)
    ends = [(o.time, generated.end_time(o, timing)) for o in part]
    merged.timing_points = _merged_lines(reference, generated, start, end, _resume_time(ends, after, end))
    merged.events = [line for line in merged.events if not _break_is_filled(line, ends)]
    return merged


def _cut_all(
    objects: list[HitObject], followers: list[HitObject], latest_end: float, beatmap: Beatmap, timing: TimingLines
) -> list[HitObject]:
    """The objects, cut where they pass `latest_end` or come within 10 ms of a follower (in mania: of their column)."""
    starts: dict[int, float] = {}
    for follower in followers:
        lane = _lane(follower, beatmap)
        starts[lane] = min(follower.time, starts.get(lane, math.inf))
    kept = []
    for hit_object in objects:
        limit = min(latest_end, starts.get(_lane(hit_object, beatmap), math.inf) - MIN_GAP_MS)
        if (cut := _cut(hit_object, limit, beatmap, timing)) is not None:
            kept.append(cut)
    return kept


def _lane(hit_object: HitObject, beatmap: Beatmap) -> int:
    """Objects of one lane may not overlap: a column in mania, everything elsewhere."""
    if beatmap.mode != GameMode.MANIA:
        return 0
    keys = max(int(beatmap.cs), 1)
    return min(max(hit_object.x * keys // 512, 0), keys - 1)


def _cut(hit_object: HitObject, limit: float, beatmap: Beatmap, timing: TimingLines) -> HitObject | None:
    """The object, ended on the last quarter beat up to `limit` if it passes that; None to leave it out."""
    if isinstance(hit_object, Circle) or beatmap.end_time(hit_object, timing) <= limit + _ROUNDING_MS:
        return hit_object
    red = timing.red_at(hit_object.time)
    tick = timing.beat_length_at(hit_object.time) / _CUT_DIVISOR
    end = red.time + math.floor((limit + _ROUNDING_MS - red.time) / tick) * tick
    duration = end - hit_object.time
    if isinstance(hit_object, Slider):
        return _cut_slider(hit_object, duration, beatmap, timing)
    shortest = MIN_SPINNER_MS if isinstance(hit_object, Spinner) else MIN_HOLD_MS
    if duration >= shortest:
        return replace(hit_object, end=math.floor(end))
    return None if isinstance(hit_object, Spinner) else _as_circle(hit_object)


def _cut_slider(slider: Slider, duration: float, beatmap: Beatmap, timing: TimingLines) -> HitObject:
    """Fewer slides where a whole one fits, else a shorter first one."""
    span = beatmap.span_duration(slider, timing)
    slides = int(duration / span + 1e-6)
    if slides >= 1:
        edges, sets = slider.edge_sounds[: slides + 1], slider.edge_sets[: slides + 1]
        return replace(slider, slides=slides, edge_sounds=edges, edge_sets=sets)
    if duration < timing.beat_length_at(slider.time) / _CUT_DIVISOR * 0.9:
        return _as_circle(slider)
    velocity = 100.0 * beatmap.slider_multiplier * timing.velocity_at(slider.time)
    length = velocity * duration / timing.beat_length_at(slider.time)
    edges, sets = slider.edge_sounds[:2], slider.edge_sets[:2]
    return replace(slider, slides=1, length=length, edge_sounds=edges, edge_sets=sets)


def _as_circle(hit_object: HitObject) -> Circle:
    hitsound, sample = hit_object.hitsound, hit_object.sample
    if isinstance(hit_object, Slider):
        if hit_object.edge_sounds:
            hitsound = hit_object.edge_sounds[0]
        if hit_object.edge_sets:
            normal, addition = hit_object.edge_sets[0]
            sample = replace(sample, normal_set=normal, addition_set=addition)
    o = hit_object
    return Circle(o.x, o.y, o.time, o.new_combo, o.combo_skip, hitsound, sample)


def _break_is_filled(line: str, ends: list[tuple[float, float]]) -> bool:
    fields = line.split(",")
    if fields[0] not in ("2", "Break") or len(fields) < 3:
        return False
    try:
        start, end = parse_float(fields[1]), parse_float(fields[2])
    except ValueError:
        return False
    return any(first < end and last > start for first, last in ends)


def _resume_time(ends: list[tuple[float, float]], after: list[HitObject], end: float) -> float:
    """When the reference's state comes back: once the last generated sound is over, but for its next object."""
    if end == math.inf:
        return end
    last = max([end, *(last for _, last in ends)])
    after_sounds = math.floor(last + SOUND_LENIENCY_MS) + 1.0
    return min([after_sounds, *(o.time for o in after)])


def _merged_lines(reference: Beatmap, generated: Beatmap, start: float, end: float, resume: float) -> list[TimingPoint]:
    before = [replace(p) for p in reference.timing_points if p.time < start]
    inside = [replace(p) for p in generated.timing_points if start <= p.time <= end]
    after = [replace(p) for p in reference.timing_points if p.time > end]
    if not any(p.uninherited for p in before) and any(o.time < start for o in reference.hit_objects):
        before += _early_red(reference, start)
    # lengths of generated sliders were made for their own map's multiplier
    scale = generated.slider_multiplier / reference.slider_multiplier
    inside = _scaled(inside, scale)
    lines = before
    if not generated.timing_points:
        return [replace(p) for p in reference.timing_points]
    if start > -math.inf:
        lines = lines + _border(TimingLines(before), generated.timing, inside, start, end, scale)
    lines = lines + inside
    if end < math.inf and reference.timing_points:
        resume = min([resume, *(p.time for p in after)])
        lines = lines + _border(TimingLines(lines), reference.timing, after, resume, math.inf, 1.0)
    lines = lines + after
    return sorted(lines, key=lambda p: (p.time, not p.uninherited))


def _early_red(reference: Beatmap, start: float) -> list[TimingPoint]:
    """The reference's first red line begins inside the part, yet times objects before it: a copy for those."""
    reds = reference.timing.reds
    if not reds:
        return []
    first = min(o.time for o in reference.hit_objects)
    measure = reds[0].beat_length * reds[0].meter
    if not measure > 0:
        return []
    time = reds[0].time - math.ceil(max(reds[0].time - first, 0.0) / measure) * measure
    return [replace(reds[0], time=time)] if time < start else []


def _scaled(lines: list[TimingPoint], scale: float) -> list[TimingPoint]:
    """Slider velocities multiplied by `scale`; a red line, which resets to 1, gets a green one on it."""
    if abs(scale - 1) <= _SAME_VELOCITY:
        return lines
    scaled: list[TimingPoint] = []
    greens = {p.time for p in lines if not p.uninherited}
    for line in lines:
        if line.uninherited:
            scaled.append(line)
            if line.time not in greens:
                scaled.append(_green(line, line.time, scale))
        else:
            scaled.append(_green(line, line.time, line.slider_velocity * scale))
    return scaled


def _green(line: TimingPoint, time: float, velocity: float) -> TimingPoint:
    """A green line at `time` with the sounds and kiai of `line`."""
    beat_length = float(f"{-100 / min(max(velocity, 0.1), 10.0):.12g}")
    return replace(line, time=time, beat_length=beat_length, uninherited=False, effects=line.effects & KIAI, fields=8)


def _border(
    was: TimingLines, wanted: TimingLines, own: list[TimingPoint], time: float, until: float, scale: float
) -> list[TimingPoint]:
    """Lines that turn the state of `was` into that of `wanted` from `time` on.

    A tempo changes on the wanted map's first beat at or after `time`; until then the slider velocity makes up for it.

    Args:
        own: lines of the wanted side at or after `time`; their velocities before that beat are changed in place.
        until: the wanted map rules up to here; no line is added later.
        scale: factor of the wanted side's slider velocities.
    """
    red, old_red = wanted.red_at(time), was.red_at(time) if was.reds else None
    next_red = min((p.time for p in own if p.uninherited), default=math.inf)
    moments: list[float] = []
    takeover = time
    if red.beat_length > 0 and (old_red is None or not _same_grid(old_red, red, time)):
        takeover = min(_first_beat(red, time), next_red)
        moments = [m for m in _measure_starts(red, takeover) if m < next_red and m <= until]
    makeup = 1.0
    if takeover > time and old_red is not None and old_red.beat_length > 0:
        makeup = old_red.beat_length / red.beat_length
        for line in own:
            if line.time < takeover and not line.uninherited:
                line.beat_length = _green(line, line.time, line.slider_velocity * makeup).beat_length
    added: list[TimingPoint] = []
    if not moments or moments[0] > time:
        added += _state(was, wanted, own, time, wanted.velocity_at(time) * scale * makeup)
    for moment in moments:
        added.append(_red(wanted.line_at(moment) or red, red, moment))
        added += _state(TimingLines(added), wanted, own, moment, wanted.velocity_at(moment) * scale)
    return added


def _measure_starts(red: TimingPoint, takeover: float) -> list[float]:
    """Where red lines are needed: on a beat of the grid, and on the next downbeat if it is none."""
    beats = round((takeover - red.time) / red.beat_length)
    to_downbeat = -beats % red.meter
    return [takeover, takeover + to_downbeat * red.beat_length] if to_downbeat else [takeover]


def _red(sound: TimingPoint, red: TimingPoint, time: float) -> TimingPoint:
    """The tempo of `red` with the sounds and kiai of `sound`."""
    return replace(sound, time=time, beat_length=red.beat_length, meter=red.meter, uninherited=True,
                   effects=sound.effects & KIAI, fields=8)  # fmt: skip


def _state(
    was: TimingLines, wanted: TimingLines, own: Iterable[TimingPoint], time: float, velocity: float
) -> list[TimingPoint]:
    """A green line at `time` unless the state is already that, or a line of the wanted side's own says it."""
    if any(p.time == time for p in own):
        return []
    sound = wanted.line_at(time) or (wanted.points[0] if wanted.points else None)
    if sound is None:
        return []
    line, old = _green(sound, time, velocity), was.line_at(time)
    same = old is not None and (
        abs(was.velocity_at(time) - line.slider_velocity) <= _SAME_VELOCITY
        and (old.sample_set, old.sample_index, old.volume, old.kiai)
        == (line.sample_set, line.sample_index, line.volume, line.kiai)
    )
    return [] if same else [line]


def _first_beat(red: TimingPoint, time: float) -> float:
    """The first beat of the red line's grid at or after `time`; half a ms early still counts as on it."""
    beat = math.ceil((time - red.time - 0.5) / red.beat_length)
    return red.time + beat * red.beat_length


def _same_grid(a: TimingPoint, b: TimingPoint, time: float) -> bool:
    """Whether two red lines put the same measures around `time`."""
    if a.meter != b.meter or abs(a.beat_length - b.beat_length) > _SAME_TEMPO * abs(b.beat_length):
        return False
    measure = b.beat_length * b.meter
    if not measure > 0:
        return a.time == b.time
    phase = (a.time - b.time) % measure
    return min(phase, measure - phase) <= _SAME_PHASE_MS
