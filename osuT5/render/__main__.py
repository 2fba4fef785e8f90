"""`python -m osuT5.render map.osu|set.osz [out=picture.png] [start=ms] [end=ms]`: pictures of maps.

Without `out` they lie beside the maps, and a file that is there already stays.
Exit codes: 0 done, 2 something cannot be read or an option is wrong, 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from osuT5.beatmap import Beatmap, read, read_osz
from osuT5.errors import InputError, MapperatorinatorError, OptionErrors
from osuT5.render.page import render_map

USAGE = "python -m osuT5.render map.osu|set.osz ... [out=picture.png|.svg or a folder] [start=ms] [end=ms]"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in ("-h", "--help"):
        print(USAGE)
        return 0 if given else 2
    try:
        for path in run(given):
            print(path)
        return 0
    except MapperatorinatorError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130


def run(arguments: Sequence[str]) -> list[Path]:
    """The pictures drawn. Raises InputError, BeatmapError for what cannot be read or written."""
    sources, options = _split(arguments)
    beatmaps = [pair for source in sources for pair in _beatmaps(source)]
    out = options.get("out")
    start, end = options.get("start"), options.get("end")
    folder = out is not None and (out.is_dir() or not out.suffix)
    if out is not None and not folder and len(beatmaps) > 1:
        raise InputError(f"out={out} is one picture for {len(beatmaps)} maps; name a folder")
    drawn = []
    for path, beatmap in beatmaps:
        target = _free(path.with_suffix(".png")) if out is None else out / f"{path.stem}.png" if folder else out
        drawn.append(render_map(beatmap, target, start, end))
    return drawn


def _split(arguments: Sequence[str]) -> tuple[list[Path], dict]:
    sources, options, problems = [], {}, []
    for argument in arguments:
        key, sign, value = argument.partition("=")
        if sign and key in ("out", "start", "end"):
            try:
                options[key] = Path(value).expanduser() if key == "out" else float(value)
            except ValueError:
                problems.append(f"{argument!r}: {key} is a number of milliseconds")
        elif Path(argument).expanduser().is_file():
            sources.append(Path(argument).expanduser())
        else:
            problems.append(f"{argument!r} is no file; usage: {USAGE}")
    if not sources and not problems:
        problems.append(f"no map was named; usage: {USAGE}")
    if problems:
        raise OptionErrors(problems)
    return sources, options


def _free(path: Path) -> Path:
    """The path, or with a number where something of that name exists, which may be a background."""
    number, candidate = 2, path
    while candidate.exists():
        candidate = path.with_name(f"{path.stem} ({number}){path.suffix}")
        number += 1
    return candidate


def _beatmaps(source: Path) -> list[tuple[Path, Beatmap]]:
    """(where a picture of it would lie, map) of a file; of an archive, each map that is in it."""
    if source.suffix.lower() != ".osz":
        return [(source, read(source))]
    found = read_osz(source).beatmaps
    if not found:
        raise InputError(f"{source}: there is no beatmap in this archive")
    return [(source.with_name(Path(name).name), beatmap) for name, beatmap in found.items()]


if __name__ == "__main__":
    sys.exit(main())
