"""`python -m osuT5.beatmap.verify FILE|DIR|OSZ ...`: check maps on disk, and mend them with --fix.

Exit codes: 0 accepted by the profile, 2 something cannot be read or an option is wrong, 3 findings that the profile
does not accept, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from osuT5.beatmap.archive import read_osz, write_osz
from osuT5.beatmap.reader import MAX_FILE_BYTES, read
from osuT5.beatmap.saving import write_atomically
from osuT5.beatmap.verify.findings import AudioFacts, Change, Finding
from osuT5.beatmap.verify.gate import inspect, mend
from osuT5.beatmap.verify.levels import LEVELS, level_of
from osuT5.beatmap.verify.report import PROFILES, accepted, as_json, as_line
from osuT5.beatmap.verify.song_facts import song_facts
from osuT5.errors import BeatmapError, InputError, MapperatorinatorError

REFUSED = 3
_CODE = re.compile(r"[ABCD]\d{3}")


@dataclass
class Subject:
    """One difficulty to check: where it is, its bytes, its song, and where a mended one goes (None: in its archive)."""

    name: str
    data: bytes
    audio: AudioFacts | None
    path: Path | None


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        prog="python -m osuT5.beatmap.verify",
        description="Checks .osu files, folders of them, and .osz archives. A clean report says that the automatic "
        "checks passed, not that a map may be ranked.",
    )
    options.add_argument("paths", nargs="+", metavar="FILE|DIR|OSZ")
    options.add_argument("--fix", action="store_true", help="mend class A and B findings; the old file stays as .bak")
    options.add_argument("--out", metavar="PATH", help="with --fix: write there instead (a folder, or a file name)")
    options.add_argument("--json", action="store_true", help="one JSON report a line")
    options.add_argument("--profile", choices=sorted(PROFILES), default="play", help="what is accepted (play)")
    options.add_argument("--level", choices=LEVELS, help="difficulty level, instead of by name or star rating")
    options.add_argument("--ignore", metavar="CODE,...", default="", help="codes to leave out of report and verdict")
    options.add_argument("--audio", metavar="PATH", help="the song, where it is not beside the map")
    return options


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns the exit code. Wrong options exit with 2 (argparse)."""
    options = parser().parse_args(arguments)
    try:
        return run(options)
    except MapperatorinatorError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130


def run(options: argparse.Namespace) -> int:
    """Checks every map named. Raises InputError for what cannot be read or written."""
    ignored = {code.strip().upper() for code in options.ignore.split(",") if code.strip()}
    odd = sorted(code for code in ignored if not _CODE.fullmatch(code))
    if odd:
        raise InputError(f"--ignore: {', '.join(odd)} is no code; codes look like B003 or C010")
    if options.out and not options.fix:
        raise InputError("--out says where mended maps go; add --fix")
    good, unreadable = True, 0
    for path in map(Path, options.paths):
        archive = path.suffix.lower() == ".osz" and path.is_file()
        mended: dict[str, bytes] = {}
        subjects = _in_archive(path, options) if archive else _in_folders(path, options)
        for subject in subjects:
            try:
                findings, changes, text = _examine(subject, options, ignored)
            except BeatmapError as error:
                print(f"error: {subject.name}: {error}", file=sys.stderr)
                unreadable += 1
                continue
            good = accepted(findings, options.profile) and good
            _show(subject, text, findings, changes, options)
            if text is not None:
                mended[subject.name] = text
                if subject.path is not None:
                    _store(subject.path, text, subject.data, options)
        if archive and options.fix:
            _store_archive(path, mended, options)
    return 2 if unreadable else 0 if good else REFUSED


def _examine(
    subject: Subject, options: argparse.Namespace, ignored: set[str]
) -> tuple[list[Finding], list[Change], bytes | None]:
    """(findings, changes, mended bytes if --fix)."""
    if not options.fix:
        findings, changes, text = inspect(subject.data, subject.audio, options.level), [], None
    else:
        mended, findings, _, changes = mend(subject.data, subject.audio)
        text = mended.encode("utf-8")
    return [f for f in findings if f.code not in ignored], changes, text


def _in_folders(path: Path, options: argparse.Namespace) -> Iterator[Subject]:
    """A .osu file, or all below a folder, in the order of their names."""
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.suffix.lower() == ".osu" and p.is_file())
        if not files:
            raise InputError(f"{path}: has no .osu files; name a folder that does")
    else:
        files = [path]
    for file in files:
        try:
            if file.stat().st_size > MAX_FILE_BYTES:
                raise BeatmapError(f"{file}: larger than {MAX_FILE_BYTES >> 20} MiB: no beatmap is that large")
            data = file.read_bytes()
        except OSError as error:
            raise InputError(f"{file}: cannot be opened ({error.strerror or error}); check the path") from error
        yield Subject(str(file), data, _song_beside(file.parent, data, options), file)


def _song_beside(folder: Path, data: bytes, options: argparse.Namespace) -> AudioFacts | None:
    """Facts of the song that a map names; None where the map stands alone (no other file beside it is audio)."""
    if options.audio:
        song = Path(options.audio)
        if not song.is_file():
            raise InputError(f"--audio: {song} is no file; name the song's file")
        return song_facts(song.name, song)
    try:
        named = read(data).audio_filename
    except BeatmapError:
        return None  # reported when the map is examined
    inside = bool(named) and not PurePosixPath(named).is_absolute() and ".." not in PurePosixPath(named).parts
    return song_facts(PurePosixPath(named).name, folder / named) if inside and (folder / named).is_file() else None


def _in_archive(path: Path, options: argparse.Namespace) -> Iterator[Subject]:
    mapset = read_osz(path)
    if not mapset.texts:
        raise BeatmapError(f"{path}: holds no beatmap; export the mapset again")
    files = {name.casefold(): content for name, content in mapset.files.items()}
    for name, data in sorted(mapset.texts.items()):
        named = mapset.beatmaps[name].audio_filename
        folder = str(PurePosixPath(name).parent / named) if named else ""
        content = files.get(folder.casefold()) or files.get(named.casefold())
        yield Subject(name, data, song_facts(PurePosixPath(named).name, content), None)


def _show(
    subject: Subject, text: bytes | None, findings: list[Finding], changes: list[Change], options: argparse.Namespace
) -> None:
    if options.json:
        beatmap = read(subject.data)
        mended = beatmap if text is None else read(text)
        level = options.level or level_of(beatmap)
        print(json.dumps(as_json(subject.name, beatmap, mended, findings, changes, level), ensure_ascii=False))
        return
    left = [f for f in findings if not f.fixed]
    verdict = "passes the automatic checks" if accepted(findings, options.profile) else "does not pass"
    print(f"{subject.name}: {verdict} ({len(left)} findings, {len(findings) - len(left)} mended)")
    for finding in findings:
        print(f"  {as_line(finding)}")


def _store(path: Path, text: bytes, data: bytes, options: argparse.Namespace) -> None:
    if options.out:
        out = Path(options.out)
        target = out if out.suffix.lower() == ".osu" and len(options.paths) == 1 else out / path.name
        write_atomically(target, text)
    elif text != data:
        write_atomically(path, text, overwrite=True)


def _store_archive(path: Path, mended: dict[str, bytes], options: argparse.Namespace) -> None:
    mapset = read_osz(path)
    if mended == mapset.texts and not options.out:
        return
    out = Path(options.out) if options.out else path
    target = out if out.suffix.lower() == ".osz" else out / path.name
    write_osz(target, {}, {**mapset.files, **mapset.texts, **mended}, overwrite=not options.out)


if __name__ == "__main__":
    sys.exit(main())
