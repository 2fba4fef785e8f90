"""What sets, maps, mappers and files are called in a data set.

Online ids where the files state them; else numbers made of the content, the same on every machine and in every run.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePosixPath

from osuT5.beatmap import Beatmap
from osuT5.beatmap.names import RESERVED, clean_name

# The site's ids are below 10 million; made ids begin here and end where 32 bits do.
MADE_FROM = 1_000_000_000
MADE_TO = 2**31 - 1
# With `data`, a root of 25 characters and the longest name of a .osu this stays within Windows' 260.
MAX_FOLDER_CHARACTERS, MAX_FOLDER_BYTES = 90, 240
MAX_FILE_CHARACTERS, MAX_FILE_BYTES = 90, 200
_NUMBERED = re.compile(r"(\d{1,9}) \S.* - .*\S", re.ASCII | re.DOTALL)
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,5}")

OnlineIds = Callable[[str], "tuple[int | None, int] | None"]


def made_id(*texts: str) -> int:
    """A stable id in [MADE_FROM, MADE_TO) from texts in any order."""
    digest = hashlib.sha256("\0".join(sorted(texts)).encode("utf-8", "replace")).digest()
    return MADE_FROM + int.from_bytes(digest[:8], "big") % (MADE_TO - MADE_FROM)


def mapper_id(creator: str) -> int | None:
    """A class for the mapper of that name; not the id on the web site. None without a name."""
    name = " ".join(creator.split()).casefold()
    return made_id("creator", name) if name else None


def ids_of(
    maps: Sequence[tuple[str, Beatmap]], source_name: str, online: OnlineIds, believed: bool = True
) -> tuple[int, list[int]]:
    """The ids of a set and of its maps.

    A set id is, in this order: that of the table of online facts for one of the files; the one that most files state;
    where all are of formats before the ids (no `BeatmapSetID` at all), the number that the name of the source begins
    with; else made of the content. Ids of maps are believed only of maps of an online set that do not state another
    set; two maps of one id are two ids.

    Args:
        maps: (MD5 of the file, the map), at least one.
        source_name: name of the archive without suffix, or of the folder.
        online: MD5 -> (set id or None, beatmap id), where it is known.
        believed: False for the further songs of a set, whose set id is taken: a set id is made; ids of maps stay.
    """
    known = [online(checksum) for checksum, _ in maps]
    set_id = (
        _most_common(ids[0] for ids in known if ids is not None and ids[0] is not None)
        or _most_common(_stated(beatmap, "BeatmapSetID", beatmap.beatmap_set_id) for _, beatmap in maps)
        or _numbered(maps, source_name)
    )
    stated_id, is_online = set_id, set_id is not None
    if not believed or set_id is None:
        set_id = made_id("set", *(checksum for checksum, _ in maps))
    ids: list[int] = []
    for (checksum, beatmap), found in zip(maps, known, strict=True):
        beatmap_id = None if found is None else found[1]
        if beatmap_id is None and is_online and _stated_set(beatmap) in (None, stated_id):
            beatmap_id = _stated(beatmap, "BeatmapID", beatmap.beatmap_id)
        if beatmap_id is None or beatmap_id in ids:
            beatmap_id = made_id("map", checksum)
        ids.append(beatmap_id)
    return set_id, ids


def _stated_set(beatmap: Beatmap) -> int | None:
    return _stated(beatmap, "BeatmapSetID", beatmap.beatmap_set_id)


def _stated(beatmap: Beatmap, key: str, value: float) -> int | None:
    return int(value) if key in beatmap.metadata.values and 0 < value < MADE_FROM and value == int(value) else None


def _numbered(maps: Sequence[tuple[str, Beatmap]], source_name: str) -> int | None:
    if any("BeatmapSetID" in beatmap.metadata.values for _, beatmap in maps):
        return None
    match = _NUMBERED.fullmatch(source_name)
    return int(match[1]) or None if match else None


def _most_common(ids: Iterable[int | None]) -> int | None:
    counted = Counter(i for i in ids if i is not None)
    return counted.most_common(1)[0][0] if counted else None


def folder_name(set_id: int, artist: str, title: str) -> str:
    """`<set id> <artist> - <title>` without dots and what Windows forbids in names, trimmed, at most 90 characters."""
    name = clean_name(f"{set_id} {artist} - {title}".replace(".", ""))
    return _cut(name, MAX_FOLDER_CHARACTERS, MAX_FOLDER_BYTES)


def stored_name(name: str, taken: Iterable[str]) -> str:
    """The name that a file of a source is stored by: without folders, fit for every system, none of `taken`."""
    path = PurePosixPath(name.replace("\\", "/"))
    suffix = path.suffix if _SUFFIX.fullmatch(path.suffix) else ""
    stem = clean_name(path.name.removesuffix(suffix)).strip(". ")
    if not stem or stem.split(".")[0].strip().lower() in RESERVED:
        stem = f"file {stem}".strip()
    stem = _cut(stem, MAX_FILE_CHARACTERS, MAX_FILE_BYTES)
    folded = {other.casefold() for other in taken}
    number, result = 1, stem + suffix
    while result.casefold() in folded:
        number += 1
        result = f"{stem} {number}{suffix}"
    return result


def _cut(name: str, characters: int, size: int) -> str:
    name = name[:characters]
    while len(name.encode("utf-8", "replace")) > size:
        name = name[:-1]
    return name.strip(" .")
