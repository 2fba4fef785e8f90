"""m4a, aac, wma, webm and video files through PyAV, an optional part (the extra `[m4a]`).

FFmpeg's libraries drop the encoder's delay where the container names it (edit lists, codec delay), so time 0 is that
of the original sound; a bare .aac stream names none and starts with its encoder's delay.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from osuT5.audio.pcm import AudioStream, float_to_integers
from osuT5.errors import AudioError

if TYPE_CHECKING:
    import av

# Files only: playlists and other formats that make FFmpeg open further files or addresses stay shut.
_DEMUXERS = (
    "aac,ac3,aiff,amr,ape,asf,avi,caf,dsf,dts,eac3,flac,flv,m4v,matroska,mov,mp3,mp4,mpc,mpc8,mpeg,mpegts,ogg,opus,"
    "tak,tta,w64,wav,webm,wv,xwma"
)
# Lossy codecs that the published models heard at 16 bits; other floats are 32 bits wide.
_SIXTEEN_BIT_CODECS = ("aac", "mp3", "mp3float")

_FRAMES_PER_BLOCK = 128  # a codec's frame is about a thousand samples: too few to resample fast


@contextmanager
def open_container(path: Path, file: BinaryIO) -> Iterator[AudioStream]:
    """Open what libsndfile cannot read.

    Raises:
        AudioError: PyAV is not installed, or the file is no audio.
    """
    try:
        import av
    except ImportError as error:
        raise AudioError(
            f"{path} is not an mp3, ogg, opus, flac or wav file; if it is m4a, aac, wma or webm, "
            "install the reader for those: pip install av"
        ) from error
    try:
        container = av.open(file, options={"format_whitelist": _DEMUXERS, "protocol_whitelist": "file"})
    except (av.FFmpegError, ValueError, OSError) as error:
        raise _not_audio(path) from error
    with container:
        if not container.streams.audio:
            raise AudioError(f"{path} has no sound in it; name an audio file")
        frames = _frames(path, container)
        first = next(frames, None)
        if first is None:
            raise AudioError(f"audio file {path} holds no samples; download or export it again")
        rate, channels = first.sample_rate, len(first.layout.channels)
        codec = container.streams.audio[0].codec_context.name
        width = _width(first, codec)

        def read() -> Iterator[np.ndarray]:
            for frame in itertools.chain([first], frames):
                if (frame.sample_rate, len(frame.layout.channels)) != (rate, channels):
                    raise AudioError(f"audio file {path} changes its sample rate or channels midway; export it again")
                yield _integers(frame, width)

        def read_grouped() -> Iterator[np.ndarray]:
            blocks = read()
            while group := list(itertools.islice(blocks, _FRAMES_PER_BLOCK)):
                yield np.concatenate(group)

        yield AudioStream(rate, channels, width, codec, read_grouped)


def _not_audio(path: Path) -> AudioError:
    return AudioError(f"{path} is not an audio file that can be read; export it as mp3, ogg, flac or wav")


def _frames(path: Path, container: av.container.InputContainer) -> Iterator[av.AudioFrame]:
    import av

    at = 0.0
    try:
        for frame in container.decode(container.streams.audio[0]):
            at += frame.samples / max(frame.sample_rate, 1)
            yield frame
    except (av.FFmpegError, OSError) as error:
        if at == 0:
            raise _not_audio(path) from error
        raise AudioError(
            f"audio file {path} is damaged {at:.1f} s after its start; download or export it again"
        ) from error


def _width(frame: av.AudioFrame, codec: str) -> int:
    is_float = frame.format.name.startswith(("flt", "dbl"))
    if is_float:
        return 2 if codec in _SIXTEEN_BIT_CODECS else 4
    return min(frame.format.bytes, 4)


def _integers(frame: av.AudioFrame, width: int) -> np.ndarray:
    """Shape (samples, channels), signed integers of `width` bytes."""
    values = frame.to_ndarray()
    values = values.T if frame.format.is_planar else values.reshape(frame.samples, -1)
    if values.dtype.kind == "f":
        return float_to_integers(values, width)
    if values.dtype == np.uint8:
        return (values.astype(np.int16) - 128).astype(np.int8)
    return values
