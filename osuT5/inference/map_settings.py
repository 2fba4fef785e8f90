"""What the finished file says of itself: names from request, reference and audio tags, difficulty values, cover."""

from __future__ import annotations

from osuT5.audio import Song
from osuT5.inference.audio_facts import name_in_map
from osuT5.inference.inputs import Inputs
from osuT5.inference.postprocess import MapSettings, tags_line
from osuT5.inference.resolve import ResolvedOptions

COVER_SUFFIXES = {"image/jpeg": ".jpg", "image/jpg": ".jpg", "image/png": ".png"}


def map_settings(options: ResolvedOptions, inputs: Inputs, song: Song) -> MapSettings:
    """The settings of post-processing.

    Args:
        options: resolved for the song.
    """
    picture = background_file(inputs, song)
    return MapSettings(
        gamemode=options.gamemode,
        keycount=options.keycount,
        stars=options.difficulty,
        hp=options.hp_drain_rate,
        cs=options.circle_size,
        od=options.overall_difficulty,
        ar=options.approach_rate,
        slider_multiplier=options.slider_multiplier,
        tick_rate=options.slider_tick_rate,
        audio_filename=name_in_map(inputs.audio_path),
        title=options.title,
        title_unicode=options.title_unicode,
        artist=options.artist,
        artist_unicode=options.artist_unicode,
        creator=options.creator,
        version=options.version,
        source=options.source or "",
        tags=tags_line(options.tags or ""),
        background=picture[0] if picture else None,
        preview_time=options.preview_time,
        song_length_ms=song.duration_ms,
        bpm=options.bpm,
        offset=options.offset,
        resnap=options.resnap_events,
    )


def background_file(inputs: Inputs, song: Song) -> tuple[str, bytes] | None:
    """(file name, bytes) of the background: the one asked for, else the cover inside the audio file."""
    if inputs.background is not None:
        return inputs.background.name, inputs.background.read_bytes()
    suffix = COVER_SUFFIXES.get(song.tags.cover_mime or "")
    if song.tags.cover and suffix:
        return f"cover{suffix}", song.tags.cover
    return None
