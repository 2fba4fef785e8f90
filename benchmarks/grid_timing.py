"""How well the signal alone times songs whose timing is known.

    python benchmarks/grid_timing.py FOLDER...

A folder holds songs as `<song>/meta.json` (`timing`: list of [ms, ms per beat, meter]) with `<song>/audio.ogg`, or an
`index.json` of such entries with `audio` paths. Times in them are on the song clock, except where `measured_offset_ms`
says that a map of the game gave them. Songs of one tempo are measured; the others are listed by how much onset
strength their beats carry, found and true. `beat_align.best_shift_ms` of charts made to another track is not applied.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from osuT5.audio import load  # noqa: E402
from osuT5.timing import GAME_CLOCK_LEAD_MS, find_timing  # noqa: E402

OCTAVES = (1, 2, 1 / 2, 3, 1 / 3, 4, 1 / 4)
SAME_TEMPO = 0.005
HALF_BEAT_SHARE = 0.2  # of a beat: beyond this an offset is not an error but another phase


def songs(folder: Path) -> Iterator[tuple[str, Path, list[list[float]], bool]]:
    """(name, audio, red lines, whether they are on the game clock)."""
    index = folder / "index.json"
    if index.exists():
        for entry in json.loads(index.read_text()):
            if entry.get("audio"):
                yield entry["id"], folder / entry["audio"], entry["timing"], False
    for meta in sorted(folder.glob("*/meta.json")):
        values = json.loads(meta.read_text())
        yield meta.parent.name, meta.with_name("audio.ogg"), values["timing"], "measured_offset_ms" in values


def main(folders: list[str]) -> int:
    if not folders:
        print(__doc__, file=sys.stderr)
        return 2
    tempo_errors, offsets, slips, octaves, seconds, several = [], [], 0, 0, [], []
    print(f"{'song':40} {'bpm':>9} {'found':>9} {'x':>5} {'error %':>8} {'offset ms':>9} {'conf':>5} {'s':>5}")
    for folder in folders:
        for name, audio, truth, on_game_clock in songs(Path(folder)):
            song = load(audio)
            start = time.process_time()
            timing = find_timing(song)
            seconds.append(time.process_time() - start)
            if len(truth) > 1:
                several.append((name, len(truth), len(timing.points)))
                continue
            at, beat = truth[0][0] - (0.0 if on_game_clock else GAME_CLOCK_LEAD_MS), truth[0][1]
            found = max(timing.points, key=lambda p: p.beat_length)
            ratio = beat / found.beat_length
            octave = min(OCTAVES, key=lambda r: abs(np.log2(ratio / r)))
            error = abs(ratio / octave - 1.0)
            shift = (found.time - at + beat / 2) % beat - beat / 2
            slip = abs(shift) > HALF_BEAT_SHARE * min(beat, found.beat_length)
            tempo_errors.append(error if error < SAME_TEMPO else np.inf)
            octaves += octave != 1 and error < SAME_TEMPO
            slips += bool(slip) and error < SAME_TEMPO
            if not slip and error < SAME_TEMPO:
                offsets.append(shift)
            print(
                f"{name[:40]:40} {60000 / beat:9.3f} {found.bpm:9.3f} {octave:5.2f} {100 * error:8.4f} {shift:9.1f}"
                f" {timing.confidence:5.2f} {seconds[-1]:5.2f}"
                + (f"  {len(timing.points)} lines" if len(timing.points) > 1 else "")
            )
    for name, true, found_lines in several:
        print(f"{name[:40]:40} several tempos: {true} lines, found {found_lines}")
    if not tempo_errors:
        return 0
    errors = np.array(tempo_errors)
    print(f"\n{len(errors)} songs of one tempo, all times CPU seconds")
    print(f"tempo within 0.05 % up to octaves: {np.mean(errors <= 0.0005):.1%}; other octave: {octaves}")
    print(f"other phase (half beat): {slips}")
    if offsets:
        away = np.abs(offsets)
        middle, most = np.percentile(away, [50, 90])
        print(f"offset: bias {np.median(offsets):+.1f} ms; median {middle:.1f}, 90 % {most:.1f}")
    print(f"seconds a song: median {np.median(seconds):.2f}, worst {max(seconds):.2f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
