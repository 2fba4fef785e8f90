"""Groups of events to drafts of hit objects.

Objects are completed as their last group arrives. Sliders, spinners, rolls and swells are open one at a time,
one hold per column in mania. What never gets its end is closed at the last time known for it or becomes a tap, with
a warning; ends without a beginning are ignored. What has no time of its own is where the object before it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from osuT5.events import Event, EventSequence, EventType, Group, Profile, column_x, groups
from osuT5.events.sequence import TYPE_EVENTS
from osuT5.inference.postprocess.difficulty_settings import CATCH, MANIA, STD, TAIKO
from osuT5.inference.postprocess.drafts import Anchor, Change, Draft, Kind, Moment, Sound
from osuT5.inference.postprocess.positions import CENTRE, Pen, column_of
from osuT5.inference.postprocess.settings import MapSettings

# What a mode has in place of the kinds it does not know; kinds that are not named stay.
_NATIVE: dict[int, dict[Kind, Kind]] = {
    STD: {Kind.HOLD: Kind.CIRCLE, Kind.DRUMROLL: Kind.CIRCLE, Kind.DENDEN: Kind.SPINNER},
    TAIKO: {Kind.HOLD: Kind.DRUMROLL, Kind.SLIDER: Kind.DRUMROLL, Kind.SPINNER: Kind.DENDEN},
    CATCH: {Kind.HOLD: Kind.CIRCLE, Kind.DRUMROLL: Kind.CIRCLE, Kind.DENDEN: Kind.SPINNER},
    MANIA: {Kind.SLIDER: Kind.HOLD, Kind.DRUMROLL: Kind.HOLD, Kind.SPINNER: Kind.HOLD, Kind.DENDEN: Kind.HOLD},
}


@dataclass
class Reading:
    """Everything the events said. `drafts` in the order of completion."""

    drafts: list[Draft] = field(default_factory=list)
    kiai: list[Change] = field(default_factory=list)
    speeds: list[Change] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    has_new_combos: bool = False


def read_objects(sequence: EventSequence, profile: Profile, settings: MapSettings) -> Reading:
    """Drafts and state changes of a sequence whose positions are px events or, in mania, columns."""
    reader = ObjectReader(profile, settings)
    reader.read(sequence.events, ended=True)
    reader.close_leftovers()
    return reader.reading


class ObjectReader:
    """Reads a list of events that may still grow; keeps the objects that are open while groups go by."""

    def __init__(self, profile: Profile, settings: MapSettings):
        self.types_first = profile.types_first
        self.mode = settings.gamemode
        self.keys = settings.keycount
        self.events: Sequence[Event] = []  # of the groups that are being read
        self.done = 0  # events that have been read
        self.now = 0.0  # time of the last object in the stream
        self.pen = Pen()
        self.reading = Reading()
        self.open: dict[Kind, Draft] = {}
        self.holds: dict[int, Draft] = {}
        self.orphans: list[tuple[int, Moment]] = []  # hold ends whose column had no open hold
        self.body_sounds: list[Sound] = []
        self.has_last_point = False

    def read(self, events: Sequence[Event], ended: bool = False) -> None:
        """Reads on in the same list, which may have grown: all groups that no later event can add to.

        `ended`: nothing will be added, so that a last group which later events might add to counts too.
        """
        rest = events[self.done :]
        types = [i for i, event in enumerate(rest) if event.type in TYPE_EVENTS]
        if not types:
            return
        if not self.types_first:
            end = types[-1] + 1
        elif ended:
            end = len(rest)
        else:
            end = types[-1] if len(types) > 1 else 0
        self.events = rest[:end]
        self.done += end
        for group in groups(self.events, types_first=self.types_first):
            if group.type in _OBJECT_HANDLERS:
                if self.is_timed(group):
                    self.now = float(group.time)
                group.time = self.now
                _OBJECT_HANDLERS[group.type](self, group)
            elif group.type in _STATE_HANDLERS:
                _STATE_HANDLERS[group.type](self, group)

    def earliest_start(self, events: Sequence[Event]) -> float:
        """Lower bound of the starts of objects whose events have been written in part, in ms; `events` as read."""
        times = [event.value for event in events[self.done :] if event.type is EventType.TIME_SHIFT]
        return min([self.now, *times, *(d.start.time for d in (*self.open.values(), *self.holds.values()))])

    def attribute(self, group: Group, kind: EventType) -> int | None:
        """The last value of an event type inside the group."""
        for index in reversed(group.indices):
            if self.events[index].type is kind:
                return self.events[index].value
        return None

    def moment(self, group: Group) -> Moment:
        return Moment(float(group.time), self.attribute(group, EventType.SNAPPING))

    def is_timed(self, group: Group) -> bool:
        return self.attribute(group, EventType.TIME_SHIFT) is not None

    def warn(self, text: str) -> None:
        self.reading.warnings.append(text)

    def new(self, kind: Kind, group: Group) -> Draft:
        draft = Draft(kind, self.moment(group), new_combo=group.new_combo, sounds=_sounds(group))
        draft.velocity = group.scroll_speed if group.scroll_speed and group.scroll_speed > 0 else None
        self.reading.has_new_combos |= group.new_combo
        return draft

    def finish(self, draft: Draft) -> None:
        draft.kind = _NATIVE[self.mode].get(draft.kind, draft.kind)
        if self.mode == MANIA:
            draft.x, draft.y = float(column_x(column_of(draft.x, self.keys), self.keys)), CENTRE[1]
        self.reading.drafts.append(draft)

    def start(self, draft: Draft) -> None:
        """Opens a long object; one of its kind that is still open is closed as it stands."""
        self.abandon(draft.kind)
        self.open[draft.kind] = draft

    def abandon(self, kind: Kind) -> None:
        draft = self.open.pop(kind, None)
        if draft is None:
            return
        if kind is Kind.SLIDER:
            self.complete_slider(draft, self.body_sounds, [])
        known = draft.first_span if kind is Kind.SLIDER else None
        if known is not None and known.time > draft.start.time:
            draft.finish = known
            self.warn(f"The slider at {draft.start.time:g} ms has no end; it ends after its first slide.")
        else:
            self.warn(f"The {kind.value} at {draft.start.time:g} ms has no end; it became a tap.")
            draft.time = round(draft.start.time)
            draft.become_circle()
        self.finish(draft)

    def complete_slider(self, draft: Draft, body: list[Sound], tail: list[Sound]) -> None:
        """Sounds in the order head, repeats, tail; the body's sound comes first among those of the last anchor."""
        draft.body = body[0] if body else None
        draft.sounds = draft.sounds[:1] + body[1:] + tail[:1]
        self.body_sounds = []
        self.has_last_point = False

    def close_leftovers(self) -> None:
        for kind in list(self.open):
            self.abandon(kind)
        for column in list(self.holds):
            self.close_hold(column)

    def close_hold(self, column: int) -> None:
        """Closes a hold that never got its own end: at the first end that found no hold, else it has none yet."""
        draft = self.holds.pop(column, None)
        if draft is None:
            return
        for index, (_, moment) in enumerate(self.orphans):
            if moment.time > draft.start.time:
                draft.finish = moment
                del self.orphans[index]
                break
        else:
            self.warn(f"The hold note at {draft.start.time:g} ms (column {column + 1}) has no end; it lasts one beat.")
        self.finish(draft)

    def column(self, group: Group) -> int:
        column = self.attribute(group, EventType.MANIA_COLUMN)
        if column is None:
            column = column_of(group.x if group.x is not None else CENTRE[0], self.keys)
        return min(max(int(column), 0), self.keys - 1)

    def position(self, draft: Draft, group: Group) -> None:
        if self.mode == MANIA:
            draft.x, draft.y = float(column_x(self.column(group), self.keys)), CENTRE[1]
        elif self.mode != TAIKO:
            draft.x, draft.y = self.pen.move(group)


def _sounds(group: Group) -> list[Sound]:
    volumes = list(group.volumes)
    return [
        Sound(bits, normal, addition, volumes[i] if i < len(volumes) else None)
        for i, (bits, normal, addition) in enumerate(
            zip(group.hitsounds, group.sample_sets, group.additions, strict=True)
        )
    ]


def _circle(reader: ObjectReader, group: Group) -> None:
    draft = reader.new(Kind.CIRCLE, group)
    reader.position(draft, group)
    reader.finish(draft)


def _slider_head(reader: ObjectReader, group: Group) -> None:
    draft = reader.new(Kind.SLIDER, group)
    reader.position(draft, group)
    reader.start(draft)
    reader.body_sounds, reader.has_last_point = [], False


def _anchor(reader: ObjectReader, group: Group) -> None:
    slider = reader.open.get(Kind.SLIDER)
    if slider is not None:
        slider.anchors.append(Anchor(*reader.pen.move(group), group.type))


def _last_anchor(reader: ObjectReader, group: Group) -> None:
    """Comes once with position and time, or twice: the position first, then the time with the sounds."""
    slider = reader.open.get(Kind.SLIDER)
    if slider is None:
        return
    if not reader.has_last_point:
        slider.anchors.append(Anchor(*reader.pen.move(group), group.type))
        reader.has_last_point = True
    if reader.is_timed(group):
        slider.first_span = reader.moment(group)
        reader.body_sounds = _sounds(group)


def _slider_end(reader: ObjectReader, group: Group) -> None:
    slider = reader.open.pop(Kind.SLIDER, None)
    if slider is None:
        return
    position = reader.pen.move(group)
    if group.distance is not None or group.x is not None and group.y is not None:
        slider.end_position = position
    if not reader.has_last_point and slider.end_position is not None:
        slider.anchors.append(Anchor(*position, EventType.LAST_ANCHOR))
    slider.finish = reader.moment(group)
    if slider.first_span is None:
        slider.first_span = slider.finish
    reader.complete_slider(slider, reader.body_sounds, _sounds(group))
    reader.finish(slider)


def _opens(kind: Kind) -> Callable[[ObjectReader, Group], None]:
    def handle(reader: ObjectReader, group: Group) -> None:
        reader.start(reader.new(kind, group))

    return handle


def _closes(kind: Kind) -> Callable[[ObjectReader, Group], None]:
    def handle(reader: ObjectReader, group: Group) -> None:
        draft = reader.open.pop(kind, None)
        if draft is None:
            return
        draft.finish = reader.moment(group)
        draft.sounds = draft.sounds or _sounds(group)
        if kind is Kind.SPINNER:
            reader.pen.reset()
        reader.finish(draft)

    return handle


def _hold_note(reader: ObjectReader, group: Group) -> None:
    draft = reader.new(Kind.HOLD, group)
    column = reader.column(group)
    draft.x, draft.y = float(column_x(column, reader.keys)), CENTRE[1]
    reader.close_hold(column)
    reader.holds[column] = draft


def _hold_note_end(reader: ObjectReader, group: Group) -> None:
    column = reader.column(group)
    draft = reader.holds.pop(column, None)
    if draft is None:
        reader.orphans.append((column, reader.moment(group)))
        return
    draft.finish = reader.moment(group)
    reader.finish(draft)


def _kiai(reader: ObjectReader, group: Group) -> None:
    reader.reading.kiai.append(Change(reader.moment(group), float(group.value != 0)))


def _scroll_speed(reader: ObjectReader, group: Group) -> None:
    if group.scroll_speed and group.scroll_speed > 0:
        reader.reading.speeds.append(Change(reader.moment(group), group.scroll_speed))


_OBJECT_HANDLERS: dict[EventType, Callable[[ObjectReader, Group], None]] = {
    EventType.CIRCLE: _circle,
    EventType.SLIDER_HEAD: _slider_head,
    EventType.BEZIER_ANCHOR: _anchor,
    EventType.PERFECT_ANCHOR: _anchor,
    EventType.CATMULL_ANCHOR: _anchor,
    EventType.RED_ANCHOR: _anchor,
    EventType.LAST_ANCHOR: _last_anchor,
    EventType.SLIDER_END: _slider_end,
    EventType.SPINNER: _opens(Kind.SPINNER),
    EventType.SPINNER_END: _closes(Kind.SPINNER),
    EventType.DRUMROLL: _opens(Kind.DRUMROLL),
    EventType.DRUMROLL_END: _closes(Kind.DRUMROLL),
    EventType.DENDEN: _opens(Kind.DENDEN),
    EventType.DENDEN_END: _closes(Kind.DENDEN),
    EventType.HOLD_NOTE: _hold_note,
    EventType.HOLD_NOTE_END: _hold_note_end,
}
_STATE_HANDLERS: dict[EventType, Callable[[ObjectReader, Group], None]] = {
    EventType.KIAI: _kiai,
    EventType.SCROLL_SPEED_CHANGE: _scroll_speed,
}
