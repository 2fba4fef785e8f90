"""From placed objects to a playable beatmap: objects of the file, and lines, breaks, combos and headers around them.

Everything that depends on positions happens here, so that `place` and `build` leave room for a refiner of
coordinates between them. Nothing here changes its input.
"""

from __future__ import annotations

from osuT5.beatmap.types import TimingPoint
from osuT5.events import Profile
from osuT5.inference.postprocess.combos import COMBO_MODES, combo_rules, place_combos
from osuT5.inference.postprocess.difficulty_settings import DEFAULT_STARS, MANIA
from osuT5.inference.postprocess.headers import choose_preview, find_breaks, lead_in_ms, with_headers
from osuT5.inference.postprocess.hit_objects import Builder, Built
from osuT5.inference.postprocess.lines import LineDefaults, mania_velocities, write_lines
from osuT5.inference.postprocess.place import Placement
from osuT5.inference.postprocess.positions import PLAYFIELD
from osuT5.inference.postprocess.settings import Assembly, MapSettings

_SCREEN_BOTTOM = 428.0  # a circle's lower edge below this y is off the screen
_STACKED = 1.2  # radii below its centre that a circle reaches when two levels of stacking push it down


def build(placement: Placement, profile: Profile, settings: MapSettings) -> Assembly:
    """The map of objects that are in place.

    Args:
        placement: from `place`, with the same profile and settings; positions may have been refined.
    Returns:
        a map with sorted objects that do not overlap and lie in the playfield, and the warnings of the placement.
    """
    values, grid = settings.difficulty(), placement.grid
    builder = Builder(grid, settings, min(PLAYFIELD[1], _SCREEN_BOTTOM - _STACKED * _radius(values.cs)))
    built = [builder.build(draft) for draft in placement.drafts]
    breaks = find_breaks(built, values.ar)
    if settings.gamemode in COMBO_MODES:
        rules = combo_rules(settings.gamemode, DEFAULT_STARS if settings.stars is None else settings.stars)
        place_combos(built, grid, breaks, placement.has_new_combos, rules)

    beatmap = with_headers(settings, values, breaks)
    beatmap.general.values["AudioLeadIn"] = str(lead_in_ms(built, values.ar))
    end = settings.song_length_ms or max((item.end for item in built), default=0.0)
    beatmap.preview_time = choose_preview(settings.preview_time, placement.kiai, grid, end)
    beatmap.timing_points = _lines(placement, built, profile, settings)
    beatmap.hit_objects = [item.hit_object for item in built]
    return Assembly(beatmap, list(placement.warnings))


def _radius(cs: float) -> float:
    """Radius of a circle in px."""
    return 54.4 - 4.48 * cs


def _lines(placement: Placement, built: list[Built], profile: Profile, settings: MapSettings) -> list[TimingPoint]:
    voiced = profile.add_volumes and any(v.volume is not None for item in built for v in item.voices)
    sets = [item.hit_object.sample.normal_set for item in built if item.hit_object.sample.normal_set]
    sample_set = max(sorted(set(sets)), key=sets.count) if sets else settings.default_sample_set
    defaults = LineDefaults(settings.default_volume, None if voiced else settings.kiai_volume, sample_set)
    speeds: dict[int, float] = {}
    if settings.gamemode == MANIA:
        last = max((item.hit_object.time for item in built), default=0)
        normalised = profile.mania_bpm_normalized_scroll_speed
        speeds = mania_velocities(placement.speeds, placement.grid, last, normalised)
    return write_lines(placement.reds, built, placement.kiai, speeds, defaults)
