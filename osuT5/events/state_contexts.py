"""The kiai and speed contexts: what the timing lines switch on, off and to."""

from __future__ import annotations

from collections.abc import Sequence

from osuT5.beatmap import HitObject, Hold
from osuT5.events.line_view import MAX_SPEED, MIN_SPEED, Line, LineView
from osuT5.events.object_writer import PLAIN, GroupList
from osuT5.events.profile import Profile
from osuT5.events.types import Event, EventSequence, EventType

SPEED_TOLERANCE = 0.001
DAY_S = 86400


def encode_kiai(view: LineView, profile: Profile) -> EventSequence:
    """A group wherever kiai changes; it starts off."""
    groups = GroupList(profile.types_first, view.rules.floor_time)
    state = False
    for line in view.lines:
        if line.kiai != state:
            state = line.kiai
            attributes = _time(groups, view, profile, line)
            groups.add(Event(EventType.KIAI, int(state)), attributes[0].value, attributes)
    return groups.sequence()


def encode_speeds(view: LineView, profile: Profile, objects: Sequence[HitObject], offset_us: int) -> EventSequence:
    """A group wherever the scroll speed changes; tempo changes count too when the profile normalises by tempo."""
    groups = GroupList(profile.types_first, view.rules.floor_time)
    normalised = profile.mania_bpm_normalized_scroll_speed
    for line, speed in speed_changes(view, objects, offset_us, normalised):
        attributes = _time(groups, view, profile, line)
        attributes.append(Event(EventType.SCROLL_SPEED, round(min(max(speed, MIN_SPEED), MAX_SPEED) * 100)))
        groups.add(PLAIN[EventType.SCROLL_SPEED_CHANGE], attributes[0].value, attributes)
    return groups.sequence()


def speed_changes(
    view: LineView, objects: Sequence[HitObject], offset_us: int, normalised: bool, start: float | None = None
) -> list[tuple[Line, float]]:
    """(line, scroll speed from it on) for every line that changes the speed by more than 0.001.

    Args:
        normalised: speeds are relative to the main tempo (where two lines share a time the last one counts).
        start: the speed before the first line; None makes the first line a change.
    """
    if not view.lines:
        return []
    main = main_beat_length(view, objects, offset_us) if normalised else 1.0
    beat_length = 0.0
    previous = start
    changes = []
    lines = view.lines
    for i, line in enumerate(lines):
        if line.parent is None:
            beat_length, speed = line.beat_length, 1.0
        else:
            speed = line.raw_speed
        if i + 1 < len(lines) and lines[i + 1].time_us <= line.time_us:
            continue
        if normalised:
            speed = speed * main / (beat_length or view.red_of(line).beat_length)
        changed = previous is None or abs(speed - previous) > SPEED_TOLERANCE
        if changed:
            changes.append((line, speed))
        if changed or view.rules.drop_slow_drift:
            previous = speed
    return changes


def main_beat_length(view: LineView, objects: Sequence[HitObject], offset_us: int) -> float:
    """Ms per beat of the tempo that lasts longest up to the last object.

    Under the published rules 0 if no line lasts (then every normalised speed becomes the lowest).
    """
    ends = [(o.end_time if isinstance(o, Hold) else o.time) * 1000 - offset_us for o in objects]
    last = max(ends, default=view.lines[-1].time_us)
    if view.rules.time_of_day_median:
        return longest_tempo([(_second_of_day(line.time_us), line) for line in view.lines], _second_of_day(round(last)))
    tempos = [(line.time_us, line) for line in view.lines]
    return longest_tempo(tempos, last) or next(line.beat_length for line in view.lines if line.parent is None)


def longest_tempo(lines: Sequence[tuple[float, Line]], last: float) -> float:
    """Beat length of the tempo that holds longest before `last`; the first line counts from 0; 0 if none holds."""
    durations: dict[float, float] = {}
    current = 0.0
    for i in range(len(lines) - 1, -1, -1):
        time, line = lines[i]
        if line.parent is None:
            current = line.beat_length
        if not current or time > last or (line.parent is not None and i > 0):
            continue
        start = 0 if i == 0 else time
        durations[current] = durations.get(current, 0) + last - start
        last = start
    longest = max(durations, key=durations.__getitem__, default=0.0)
    return longest if longest and durations[longest] > 0 else 0.0


def _second_of_day(time_us: int) -> int:
    return time_us // 1_000_000 % DAY_S


def _time(groups: GroupList, view: LineView, profile: Profile, line: Line) -> list[Event]:
    attributes = [Event(EventType.TIME_SHIFT, groups.event_time(line.time_us))]
    if profile.add_snapping:
        attributes.append(Event(EventType.SNAPPING, view.snap(line.time_us)))
    return attributes
