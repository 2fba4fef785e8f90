"""Timing lines: first what must hold when, then the fewest lines that make it so.

Red lines come from the timing. Velocities are needed where sliders start (taiko: at every object that names one;
mania: from each change on), volumes where something sounds, kiai from its changes on. One pass over all moments
writes a green line only where the state in force differs from the one needed, so the work is linear and no line is
without effect. A volume that only one circle or note wants is written on that object.

Scroll speeds of mania are velocities too. Models that normalise by tempo mean "as fast as the usual tempo scrolls":
the velocity is the speed times the beat length in force over the usual beat length, set again at every red line.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from osuT5.beatmap.types import KIAI, OMIT_BAR_LINE, HitObject, TimingPoint
from osuT5.inference.postprocess.drafts import Change
from osuT5.inference.postprocess.grid import Grid
from osuT5.inference.postprocess.hit_objects import Built, Voice

MIN_LINE_VOLUME, MAX_LINE_VOLUME = 5, 100
MIN_SPEED, MAX_SPEED = 0.01, 10.0
_SAME = 1e-6


@dataclass(slots=True)
class LineDefaults:
    """What lines say where the events are silent."""

    volume: int
    kiai_volume: int | None  # None: volumes come from the events and kiai changes none
    sample_set: int


@dataclass(slots=True)
class _Need:
    """What must hold from a moment on; None = whatever is in force."""

    velocity: float | None = None
    volume: int | None = None
    kiai: bool | None = None


@dataclass(slots=True)
class _State:
    velocity: float
    volume: int
    kiai: bool
    sample_set: int
    sample_index: int


def write_lines(
    reds: list[TimingPoint], built: list[Built], kiai: list[Change], speeds: dict[int, float], defaults: LineDefaults
) -> list[TimingPoint]:
    """All timing points of a map, sorted, red before green at one time.

    Args:
        reds: with whole-millisecond times, the first not after the first object. Kiai flags of theirs are kept only
            if there are no kiai changes.
        built: sorted by time. Volumes of short-lived deviations are written onto its objects.
        speeds: scroll speed from a whole ms on (mania), already a velocity multiplier.
    """
    needs: dict[int, _Need] = {}

    def need(time: float) -> _Need:
        return needs.setdefault(max(int(time // 1), reds[0].time), _Need())

    for change in kiai:
        need(change.time).kiai = bool(change.value)
        if defaults.kiai_volume is not None:
            need(change.time).volume = defaults.kiai_volume if change.value else defaults.volume
    for time, speed in speeds.items():
        need(time).velocity = speed
    for item in built:
        if item.velocity is not None:
            need(item.hit_object.time).velocity = item.velocity
    for voice in _voices_for_lines([v for item in built for v in item.voices], defaults.volume):
        need(voice.time).volume = voice.volume
    if not kiai:
        for red in reds:
            need(red.time).kiai = red.kiai
    return _walk(reds, needs, defaults)


def _voices_for_lines(voices: Iterable[Voice], start_volume: int) -> list[Voice]:
    """The voices whose volume a line must give; the volume of a single differing object is put on that object."""
    named = sorted((v for v in voices if v.volume is not None), key=lambda v: v.time)
    for voice in named:
        voice.volume = min(max(voice.volume, MIN_LINE_VOLUME), MAX_LINE_VOLUME)
    kept: list[Voice] = []
    volume = named[0].volume if named else start_volume
    for i, voice in enumerate(named):
        following = named[i + 1].volume if i + 1 < len(named) else voice.volume
        if voice.own is not None and voice.volume != volume and following != voice.volume:
            _carry(voice.own, voice.volume)
            continue
        volume = voice.volume
        kept.append(voice)
    return kept


def _carry(hit_object: HitObject, volume: int) -> None:
    hit_object.sample = replace(hit_object.sample, volume=volume)


def _walk(reds: list[TimingPoint], needs: dict[int, _Need], defaults: LineDefaults) -> list[TimingPoint]:
    """One pass over red lines and needs in order of time."""
    by_time = {red.time: red for red in reds}
    first_volume = defaults.volume
    if defaults.kiai_volume is None:
        first_volume = next((needs[t].volume for t in sorted(needs) if needs[t].volume is not None), first_volume)
    state = _State(1.0, first_volume, False, defaults.sample_set, reds[0].sample_index)
    meter, points = reds[0].meter, []
    for time in sorted({*by_time, *needs}):
        need, red = needs.get(time, _Need()), by_time.get(time)
        changed = need.volume not in (None, state.volume) or need.kiai not in (None, state.kiai)
        state.volume = state.volume if need.volume is None else need.volume
        state.kiai = state.kiai if need.kiai is None else need.kiai
        if red is not None:
            meter, state.sample_index, state.velocity = red.meter, red.sample_index, 1.0
            # the game does not like kiai on a map's first line: it starts on a green one there
            on_red = state.kiai and bool(points)
            changed = state.kiai and not on_red
            points.append(_red(red, state, on_red))
        if need.velocity is not None and abs(need.velocity - state.velocity) > _SAME:
            state.velocity, changed = need.velocity, True
        if changed:
            points.append(_green(time, meter, state))
    return points


def _red(red: TimingPoint, state: _State, kiai: bool) -> TimingPoint:
    effects = (red.effects & OMIT_BAR_LINE) | (KIAI if kiai else 0)
    return TimingPoint(
        red.time, red.beat_length, red.meter, state.sample_set, state.sample_index, state.volume, True, effects
    )


def _green(time: float, meter: int, state: _State) -> TimingPoint:
    beat_length = float(f"{-100 / state.velocity:.12g}")
    return TimingPoint(
        time, beat_length, meter, state.sample_set, state.sample_index, state.volume, False, KIAI if state.kiai else 0
    )


def usual_beat_ms(grid: Grid, end_ms: float) -> float:
    """The beat length that lasts longest up to `end_ms`; the later one on ties, the first line's if none lasts."""
    lasting: dict[float, float] = {}
    following = end_ms
    for index in range(len(grid.reds) - 1, -1, -1):
        start, beat = grid.offsets[index] if index else min(0, grid.offsets[0]), grid.beats[index]
        if start < following:
            lasting[beat] = lasting.get(beat, 0.0) + following - start
            following = start
    return max(lasting, key=lambda beat: lasting[beat], default=grid.beats[0])


def mania_velocities(changes: list[Change], grid: Grid, end_ms: float, normalised: bool) -> dict[int, float]:
    """Velocity from a whole ms on. Without changes the speed is 1 throughout, so tempo changes do not scroll faster."""
    beat = usual_beat_ms(grid, end_ms)
    speeds = {change.time: change.value for change in sorted(changes, key=lambda c: c.time)}
    velocities: dict[int, float] = {}
    current = 1.0
    for time in sorted({*speeds, *(grid.offsets if normalised else ())}):
        current = speeds.get(time, current)
        scale = grid.beat_at(time) / beat if normalised else 1.0
        velocities[time] = min(max(current * scale, MIN_SPEED), MAX_SPEED)
    return velocities
