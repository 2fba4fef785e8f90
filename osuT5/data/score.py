"""What a map says about its song: when something sounds, for how long, how strongly, and the grid it lies on.

The renderer (`synthesise`) composes on these arrays. Times are ms on the game clock. Grids follow the red lines; tempi
too fast or slow to drum on are halved or doubled first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from osuT5.beatmap import Beatmap, Circle, GameMode, Hold, Slider, Spinner

HEAD, REPEAT, TAIL, SPIN, ROLL = range(5)
_STRENGTH = {REPEAT: 0.55, TAIL: 0.4, SPIN: 0.8, ROLL: 0.6}
_DRUM_BEAT_MS = (280.0, 840.0)  # a beat one can drum on: 71 to 214 BPM
_MAX_STEPS = 40000
_FASTEST_ROLL_MS = 60.0
_MAX_SLIDES, _LONGEST_SPAN_MS = 200, 120_000


@dataclass
class Sounds:
    """Parallel arrays, sorted by time: what the objects of a map sound like."""

    time: np.ndarray
    end: np.ndarray  # when the sound stops; = time where nothing is held
    part: np.ndarray  # HEAD, REPEAT, TAIL, SPIN or ROLL
    strength: np.ndarray  # 0..1.3; jumps, finishes and chords are stronger
    hitsound: np.ndarray
    place: np.ndarray  # 0..1: column, or x of the playfield
    mapped: np.ndarray  # whether the map itself has it (False: only another difficulty of the song)

    def __len__(self) -> int:
        return len(self.time)

    def take(self, index: np.ndarray) -> Sounds:
        return Sounds(*(getattr(self, name)[index] for name in self.__dataclass_fields__))


@dataclass
class Grid:
    """The song's steps (quarters or thirds of a beat), as parallel arrays."""

    time: np.ndarray
    step: np.ndarray  # number in the measure, from 0
    measure: np.ndarray  # running number of the measure, may be negative before the first red line
    step_ms: np.ndarray
    beats: np.ndarray  # beats in this measure
    divisor: int  # steps in a beat

    def __len__(self) -> int:
        return len(self.time)

    def take(self, index: np.ndarray) -> Grid:
        arrays = (self.time, self.step, self.measure, self.step_ms, self.beats)
        return Grid(*(array[index] for array in arrays), self.divisor)


def sounds_of(beatmap: Beatmap, mapped: bool = True) -> Sounds:
    """Every head, repeat, tail, spin and roll of the map."""
    lines = beatmap.timing
    mode = beatmap.mode
    columns = max(int(beatmap.cs), 1) if mode == GameMode.MANIA else 0
    rows: list[tuple[float, float, int, float, int, float]] = []
    last = (-1e9, 256, 192)
    for thing in beatmap.hit_objects:
        start = float(thing.time)
        place = (int(thing.x * columns / 512) + 0.5) / columns if columns else thing.x / 512
        stress = 1.0
        if not columns and start > last[0]:  # the mapper moves further where the music is louder
            speed = float(np.hypot(thing.x - last[1], thing.y - last[2])) / max(start - last[0], 40)
            stress = 0.8 + 0.4 * min(speed / 1.2, 1)
        last = (start, thing.x, thing.y)
        if isinstance(thing, Circle):
            rows.append((start, start, HEAD, stress, thing.hitsound, place))
        elif isinstance(thing, Hold):
            rows.append((start, max(thing.end, start), HEAD, stress, thing.hitsound, place))
            rows.append((thing.end, thing.end, TAIL, _STRENGTH[TAIL], 0, place))
        elif isinstance(thing, Spinner):
            rows.append((start, max(thing.end, start), SPIN, _STRENGTH[SPIN], thing.hitsound, place))
            rows.append((thing.end, thing.end, TAIL, 0.9, thing.hitsound, place))
        elif isinstance(thing, Slider):
            span = beatmap.span_duration(thing, lines)
            slides = min(max(thing.slides, 1), _MAX_SLIDES)
            span = span if 0 < span < _LONGEST_SPAN_MS else 0.0
            end = start + span * slides
            rows.append((start, end, HEAD, stress, thing.hitsound, place))
            if mode == GameMode.TAIKO and span:  # a drum roll sounds through
                roll = max(lines.red_at(start).beat_length / 4, _FASTEST_ROLL_MS)
                hits = np.arange(1, max(int((end - start) / roll), 1)) * roll + start
                rows += [(hit, hit, ROLL, _STRENGTH[ROLL], thing.hitsound, place) for hit in hits]
            elif span:
                edges = thing.edge_sounds + [0] * (slides + 1)
                for k in range(1, slides + 1):
                    part = TAIL if k == slides else REPEAT
                    rows.append((start + k * span, start + k * span, part, _STRENGTH[part], edges[k], place))
    table = np.array(rows, dtype=np.float64).reshape(-1, 6)
    table = table[np.isfinite(table).all(axis=1)]
    table = table[np.lexsort((table[:, 2], table[:, 0]))]
    return Sounds(
        table[:, 0], table[:, 1], table[:, 2].astype(int), table[:, 3], table[:, 4].astype(int),
        np.clip(table[:, 5], 0, 1), np.full(len(table), mapped),
    )  # fmt: skip


def together(own: Sounds, others: Sequence[Sounds], tolerance_ms: float = 12.0) -> Sounds:
    """The map's sounds and, marked unmapped, those of the song's other difficulties that it has not."""
    for other in others:
        if not len(other):
            continue
        new = other.take(other.part == HEAD)
        new.mapped[:] = False
        if len(own) and len(new):
            new = new.take(_distance(new.time, own.time) > tolerance_ms)
        arrays = [np.concatenate([getattr(own, n), getattr(new, n)]) for n in own.__dataclass_fields__]
        own = Sounds(*arrays)
        own = own.take(np.argsort(own.time, kind="stable"))
    return own


def _distance(times: np.ndarray, sorted_times: np.ndarray) -> np.ndarray:
    """From each time to the nearest of the sorted ones."""
    if not len(sorted_times):
        return np.full(len(times), np.inf)
    right = np.clip(np.searchsorted(sorted_times, times), 0, len(sorted_times) - 1)
    left = np.maximum(right - 1, 0)
    return np.minimum(np.abs(sorted_times[right] - times), np.abs(sorted_times[left] - times))


def away_from(times: np.ndarray, sorted_times: np.ndarray, at_least_ms: np.ndarray | float) -> np.ndarray:
    """Which times are that far from all of the sorted ones."""
    return _distance(times, sorted_times) >= at_least_ms


def prefers_thirds(sounds: Sounds, grid: Grid) -> bool:
    """Whether the objects lie on thirds of the beat rather than on quarters (`grid` is of quarters)."""
    heads = sounds.time[sounds.part == HEAD]
    if len(grid) < 2 or len(heads) < 8:
        return False
    at = np.clip(np.searchsorted(grid.time, heads + 1, side="right") - 1, 0, len(grid) - 1)
    beat = grid.step_ms[at] * grid.divisor
    phase = ((heads - grid.time[at]) / beat + (grid.step[at] % grid.divisor) / grid.divisor) % 1

    def near(fractions: tuple[float, ...]) -> float:
        return float(np.mean(np.min([np.abs(phase - f) for f in fractions], axis=0) < 0.03))

    return near((1 / 3, 2 / 3)) > 0.6 * near((1 / 4, 1 / 2, 3 / 4)) + 0.02


def grid_of(beatmap: Beatmap, start_ms: float, end_ms: float, divisor: int = 4) -> Grid:
    """Steps of the red lines between two times; before the first red line its grid goes on backwards.

    A map without a usable red line gets 120 BPM from its first object.
    """
    reds = [(p.time, p.beat_length, p.meter) for p in beatmap.timing_points if p.uninherited]
    reds = sorted((t, b, m) for t, b, m in reds if np.isfinite(t) and 1 < b < 60_000)
    if not reds:
        first = beatmap.hit_objects[0].time if beatmap.hit_objects else 0.0
        reds = [(float(first), 500.0, 4)]
    pieces, measure_number = [], 0
    for number, (time, beat, meter) in enumerate(reds):
        meter = meter if 1 <= meter <= 16 else 4
        while beat < _DRUM_BEAT_MS[0]:
            beat *= 2
        while beat > _DRUM_BEAT_MS[1]:
            beat /= 2
        stop = min(reds[number + 1][0] if number + 1 < len(reds) else end_ms, end_ms)
        step_ms = beat / divisor
        per_measure = meter * divisor
        first = 0
        if number == 0:
            first = int(np.ceil((start_ms - time) / step_ms)) if time > start_ms else 0
        count = min(int(np.ceil((stop - time) / step_ms - 0.25)), _MAX_STEPS)
        if count <= first:
            continue
        index = np.arange(first, count)
        pieces.append(
            np.stack(
                [
                    time + index * step_ms,
                    index % per_measure,
                    measure_number + index // per_measure,
                    np.full(len(index), step_ms),
                    np.full(len(index), meter),
                ]
            )
        )
        measure_number += int(np.ceil(count / per_measure))
        if sum(piece.shape[1] for piece in pieces) > _MAX_STEPS:
            break
    table = np.concatenate(pieces, axis=1) if pieces else np.zeros((5, 0))
    table = table[:, table[0] >= start_ms]
    return Grid(table[0], table[1].astype(int), table[2].astype(int), table[3], table[4].astype(int), divisor)


def same_timing(one: Beatmap, other: Beatmap) -> bool:
    """Whether two difficulties lie on the same beats, so that one recording fits both."""
    reds = [next((p for p in beatmap.timing_points if p.uninherited), None) for beatmap in (one, other)]
    if reds[0] is None or reds[1] is None or not 1 < reds[0].beat_length < 60_000:
        return False
    beat = reds[0].beat_length
    if abs(reds[1].beat_length / beat - 1) > 5e-4:
        return False
    return abs((reds[1].time - reds[0].time + beat / 2) % beat - beat / 2) < 4
