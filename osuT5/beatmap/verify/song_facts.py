"""What the rules may know about a song file beside a map: is it there, is it empty, what is it, how long.

The format is told by the first bytes, not by the name. Facts: the magic numbers of the containers.
"""

from __future__ import annotations

import io
from pathlib import Path

from osuT5.beatmap.verify.findings import AudioFacts

_HEAD_BYTES = 64
# RIFF and ISO media name their kind at byte 8 and 4
_MAGIC = ((b"OggS", 0, "ogg"), (b"fLaC", 0, "flac"), (b"WAVE", 8, "wav"), (b"ftyp", 4, "m4a"), (b"ID3", 0, "mp3"))


def container_of(head: bytes) -> str:
    """Suffix that fits a file's first bytes: mp3, ogg, flac, wav, m4a; "" if unknown."""
    for magic, at, suffix in _MAGIC:
        if head[at : at + len(magic)] == magic:
            return suffix
    is_frame = len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 in (0xE2, 0xE4, 0xE6)  # sync, a valid layer
    return "mp3" if is_frame else ""


def song_facts(name: str, content: Path | bytes | None) -> AudioFacts:
    """Facts of a song.

    Args:
        name: base name by which the map knows it.
        content: the file or its bytes; None or a path without a file if it is not there.
    """
    if content is None or isinstance(content, Path) and not content.is_file():
        return AudioFacts(file_name=name, found=False)
    if isinstance(content, Path):
        with content.open("rb") as file:
            head, size = file.read(_HEAD_BYTES), content.stat().st_size
    else:
        head, size = content[:_HEAD_BYTES], len(content)
    source = str(content) if isinstance(content, Path) else io.BytesIO(content)
    return AudioFacts(_duration_ms(source) if size else 0.0, None, name, size, True, container_of(head))


def _duration_ms(source: str | io.BytesIO) -> float:
    """0 where the file cannot be read: the rules then know no end."""
    import soundfile  # only whoever checks files needs it

    try:
        return soundfile.info(source).duration * 1000.0
    except (RuntimeError, TypeError):
        return 0.0
