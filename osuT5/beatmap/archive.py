"""Mapsets as archives (.osz): zip files of beatmaps, audio and pictures.

Archives are hostile until read: names, kinds, counts and sizes of all entries are checked before one is unpacked.
Written archives are the same bytes for the same content. Facts: zip format; the project's safety limits.
"""

from __future__ import annotations

import io
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from osuT5.beatmap.names import entry_name_problem, safe_file_name
from osuT5.beatmap.reader import MAX_FILE_BYTES, read
from osuT5.beatmap.saving import write_atomically
from osuT5.beatmap.types import Beatmap, Diagnostic
from osuT5.beatmap.writer import write
from osuT5.errors import BeatmapError, InputError

MAX_ENTRIES = 2000
MAX_TOTAL_BYTES = 1 << 30
MAX_RATIO = 200
# entries up to this size may pack better: a second of silence, as many mapsets hold, packs 1000 to 1
RATIO_FREE_BYTES = 1 << 20
_TIMESTAMP = (1980, 1, 1, 0, 0, 0)
_UTF8_FLAG, _ENCRYPTED_FLAG = 0x800, 0x1


@dataclass
class Mapset:
    """What an archive holds: beatmaps by name, the bytes of all other files by name, and what was odd.

    `texts` holds the beatmaps' files as they are in the archive.
    """

    beatmaps: dict[str, Beatmap] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    texts: dict[str, bytes] = field(default_factory=dict)


def read_osz(source: str | Path | bytes) -> Mapset:
    """The beatmaps and files of an archive, by their names with `/` between folders.

    A .osu entry that is no beatmap is kept among the files and noted.
    Raises BeatmapError if it is no zip archive, is damaged, or is refused: names that lead elsewhere or do not fit
    every system, links, encrypted entries, two entries of one name (case does not count), more than 2000
    entries, 1 GiB, or 200 to 1.
    """
    label = "the given bytes" if isinstance(source, bytes) else str(source)
    try:
        with zipfile.ZipFile(io.BytesIO(source) if isinstance(source, bytes) else source) as archive:
            mapset = Mapset()
            for name, info in _checked_entries(archive, label).items():
                _take(mapset, name, archive.read(info))
            return mapset
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise BeatmapError(f"{label}: is no zip archive or is damaged ({error}); export the mapset again") from error
    except OSError as error:
        reason = error.strerror or error
        raise BeatmapError(f"{label}: cannot be opened ({reason}); check the path to the .osz file") from error


def _take(mapset: Mapset, name: str, data: bytes) -> None:
    if name.lower().endswith(".osu"):
        try:
            mapset.beatmaps[name] = read(data)
            mapset.texts[name] = data
            return
        except BeatmapError as error:
            mapset.diagnostics.append(Diagnostic("beatmap", 0, f"{name}: {error}"))
    mapset.files[name] = data


def _checked_entries(archive: zipfile.ZipFile, label: str) -> dict[str, zipfile.ZipInfo]:
    """Names to entries without folders. Raises BeatmapError for the first thing that makes the archive unsafe."""
    infos = archive.infolist()
    if len(infos) > MAX_ENTRIES:
        raise BeatmapError(f"{label}: {len(infos)} entries, {MAX_ENTRIES} are allowed")
    total = sum(info.file_size for info in infos)
    if total > MAX_TOTAL_BYTES:
        raise BeatmapError(f"{label}: {total >> 20} MiB when unpacked, {MAX_TOTAL_BYTES >> 20} are allowed")
    entries: dict[str, zipfile.ZipInfo] = {}
    taken: dict[str, str] = {}
    for info in infos:
        name = entry_name(info)
        problem = entry_name_problem(name.rstrip("/") if len(name) > 1 else name) or entry_problem(info, name)
        key = unicodedata.normalize("NFC", name).casefold()
        if problem is None and key in taken:
            problem = f"has the same name as {taken[key]!r} where case does not count"
        if problem is not None:
            raise BeatmapError(f"{label}: refused, its entry {name[:200]!r} {problem}")
        taken[key] = name
        if not name.endswith("/"):
            entries[name] = info
    return entries


def entry_name(info: zipfile.ZipInfo) -> str:
    """The name of an entry, `/` between folders."""
    # the name as stored: ZipInfo.filename ends at a NUL and has this system's separators replaced
    name = info.orig_filename
    if not info.flag_bits & _UTF8_FLAG:
        try:
            name = name.encode("cp437").decode("utf-8")
        except UnicodeError:
            name = info.orig_filename  # an old code page, which nothing names: kept as zip's own
    return name.replace("\\", "/")


def entry_problem(info: zipfile.ZipInfo, name: str) -> str | None:
    """Why an entry must not be unpacked, whatever it is called; None if it may."""
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a special file"
    if info.flag_bits & _ENCRYPTED_FLAG:
        return "is encrypted"
    if info.file_size > RATIO_FREE_BYTES and info.file_size > MAX_RATIO * max(info.compress_size, 1):
        return f"unpacks to more than {MAX_RATIO} times its size"
    if name.lower().endswith(".osu") and info.file_size > MAX_FILE_BYTES:
        return f"is a beatmap larger than {MAX_FILE_BYTES >> 20} MiB"
    return None


def write_osz(
    path: str | Path,
    beatmaps: Iterable[Beatmap] | Mapping[str, Beatmap],
    files: Mapping[str, bytes | Path] | None = None,
    overwrite: bool = False,
) -> Path:
    """Packs beatmaps and files; returns the path.

    Args:
        beatmaps: with their names, or without: then named `Artist - Title (Creator) [Version].osu`.
        files: name in the archive -> content, or the file to take it from.
        overwrite: allows to replace an archive, which is kept as `<name>.bak`.
    Raises InputError for names that not every system takes, names used twice, files that cannot be read, and an
    archive that exists.
    """
    if not isinstance(beatmaps, Mapping):
        named: dict[str, Beatmap] = {}
        for beatmap in beatmaps:
            named[_free_name(beatmap, named)] = beatmap
        beatmaps = named
    contents = [(name, write(beatmap).encode("utf-8")) for name, beatmap in beatmaps.items()]
    contents += [(name, _content(content)) for name, content in (files or {}).items()]
    taken: set[str] = set()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in sorted(contents, key=lambda entry: entry[0]):
            key = unicodedata.normalize("NFC", name).casefold()
            problem = "is used twice" if key in taken else entry_name_problem(name)
            if problem is not None:
                raise InputError(f"{path}: the name {name!r} {problem}; give the file another name")
            taken.add(key)
            info = zipfile.ZipInfo(name, _TIMESTAMP)
            info.create_system = 3  # the same on every system
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(info, content, zipfile.ZIP_DEFLATED, 9)
    return write_atomically(path, packed.getvalue(), overwrite)


def _free_name(beatmap: Beatmap, taken: Mapping[str, Beatmap]) -> str:
    """Two difficulties of one name get a number, as a mapset may not hold one name twice."""
    version, number = beatmap.version, 1
    folded = {name.casefold() for name in taken}
    while True:
        name = safe_file_name(beatmap.artist, beatmap.title, beatmap.creator, version)
        if name.casefold() not in folded:
            return name
        number += 1
        version = f"{beatmap.version[:80]} {number}"


def _content(content: bytes | Path) -> bytes:
    if isinstance(content, (bytes, bytearray)):
        return bytes(content)
    try:
        return Path(content).read_bytes()
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{content}: cannot be read ({reason}); it was to go into the archive") from error
