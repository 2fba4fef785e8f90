"""A song as the rest of the project knows it: mono samples and what the file says of itself."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from osuT5.audio.decode import open_audio
from osuT5.audio.resample import resample_for_model
from osuT5.audio.tags import Tags, read_tags


@dataclass(frozen=True, eq=False)
class Song:
    """Mono samples on the song clock: sample 0 is time 0, never moved by decoder delay.

    Attributes:
        samples: shape (n,), float32.
        sample_rate: samples a second.
        tags: title, artist, album, cover, as far as the file has them.
        path: the file, None for made-up sound.
        format: codec in lower case ("mp3", "vorbis", "opus", "flac", "pcm_16", "aac", …), found in the content and not
            in the suffix; "" for made-up sound.
    """

    samples: np.ndarray
    sample_rate: int = 16000
    tags: Tags = field(default_factory=Tags)
    path: Path | None = None
    format: str = ""

    @property
    def duration_ms(self) -> float:
        return len(self.samples) / self.sample_rate * 1000


def load(
    path: str | os.PathLike[str],
    *,
    sample_rate: int = 16000,
    resampler: str = "published",
    normalize: bool = True,
    speed: float = 1.0,
) -> Song:
    """Read a song for a model. The file is decoded block by block: memory grows with the mono result only.

    Args:
        path: mp3, ogg, opus, flac, wav and the rest of what libsndfile reads; m4a, wma, aac and webm with PyAV.
        sample_rate: the model's rate.
        resampler: "published" (what the published models heard) or "band_limited".
        normalize: divide by the peak.
        speed: play this many times as fast, pitch included.

    Raises:
        AudioError: the file cannot be read as audio.
        InputError: an option makes no sense.
    """
    with open_audio(path) as stream:
        samples = resample_for_model(
            stream, sample_rate=sample_rate, resampler=resampler, normalize=normalize, speed=speed
        )
        codec = stream.format
    return Song(samples, sample_rate, read_tags(path), Path(path), codec)
