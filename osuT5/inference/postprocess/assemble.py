"""From generated events to a playable beatmap: the page to read first.

Events become drafts of objects; the drafts are put on the beat grid, freed of overlaps and built; then the lines,
breaks, combos and headers that they need are written around them. Nothing here changes its input.
"""

from __future__ import annotations

from collections.abc import Iterable

from osuT5.beatmap.types import TimingPoint
from osuT5.events import EventSequence, Profile
from osuT5.inference.postprocess.combos import COMBO_MODES, combo_rules, place_combos
from osuT5.inference.postprocess.concurrency import separate
from osuT5.inference.postprocess.difficulty_settings import DEFAULT_STARS, STD, difficulty_values
from osuT5.inference.postprocess.drafts import Draft
from osuT5.inference.postprocess.grid import Grid, prepare_red_lines
from osuT5.inference.postprocess.headers import choose_preview, find_breaks, lead_in_ms, with_headers
from osuT5.inference.postprocess.hit_objects import MANIA, Builder, Built
from osuT5.inference.postprocess.lines import LineDefaults, mania_velocities, write_lines
from osuT5.inference.postprocess.moments import place_drafts, place_kiai, place_speeds
from osuT5.inference.postprocess.objects import Reading, read_objects
from osuT5.inference.postprocess.positions import PLAYFIELD, merge_near_overlaps
from osuT5.inference.postprocess.settings import Assembly, MapSettings

_SCREEN_BOTTOM = 428.0  # a circle's lower edge below this y is off the screen
_STACKED = 1.2  # radii below its centre that a circle reaches when two levels of stacking push it down


def assemble(
    sequence: EventSequence, timing: Iterable[TimingPoint], profile: Profile, settings: MapSettings
) -> Assembly:
    """The map that the events describe.

    Args:
        sequence: map, kiai and speed events with absolute times in ms and positions in px (mania: columns). Beats
            among them are ignored.
        timing: red lines (green ones are ignored); empty = the constant grid of the settings.
        profile: how the events are laid out.
    Returns:
        a map with sorted objects that do not overlap and lie in the playfield, and the warnings.
    """
    values = difficulty_values(
        settings.gamemode, settings.stars, keycount=settings.keycount, song_length_ms=settings.song_length_ms,
        hp=settings.hp, cs=settings.cs, od=settings.od, ar=settings.ar,
    )
    reading = read_objects(sequence, profile, settings)
    first = min((d.start.time for d in reading.drafts), default=None)
    reds, warnings = prepare_red_lines(timing, first, settings)
    warnings = reading.warnings + warnings
    grid = Grid(reds)

    warnings += place_drafts(reading.drafts, grid, settings.resnap)
    place_kiai(reading.kiai, grid, settings.resnap)
    place_speeds(reading.speeds, grid, settings.resnap)
    drafts = _inside_song(reading.drafts, settings.song_length_ms, warnings)
    least = _min_spinner_ms(values.od) if settings.gamemode == STD else 0.0
    drafts, merged = separate(drafts, grid, settings.gamemode, least)
    warnings += merged
    if settings.gamemode != MANIA:
        merge_near_overlaps(drafts)

    builder = Builder(grid, settings, min(PLAYFIELD[1], _SCREEN_BOTTOM - _STACKED * _radius(values.cs)))
    built = [builder.build(draft) for draft in drafts]
    breaks = find_breaks(built, values.ar)
    if settings.gamemode in COMBO_MODES:
        rules = combo_rules(settings.gamemode, DEFAULT_STARS if settings.stars is None else settings.stars)
        place_combos(built, grid, breaks, reading.has_new_combos, rules)

    beatmap = with_headers(settings, values, breaks)
    beatmap.general.values["AudioLeadIn"] = str(lead_in_ms(built, values.ar))
    end = settings.song_length_ms or max((item.end for item in built), default=0.0)
    beatmap.preview_time = choose_preview(settings.preview_time, reading.kiai, grid, end)
    beatmap.timing_points = _lines(reds, built, reading, grid, profile, settings)
    beatmap.hit_objects = [item.hit_object for item in built]
    return Assembly(beatmap, warnings)


def _inside_song(drafts: list[Draft], length_ms: float | None, warnings: list[str]) -> list[Draft]:
    """Objects between 0 and the end of the song, sorted by time; what begins inside is cut at the end."""
    end = float("inf") if length_ms is None else length_ms
    kept = sorted((d for d in drafts if 0 <= d.time < end), key=lambda d: d.time)
    if len(kept) < len(drafts):
        warnings.append(f"{len(drafts) - len(kept)} object(s) outside the song were left out.")
    for draft in kept:
        if draft.end > end:
            draft.become_circle()
            warnings.append(f"The object at {draft.time} ms lasted longer than the song; it became a tap.")
    return kept


def _min_spinner_ms(od: float) -> float:
    """The shortest spinner that can be cleared with some bonus."""
    return 500 + (21.8 if od < 5 else 20.0) * (od - 5)


def _radius(cs: float) -> float:
    """Radius of a circle in px."""
    return 54.4 - 4.48 * cs


def _lines(
    reds: list[TimingPoint], built: list[Built], reading: Reading, grid: Grid, profile: Profile, settings: MapSettings
) -> list[TimingPoint]:
    voiced = profile.add_volumes and any(v.volume is not None for item in built for v in item.voices)
    sets = [item.hit_object.sample.normal_set for item in built if item.hit_object.sample.normal_set]
    sample_set = max(sorted(set(sets)), key=sets.count) if sets else settings.default_sample_set
    defaults = LineDefaults(settings.default_volume, None if voiced else settings.kiai_volume, sample_set)
    speeds: dict[int, float] = {}
    if settings.gamemode == MANIA:
        last = max((item.hit_object.time for item in built), default=0)
        speeds = mania_velocities(reading.speeds, grid, last, profile.mania_bpm_normalized_scroll_speed)
    return write_lines(reds, built, reading.kiai, speeds, defaults)
