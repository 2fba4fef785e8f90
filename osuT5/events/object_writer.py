"""Hit objects to groups of events: what each object says, in the profile's layout. Sliders are in `sliders.py`."""

from __future__ import annotations

import math
from collections.abc import Sequence

from osuT5.beatmap import Beatmap, Circle, GameMode, HitObject, HitSample, Hold, Slider, Spinner
from osuT5.beatmap.numbers import parse_float
from osuT5.errors import BeatmapError
from osuT5.events.hitsounds import pack_hitsound
from osuT5.events.layout import DIST_MAX_PX
from osuT5.events.line_view import MAX_SPEED, MIN_SPEED, Line, LineView, to_us
from osuT5.events.profile import Profile
from osuT5.events.rules import EventRules
from osuT5.events.types import NO_OBJECT, Event, EventSequence, EventType

CENTRE = (256.0, 192.0)
WIDTH_PX, HEIGHT_PX = 512, 384
SOUND_LOOKAHEAD_US = 5000  # a sound takes the line that holds 5 ms later, as in the game
SUSTAIN_MARGIN_US = 10000
LONGEST_US = 86_400_000_000
TIME_EPSILON_MS = 0.00001
SAMPLE_SETS = {"normal": 1, "soft": 2, "drum": 3}
NO_SAMPLE = HitSample()

Point = tuple[float, float]
Sound = tuple[int, int]  # hitsound token value, volume

PLAIN = {t: Event(t) for t in EventType}
_NEW_COMBO = PLAIN[EventType.NEW_COMBO]


class GroupList:
    """Groups of events with their times, put in order when taken as a sequence.

    Attributes:
        object_index: of the object whose groups are added now, as the sequence will record it.
    """

    def __init__(self, types_first: bool, floor_time: bool):
        self.types_first = types_first
        self.floor_time = floor_time
        self.object_index = NO_OBJECT
        self._groups: list[tuple[int, int, int, list[Event], int]] = []  # time, rank, number, events, object index

    def event_time(self, time_us: float) -> int:
        """Whole ms of a time."""
        time = time_us / 1000 + TIME_EPSILON_MS
        return math.floor(time) if self.floor_time else int(time)

    def add(self, event: Event, time: int, attributes: list[Event], rank: int = 0) -> None:
        """A group of a type event and its attributes.

        `rank` orders groups of one time; equal ranks keep the order in which they came.
        """
        if self.types_first:
            attributes.insert(0, event)
        else:
            attributes.append(event)
        self._groups.append((time, rank, len(self._groups), attributes, self.object_index))

    def sequence(self) -> EventSequence:
        self._groups.sort()
        events: list[Event] = []
        times: list[float] = []
        object_indices: list[int] = []
        for time, _, _, group, object_index in self._groups:
            events += group
            times += [time] * len(group)
            object_indices += [object_index] * len(group)
        return EventSequence(events, times, object_indices)


class ObjectWriter:
    """Writes the objects of one map; keeps the position of the last one, from which distances are measured."""

    def __init__(self, beatmap: Beatmap, profile: Profile, rules: EventRules, flip_x: bool, flip_y: bool):
        self.profile, self.rules = profile, rules
        self.mode = beatmap.mode
        self.keys = max(int(beatmap.cs), 1)
        self.flip_x, self.flip_y = flip_x, flip_y
        self.slider_multiplier = slider_multiplier(beatmap, rules)
        self.lines = line_view(beatmap, rules)
        self.offset_us = file_offset_us(beatmap, rules)
        self.groups = GroupList(profile.types_first, rules.floor_time)
        self.last_position = CENTRE
        self.has_combos = self.mode in (GameMode.STD, GameMode.CATCH)
        self.sustain_us = 0 if profile.sustain_interval is None else int(profile.sustain_interval * 1000)
        x_low, x_high, y_low, y_high = profile.position_range
        step = profile.position_precision
        self._x_limits, self._y_limits = (x_low / step, x_high / step), (y_low / step, y_high / step)
        self._first_cell = int(self._x_limits[0]), int(self._y_limits[0])
        self._row = int(self._x_limits[1]) - int(self._x_limits[0]) + 1
        self._cut = _cutter(rules, profile)

    # -- attributes --------------------------------------------------------------------------------------------

    def time(self, time_us: int, snap: bool = True) -> list[Event]:
        attributes = [Event(EventType.TIME_SHIFT, self.groups.event_time(time_us))]
        if snap and self.profile.add_snapping:
            attributes.append(Event(EventType.SNAPPING, self.lines.snap(time_us)))
        return attributes

    def position(self, point: Point) -> list[Event]:
        """Where it is, as seen from the last position; nothing in taiko, the column in mania."""
        if self.mode == GameMode.TAIKO:
            return []
        x = WIDTH_PX - point[0] if self.flip_x else point[0]
        y = HEIGHT_PX - point[1] if self.flip_y else point[1]
        if self.mode == GameMode.MANIA:
            return [Event(EventType.MANIA_COLUMN, column_of(x, self.keys))]
        attributes = []
        if self.profile.add_distances:
            distance = math.hypot(x - self.last_position[0], y - self.last_position[1])
            attributes.append(Event(EventType.DISTANCE, int(min(distance, DIST_MAX_PX))))
        if self.profile.add_positions:
            attributes += self._cells(x, y)
        self.last_position = (x, y)
        return attributes

    def _cells(self, x: float, y: float) -> list[Event]:
        step = self.profile.position_precision
        qx = self._cut(min(max(x / step, self._x_limits[0]), self._x_limits[1]))
        qy = self._cut(min(max(y / step, self._y_limits[0]), self._y_limits[1]))
        if self.profile.position_split_axes:
            return [Event(EventType.POS_X, qx), Event(EventType.POS_Y, qy)]
        cell = qx - self._first_cell[0] + (qy - self._first_cell[1]) * self._row
        fine = self.profile.position_refinement
        if not fine:
            return [Event(EventType.POS, cell)]
        steps = step // fine
        # a coordinate a hair below 0 has the remainder `step` itself after rounding
        refined = min(int(x % step // fine), steps - 1) + min(int(y % step // fine), steps - 1) * steps
        return [Event(EventType.POS, cell), Event(EventType.POS_REFINE, refined)]

    def new_combo(self, obj: HitObject) -> list[Event]:
        return [_NEW_COMBO] if obj.new_combo and self.has_combos else []

    def scroll_speed(self, time_us: int, least: float = MIN_SPEED) -> list[Event]:
        speed = min(max(self.lines.at(time_us).speed, least), MAX_SPEED)
        return [Event(EventType.SCROLL_SPEED, round(speed * 100))]

    def sound(self, bits: int, sample: HitSample, time_us: int) -> list[Event]:
        """The hitsound of a sample played at a time, and its volume."""
        if not self.profile.add_hitsounds:
            return []
        line: Line = self.lines.at(time_us + SOUND_LOOKAHEAD_US)
        sample_set = sample.normal_set or line.sample_set
        addition_set = sample.addition_set or sample_set
        attributes = [Event(EventType.HITSOUND, pack_hitsound(bits, sample_set, addition_set))]
        if self.profile.add_volumes:
            attributes.append(Event(EventType.VOLUME, min(max(sample.volume or line.volume, 0), 100)))
        return attributes

    # -- groups ------------------------------------------------------------------------------------------------

    def add(self, event_type: EventType, time_us: float, attributes: list[Event], rank: int = 0) -> None:
        self.groups.add(PLAIN[event_type], self.groups.event_time(time_us), attributes, rank)

    def sustain(self, event_type: EventType, start_us: int, end_us: int, point: Point | None = None) -> None:
        """Marks that something is still held, at even distances between its start and its end."""
        check_duration(start_us, end_us - start_us)
        if not self.sustain_us:
            return
        for time_us in range(start_us + self.sustain_us, end_us - SUSTAIN_MARGIN_US, self.sustain_us):
            place = self.position(point) if point is not None else []
            self.add(event_type, time_us, [*self.time(time_us, snap=False), *place])

    def circle(self, obj: Circle) -> None:
        start = self.time_us(obj)
        attributes = [*self.time(start), *self.position((obj.x, obj.y)), *self.new_combo(obj)]
        if self.mode == GameMode.TAIKO:
            attributes += self.scroll_speed(start)
        attributes += self.sound(obj.hitsound, obj.sample, start)
        self.add(EventType.CIRCLE, start, attributes, self._rank(obj, is_end=False))

    def spinner(self, obj: Spinner) -> None:
        start, end = self.time_us(obj), self.end_us(obj)
        if self.mode == GameMode.TAIKO:
            self._held_in_taiko(obj, start, end, EventType.DENDEN, EventType.DENDEN_SUSTAIN, EventType.DENDEN_END)
            return
        self.add(EventType.SPINNER, start, self.time(start))
        self.sustain(EventType.SPINNER_SUSTAIN, start, end)
        self.add(EventType.SPINNER_END, end, [*self.time(end), *self.sound(obj.hitsound, obj.sample, end)])
        self.last_position = CENTRE

    def drumroll(self, obj: Slider, start: int, end: int) -> None:
        self._held_in_taiko(obj, start, end, EventType.DRUMROLL, EventType.DRUMROLL_SUSTAIN, EventType.DRUMROLL_END)

    def _held_in_taiko(
        self, obj: HitObject, start: int, end: int, first: EventType, held: EventType, last: EventType
    ) -> None:
        sound = self.sound(obj.hitsound, obj.sample, start)
        self.add(first, start, [*self.time(start), *self.scroll_speed(start), *sound])
        self.sustain(held, start, end)
        self.add(last, end, self.time(end))

    def hold(self, obj: Hold) -> None:
        start, end = self.time_us(obj), self.end_us(obj)
        point = (obj.x, obj.y)
        sound = self.sound(obj.hitsound, obj.sample, start)
        attributes = [*self.time(start), *self.position(point), *sound]
        self.add(EventType.HOLD_NOTE, start, attributes, self._rank(obj, is_end=False))
        self.sustain(EventType.HOLD_NOTE_SUSTAIN, start, end, point)
        self.add(
            EventType.HOLD_NOTE_END, end, [*self.time(end), *self.position(point)], self._rank(obj, is_end=end > start)
        )

    def time_us(self, obj: HitObject) -> int:
        return to_us(obj.time) - self.offset_us

    def end_us(self, obj: HitObject) -> int:
        end = to_us(obj.end_time) - self.offset_us
        return max(end, self.time_us(obj)) if self.rules.sort else end

    def _rank(self, obj: HitObject, is_end: bool) -> int:
        """Chords of mania: first what ends, then what starts, each from left to right."""
        if not (self.rules.sort and self.mode == GameMode.MANIA):
            return 0
        x = WIDTH_PX - obj.x if self.flip_x else obj.x
        return column_of(x, self.keys) + (0 if is_end else self.keys)


def check_duration(start_us: int, duration_us: float) -> None:
    """Raises BeatmapError for an object longer than a day, forwards or backwards, or whose length is no number."""
    if not abs(duration_us) <= LONGEST_US:
        raise BeatmapError(f"an object at {start_us / 1000:.15g} ms lasts longer than a day; shorten or remove it")


def column_of(x: float, keys: int) -> int:
    """Mania column 0..keys-1 of a position."""
    return int(min(max(x / WIDTH_PX * keys, 0), keys - 1))


def file_offset_us(beatmap: Beatmap, rules: EventRules) -> int:
    """What to take off the map's times to see them as the rules do."""
    return to_us(beatmap.time_offset_ms) if rules.file_times else 0


def line_view(beatmap: Beatmap, rules: EventRules) -> LineView:
    sample_set = SAMPLE_SETS.get(beatmap.general.get("SampleSet").strip().lower(), 1)
    return LineView(beatmap.timing_points, rules, file_offset_us(beatmap, rules), sample_set)


def slider_multiplier(beatmap: Beatmap, rules: EventRules) -> float:
    """Hundreds of px that a slider covers in a beat: within the game's 0.4..3.6, or any positive number of the file.

    What is no positive number is taken as the game takes it, whatever the rules.
    """
    if rules.clamp_multiplier:
        return beatmap.slider_multiplier
    try:
        written = parse_float(beatmap.difficulty.get("SliderMultiplier"))
    except ValueError:
        return beatmap.slider_multiplier
    return written if written > 0 else beatmap.slider_multiplier


def objects_in_order(objects: Sequence[HitObject], rules: EventRules) -> list[tuple[int, HitObject]]:
    """Objects with their indices in the map, in the order in which they are written."""
    return sorted(enumerate(objects), key=lambda pair: pair[1].time) if rules.sort else list(enumerate(objects))


def _cutter(rules: EventRules, profile: Profile):
    """From a coordinate in steps to a whole number: cut, or to the nearest step where none finer follows."""
    if not rules.floor_time:
        return int
    return (lambda q: math.floor(q + 0.5)) if profile.position_split_axes else math.floor
