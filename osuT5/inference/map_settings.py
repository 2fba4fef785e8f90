"""What the finished file says of itself: names from request, reference and audio tags, difficulty values, cover."""

from __future__ import annotations

from osuT5.audio import Song
from osuT5.events import Profile
from osuT5.inference.audio_facts import name_in_map
from osuT5.inference.postprocess import MapSettings, difficulty_name, difficulty_values, song_names, tags_line
from osuT5.inference.resolve import Inputs, Settled

COVER_SUFFIXES = {"image/jpeg": ".jpg", "image/jpg": ".jpg", "image/png": ".png"}


def map_settings(settled: Settled, inputs: Inputs, song: Song, profile: Profile) -> MapSettings:
    """The settings of post-processing."""
    names = song_names(
        inputs.audio_path.stem,
        title=settled.title or song.tags.title,
        artist=settled.artist or song.tags.artist,
        title_unicode=settled.title_unicode,
        artist_unicode=settled.artist_unicode,
    )
    version = inputs.request.version or difficulty_name(
        profile.generation.get("version", profile.name), settled.difficulty
    )
    picture = background_file(inputs, song)
    return MapSettings(
        gamemode=settled.gamemode,
        keycount=settled.keycount,
        stars=settled.difficulty,
        hp=settled.hp_drain_rate,
        cs=settled.circle_size,
        od=settled.overall_difficulty,
        ar=settled.approach_rate,
        slider_multiplier=settled.slider_multiplier,
        tick_rate=settled.slider_tick_rate,
        audio_filename=name_in_map(inputs.audio_path),
        title=names.title,
        title_unicode=names.title_unicode,
        artist=names.artist,
        artist_unicode=names.artist_unicode,
        creator=settled.creator,
        version=version,
        source=settled.source or "",
        tags=tags_line(settled.tags or ""),
        background=picture[0] if picture else None,
        preview_time=settled.preview_time,
        song_length_ms=song.duration_ms,
        bpm=settled.bpm,
        offset=settled.offset,
        resnap=settled.resnap_events,
    )


def background_file(inputs: Inputs, song: Song) -> tuple[str, bytes] | None:
    """(file name, bytes) of the background: the one asked for, else the cover inside the audio file."""
    if inputs.background is not None:
        return inputs.background.name, inputs.background.read_bytes()
    suffix = COVER_SUFFIXES.get(song.tags.cover_mime or "")
    if song.tags.cover and suffix:
        return f"cover{suffix}", song.tags.cover
    return None


def with_difficulty_defaults(settled: Settled, song_length_ms: float) -> None:
    """Fills in a circle size by star rating where the prompt wants one and nobody chose it; in place."""
    if settled.circle_size is None:
        chosen = difficulty_values(
            settled.gamemode, settled.difficulty, keycount=settled.keycount, song_length_ms=song_length_ms
        )
        settled.values["circle_size"] = chosen.cs if settled.gamemode != 3 else None
