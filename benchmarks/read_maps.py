"""How long reading a map takes, ours beside the compiled `fosu`.

    python benchmarks/read_maps.py FOLDER_OF_OSU_FILES [rounds]

Prints the median and mean per map in ms over the files that both read; each file counts with its best round.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import fosu

from osuT5.beatmap import read
from osuT5.errors import BeatmapError


def best_time_ms(function: Callable[[], object], rounds: int) -> float:
    """The shortest of `rounds` calls."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return 1000 * min(times)


def main(folder: Path, rounds: int) -> None:
    ours, theirs, objects = [], [], 0
    for path in sorted(folder.rglob("*.osu")):
        try:
            beatmap = read(path)
            fosu.parse_file(str(path))
        except (BeatmapError, fosu.MapLoadError):
            continue
        objects += len(beatmap.hit_objects)
        ours.append(best_time_ms(lambda path=path: read(path), rounds))
        theirs.append(best_time_ms(lambda path=path: fosu.parse_file(str(path)), rounds))
    print(f"{len(ours)} maps, {objects} hit objects")
    for name, times in (("osuT5.beatmap.read", ours), ("fosu", theirs)):
        print(f"{name:20} median {statistics.median(times):7.3f} ms   mean {statistics.fmean(times):7.3f} ms")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3)
