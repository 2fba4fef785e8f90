"""What a .osu file says of itself, as a row of the MMRS table."""

from __future__ import annotations

from typing import Any

from osuT5.beatmap import Beatmap, Circle, GameMode, Spinner, write
from osuT5.beatmap.rating import rate
from osuT5.data.catalogue import RATED_SPEEDS
from osuT5.errors import BeatmapError

MODE_NAMES = {GameMode.STD: "osu", GameMode.TAIKO: "taiko", GameMode.CATCH: "fruits", GameMode.MANIA: "mania"}
NORMAL_SPEED = RATED_SPEEDS.index(1.0)
_BREAKS = ("2", "Break")
_SPRITES = ("4", "5", "6", "Sprite", "Sample", "Animation")
_VIDEOS = ("1", "Video")


def row_of(beatmap: Beatmap) -> dict[str, Any]:
    """All columns that the text of a map tells, but for ids, star ratings and names of files.

    Args:
        beatmap: with objects, and with the events of the file.
    """
    circles = sum(isinstance(o, Circle) for o in beatmap.hit_objects)
    spinners = sum(isinstance(o, Spinner) for o in beatmap.hit_objects)
    timing = beatmap.timing
    start = min(o.time for o in beatmap.hit_objects)
    end = max(max(beatmap.end_time(o, timing) for o in beatmap.hit_objects), start)
    paused = sum(max(min(b, end) - max(a, start), 0) for a, b in beatmap.breaks)
    kinds = {line.partition(",")[0].strip() for line in beatmap.events}
    return {
        "Artist": beatmap.artist,
        "ArtistUnicode": beatmap.artist_unicode or beatmap.artist,
        "Creator": beatmap.creator,
        "Source": beatmap.source,
        "Title": beatmap.title,
        "TitleUnicode": beatmap.title_unicode or beatmap.title,
        "Tags": beatmap.tags,
        "Version": beatmap.version,
        "Video": not kinds.isdisjoint(_VIDEOS),
        "Storyboard": not kinds.isdisjoint(_SPRITES),
        "Mode": MODE_NAMES[beatmap.mode],
        "ModeInt": int(beatmap.mode),
        "TotalLength": _seconds(end - start),
        "HitLength": _seconds(max(end - start - paused, 0)),
        "Accuracy": beatmap.od,
        "Ar": beatmap.ar,
        "Cs": beatmap.cs,
        "Drain": beatmap.hp,
        "Bpm": main_bpm(beatmap, end),
        "CountCircles": circles,
        "CountSliders": len(beatmap.hit_objects) - circles - spinners,
        "CountSpinners": spinners,
    }


def _seconds(ms: float) -> int:
    return round(min(ms / 1000, 2**31 - 1))


def main_bpm(beatmap: Beatmap, end_ms: float) -> float | None:
    """The tempo that most of the map until `end_ms` has; None without a usable timing point."""
    reds = sorted((p for p in beatmap.timing_points if p.uninherited and p.beat_length > 0), key=lambda p: p.time)
    lasting: dict[float, float] = {}
    for index, point in enumerate(reds):
        after = reds[index + 1].time if index + 1 < len(reds) else end_ms
        beat = round(point.beat_length, 3)
        lasting[beat] = lasting.get(beat, 0.0) + max(min(after, end_ms) - point.time, 0.0)
    beat = max(lasting, key=lasting.__getitem__, default=0.0)
    return round(60000 / beat, 2) if beat else None


def stored_map(beatmap: Beatmap, set_id: int, beatmap_id: int, audio_file: str) -> str:
    """The text that goes into the data set: format 14, online ids, the stored sound, of the events only breaks.

    The beatmap is changed likewise.
    """
    beatmap.events = [line for line in beatmap.events if line.partition(",")[0].strip() in _BREAKS]
    beatmap.beatmap_id, beatmap.beatmap_set_id = beatmap_id, set_id
    beatmap.audio_filename = audio_file
    return write(beatmap)


def rating_columns(text: str) -> dict[str, Any]:
    """Star ratings and combo. Raises BeatmapError for a map that cannot be rated."""
    rated = rate(text, RATED_SPEEDS)
    if rated is None:
        raise BeatmapError("cannot be rated: it is made to break calculators, or unreadable for them")
    return {
        "StarRating": list(rated.stars),
        "DifficultyRating": rated.stars[NORMAL_SPEED],
        "MaxCombo": rated.max_combo,
    }
