"""Audio files to integer PCM, block by block.

libsndfile reads wav, flac, ogg (vorbis, opus), mp3, aiff and more; what it does not know goes to PyAV if that is
installed. Integers because the published models heard them: mp3 and aac at 16 bits, vorbis, opus and other floats at
32, everything else at its own width, 24 bits widened to 32. Files are known by their
content, never by their suffix.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile

from osuT5.audio.containers import open_container
from osuT5.audio.mpeg import MpegFile, MpegLayout, find_mpeg
from osuT5.audio.pcm import BLOCK_FRAMES, AudioStream, RawAudio, float_to_integers
from osuT5.errors import AudioError

MAX_DURATION_S = 2 * 60 * 60
MAX_CHANNELS = 32
SAMPLE_RATES_HZ = (1000, 768000)
IN_MEMORY = "(in memory)"  # stands for the name of a file of which only the bytes are known


@dataclass(frozen=True)
class _Encoding:
    """How a libsndfile subtype is read and what width it gets."""

    dtype: str
    width: int
    fill_low_byte: bool = False


_FLOAT = _Encoding("float32", 4)
_ENCODINGS = {
    "PCM_U8": _Encoding("int16", 1),
    "PCM_S8": _Encoding("int16", 1),
    "PCM_16": _Encoding("int16", 2),
    "PCM_24": _Encoding("int32", 4, fill_low_byte=True),
    "PCM_32": _Encoding("int32", 4),
    "FLOAT": _FLOAT,
    "DOUBLE": _FLOAT,
    "VORBIS": _FLOAT,
    "OPUS": _FLOAT,
    "MPEG_LAYER_I": _Encoding("float32", 2),
    "MPEG_LAYER_II": _Encoding("float32", 2),
    "MPEG_LAYER_III": _Encoding("float32", 2),
    "ALAC_20": _Encoding("int32", 4),
    "ALAC_24": _Encoding("int32", 4),
    "ALAC_32": _Encoding("int32", 4),
}
_OTHER_ENCODING = _Encoding("int16", 2)  # companded and ADPCM formats decode to 16 bits
_FORMATS_BY_SUBTYPE = {"MPEG_LAYER_III": "mp3", "VORBIS": "vorbis", "OPUS": "opus"}


@contextmanager
def open_audio(source: str | os.PathLike[str] | bytes) -> Iterator[AudioStream]:
    """Open a file, or the bytes of one, for reading block by block.

    Raises:
        AudioError: the file is missing, a folder, empty, unreadable, no audio, has no samples, is longer than two
            hours, or its rate or number of channels makes no sense.
    """
    path = Path(IN_MEMORY if isinstance(source, bytes) else source)
    with _temporary_file(source) if isinstance(source, bytes) else _open_file(path) as file:
        layout, sound = _open_soundfile(path, file)
        if sound is not None:
            with sound:
                stream = _soundfile_stream(path, sound, layout)
                _check_shape(path, stream.sample_rate, stream.channels)
                yield stream
            return
        file.seek(0)
        with open_container(path, file) as stream:
            _check_shape(path, stream.sample_rate, stream.channels)
            yield AudioStream(
                stream.sample_rate,
                stream.channels,
                stream.sample_width,
                stream.format,
                lambda: _counted(path, stream.sample_rate, stream.read()),
            )


def decode(path: str | os.PathLike[str]) -> RawAudio:
    """Read a whole file. Prefer `open_audio` or `load` for songs: this holds every channel in memory.

    Raises:
        AudioError: as `open_audio`.
    """
    with open_audio(path) as stream:
        samples = np.concatenate(list(stream.blocks()))
        return RawAudio(samples, stream.sample_width, stream.sample_rate, stream.format)


def _temporary_file(data: bytes) -> BinaryIO:
    """The bytes as a file on disk without a name: the search for MPEG frames maps it into memory."""
    if not data:
        raise AudioError(f"audio file {IN_MEMORY} is empty (0 bytes); fetch it again")
    file = tempfile.TemporaryFile()
    file.write(data)
    file.seek(0)
    return file


def _open_file(path: Path) -> BinaryIO:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise AudioError(f"{path} is a folder, not an audio file; name the file in it")
        if not stat.S_ISREG(status.st_mode):
            raise AudioError(f"{path} is not a regular file; copy the audio into one")
        if status.st_size == 0:
            raise AudioError(f"audio file {path} is empty (0 bytes); download or export it again")
        # Opened by number, so that the file object has no name and soundfile cannot go by its suffix.
        return open(os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0)), "rb")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise AudioError(f"audio file {path} does not exist; check the path") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise AudioError(f"audio file {path} cannot be opened ({reason}); check its name and permissions") from error


def _open_soundfile(path: Path, file: BinaryIO) -> tuple[MpegLayout | None, soundfile.SoundFile | None]:
    """The file as libsndfile reads it, or None; of MP3 files it gets the frames only."""
    layout = find_mpeg(file, str(path))
    file.seek(0)
    try:
        return layout, soundfile.SoundFile(file if layout is None else MpegFile(file, layout))
    except soundfile.LibsndfileError:
        return None, None


def _soundfile_stream(path: Path, sound: soundfile.SoundFile, layout: MpegLayout | None) -> AudioStream:
    encoding = _ENCODINGS.get(sound.subtype, _OTHER_ENCODING)

    def read() -> Iterator[np.ndarray]:
        blocks = _soundfile_blocks(path, sound, encoding.dtype)
        if layout is not None:
            blocks = _trimmed(blocks, layout.begin, layout.end)
        return _counted(path, sound.samplerate, (_to_integers(block, encoding) for block in blocks))

    codec = _FORMATS_BY_SUBTYPE.get(sound.subtype)
    codec = codec or (sound.format if sound.format == "FLAC" else sound.subtype).lower()
    return AudioStream(sound.samplerate, sound.channels, encoding.width, codec, read)


def _soundfile_blocks(path: Path, sound: soundfile.SoundFile, dtype: str) -> Iterator[np.ndarray]:
    frames = 0
    while True:
        try:
            block = sound.read(BLOCK_FRAMES, dtype=dtype, always_2d=True)
        except soundfile.LibsndfileError as error:
            at = frames / sound.samplerate
            raise AudioError(
                f"audio file {path} is damaged {at:.1f} s after its start ({error.error_string}); "
                "download or export it again"
            ) from error
        if len(block) == 0:
            return
        frames += len(block)
        yield block


def _trimmed(blocks: Iterator[np.ndarray], begin: int, end: int) -> Iterator[np.ndarray]:
    """Frames `begin` to `end` of a stream of blocks."""
    position = 0
    for block in blocks:
        yield block[max(begin - position, 0) : max(end - position, 0)]
        position += len(block)


def _to_integers(block: np.ndarray, encoding: _Encoding) -> np.ndarray:
    if encoding.dtype == "float32":
        return float_to_integers(block, encoding.width)
    if encoding.width == 1:
        return (block >> 8).astype(np.int8)
    # Widening 24 bits fills the new low byte of negative samples with ones, as the published models heard it.
    return np.where(block < 0, block | 0xFF, block) if encoding.fill_low_byte else block


def _counted(path: Path, sample_rate: int, blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    frames = 0
    for block in blocks:
        frames += len(block)
        if frames > MAX_DURATION_S * sample_rate:
            raise AudioError(
                f"audio file {path} is longer than {MAX_DURATION_S // 3600} hours; cut it into songs first"
            )
        yield block
    if frames == 0:
        raise AudioError(f"audio file {path} holds no samples; download or export it again")


def _check_shape(path: Path, sample_rate: int, channels: int) -> None:
    low, high = SAMPLE_RATES_HZ
    if not low <= sample_rate <= high:
        raise AudioError(
            f"audio file {path} says that its sample rate is {sample_rate} Hz, outside {low} to {high}; "
            "export it again at 44100 Hz"
        )
    if not 1 <= channels <= MAX_CHANNELS:
        raise AudioError(
            f"audio file {path} says that it has {channels} channels, outside 1 to {MAX_CHANNELS}; "
            "export it again in stereo"
        )
