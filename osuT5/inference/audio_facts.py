"""What generation and verification want to know of the song file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from osuT5.audio import Song
from osuT5.beatmap.verify import AudioFacts, song_facts
from osuT5.errors import AudioError

SHORTEST_MS = 3000.0
SUFFIXES = {"ogg": (".ogg", ".oga", ".opus"), "m4a": (".m4a", ".mp4")}


def check_song(song: Song, path: Path) -> None:
    """Raises AudioError for a song that no map can be made for: too short, or silent from end to end."""
    if song.duration_ms < SHORTEST_MS:
        raise AudioError(
            f"{path} lasts {song.duration_ms / 1000:.1f} s; a song must last at least {SHORTEST_MS / 1000:.0f} s"
        )
    if not np.any(song.samples):
        raise AudioError(f"{path} is silent from beginning to end; there is nothing to map")


def name_in_map(path: Path) -> str:
    """The song's file name with the suffix of its real format: the game goes by the suffix."""
    container = song_facts(path.name, path).container
    fitting = SUFFIXES.get(container, (f".{container}",))
    return path.name if not container or path.suffix.lower() in fitting else f"{path.stem}.{container}"


def audio_facts(song: Song, path: Path) -> AudioFacts:
    """Length, loudness per second (root mean square) and file facts, under the name that the map gives the song."""
    rate = song.sample_rate
    seconds = -(-len(song.samples) // rate)
    padded = np.zeros(seconds * rate, dtype=np.float32)
    padded[: len(song.samples)] = song.samples
    loudness = np.sqrt(np.mean(padded.reshape(seconds, rate) ** 2, axis=1))
    facts = song_facts(name_in_map(path), path)
    return replace(facts, duration_ms=song.duration_ms, loudness=loudness.tolist())
