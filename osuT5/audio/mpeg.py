"""The frames of an MP3 file: where its sound begins and ends, and a clean stream of them for the decoder.

libsndfile alone loses sound here: it takes the length of a file without a Xing header from the bit rate of its first
frame and stops there, believes a wrong frame count, drops 529 samples for a Xing header without a LAME tag, and gives
up at junk. So we walk the frame headers ourselves, hand over nothing but frames of sound, and trim as ffmpeg does,
which the published models heard:

- a Xing or Info header with a LAME, Lavf or Lavc tag names the encoder's delay and padding; delay plus the decoder's
  own 529 samples are cut from the start and padding minus 529 from the end, so that time 0 is the encoder's input;
- without such a tag nobody knows the encoder's delay, and nothing is cut: the sound comes late by that delay plus 529
  samples (1105 samples, 25 ms at 44.1 kHz, for LAME's usual 576).

Facts: ISO/IEC 11172-3 and 13818-3 (frame headers), the "Mp3 Info Tag rev 1" specification (Xing and LAME).
"""

from __future__ import annotations

import mmap
import os
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import BinaryIO

from osuT5.errors import AudioError

DECODER_DELAY = 529
_SEARCH_BYTES = 1 << 17  # how far after the ID3 tags the first frame may be
_FRAMES_TO_BELIEVE = 3  # so many headers in a row that agree are no accident
_TAGS_WITH_DELAY = (b"LAME", b"Lavf", b"Lavc")
_OTHER_FILES = (b"RIFF", b"RIFX", b"RF64", b"fLaC", b"OggS", b"FORM", b".snd", b"caff")
_ID3V1_BYTES = 128
# Bytes; more than two hours at any bit rate, so that a length estimated from it never ends the decoding early.
_CLAIMED_BYTES = 1 << 33

# kbit/s by index, for (MPEG-1, layer) and (MPEG-2 and 2.5, layer)
_BIT_RATES = {
    (1, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_SAMPLE_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_SAMPLES_PER_FRAME = {(1, 1): 384, (1, 2): 1152, (1, 3): 1152, (2, 1): 384, (2, 2): 1152, (2, 3): 576}
_SIDE_INFO_BYTES = {(1, False): 32, (1, True): 17, (2, False): 17, (2, True): 9}  # by (MPEG-1 or 2, mono), layer 3


@dataclass(frozen=True)
class MpegLayout:
    """Which bytes of a file are frames of sound, and which of the decoded samples are sound.

    Attributes:
        segments: (first byte, byte after the last) of runs of frames.
        begin: first decoded sample that is sound.
        end: decoded sample after the last that is sound.
    """

    segments: tuple[tuple[int, int], ...]
    begin: int
    end: int


@dataclass(frozen=True)
class _Frame:
    """What a frame header says. `kind` is the same throughout a stream: version, layer, rate, mono."""

    kind: tuple[int, int, int, bool]
    size: int  # bytes
    samples: int

    @property
    def xing_offset(self) -> int:
        """Where a Xing header sits: after the side information of an empty frame."""
        version, _, _, mono = self.kind
        return 4 + _SIDE_INFO_BYTES[version, mono]


def find_mpeg(file: BinaryIO, name: str) -> MpegLayout | None:
    """The frames of an MPEG audio file, tags and junk left out; None if the file is no such stream.

    Args:
        file: a file on disk, not empty.
        name: of the file, for messages.

    Raises:
        AudioError: the sample rate or the number of channels changes within the file.
    """
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        start = _after_id3(data)
        if data[start : start + 4] in _OTHER_FILES:
            return None
        at = _find_chain(data, start, start + _SEARCH_BYTES, may_end=True)
        if at is None:
            return None
        first = _frame(data, at)
        skip, padding, promised, sound_at = _info(data, at, first)
        segments, frames = _walk(data, sound_at, first, name)
        length = frames * first.samples
        # A frame count that is wrong says that the padding is elsewhere, or the file was cut.
        end = length - padding if promised == frames else length
        return MpegLayout(tuple(segments), min(skip, length), end) if length else None


class MpegFile:
    """The frames of a file as a file, claiming to be far longer than they are, for libsndfile's virtual I/O."""

    def __init__(self, file: BinaryIO, layout: MpegLayout):
        self._file = file
        self._segments = layout.segments
        self._ends = list(accumulate(end - start for start, end in layout.segments))
        self._position = 0

    def seek(self, position: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: _CLAIMED_BYTES}[whence]
        self._position = base + position
        return self._position

    def tell(self) -> int:
        return self._position

    def read(self, size: int) -> bytes:
        if self._position >= _CLAIMED_BYTES - _ID3V1_BYTES:
            return bytes(size)  # libsndfile wants to see at the claimed end whether there is an ID3v1 tag: no
        parts = []
        index = bisect_right(self._ends, self._position)
        while size > 0 and index < len(self._segments):
            left = min(self._ends[index] - self._position, size)
            self._file.seek(self._segments[index][1] - (self._ends[index] - self._position))
            part = self._file.read(left)
            parts.append(part)
            self._position += len(part)
            size -= len(part)
            if len(part) < left:
                break
            index += 1
        return b"".join(parts)

    def readinto(self, buffer: memoryview) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def write(self, data: bytes) -> int:
        raise OSError("an audio file is only read")


def _after_id3(data: mmap.mmap) -> int:
    """First byte after any ID3v2 tags at the start; some files have several."""
    start = 0
    while True:
        head = data[start : start + 10]
        if len(head) < 10 or head[:3] != b"ID3" or max(head[6:10]) > 0x7F:
            return start
        size = (head[6] << 21) | (head[7] << 14) | (head[8] << 7) | head[9]
        footer = 10 if head[5] & 0x10 else 0
        start += 10 + size + footer


@lru_cache(maxsize=1024)
def _parse(header: bytes) -> _Frame | None:
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    bit_rate_index, rate_index = header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or layer == 4 or bit_rate_index in (0, 15) or rate_index == 3:
        return None
    family = (1 if version == 3 else 2, layer)
    rate = _SAMPLE_RATES[version][rate_index]
    samples = _SAMPLES_PER_FRAME[family]
    bytes_per_slot = 4 if layer == 1 else 1
    slots = samples // 8 // bytes_per_slot * _BIT_RATES[family][bit_rate_index] * 1000 // rate
    size = (slots + (header[2] >> 1 & 1)) * bytes_per_slot
    return _Frame((*family, rate, header[3] >> 6 == 3), size, samples)


def _frame(data: mmap.mmap, at: int) -> _Frame | None:
    return _parse(data[at : at + 4])


def _find_chain(data: mmap.mmap, start: int, stop: int, may_end: bool = False) -> int | None:
    """First byte in [start, stop) at which frames that agree follow one another.

    Args:
        may_end: believe fewer frames where the file ends before the last of them.
    """
    at = data.find(b"\xff", start, stop)
    while at >= 0:
        if _is_chain(data, at, may_end):
            return at
        at = data.find(b"\xff", at + 1, stop)
    return None


def _is_chain(data: mmap.mmap, at: int, may_end: bool) -> bool:
    first = _frame(data, at)
    if first is None:
        return False
    at += first.size
    for _ in range(_FRAMES_TO_BELIEVE - 1):
        if at + 4 > len(data):
            return may_end
        frame = _frame(data, at)
        if frame is None or frame.kind != first.kind:
            return False
        at += frame.size
    return True


def _walk(data: mmap.mmap, at: int, first: _Frame, name: str) -> tuple[list[tuple[int, int]], int]:
    """The runs of whole frames from `at` on, and how many frames they are."""
    segments: list[tuple[int, int]] = []
    frames, start = 0, at
    while True:
        frame = _frame(data, at)
        if frame is not None and frame.kind == first.kind and at + frame.size <= len(data):
            frames += 1
            at += frame.size
            continue
        if at > start:
            segments.append((start, at))
        found = _find_chain(data, at, len(data))
        if found is None:
            return segments, frames
        if _frame(data, found).kind != first.kind:
            seconds = frames * first.samples / first.kind[2]
            raise AudioError(
                f"audio file {name} changes its sample rate or channels {seconds:.1f} s after its start; "
                "export it again"
            )
        start = at = found


def _info(data: mmap.mmap, at: int, first: _Frame) -> tuple[int, int, int | None, int]:
    """Samples to skip and of padding, number of frames promised, and the first byte of sound."""
    if first.kind[1] != 3:
        return 0, 0, None, at
    head = data[at : at + first.size]
    if head[36:40] == b"VBRI":  # Fraunhofer's header; decoders cut nothing for the delay in it
        return 0, 0, None, at + first.size
    tag = first.xing_offset
    if head[tag : tag + 4] not in (b"Xing", b"Info"):
        return 0, 0, None, at
    sound_at = at + first.size
    flags = int.from_bytes(head[tag + 4 : tag + 8], "big")
    promised = int.from_bytes(head[tag + 8 : tag + 12], "big") if flags & 1 else None
    lame = tag + 8 + sum(size for bit, size in ((1, 4), (2, 4), (4, 100), (8, 4)) if flags & bit)
    delays = int.from_bytes(head[lame + 21 : lame + 24], "big")
    delay, padding = delays >> 12, delays & 0xFFF
    if head[lame : lame + 4] not in _TAGS_WITH_DELAY or delays == 0:
        return 0, 0, promised, sound_at
    return delay + DECODER_DELAY, max(padding - DECODER_DELAY, 0), promised, sound_at
