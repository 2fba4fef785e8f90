"""What verification wants to know of the song."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from osuT5.audio import Song
from osuT5.beatmap.verify import AudioFacts

# codec as the decoder names it -> suffix of the container it usually lies in
CONTAINERS = {"mp3": "mp3", "vorbis": "ogg", "opus": "ogg", "flac": "flac", "pcm_16": "wav", "pcm_24": "wav"}


def audio_facts(song: Song, path: Path) -> AudioFacts:
    """Length, loudness per second (root mean square) and file facts."""
    rate = song.sample_rate
    seconds = -(-len(song.samples) // rate)
    padded = np.zeros(seconds * rate, dtype=np.float32)
    padded[: len(song.samples)] = song.samples
    loudness = np.sqrt(np.mean(padded.reshape(seconds, rate) ** 2, axis=1)) if seconds else np.zeros(0)
    container = CONTAINERS.get(song.format, "")
    if container == "flac" and path.suffix.lower() in (".ogg", ".oga"):
        container = "ogg"
    return AudioFacts(
        duration_ms=song.duration_ms,
        loudness=loudness.tolist(),
        file_name=path.name,
        size_bytes=path.stat().st_size,
        container=container,
    )
