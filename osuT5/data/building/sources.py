"""Where sets come from: archives (.osz) and folders of .osu files, at any depth, and what they hold.

Both are hostile until read: an entry's name is only ever looked up, never used as a path to write to; entries that
are unsafe (names that lead elsewhere, links, bombs) are left out and named; sizes are counted while reading.
"""

from __future__ import annotations

import lzma
import os
import posixpath
import shutil
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from osuT5.beatmap.archive import entry_name, entry_problem
from osuT5.beatmap.names import entry_name_problem
from osuT5.errors import BeatmapError

MAX_ENTRIES = 20_000  # storyboards do hold thousands of pictures
MAX_DIRECTORY_BYTES = 8 << 20  # the list of entries at the end of an archive
MAX_FILE_BYTES = 512 << 20
MAX_NAMED_PROBLEMS = 5
_BLOCK = 1 << 20
_DAMAGES = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError, ValueError)


@dataclass(frozen=True)
class Source:
    """One archive, or one folder with .osu files in it.

    Attributes:
        path: absolute.
        stamp: (bytes, time of the last change in ns): another stamp means other content.
    """

    path: str
    stamp: tuple[int, int]
    is_archive: bool


def discover(root: str | os.PathLike[str]) -> tuple[list[Source], dict[str, str]]:
    """All sources below a folder, by path; and the places that could not be looked into, with the reason.

    Links to folders are not followed.
    """
    found: list[Source] = []
    problems: dict[str, str] = {}

    def note(error: OSError) -> None:
        problems[str(error.filename)] = f"cannot be looked into ({error.strerror})"

    for folder, inner, names in os.walk(os.path.abspath(root), onerror=note):
        inner.sort()
        maps = [name for name in names if name.lower().endswith(".osu")]
        archives = [name for name in names if name.lower().endswith(".osz")]
        try:
            if maps:
                stats = [os.lstat(os.path.join(folder, name)) for name in names]
                newest = max(s.st_mtime_ns for s in stats)
                found.append(Source(folder, (sum(s.st_size for s in stats), newest), False))
            for name in archives:
                status = os.stat(os.path.join(folder, name))
                if not stat.S_ISREG(status.st_mode):
                    problems[os.path.join(folder, name)] = "is no regular file"
                    continue
                found.append(Source(os.path.join(folder, name), (status.st_size, status.st_mtime_ns), True))
        except OSError as error:
            note(error)
    return sorted(found, key=lambda source: source.path), problems


@dataclass
class Contents:
    """The files of a source that may be read.

    Attributes:
        names: name with `/` between folders -> bytes, as the source says.
        problems: what was left out, and why.
    """

    names: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    _places: dict[str, object] = field(default_factory=dict)
    _keys: dict[str, str] = field(default_factory=dict)
    _archive: zipfile.ZipFile | None = None
    _left_out: int = 0

    def add(self, name: str, size: int, place: object, problem: str | None = None) -> None:
        """`place` is what `open` needs."""
        key = _key(name)
        if problem is None and key in self._keys:
            problem = f"has the same name as {self._keys[key]!r} where case does not count"
        if problem is None:
            self.names[name], self._places[name], self._keys[key] = size, place, name
            return
        self._left_out += 1
        if self._left_out <= MAX_NAMED_PROBLEMS:
            self.problems.append(f"{name[:200]!r} {problem}: left out")
        elif self._left_out == MAX_NAMED_PROBLEMS + 1:
            self.problems.append("more files like these were left out")

    def find(self, name: str, beside: str) -> str | None:
        """The file that a .osu file means by a name: case does not count; looked for beside it, then at the top."""
        name = name.strip().strip('"').replace("\\", "/")
        for folder in dict.fromkeys((posixpath.dirname(beside), "")):
            found = self._keys.get(_key(posixpath.normpath(posixpath.join(folder, name))))
            if found is not None:
                return found
        return None

    def read(self, name: str, limit: int) -> bytes:
        """Raises BeatmapError for a file of more bytes, or one that is damaged."""
        with self._open(name) as file:
            data = _guarded_read(file, name, limit + 1)
        if len(data) > limit:
            raise BeatmapError(f"{name!r} is larger than {limit >> 20} MiB")
        return data

    def copy(self, name: str, target: Path, limit: int) -> None:
        """To a new file. Raises BeatmapError as `read`, OSError where the target cannot be written."""
        with self._open(name) as file:
            with target.open("xb") as copy:
                total = 0
                while block := _guarded_read(file, name, _BLOCK):
                    total += len(block)
                    if total > limit:
                        raise BeatmapError(f"{name!r} is larger than {limit >> 20} MiB")
                    copy.write(block)

    @contextmanager
    def _open(self, name: str) -> Iterator[BinaryIO]:
        place = self._places[name]
        try:
            if isinstance(place, zipfile.ZipInfo):
                file = self._archive.open(place)
            else:
                file = open(place, "rb")
        except (*_DAMAGES, OSError) as error:
            raise BeatmapError(f"{name!r} cannot be opened ({error})") from error
        with file:
            yield file


def _guarded_read(file: BinaryIO, name: str, size: int) -> bytes:
    try:
        return file.read(size)
    except (*_DAMAGES, OSError) as error:
        raise BeatmapError(f"{name!r} is damaged ({error})") from error


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


@contextmanager
def open_source(source: Source) -> Iterator[Contents]:
    """Raises BeatmapError for what is no archive, is damaged, or has too many files."""
    if not source.is_archive:
        yield _folder_contents(source.path)
        return
    try:
        file = open(source.path, "rb")
    except OSError as error:
        raise BeatmapError(f"cannot be opened ({error.strerror or error})") from error
    with file:
        try:
            _check_directory(file)
            archive = zipfile.ZipFile(file)
        except (*_DAMAGES, OSError, struct.error) as error:
            raise BeatmapError(f"is no zip archive or is damaged ({error})") from error
        with archive:
            yield _archive_contents(archive)


def _check_directory(file: BinaryIO) -> None:
    """The size of the list of entries, before it is read into memory: the record at the end that names it."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(size - 22 - 0xFFFF - 20, 0))
    tail = file.read()
    file.seek(0)
    plain = len(tail) - 22
    at = (
        plain if plain >= 0 and tail[plain : plain + 4] == b"PK\5\6" and tail[-2:] == b"\0\0" else tail.rfind(b"PK\5\6")
    )
    if at < 0 or len(tail) - at < 22:
        raise zipfile.BadZipFile("no list of entries")
    if tail[max(at - 20, 0) :].startswith(b"PK\6\7"):
        raise BeatmapError("is a zip64 archive, larger than any mapset; pack it again")
    directory = int.from_bytes(tail[at + 12 : at + 16], "little")
    if directory > MAX_DIRECTORY_BYTES:
        raise BeatmapError(f"its list of entries has {directory >> 20} MiB, no mapset has that many files")


def _archive_contents(archive: zipfile.ZipFile) -> Contents:
    infos = archive.infolist()
    if len(infos) > MAX_ENTRIES:
        raise BeatmapError(f"holds {len(infos)} entries, {MAX_ENTRIES} are allowed")
    contents = Contents(_archive=archive)
    for info in infos:
        name = entry_name(info)
        if not name.endswith("/"):
            contents.add(name, info.file_size, info, entry_name_problem(name) or entry_problem(info, name))
    return contents


def _folder_contents(path: str) -> Contents:
    contents = Contents()
    for folder, inner, names in os.walk(path):
        inner.sort()
        if folder != path and any(name.lower().endswith(".osu") for name in names):
            inner.clear()  # a source of its own
            continue
        for name in sorted(names):
            place = os.path.join(folder, name)
            try:
                status = os.lstat(place)
            except OSError:
                continue  # gone since it was listed
            relative = os.path.relpath(place, path).replace(os.sep, "/")
            problem = None if stat.S_ISREG(status.st_mode) else "is a link or a special file"
            contents.add(relative, status.st_size, place, problem)
            if len(contents.names) > MAX_ENTRIES:
                raise BeatmapError(f"holds more than {MAX_ENTRIES} files")
    return contents


def free_bytes(folder: str | os.PathLike[str]) -> int:
    return shutil.disk_usage(folder).free
