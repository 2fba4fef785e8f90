"""Objects as a stream: what is certain of a map while its events are still being written."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable

from osuT5.beatmap.types import TimingPoint
from osuT5.events import EventSequence, Profile
from osuT5.inference.postprocess.concurrency import Lanes
from osuT5.inference.postprocess.difficulty_settings import MANIA
from osuT5.inference.postprocess.drafts import Draft
from osuT5.inference.postprocess.grid import LIMIT_MS, Grid, prepare_red_lines
from osuT5.inference.postprocess.moments import place_drafts
from osuT5.inference.postprocess.objects import ObjectReader
from osuT5.inference.postprocess.place import Placement, inside_song, min_spinner_ms
from osuT5.inference.postprocess.positions import NearOverlaps
from osuT5.inference.postprocess.settings import MapSettings


class PlacedObjects:
    """Objects that no later event can change any more, a window at a time; their sum is what `place` makes.

    How far a later event reaches back. Let `bound` be the earliest time at which an object can still start: the time
    up to which events are complete, or the start of an object that is open or written in part, or the time of the
    last object, which one without a time of its own takes.
    - Snapping moves a start by at most `LIMIT_MS`, so everything placed before `bound - LIMIT_MS` has its neighbours
      on the left and its order for good.
    - Duplicates join the object before them, and a start cuts the long object before it: `Lanes` holds back one or two
      objects of each lane until the next starts are certain. An open hold of mania holds back what follows it in any
      column, because objects come out in order.
    - Near overlaps move the later object only.
    - The first object may move the first red line, and with it every tick. Until it lies at `bound` or before,
      nothing comes out.

    Times may run backwards inside this limit. If an object comes that starts before an earlier `bound`, against what
    `complete_until_ms` said, no more objects come out before `finish`, and those already given may differ from the
    ones placed.
    """

    def __init__(self, timing: Iterable[TimingPoint], profile: Profile, settings: MapSettings):
        """With what `place` will get. `timing` must be known: a timing that is fitted to the events comes too late."""
        self._timing = list(timing)
        self._settings = settings
        self._reader = ObjectReader(profile, settings)
        self._read = 0  # drafts of the reader that were looked at
        self._first = math.inf  # earliest start so far
        self._complete_until = self._bound = -math.inf
        self._is_broken = False
        self._lanes: Lanes | None = None  # once the grid is certain
        self._waiting: list[Draft] = []  # in place, but an object before them may still come
        self._near = NearOverlaps()
        self._given = 0

    def update(self, sequence: EventSequence, complete_until_ms: float) -> list[Draft]:
        """The objects that have become final, in order of time, as copies.

        Args:
            sequence: all events of the context with the objects so far, positions in px (mania: columns). Later calls
                only append.
            complete_until_ms: no event that is appended later lies before this time; inf after the last window.
        """
        self._reader.read(sequence.events)
        self._complete_until = max(self._complete_until, complete_until_ms)
        bound = min(self._complete_until, self._reader.earliest_start(sequence.events))
        new = self._reader.reading.drafts[self._read :]
        first_new = min((draft.start.time for draft in new), default=math.inf)
        self._is_broken |= min(bound, first_new) < self._bound
        self._first = min(self._first, first_new)
        self._bound = bound
        if self._is_broken or self._first > bound:
            return []

        if self._lanes is None:
            reds, _ = prepare_red_lines(self._timing, self._first, self._settings)
            self._lanes = Lanes(Grid(reds), self._settings.gamemode, min_spinner_ms(self._settings))
        self._read += len(new)
        place_drafts(new, self._lanes.grid, self._settings.resnap)
        self._waiting += inside_song(new, self._settings.song_length_ms, [])
        self._waiting.sort(key=lambda draft: draft.time)
        return self._final_before(bound - LIMIT_MS, self._lanes)

    def _final_before(self, earliest_ms: float, lanes: Lanes) -> list[Draft]:
        """The final objects if all that still come are placed at `earliest_ms` or later."""
        count = bisect_left(self._waiting, earliest_ms, key=lambda draft: draft.time)
        for draft in self._waiting[:count]:
            lanes.add(draft)
        del self._waiting[:count]
        final = lanes.settle(earliest_ms)
        if self._settings.gamemode != MANIA:
            final = [self._near.join(draft) for draft in final]
        self._given += len(final)
        return [draft.copy() for draft in final]

    def finish(self, placement: Placement) -> list[Draft]:
        """The objects of the placement that have not come out yet, as copies.

        `placement`: what `place` made of the whole sequence; kiai and speed events may have been merged into it. Of a
        refined one the positions of the objects that came out earlier differ.
        """
        return [draft.copy() for draft in placement.drafts[self._given :]]
