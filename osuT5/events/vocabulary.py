"""Ids and events: tokenizer.json as a lookup table. Facts: the published form of tokenizer.json.

A checkpoint's ids come only from its own file; a new model's vocabulary is laid out from its profile.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from osuT5.errors import CheckpointError, TokenError
from osuT5.events import classes
from osuT5.events.layout import DEFAULT_RANGES, EventRange, input_ranges, output_ranges
from osuT5.events.profile import TIME_STEP_MS, Profile
from osuT5.events.types import ContextType, Event, EventSequence, EventType

PAD_ID, SOS_ID, EOS_ID = 0, 1, 2
FIRST_FREE_ID = 3

EVENT_TYPES = tuple(EventType)
TYPE_CODE = {t: code for code, t in enumerate(EVENT_TYPES)}  # the integers of `Vocabulary.type_of_id`
NOT_AN_EVENT = -1


class Vocabulary:
    """Ids <-> events of one model.

    Attributes:
        pad_id, sos_id, eos_id: 0, 1, 2.
        offset: id of the first event.
        context_sos, context_eos: {ContextType: id} of the marks around contexts; empty when the model has none.
        output_ranges, input_ranges: `EventRange`s in the order of their ids.
        event_start, event_end: {EventType: id}, start included, end excluded.
        vocab_size_out, vocab_size_in: number of ids the model can write / read.
        type_of_id, value_of_id: int32 arrays of length vocab_size_in; type codes as in `TYPE_CODE`, -1 for no event.
        mapper_idx {user id: class}, beatmap_mapper {beatmap id: user id}, beatmap_idx {beatmap id: style class},
        beatmap_descriptors {beatmap id: [class]}, descriptor_idx {name: class}.
    """

    pad_id, sos_id, eos_id = PAD_ID, SOS_ID, EOS_ID

    def __init__(self, values: Mapping[str, Any], source: str = "tokenizer.json"):
        self.source = source
        for key in ("vocab_size_out", "vocab_size_in"):
            if not isinstance(values.get(key), int):
                raise CheckpointError(f"{source}: the field {key} is missing; it is no tokenizer.json of this project")
        try:
            self._read(values)
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise CheckpointError(f"{source}: cannot be read as a vocabulary: {error!r}") from error
        self._check()
        self._build_tables()

    def _read(self, values: Mapping[str, Any]) -> None:
        self.offset = int(values.get("offset", FIRST_FREE_ID))
        self.context_sos = {ContextType(_name(k)): int(v) for k, v in values.get("context_sos", {}).items()}
        self.context_eos = {ContextType(_name(k)): int(v) for k, v in values.get("context_eos", {}).items()}
        self.output_ranges = _read_ranges(values.get("event_ranges"), DEFAULT_RANGES)
        self.input_ranges = _read_ranges(values.get("input_event_ranges"), ())
        start, end = _lay_out(self.offset, (*self.output_ranges, *self.input_ranges))
        self.event_start = _read_ids(values.get("event_start"), start)
        self.event_end = _read_ids(values.get("event_end"), end)
        self.vocab_size_out = int(values["vocab_size_out"])
        self.vocab_size_in = int(values["vocab_size_in"])
        self.num_classes = int(values.get("num_classes", 0))
        self.num_diff_classes = int(values.get("num_diff_classes", 0))
        self.max_difficulty = values.get("max_difficulty", 0)
        self.num_cs_classes = int(values.get("num_cs_classes", 0))
        # JSON turns ids into text; all of these tables are keyed by numbers.
        self.beatmap_idx = {int(k): int(v) for k, v in values.get("beatmap_idx", {}).items()}
        self.beatmap_mapper = {int(k): int(v) for k, v in values.get("beatmap_mapper", {}).items()}
        self.mapper_idx = {int(k): int(v) for k, v in values.get("mapper_idx", {}).items()}
        self.num_mapper_classes = int(values.get("num_mapper_classes", 0))
        self.beatmap_descriptors = {
            int(k): [int(i) for i in v] for k, v in values.get("beatmap_descriptors", {}).items()
        }
        self.descriptor_idx = {str(k): int(v) for k, v in values.get("descriptor_idx", {}).items()}
        self.num_descriptor_classes = int(values.get("num_descriptor_classes", 0))

    def _check(self) -> None:
        """The file's ids are the truth; here they are only checked to fit the file's own ranges."""
        ranges = (*self.output_ranges, *self.input_ranges)
        if len({r.type for r in ranges}) != len(ranges):
            raise CheckpointError(f"{self.source}: an event type has two ranges")
        size_out, size_in = self.vocab_size_out, self.vocab_size_in
        previous_end = self.offset
        for r in sorted(ranges, key=lambda r: self.event_start.get(r.type, -1)):
            first, end = self.event_start.get(r.type), self.event_end.get(r.type)
            if first is None or first < previous_end or end != first + r.size:
                raise CheckpointError(
                    f"{self.source}: event_start and event_end put {r.type.value!r} at {first}..{end}, which does not "
                    f"fit its range {r.min_value}..{r.max_value} behind id {previous_end}; the file is damaged"
                )
            previous_end = end
        last_out = max((self.event_end[r.type] for r in self.output_ranges), default=self.offset)
        if last_out > size_out or max(previous_end, size_out) > size_in:
            raise CheckpointError(
                f"{self.source}: vocab_size_out {size_out} and vocab_size_in {size_in} do not fit its ranges, "
                f"which need {last_out} and {previous_end}; the file is damaged"
            )
        marks = [*self.context_sos.values(), *self.context_eos.values()]
        if set(self.context_sos) != set(self.context_eos) or any(not FIRST_FREE_ID <= m < self.offset for m in marks):
            raise CheckpointError(f"{self.source}: context_sos and context_eos do not fit offset {self.offset}")

    def _build_tables(self) -> None:
        self.ranges = {r.type: r for r in (*self.output_ranges, *self.input_ranges)}
        self.type_of_id = np.full(self.vocab_size_in, NOT_AN_EVENT, dtype=np.int32)
        self.value_of_id = np.zeros(self.vocab_size_in, dtype=np.int32)
        for t, r in self.ranges.items():
            ids = slice(self.event_start[t], self.event_end[t])
            self.type_of_id[ids] = TYPE_CODE[t]
            self.value_of_id[ids] = np.arange(r.min_value, r.max_value + 1)
        self._events: list[Event | None] = [
            None if code < 0 else Event(EVENT_TYPES[code], value)
            for code, value in zip(self.type_of_id.tolist(), self.value_of_id.tolist(), strict=True)
        ]
        self._base = {t: (self.event_start[t] - r.min_value, r.min_value, r.max_value) for t, r in self.ranges.items()}

    # -- making, loading, saving -------------------------------------------------------------------------------

    @classmethod
    def from_profile(
        cls,
        profile: Profile,
        mappers: Sequence[int] | None = None,
        descriptors: Mapping[str, int] | Sequence[str] | None = None,
        num_descriptors: int | None = None,
        beatmap_mapper: Mapping[int, int] | None = None,
        beatmap_descriptors: Mapping[int, Sequence[int]] | None = None,
        beatmap_styles: Mapping[int, int] | None = None,
        num_styles: int = 0,
    ) -> Vocabulary:
        """The vocabulary of a new model.

        Args:
            mappers: user ids; the class of a mapper is its place in this list.
            descriptors: names in class order, or {name: class}.
            num_descriptors: number of classes when that is more than the named ones.
            beatmap_styles: style class of each beatmap id, for profiles with style tokens.
            num_styles: number of style classes when that is more than the named ones.
        """
        mappers = list(mappers or ())
        if not isinstance(descriptors, Mapping):
            descriptors = {name: i for i, name in enumerate(descriptors or ())}
        if num_descriptors is None:
            num_descriptors = max(descriptors.values(), default=-1) + 1
        offset = FIRST_FREE_ID
        sos, eos = {}, {}
        for context in profile.context_marks:
            sos[context.value], eos[context.value] = offset, offset + 1
            offset += 2
        out = output_ranges(profile)
        styles = dict(beatmap_styles or {}) if profile.add_style_token else {}
        num_styles = max(num_styles, max(styles.values(), default=-1) + 1) if profile.add_style_token else 0
        inp = input_ranges(profile, len(mappers), num_descriptors, num_styles)
        size_out = offset + sum(r.size for r in out)
        has_difficulty = profile.add_diff_token
        return cls(
            {
                "offset": offset,
                "context_sos": sos,
                "context_eos": eos,
                "event_ranges": [_range_dict(r) for r in out],
                "input_event_ranges": [_range_dict(r) for r in inp],
                "num_classes": num_styles,
                "num_diff_classes": profile.num_diff_classes if has_difficulty else 0,
                "max_difficulty": profile.max_diff if has_difficulty else 0,
                "vocab_size_out": size_out,
                "vocab_size_in": size_out + sum(r.size for r in inp),
                "beatmap_idx": styles,
                "beatmap_mapper": beatmap_mapper or {},
                "mapper_idx": {user: i for i, user in enumerate(mappers)},
                "num_mapper_classes": len(mappers),
                "beatmap_descriptors": beatmap_descriptors or {},
                "descriptor_idx": descriptors,
                "num_descriptor_classes": num_descriptors,
                "num_cs_classes": profile.num_cs_classes if profile.add_cs_token else 0,
            },
            f"vocabulary of profile {profile.name}",
        )

    @classmethod
    def load(cls, source: str | os.PathLike | Mapping[str, Any]) -> Vocabulary:
        """From a tokenizer.json (path) or its dictionary. Raises CheckpointError naming what is wrong with it."""
        if isinstance(source, Mapping):
            return cls(source, "vocabulary")
        try:
            values = json.loads(Path(source).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{source}: cannot be read as a vocabulary: {error}") from error
        if not isinstance(values, dict):
            raise CheckpointError(f"{source}: cannot be read as a vocabulary: it is no JSON object")
        return cls(values, str(source))

    def to_dict(self) -> dict[str, Any]:
        """The published form of tokenizer.json."""
        return {
            "offset": self.offset,
            "context_sos": {c.value: i for c, i in self.context_sos.items()},
            "context_eos": {c.value: i for c, i in self.context_eos.items()},
            "event_ranges": [_range_dict(r) for r in self.output_ranges],
            "input_event_ranges": [_range_dict(r) for r in self.input_ranges],
            "num_classes": self.num_classes,
            "num_diff_classes": self.num_diff_classes,
            "max_difficulty": self.max_difficulty,
            "event_range": {t.value: _range_dict(r) for t, r in self.ranges.items()},
            "event_start": {t.value: i for t, i in self.event_start.items()},
            "event_end": {t.value: i for t, i in self.event_end.items()},
            "vocab_size_out": self.vocab_size_out,
            "vocab_size_in": self.vocab_size_in,
            "beatmap_idx": {str(k): v for k, v in self.beatmap_idx.items()},
            "beatmap_mapper": {str(k): v for k, v in self.beatmap_mapper.items()},
            "mapper_idx": {str(k): v for k, v in self.mapper_idx.items()},
            "num_mapper_classes": self.num_mapper_classes,
            "beatmap_descriptors": {str(k): v for k, v in self.beatmap_descriptors.items()},
            "descriptor_idx": self.descriptor_idx,
            "num_descriptor_classes": self.num_descriptor_classes,
            "num_cs_classes": self.num_cs_classes,
        }

    def save(self, path: str | os.PathLike) -> None:
        Path(path).write_text(json.dumps(self.to_dict(), ensure_ascii=False), encoding="utf-8")

    # -- events ------------------------------------------------------------------------------------------------

    def has(self, event_type: EventType) -> bool:
        return event_type in self.ranges

    def encode(self, event: Event) -> int:
        """Raises TokenError for a type or value that the vocabulary lacks."""
        base = self._base.get(event.type)
        if base is None:
            raise TokenError(f"{self.source}: the vocabulary has no event type {event.type.value!r}")
        shift, low, high = base
        if not low <= event.value <= high:
            raise TokenError(f"{self.source}: {event.type.value} {event.value} is outside {low}..{high}")
        return shift + event.value

    def decode(self, token_id: int) -> Event:
        """Raises TokenError for ids that stand for no event (padding, start, end, marks, beyond the end)."""
        event = self._events[token_id] if 0 <= token_id < self.vocab_size_in else None
        if event is None:
            last = self.vocab_size_in - 1
            raise TokenError(f"{self.source}: id {token_id} is not an event (events are {self.offset}..{last})")
        return event

    def ids_of(self, *event_types: EventType) -> np.ndarray:
        """All ids of these types, int64, ascending in the order given; types that the vocabulary lacks give none."""
        parts = [np.arange(self.event_start[t], self.event_end[t]) for t in event_types if t in self.ranges]
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)

    def encode_window(self, events: EventSequence | Iterable[Event], frame_time: float) -> list[int]:
        """Ids of events that lie in a window.

        Args:
            events: with absolute time shifts (ms).
            frame_time: start of the window (ms).
        Time shifts become steps of 10 ms from the start, clipped to the vocabulary's range. Raises TokenError.
        """
        if isinstance(events, EventSequence):
            events = events.events
        bases = self._base
        ids = []
        for event in events:
            event_type, value = event
            base = bases.get(event_type)
            if base is None:
                self.encode(event)  # raises, naming the type
            shift, low, high = base
            if event_type is EventType.TIME_SHIFT:
                value = min(max(int((value - frame_time) / TIME_STEP_MS), low), high)
            elif not low <= value <= high:
                self.encode(event)  # raises, naming the range
            ids.append(shift + value)
        return ids

    def decode_ids(self, ids: Iterable[int], frame_time: float = 0.0, keep_control: bool = False) -> list[Event]:
        """Events that a model wrote for the window starting at `frame_time` (ms).

        Stops at the first end-of-sequence id and skips ids that are no events; with `keep_control` neither: such ids
        are kept as CONTROL events. Time shifts become absolute and lie in the middle of their 10 ms step.
        """
        events = []
        table, size = self._events, self.vocab_size_in
        for token_id in ids:
            token_id = int(token_id)
            event = table[token_id] if 0 <= token_id < size else None
            if event is None:
                if keep_control:
                    events.append(Event(EventType.CONTROL, token_id))
                elif token_id == EOS_ID:
                    break
                continue
            if event.type is EventType.TIME_SHIFT:
                event = Event(EventType.TIME_SHIFT, _step_time(event.value, frame_time))
            events.append(event)
        return events

    # -- conditions (what the prompt says); None always means "unknown" ------------------------------------------

    def gamemode_id(self, gamemode: int) -> int:
        return self.encode(Event(EventType.GAMEMODE, int(gamemode)))

    def style_id(self, beatmap_id: int | None) -> int:
        return self.encode(Event(EventType.STYLE, self.beatmap_idx.get(beatmap_id, self.num_classes)))

    def difficulty_id(self, stars: float | None) -> int:
        index = classes.difficulty_class(stars, self.num_diff_classes, self.max_difficulty)
        return self.encode(Event(EventType.DIFFICULTY, index))

    def difficulty_of(self, token_id: int) -> float:
        """Lower edge in stars of the class that an id says; -1 for unknown."""
        return classes.difficulty_of_class(self.decode(token_id).value, self.num_diff_classes, self.max_difficulty)

    def mapper_class(self, user_id: int | None) -> int:
        """Index for the mapper embedding: 0..num_mapper_classes, the last for unknown."""
        return self.mapper_idx.get(user_id, self.num_mapper_classes)

    def mapper_id(self, user_id: int | None) -> int:
        return self.encode(Event(EventType.MAPPER, self.mapper_class(user_id)))

    def mapper_id_of_beatmap(self, beatmap_id: int | None) -> int:
        return self.mapper_id(self.beatmap_mapper.get(beatmap_id))

    def circle_size_id(self, circle_size: float | None) -> int:
        return self.encode(Event(EventType.CS, classes.circle_size_class(circle_size, self.num_cs_classes)))

    def year_id(self, year: int | None) -> int:
        return self.encode(Event(EventType.YEAR, classes.year_class(year)))

    def hitsounded_id(self, hitsounded: bool) -> int:
        return self.encode(Event(EventType.HITSOUNDED, int(hitsounded)))

    def song_length_id(self, length_ms: float) -> int:
        return self.encode(Event(EventType.SONG_LENGTH, classes.song_length_class(length_ms)))

    def song_position_id(self, position: float) -> int:
        """Window start / song length."""
        return self.encode(Event(EventType.SONG_POSITION, classes.song_position_class(position)))

    def global_sv_id(self, slider_multiplier: float) -> int:
        return self.encode(Event(EventType.GLOBAL_SV, classes.global_sv_class(slider_multiplier)))

    def keycount_id(self, keycount: int) -> int:
        return self.encode(Event(EventType.MANIA_KEYCOUNT, classes.keycount_class(keycount)))

    def hold_note_ratio_id(self, ratio: float | None) -> int:
        return self.encode(Event(EventType.HOLD_NOTE_RATIO, classes.optional_ratio_class(ratio)))

    def scroll_speed_ratio_id(self, ratio: float | None) -> int:
        return self.encode(Event(EventType.SCROLL_SPEED_RATIO, classes.optional_ratio_class(ratio)))

    def descriptor_id(self, descriptor: str | int | None) -> int:
        """By name (unknown names give the unknown class) or class. Raises TokenError for a class outside the range."""
        if descriptor is None or isinstance(descriptor, str):
            descriptor = self.descriptor_idx.get(descriptor, self.num_descriptor_classes)
        return self.encode(Event(EventType.DESCRIPTOR, descriptor))

    def descriptor_ids(self, descriptors: Iterable[str | int] | None) -> list[int]:
        """Ids of the known names and classes, each once, in the order given; the unknown id when none is known."""
        known: dict[int, None] = {}
        for d in descriptors or ():
            index = self.descriptor_idx.get(d) if isinstance(d, str) else d
            if index is not None and 0 <= index <= self.num_descriptor_classes:
                known[self.descriptor_id(index)] = None
        return list(known) or [self.descriptor_id(None)]

    def descriptor_name(self, index: int) -> str:
        """Name of a class; "unknown" for one without a name."""
        return next((name for name, i in self.descriptor_idx.items() if i == index), "unknown")


def _step_time(step: int, frame_time: float) -> float:
    # Encoding truncates, so a step s >= 0 stands for [10 s, 10 s + 10): its middle. Negative steps truncate upwards.
    return frame_time + step * TIME_STEP_MS + (TIME_STEP_MS // 2 if step >= 0 else 0)


def _name(key: Any) -> str:
    return getattr(key, "value", key)  # old pickles hold enum members


def _read_ranges(values: Sequence[Mapping[str, Any]] | None, default: Sequence[EventRange]) -> tuple[EventRange, ...]:
    if values is None:
        return tuple(default)
    return tuple(EventRange(EventType(_name(r["type"])), int(r["min_value"]), int(r["max_value"])) for r in values)


def _read_ids(values: Mapping[Any, int] | None, default: dict[EventType, int]) -> dict[EventType, int]:
    return dict(default) if values is None else {EventType(_name(k)): int(v) for k, v in values.items()}


def _lay_out(offset: int, ranges: Sequence[EventRange]) -> tuple[dict[EventType, int], dict[EventType, int]]:
    start, end = {}, {}
    for r in ranges:
        start[r.type] = offset
        offset += r.size
        end[r.type] = offset
    return start, end


def _range_dict(r: EventRange) -> dict[str, Any]:
    return {"type": r.type.value, "min_value": r.min_value, "max_value": r.max_value}
