"""Writing the result: whole files only, nothing overwritten that the user did not ask to be."""

from __future__ import annotations

import os
from pathlib import Path

from osuT5.beatmap import Beatmap, safe_file_name, write, write_osz
from osuT5.errors import InputError


def free_path(path: Path) -> Path:
    """The path itself, or with ` (2)`, ` (3)` … before the suffix if it is taken."""
    number, candidate = 2, path
    while candidate.exists():
        candidate = path.with_name(f"{path.stem} ({number}){path.suffix}")
        number += 1
    return candidate


def beatmap_name(beatmap: Beatmap) -> str:
    """`Artist - Title (Creator) [Version].osu`, safe on every system."""
    return safe_file_name(beatmap.artist, beatmap.title, beatmap.creator, beatmap.version)


def write_result(
    beatmaps: list[Beatmap], folder: Path, audio_path: Path, background: tuple[str, bytes] | None, export_osz: bool
) -> list[Path]:
    """Writes one .osz with everything the game needs, or bare .osu files.

    Returns: the paths written. Raises InputError when the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not export_osz:
            paths = []
            for beatmap in beatmaps:
                path = free_path(folder / beatmap_name(beatmap))
                write(beatmap, path)
                paths.append(path)
            return paths
        files: dict[str, bytes | Path] = {beatmaps[0].audio_filename: audio_path}
        if background is not None:
            files[background[0]] = background[1]
        name = Path(beatmap_name(beatmaps[0])).stem
        path = free_path(folder / f"{name if len(beatmaps) == 1 else name.rsplit(' [', 1)[0]}.osz")
        write_osz(path, beatmaps, files=files)
        return [path]
    except OSError as error:
        raise InputError(f"output_path: {folder} cannot be written to: {error.strerror or error}") from error


def overwrite_reference(beatmap: Beatmap, path: Path) -> list[Path]:
    """Writes over the reference beatmap and keeps the old file as `.bak`."""
    write(beatmap, path, overwrite=True)
    return [path]


def write_rejected(text: str, beatmap: Beatmap, findings: list[str], folder: Path) -> Path:
    """Keeps an attempt that the gate refused as `*.rejected.osu`, with its findings as comments."""
    folder.mkdir(parents=True, exist_ok=True)
    path = free_path(folder / (beatmap_name(beatmap).removesuffix(".osu") + ".rejected.osu"))
    partial = path.with_name(path.name + ".partial")
    lines = text.splitlines()
    comments = [f"// {f}" for f in findings]
    partial.write_text("\n".join([lines[0], *comments, *lines[1:]]) + "\n", encoding="utf-8")
    os.replace(partial, path)
    return path
