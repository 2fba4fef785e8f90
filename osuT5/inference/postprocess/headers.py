"""What the file says around its objects and lines: names, values, breaks, silence before the song, preview, colours."""

from __future__ import annotations

import math

from osuT5.beatmap.numbers import format_number
from osuT5.beatmap.types import Beatmap, Section
from osuT5.inference.postprocess.difficulty_settings import DifficultyValues
from osuT5.inference.postprocess.drafts import Change
from osuT5.inference.postprocess.grid import Grid
from osuT5.inference.postprocess.hit_objects import Built
from osuT5.inference.postprocess.metadata import difficulty_name, one_line, song_names, tags_line
from osuT5.inference.postprocess.settings import MapSettings

MIN_GAP_MS = 5000  # pauses from here on become breaks
AFTER_OBJECT_MS = 200
MIN_BREAK_MS = 650
_LEAD_STEP_MS = 100
_PREVIEW_SHARE = 0.4  # of the song, where there is no kiai
_SAMPLE_SETS = {1: "Normal", 2: "Soft", 3: "Drum"}
COMBO_COLOURS = ((255, 192, 0), (0, 202, 0), (18, 124, 255), (242, 24, 57))  # the game's own four


def with_headers(settings: MapSettings, values: DifficultyValues, breaks: list[tuple[int, int]]) -> Beatmap:
    """A map with every section but lines and objects. `breaks`: (start, end) in whole ms."""
    names = song_names(
        title=settings.title, artist=settings.artist,
        title_unicode=settings.title_unicode, artist_unicode=settings.artist_unicode,
    )
    general = {
        "AudioFilename": one_line(settings.audio_filename), "AudioLeadIn": "0", "PreviewTime": "-1", "Countdown": "0",
        "SampleSet": _SAMPLE_SETS.get(settings.default_sample_set, "Soft"),
        "StackLeniency": format_number(min(max(settings.stack_leniency, 0.0), 1.0)), "Mode": str(settings.gamemode),
        "LetterboxInBreaks": "0", "WidescreenStoryboard": "1",
    }
    editor = {"DistanceSpacing": "1", "BeatDivisor": "4", "GridSize": "8", "TimelineZoom": "1"}
    metadata = {
        "Title": names.title, "TitleUnicode": names.title_unicode,
        "Artist": names.artist, "ArtistUnicode": names.artist_unicode,
        "Creator": one_line(settings.creator) or "Mapperatorinator",
        "Version": one_line(settings.version) or difficulty_name("", settings.stars),
        "Source": one_line(settings.source), "Tags": tags_line(settings.tags),
        "BeatmapID": "0", "BeatmapSetID": "-1",
    }
    difficulty = {
        "HPDrainRate": values.hp, "CircleSize": values.cs, "OverallDifficulty": values.od, "ApproachRate": values.ar,
        "SliderMultiplier": settings.slider_multiplier, "SliderTickRate": settings.tick_rate,
    }
    return Beatmap(
        general=Section(general), editor=Section(editor), metadata=Section(metadata),
        difficulty=Section({key: format_number(value) for key, value in difficulty.items()}),
        events=_event_lines(settings.background, breaks), colours=Section(_colour_lines()),
    )


def _event_lines(background: str | None, breaks: list[tuple[int, int]]) -> list[str]:
    picture = one_line(background).replace('"', "")
    return [
        "//Background and Video events",
        *([f'0,0,"{picture}",0,0'] if picture else []),
        "//Break Periods",
        *(f"2,{start},{end}" for start, end in breaks),
        *(f"//Storyboard Layer {i} ({name})" for i, name in enumerate(("Background", "Fail", "Pass", "Foreground"))),
        "//Storyboard Layer 4 (Overlay)",
        "//Storyboard Sound Samples",
    ]


def _colour_lines() -> dict[str, str]:
    """Keys and values of [Colours], numbered from 1 as the format wants."""
    return {f"Combo{i}": ",".join(map(str, rgb)) for i, rgb in enumerate(COMBO_COLOURS, start=1)}


def preempt_ms(ar: float) -> float:
    """How long before its time an object appears."""
    return 1800 - 120 * ar if ar <= 5 else 1200 - 150 * (ar - 5)


def find_breaks(built: list[Built], ar: float) -> list[tuple[int, int]]:
    """(start, end) in whole ms of every break, in order."""
    found = []
    end = built[0].end if built else 0.0
    for item in built[1:]:
        start = item.hit_object.time
        opens, closes = math.ceil(end) + AFTER_OBJECT_MS, math.floor(start - preempt_ms(ar))
        if start - end >= MIN_GAP_MS and closes - opens >= MIN_BREAK_MS:
            found.append((opens, closes))
        end = max(end, item.end)
    return found


def lead_in_ms(built: list[Built], ar: float) -> int:
    """Silence before the audio that lets the first object appear in time, in steps of 100 ms; 0 if it does anyway."""
    if not built:
        return 0
    missing = preempt_ms(ar) - built[0].hit_object.time
    return max(math.ceil(missing / _LEAD_STEP_MS) * _LEAD_STEP_MS, 0)


def choose_preview(wanted: int | None, kiai: list[Change], grid: Grid, song_end_ms: float) -> int:
    """Where song select starts to play, in whole ms: as wanted, else the first kiai, else 40 % into the song.

    `wanted` below 0 or None means none was chosen; `song_end_ms`: end of the song or of the map.
    """
    if wanted is not None and wanted >= 0:
        return wanted
    start = next((change.time for change in sorted(kiai, key=lambda c: c.time) if change.value), None)
    if start is None:
        start = grid.downbeat_near(song_end_ms * _PREVIEW_SHARE).time
    return max(start, 0)
