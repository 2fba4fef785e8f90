"""What the rules look at: a beatmap's objects in time order with their ends, places and stacks, computed once.

Facts: osu! file format v14 (durations, columns), the game's stacking.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from functools import cached_property

import numpy as np

from osuT5.beatmap.slider_path import SliderPath
from osuT5.beatmap.types import Beatmap, Circle, GameMode, HitObject, Slider, Spinner
from osuT5.beatmap.verify.findings import AudioFacts
from osuT5.beatmap.verify.limits import MODES, STACK_DISTANCE_PX, STACK_LOOK_BACK, circle_radius, preempt
from osuT5.beatmap.verify.paths import Paths
from osuT5.beatmap.verify.snapping import Grid


class Facts:
    """A read-only view of a beatmap; make a new one after changing the map.

    Attributes:
        objects: sorted by time (stable); `indices[i]` is the place of `objects[i]` in the file.
        starts, ends: ms, ends of sliders unrounded; `spans`: ms of one slide, 0 for what is no slider.
    """

    def __init__(
        self,
        beatmap: Beatmap,
        audio: AudioFacts | None = None,
        level: str | None = None,
        paths: Paths | None = None,
    ):
        self.beatmap = beatmap
        self.audio = audio
        self.mode = beatmap.mode
        self.limits = MODES[self.mode]
        self.timing = beatmap.timing
        self._level = level
        hit_objects = beatmap.hit_objects
        self.indices = sorted(range(len(hit_objects)), key=lambda i: hit_objects[i].time)
        self.objects: list[HitObject] = [hit_objects[i] for i in self.indices]
        self.starts = [o.time for o in self.objects]
        self.paths = paths or Paths()
        self._fitted: dict[int, SliderPath] = {}
        pixels_per_beat = 100.0 * beatmap.slider_multiplier
        self.spans: list[float] = []
        self.ends: list[float] = []
        for place, o in enumerate(self.objects):
            if isinstance(o, Slider):
                length = o.length if o.length > 0 else self.path(place).length
                velocity = pixels_per_beat * self.timing.velocity_at(o.time)
                span = length * self.timing.beat_length_at(o.time) / velocity
                self.spans.append(span)
                self.ends.append(o.time + span * max(o.slides, 1))
            else:
                self.spans.append(0.0)
                self.ends.append(o.end_time)

    @cached_property
    def grid(self) -> Grid | None:
        """None where there is no red line."""
        return Grid(self.timing) if self.timing.reds else None

    @cached_property
    def radius(self) -> float:
        return circle_radius(self.beatmap.cs)

    @cached_property
    def preempt(self) -> float:
        return preempt(min(max(self.beatmap.ar, 0.0), 10.0))

    @cached_property
    def keys(self) -> int:
        """Mania columns, 1-18."""
        return min(max(round(self.beatmap.cs), 1), 18)

    def column(self, o: HitObject) -> int:
        """Mania column, clamped to 0..keys-1."""
        return min(max(math.floor(o.x * self.keys / 512), 0), self.keys - 1)

    @cached_property
    def columns(self) -> list[list[int]]:
        """Places (into `objects`) of each mania column, in time order; one list of all for the other modes."""
        if not self.limits.per_column:
            return [list(range(len(self.objects)))]
        columns: list[list[int]] = [[] for _ in range(self.keys)]
        for place, o in enumerate(self.objects):
            columns[self.column(o)].append(place)
        return columns

    @property
    def drain_start(self) -> float:
        return self.starts[0] if self.starts else 0.0

    @cached_property
    def drain_end(self) -> float:
        """End of the last object (mania: of the one that ends last)."""
        if not self.ends:
            return 0.0
        return max(self.ends) if self.mode == GameMode.MANIA else self.ends[-1]

    @cached_property
    def drain_ms(self) -> float:
        """From the first object to the last, without breaks (each from end to start of its neighbours)."""
        total = self.drain_end - self.drain_start
        for start, _ in self.beatmap.breaks:
            after = bisect_right(self.starts, start)
            if 0 < after < len(self.starts):
                total -= max(self.starts[after] - self.ends[after - 1], 0.0)
        return total

    @cached_property
    def _breaks(self) -> list[tuple[float, float]]:
        return sorted(self.beatmap.breaks)

    def has_break(self, ended: float, begins: float) -> bool:
        """Whether the gap between two times holds a break."""
        place = bisect_left(self._breaks, (ended, ended))
        return place < len(self._breaks) and self._breaks[place][1] <= begins

    def path(self, place: int) -> SliderPath:
        """Flattened path of a slider (cut or extended to its length), kept."""
        path = self._fitted.get(place)
        if path is None:
            path = self._fitted[place] = self.paths.of(self.objects[place])
        return path

    @cached_property
    def edges(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(places, part, times) of everything that should be on a tick.

        part: 0 start, k the k-th slider repeat, -1 the end of a slider, spinner or hold note.
        """
        places: list[int] = []
        parts: list[int] = []
        times: list[float] = []
        for place, o in enumerate(self.objects):
            places.append(place)
            parts.append(0)
            times.append(o.time)
            if isinstance(o, Circle):
                continue
            span = self.spans[place]
            for k in range(1, o.slides if isinstance(o, Slider) else 1):
                places.append(place)
                parts.append(k)
                times.append(o.time + k * span)
            places.append(place)
            parts.append(-1)
            times.append(self.ends[place])
        return np.array(places, dtype=np.int64), np.array(parts, dtype=np.int64), np.array(times, dtype=np.float64)

    @cached_property
    def unsnaps(self) -> np.ndarray:
        """Practical unsnap in ms of each of `edges`; empty where there is no red line."""
        return self.grid.unsnaps(self.edges[2]) if self.grid and self.objects else np.zeros(0)

    @cached_property
    def combos(self) -> list[list[int]]:
        """Places of each combo: new combo flag, first object, spinner and the object after a spinner begin one."""
        combos: list[list[int]] = []
        after_spinner = True
        for place, o in enumerate(self.objects):
            if o.new_combo or after_spinner or isinstance(o, Spinner):
                combos.append([])
            combos[-1].append(place)
            after_spinner = isinstance(o, Spinner)
        return combos

    @cached_property
    def stack_heights(self) -> list[int]:
        """Stack level of each object, as the game computes it for formats 6 and later."""
        return list(_stack(self))

    def stack_offset(self, place: int) -> float:
        """px that both coordinates of an object move by (up-left is negative); the checker truncates the radius."""
        return -self.stack_heights[place] * math.trunc(self.radius) / 10

    @cached_property
    def level(self) -> str:
        """Difficulty level E N H I X U, from the name, else from the star rating."""
        from osuT5.beatmap.verify.levels import level_of  # star rating only where a rule asks for it

        return self._level or level_of(self.beatmap)

    def between(self, start: float, end: float) -> Iterator[int]:
        """Places of objects that start within start..end, both included."""
        return iter(range(bisect_left(self.starts, start), bisect_right(self.starts, end)))


def _stack(facts: Facts) -> list[int]:
    """The game's own algorithm, back from the last object; each look-back ends at the stacking time."""
    objects, starts, ends = facts.objects, facts.starts, facts.ends
    heights = [0] * len(objects)
    threshold = facts.preempt * min(max(facts.beatmap.stack_leniency, 0.0), 1.0)
    tails: dict[int, tuple[float, float]] = {}

    def tail(place: int) -> tuple[float, float]:
        if place not in tails:
            o = objects[place]
            tails[place] = (o.x, o.y) if o.slides % 2 == 0 else facts.path(place).end
        return tails[place]

    def on_tail(slider: int, place: int) -> bool:
        """Whether an object lies on a slider's end; the path is only built where its reach allows it."""
        o, s = objects[place], objects[slider]
        reach = (s.length if s.length > 0 else facts.path(slider).length) + STACK_DISTANCE_PX
        if abs(o.x - s.x) > reach or abs(o.y - s.y) > reach:
            return False
        x, y = tail(slider)
        return math.hypot(x - o.x, y - o.y) < STACK_DISTANCE_PX

    def on_head(first: int, second: int) -> bool:
        a, b = objects[first], objects[second]
        return math.hypot(a.x - b.x, a.y - b.y) < STACK_DISTANCE_PX

    for last in range(len(objects) - 1, 0, -1):
        top = last
        if heights[top] or isinstance(objects[top], Spinner):
            continue
        is_slider = isinstance(objects[top], Slider)
        for n in range(last - 1, max(last - 1 - STACK_LOOK_BACK, -1), -1):
            o = objects[n]
            if isinstance(o, Spinner):
                continue
            if starts[top] - (starts[n] if is_slider else ends[n]) > threshold:
                break
            slider_below = isinstance(o, Slider)
            if slider_below and on_tail(n, top):
                if is_slider:
                    heights[n] = heights[top] + 1
                    top = n
                    continue
                shift = heights[top] - heights[n] + 1
                for between in range(n + 1, last + 1):
                    if on_tail(n, between):
                        heights[between] -= shift
                break
            if on_head(n, top):
                heights[n] = heights[top] + 1
                top = n
    return heights
