"""How a file becomes events: the rules that differ between the published models and ours, as one row each.

The published models were trained on events with the oddities of their time, so for them the row "published" keeps
every one. Profiles of our own name the row "corrected".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from osuT5.beatmap import KIAI, Slider
from osuT5.errors import CheckpointError
from osuT5.events import slider_ends
from osuT5.events.profile import Profile

ANY_EFFECT = -1  # every bit, so that "omit first bar line" alone counts as kiai too


@dataclass(frozen=True)
class EventRules:
    """One way to read a map.

    Attributes:
        sort: objects and lines are taken in order of time (chords by column, and nothing ends before it starts),
            else in file order, where the last object of the file ends the map.
        beats_to_song_end: beats go on to the end of the song where it is known, else to the end of the map.
        file_times: times as the file wrote them, without the 24 ms that the game adds to formats below 5.
        kiai_mask: the effects bits that mean kiai.
        missing_volume: volume of a timing line that does not say one (fewer than 6 fields).
        map_sample_set: a line's sample set 0 means the map's own set, else soft.
        green_tempo: a green line that is not negative, or has no red line before it, sets a tempo.
        clamp_multiplier: the slider multiplier is kept within the game's 0.4..3.6; else any positive number counts.
        whole_slider_ms: a slider's duration is cut to whole ms.
        natural_length: a slider of length 0 is as long as its path.
        slider_end: where a slider ends, (slider) -> (x, y) px.
        object_edges: slider edges without a sound of their own sound like the slider; else like nothing.
        max_slider_points: sliders of that many points or more are left out; None: they are drawn with fewer points.
        least_slider_speed: lower limit of a slider's speed token.
        time_of_day_median: the main tempo is found as the game's editor did, in whole seconds of a day.
        drop_slow_drift: speeds that drift by less than 0.001 a line are never written.
        edge_hitsounds: sounds on slider edges make a map "hitsounded".
        floor_time: event times are floored and positions rounded to the nearest step; else both cut towards zero.
    """

    sort: bool
    beats_to_song_end: bool
    file_times: bool
    kiai_mask: int
    missing_volume: int
    map_sample_set: bool
    green_tempo: bool
    clamp_multiplier: bool
    whole_slider_ms: bool
    natural_length: bool
    slider_end: Callable[[Slider], tuple[float, float]]
    object_edges: bool
    max_slider_points: int | None
    least_slider_speed: float
    time_of_day_median: bool
    drop_slow_drift: bool
    edge_hitsounds: bool
    floor_time: bool


RULES = {
    "published": EventRules(
        sort=False,
        beats_to_song_end=False,
        file_times=True,
        kiai_mask=ANY_EFFECT,
        missing_volume=1,
        map_sample_set=False,
        green_tempo=True,
        clamp_multiplier=False,
        whole_slider_ms=True,
        natural_length=False,
        slider_end=slider_ends.by_parameter,
        object_edges=False,
        max_slider_points=100,
        least_slider_speed=0.01,
        time_of_day_median=True,
        drop_slow_drift=True,
        edge_hitsounds=False,
        floor_time=False,
    ),
    "corrected": EventRules(
        sort=True,
        beats_to_song_end=True,
        file_times=False,
        kiai_mask=KIAI,
        missing_volume=100,
        map_sample_set=True,
        green_tempo=False,
        clamp_multiplier=True,
        whole_slider_ms=False,
        natural_length=True,
        slider_end=slider_ends.by_arc_length,
        object_edges=True,
        max_slider_points=None,
        least_slider_speed=0.1,
        time_of_day_median=False,
        drop_slow_drift=False,
        edge_hitsounds=True,
        floor_time=True,
    ),
}


def rules_of(profile: Profile) -> EventRules:
    """The profile's row. Raises CheckpointError for a name that is none."""
    try:
        return RULES[profile.event_rules]
    except KeyError:
        raise CheckpointError(
            f"profile {profile.name}: no event rules named {profile.event_rules!r}; known: {', '.join(RULES)}"
        ) from None
