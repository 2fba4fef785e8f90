"""What an audio file says of itself: title, artist, album, cover. Decoration, so odd tags never stop anyone."""

from __future__ import annotations

import base64
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import mutagen
from mutagen.asf import ASFByteArrayAttribute
from mutagen.flac import Picture
from mutagen.id3 import APIC
from mutagen.mp4 import MP4Cover

logger = logging.getLogger(__name__)

# Field → the keys that ID3, Vorbis comments, MP4 atoms, ASF attributes and APEv2 hold it under.
_KEYS = {
    "title": ("TIT2", "title", "\xa9nam", "Title"),
    "artist": ("TPE1", "artist", "\xa9ART", "Author", "Artist"),
    "album": ("TALB", "album", "\xa9alb", "WM/AlbumTitle", "Album"),
}
_FRONT_COVER = 3  # picture type of ID3, FLAC and ASF alike
_MP4_COVER_TYPES = {MP4Cover.FORMAT_JPEG: "image/jpeg", MP4Cover.FORMAT_PNG: "image/png"}


@dataclass(frozen=True)
class Tags:
    """None where the file says nothing.

    Attributes:
        cover: the bytes of the front cover's image file, or of the first picture if none is called the front cover.
        cover_mime: its type as the file names it, such as "image/jpeg".
    """

    title: str | None = None
    artist: str | None = None
    album: str | None = None
    cover: bytes | None = None
    cover_mime: str | None = None


def read_tags(path: str | os.PathLike[str]) -> Tags:
    """Tags of an audio file, without those that it lacks or that are beyond reading."""
    file = _read_leniently(path, lambda: mutagen.File(path))
    if file is None:
        return Tags()
    texts = {name: _read_leniently(path, lambda keys=keys: _text(file.tags, keys)) for name, keys in _KEYS.items()}
    pictures = _read_leniently(path, lambda: sorted(_pictures(file), key=lambda found: found[0] != _FRONT_COVER))
    _, mime, data = pictures[0] if pictures else (None, None, None)
    return Tags(**texts, cover=data, cover_mime=mime)


def _read_leniently(path: str | os.PathLike[str], read: Callable[[], Any]) -> Any:
    """What `read` returns; None, and a line in the log, if it fails."""
    try:
        return read()
    except Exception as error:  # mutagen meets hostile bytes with exceptions of every kind; no map is worth less for it
        logger.info("%s: tags are left out: %s", path, error)
        return None


def _text(tags: Any, keys: tuple[str, ...]) -> str | None:
    """The first key that is there; several values are joined by a comma."""
    for key in keys:
        value = tags.get(key) if tags else None
        if value is None:
            continue
        values = getattr(value, "text", value)
        parts = [values] if isinstance(values, str) else list(values)
        text = ", ".join(filter(None, (str(part).replace("\0", " ").strip() for part in parts)))
        if text:
            return " ".join(text.split())
    return None


def _pictures(file: mutagen.FileType) -> Iterator[tuple[int, str, bytes]]:
    """(picture type, mime type, bytes) of every embedded picture."""
    for picture in getattr(file, "pictures", ()):
        yield picture.type, picture.mime, picture.data
    tags = file.tags
    if not tags:
        return
    for value in list(tags.values()):
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, APIC):
                yield int(item.type), item.mime, item.data
            elif isinstance(item, MP4Cover):
                yield _FRONT_COVER, _MP4_COVER_TYPES.get(item.imageformat, "image/jpeg"), bytes(item)
            elif isinstance(item, ASFByteArrayAttribute) and len(item.value) > 5:
                yield from _asf_picture(item.value)
    for block in tags.get("metadata_block_picture") or ():
        picture = Picture(base64.b64decode(block))
        yield picture.type, picture.mime, picture.data


def _asf_picture(value: bytes) -> Iterator[tuple[int, str, bytes]]:
    """WM/Picture: type (1 byte), length of the data (4), mime and description (UTF-16, NUL-ended), data."""
    size = int.from_bytes(value[1:5], "little")
    mime = value[5 : len(value) - size].decode("utf-16-le", errors="replace").split("\0")[0]
    if 0 < size < len(value) and "/" in mime:
        yield value[0], mime, value[-size:]
