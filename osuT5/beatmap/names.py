"""File names that every system takes. Facts: osu! file naming; Windows' forbidden characters and reserved names."""

from __future__ import annotations

import re
import unicodedata

MAX_CHARACTERS, MAX_BYTES = 130, 240
FORBIDDEN = '/\\?*:|"<>'
RESERVED = {"con", "prn", "aux", "nul", *(f"{n}{i}" for n in ("com", "lpt") for i in range(1, 10))}

_SPACES = re.compile(r"\s+")
# control, format (zero-width, direction), surrogate, unassigned and private characters, line separators
_INVISIBLE_CATEGORIES = {"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"}
_INVISIBLE = "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0"  # of other categories, yet zero-width or blank


def safe_file_name(artist: str, title: str, creator: str, version: str) -> str:
    """`Artist - Title (Creator) [Version].osu`, at most 130 characters and 240 bytes of UTF-8.

    What is too long is cut from the title first, then from artist, creator and version; empty parts are "Unknown".
    """
    parts = [clean_name(text)[:MAX_CHARACTERS].strip() or "Unknown" for text in (title, artist, creator, version)]
    for index, part in enumerate(parts):
        while not _fits(name := _join(parts)) and len(part) > 1:
            part = part[:-1].rstrip()
            parts[index] = part
        if _fits(name):
            break
    return _join(parts)


def _join(parts: list[str]) -> str:
    title, artist, creator, version = parts
    return f"{artist} - {title} ({creator}) [{version}].osu"


def _fits(name: str) -> bool:
    return len(name) <= MAX_CHARACTERS and len(name.encode("utf-8")) <= MAX_BYTES


def clean_name(text: str) -> str:
    """Without path separators, characters that Windows forbids, and invisible ones; runs of spaces collapsed."""
    spaced = _SPACES.sub(" ", text)
    kept = (
        c
        for c in spaced
        if c not in FORBIDDEN and c not in _INVISIBLE and unicodedata.category(c) not in _INVISIBLE_CATEGORIES
    )
    return _SPACES.sub(" ", "".join(kept)).strip()


def entry_name_problem(name: str) -> str | None:
    """Why a relative file name, `/` between folders, must not be unpacked on some system; None if it may.

    Absolute paths, drive letters, `..`, forbidden and control characters, reserved names, trailing dots and spaces.
    """
    if not name:
        return "is empty"
    if len(name) > 1024:
        return "is too long"
    if name.startswith("/"):
        return "is an absolute path"
    if len(name) > 1 and name[1] == ":":
        return "has a drive letter"
    for part in name.split("/"):
        if part in ("", ".", ".."):
            return "leaves its folder or has empty parts"
        if any(c in FORBIDDEN or c < " " or c == "\x7f" for c in part):
            return "has characters that not every system takes"
        if part[-1] in ". ":
            return "ends in a dot or a space"
        if part.split(".")[0].strip().lower() in RESERVED:
            return "is a reserved device name"
    return None
