"""The timing context: a group for every beat of every tempo."""

from __future__ import annotations

import math

from osuT5.errors import BeatmapError
from osuT5.events.line_view import LineView
from osuT5.events.object_writer import PLAIN, GroupList
from osuT5.events.profile import Profile
from osuT5.events.types import Event, EventSequence, EventType

LINE_MARGIN_MS = 10  # a beat this close before the next line is left to it
END_MARGIN_MS = 0.999  # a beat in the last object's millisecond still counts
LONE_LINE_MS = 10  # how far the last line reaches when nothing says where the song ends
MAX_BEATS = 1_000_000


def encode_beats(view: LineView, profile: Profile, end_ms: float | None) -> EventSequence:
    """Beats from each tempo line to the next, the last up to `end_ms`.

    Raises BeatmapError if there is no timing line, or if there would be more than a million beats.
    """
    view.require()
    groups = GroupList(profile.types_first, view.rules.floor_time)
    lines = [line for line in view.lines if line.parent is None or view.rules.green_tempo]
    lines = [line for line in lines if line.is_tempo]
    if end_ms is None:
        end_ms = view.lines[-1].time_us / 1000 + LONE_LINE_MS
    whole = math.floor if view.rules.floor_time else int
    beats_left = MAX_BEATS
    for i, line in enumerate(lines):
        offset = line.time_us / 1000
        limit = lines[i + 1].time_us / 1000 - LINE_MARGIN_MS if i + 1 < len(lines) else end_ms
        # beats fall on whole ms: those within the last one count too
        beats_left -= (limit - offset + 1) / line.beat_length if limit >= offset else 0
        if beats_left < 0:
            raise BeatmapError(
                f"the timing line at {offset:g} ms has a beat every {line.beat_length:g} ms: too many beats; "
                "correct its beat length"
            )
        number, time = 0, offset
        while time <= limit:
            if number == 0 and profile.add_timing_points:
                kind = EventType.TIMING_POINT
            else:
                kind = EventType.BEAT if number % line.meter else EventType.MEASURE
            ms = groups.event_time(time * 1000)
            groups.add(PLAIN[kind], ms, [Event(EventType.TIME_SHIFT, ms)])
            number += 1
            time = whole(offset + number * line.beat_length)
    return groups.sequence()
