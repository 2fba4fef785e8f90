"""The data folder with its archives, unpacked into a working folder.

`prepare` takes the folder as it is distributed (`osu.tar.xz`, `osu.jsonl.xz`, `mapsets/*.tar.xz`, ...), checks the
checksums and unpacks each archive once; what is held out is only unpacked when it is asked for.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from osuT5.errors import InputError

_RECORD = ".unpacked.json"
_MAX_BYTES = 4 << 30  # unpacked, of one archive
_MAX_FILES = 200_000


@dataclass(frozen=True)
class Archive:
    """`path` in the data folder; the members below `inside` become `target` in the working folder."""

    path: str
    inside: str
    target: str


ARCHIVES = (
    Archive("osu.tar.xz", "maps", "maps"),
    Archive("mapsets/fnf.tar.xz", "fnf", "fnf"),
    Archive("mapsets/fretsonfire.tar.xz", "fretsonfire", "fretsonfire"),
    Archive("mapsets/quaver.tar.xz", "quaver", "quaver"),
    Archive("mapsets/osu_resources.tar.xz", "osu_resources", "osu_resources"),
    Archive("timing/trackers.tar.xz", "timing", "timing"),
    Archive("midi.tar.xz", "", "midi"),
)
INDEX = "osu.jsonl.xz"
HELD_OUT = Archive("eval/heldout.tar.xz", "heldout", "heldout")


def prepare(
    source: Path, out: Path, evaluation: bool = False, on_progress: Callable[[str], None] | None = None
) -> list[str]:
    """Unpack a data folder; what is there already, from the same archives, is left as it is.

    Args:
        source: the data folder.
        out: the working folder, made if needed: `maps/`, `osu.jsonl`, `fnf/`, ... and with `evaluation` `heldout/`.
        evaluation: unpack the held-out songs too. They are for measuring only; the readers refuse them in training.
        on_progress: called with the name of each archive before it is unpacked.
    Returns:
        what was unpacked now.
    Raises:
        InputError: the folder has none of the archives, or one is damaged, unsafe, or not what SHA256SUMS says.
    """
    source, out = Path(source), Path(out)
    wanted = [a for a in (*ARCHIVES, *([HELD_OUT] if evaluation else ())) if (source / a.path).is_file()]
    has_index = (source / INDEX).is_file()
    if not wanted and not has_index:
        names = ", ".join(a.path for a in ARCHIVES)
        raise InputError(f"source={source}: no data archives there; it should hold {names} and {INDEX}")
    sums = _checksums(source / "SHA256SUMS")
    out.mkdir(parents=True, exist_ok=True)
    record_path = out / _RECORD
    record: dict[str, str] = json.loads(record_path.read_text("utf-8")) if record_path.is_file() else {}
    done = []
    for path, target, unpack in [
        *((a.path, a.target, lambda folder, a=a: _unpack(source / a.path, a.inside, folder)) for a in wanted),
        *([(INDEX, "osu.jsonl", lambda file: _decompress(source / INDEX, file))] if has_index else []),
    ]:
        digest = _sha256(source / path)
        if record.get(path) == digest and (out / target).exists():
            continue
        if path in sums and sums[path] != digest:
            raise InputError(f"{source / path}: its SHA-256 is not the one in SHA256SUMS; copy the archive again")
        if on_progress:
            on_progress(path)
        _replace(out / target, unpack)
        record[path] = digest
        record_path.write_text(json.dumps(record, indent=1, sort_keys=True), "utf-8")
        done.append(path)
    return done


def _replace(target: Path, make: Callable[[Path], None]) -> None:
    """Make a file or folder beside its place and move it there when it is whole."""
    with tempfile.TemporaryDirectory(prefix=".unpacking-", dir=target.parent) as scratch:
        fresh = Path(scratch) / target.name
        make(fresh)
        if target.is_dir():
            shutil.rmtree(target)
        os.replace(fresh, target)


def _unpack(archive: Path, inside: str, target: Path) -> None:
    if not hasattr(tarfile, "data_filter"):
        raise InputError("unpacking needs a Python with tarfile filters: 3.10.12, 3.11.4 or later")
    scratch = target.with_name(target.name + ".all")
    try:
        with tarfile.open(archive, "r:xz") as tar:
            total = 0
            for number, member in enumerate(tar):
                total += member.size
                if total > _MAX_BYTES or number > _MAX_FILES:
                    raise InputError(f"{archive}: unpacks to over {_MAX_BYTES >> 30} GiB or {_MAX_FILES} files")
                if not (member.isfile() or member.isdir()):
                    raise InputError(f"{archive}: {member.name} is neither a file nor a folder")
                tar.extract(member, scratch, filter="data")
    except (tarfile.TarError, lzma.LZMAError, EOFError) as error:
        raise InputError(f"{archive}: cannot be unpacked safely: {error}") from error
    top = scratch / inside if inside else scratch
    if not top.is_dir():
        raise InputError(f"{archive}: has no folder {inside}/")
    os.replace(top, target)


def _decompress(source: Path, target: Path) -> None:
    try:
        with lzma.open(source) as packed, target.open("wb") as plain:
            shutil.copyfileobj(packed, plain)
    except (lzma.LZMAError, EOFError) as error:
        raise InputError(f"{source}: cannot be decompressed: {error}") from error


def _checksums(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    rows = (line.split(maxsplit=1) for line in path.read_text("utf-8").splitlines() if line.strip())
    return {row[1].lstrip("*"): row[0] for row in rows if len(row) == 2}


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
