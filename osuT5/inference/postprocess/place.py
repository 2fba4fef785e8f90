"""From generated events to objects in place: what is in the map, when, and where. `build` makes the file of it.

Events become drafts of objects; the drafts are put on the beat grid, kept inside the song, freed of overlaps, and
near overlaps share one place. Nothing here changes its input.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from osuT5.beatmap.types import TimingPoint
from osuT5.events import EventSequence, Profile
from osuT5.inference.postprocess.concurrency import Lanes
from osuT5.inference.postprocess.difficulty_settings import MANIA, STD
from osuT5.inference.postprocess.drafts import Change, Draft
from osuT5.inference.postprocess.grid import Grid, prepare_red_lines
from osuT5.inference.postprocess.moments import place_drafts, place_kiai, place_speeds
from osuT5.inference.postprocess.objects import read_objects
from osuT5.inference.postprocess.positions import NearOverlaps
from osuT5.inference.postprocess.settings import MapSettings


@dataclass(frozen=True)
class Placement:
    """The objects of a map with their final times, before any of them has a path in the file.

    Whoever refines coordinates works between `place` and `build`: `x`, `y`, `anchors` and `end_position` of drafts
    of osu! and catch may become anything, because paths, velocities, lengths and the limits of the playfield are
    all made in `build`. Number, order, kinds, times and slides must stay; so must `x` in mania, which is the column.

    Attributes:
        drafts: sorted by time (mania: then by column), without overlaps in time.
        kiai, speeds: changes with their final times; kiai sorted by time.
        reds: red lines of the map, sorted, on whole ms, the first not after the first object.
        grid: the ticks of `reds`.
        has_new_combos: the events named new combos.
        warnings: one sentence for everything that had to be left out or changed.
    """

    drafts: list[Draft]
    kiai: list[Change]
    speeds: list[Change]
    reds: list[TimingPoint]
    grid: Grid
    has_new_combos: bool
    warnings: list[str]


def place(
    sequence: EventSequence, timing: Iterable[TimingPoint], profile: Profile, settings: MapSettings
) -> Placement:
    """The objects that the events describe, in their places.

    Args:
        sequence: map, kiai and speed events with absolute times in ms and positions in px (mania: columns). Beats
            among them are ignored.
        timing: red lines (green ones are ignored); empty = the constant grid of the settings.
        profile: how the events are laid out.
    """
    reading = read_objects(sequence, profile, settings)
    first = min((d.start.time for d in reading.drafts), default=None)
    reds, warnings = prepare_red_lines(timing, first, settings)
    warnings = reading.warnings + warnings
    grid = Grid(reds)

    warnings += place_drafts(reading.drafts, grid, settings.resnap)
    place_kiai(reading.kiai, grid, settings.resnap)
    place_speeds(reading.speeds, grid, settings.resnap)
    lanes = Lanes(grid, settings.gamemode, min_spinner_ms(settings))
    for draft in inside_song(reading.drafts, settings.song_length_ms, warnings):
        lanes.add(draft)
    drafts = lanes.settle(math.inf)
    warnings += lanes.warnings
    if settings.gamemode != MANIA:
        near = NearOverlaps()
        drafts = [near.join(draft) for draft in drafts]
    return Placement(drafts, reading.kiai, reading.speeds, reds, grid, reading.has_new_combos, warnings)


def inside_song(drafts: Iterable[Draft], length_ms: float | None, warnings: list[str]) -> list[Draft]:
    """Objects between 0 and the end of the song, sorted by time; what begins inside is cut at the end."""
    drafts, end = list(drafts), float("inf") if length_ms is None else length_ms
    kept = sorted((d for d in drafts if 0 <= d.time < end), key=lambda d: d.time)
    if len(kept) < len(drafts):
        warnings.append(f"{len(drafts) - len(kept)} object(s) outside the song were left out.")
    for draft in kept:
        if draft.end > end:
            draft.become_circle()
            warnings.append(f"The object at {draft.time} ms lasted longer than the song; it became a tap.")
    return kept


def min_spinner_ms(settings: MapSettings) -> float:
    """The shortest spinner that can be cleared with some bonus; only osu! has spinners that must be."""
    if settings.gamemode != STD:
        return 0.0
    od = settings.difficulty().od
    return 500 + (21.8 if od < 5 else 20.0) * (od - 5)
