"""How many training windows a second one core makes, from compiled shards and from the files of an MMRS data set.

    python benchmarks/loader.py [FOLDER_OF_OSU_FILES] [profile=v29] [sets=12] [seconds=8]

Makes a data set in a temporary folder: the maps of a folder that last 90 s or more, those of one song together, or
else the test maps repeated to two minutes; the sound is rendered, as OGG at 44.1 kHz. Prints windows per second of
processor time for each way of reading; "augmented" adds the published speeds, flips, offsets and noise to the shards.
"""

from __future__ import annotations

import dataclasses
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import soundfile

from osuT5.beatmap import Beatmap, read, write
from osuT5.data.compile import CompileOptions, compile_data
from osuT5.data.mmrs import mmrs_sets, read_metadata
from osuT5.data.recipes import SampleRecipe, improved
from osuT5.data.set_source import SetSource
from osuT5.data.sets import SetCutter
from osuT5.data.shards import open_shards
from osuT5.data.synthesise import render_audio
from osuT5.errors import MapperatorinatorError
from osuT5.events import Profile, Vocabulary, load_profile

TEST_MAPS = Path(__file__).parents[1] / "tests" / "golden" / "tokens" / "maps"
LEAST_MS, REPEATED_MS, LONGEST_MS = 90_000, 120_000, 300_000
MOST_MAPS_A_SET = 4
FILE_RATE = 44100


def main(arguments: list[str]) -> None:
    options = {"profile": "v29", "sets": "12", "seconds": "8"}
    options.update(a.split("=", 1) for a in arguments if "=" in a)
    folders = [Path(a) for a in arguments if "=" not in a]
    profile = load_profile(options["profile"])
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary) / "mmrs"
        groups = human_sets(folders[0], profile) if folders else repeated_sets(profile)
        write_mmrs(root, groups, int(options["sets"]))
        for audio in ("pcm", "flac"):
            compile_data(CompileOptions(dataset=str(root), out=Path(temporary) / audio, audio=audio))
        pcm, flac = (open_shards(Path(temporary) / audio) for audio in ("pcm", "flac"))
        facts = read_metadata(root)
        objects = sum(len(read(p).hit_objects) for p in root.rglob("*.osu"))
        print(f"profile {profile.name}: {len(pcm.sets(facts))} sets, {len(facts)} maps, {objects} objects")
        plain = SampleRecipe()
        augmented = dataclasses.replace(improved(profile), flip_x_prob=0.5, flip_y_prob=0.5, snapping_noise=0.25)
        for name, sets, recipe in (
            ("PCM shards", pcm.sets(facts), plain),
            ("PCM shards, augmented", pcm.sets(facts), augmented),
            ("FLAC shards", flac.sets(facts), plain),
            ("MMRS files", mmrs_sets(root, facts), plain),
        ):
            source = SetSource(sets, SetCutter(profile, Vocabulary.from_profile(profile, mappers=[0]), recipe))
            windows, spent = measure(source, float(options["seconds"]))
            print(
                f"{name:24}{windows / spent:8.0f} windows/s   ({windows} windows, {1000 * spent / windows:.2f} ms each)"
            )


def measure(source: SetSource, seconds: float) -> tuple[int, float]:
    """Windows made and processor time taken, over whole epochs of about so many seconds."""
    source.windows(0, 0)
    began, windows, epoch = time.process_time(), 0, 1
    while time.process_time() - began < seconds:
        for unit in range(len(source)):
            windows += len(source.windows(epoch, unit))
        epoch += 1
    return windows, time.process_time() - began


def human_sets(folder: Path, profile: Profile) -> Iterator[list[Beatmap]]:
    """Difficulties of one song that are long enough."""
    songs: dict[tuple[str, str, str], list[Beatmap]] = {}
    for path in sorted(folder.rglob("*.osu")):
        try:
            beatmap = read(path)
            length = max((beatmap.end_time(o) for o in beatmap.hit_objects), default=0)
        except MapperatorinatorError:
            continue
        if LEAST_MS <= length <= LONGEST_MS and beatmap.mode in profile.gamemodes and beatmap.timing.reds:
            songs.setdefault((beatmap.artist, beatmap.title, beatmap.creator), []).append(beatmap)
    for maps in sorted(songs.values(), key=len, reverse=True):
        yield maps[:MOST_MAPS_A_SET]


def repeated_sets(profile: Profile) -> Iterator[list[Beatmap]]:
    """The test maps, each twice a set, repeated until they are long enough."""
    maps = [read(path) for path in sorted(TEST_MAPS.glob("*.osu"))]
    for beatmap in maps:
        if beatmap.mode in profile.gamemodes:
            length = max(beatmap.end_time(o) for o in beatmap.hit_objects) + 1000
            objects = [moved(o, k * length) for k in range(int(REPEATED_MS / length) + 1) for o in beatmap.hit_objects]
            yield [dataclasses.replace(beatmap, hit_objects=objects)] * 3


def moved(obj, by_ms: float):
    changes = {"time": int(obj.time + by_ms)}
    if hasattr(obj, "end"):
        changes["end"] = int(obj.end + by_ms)
    return dataclasses.replace(obj, **changes)


def write_mmrs(root: Path, groups: Iterator[list[Beatmap]], wanted: int) -> None:
    rows = []
    for set_id, maps in enumerate(groups):
        if set_id == wanted:
            break
        folder = root / "data" / str(set_id)
        folder.mkdir(parents=True)
        sound = render_audio(maps[0], set_id, sample_rate=FILE_RATE, stars=4.0)
        with soundfile.SoundFile(folder / "audio.ogg", "w", FILE_RATE, 2, format="OGG") as file:
            for start in range(0, len(sound), FILE_RATE):  # libsndfile overflows its stack on long pieces
                file.write(np.stack([sound[start : start + FILE_RATE]] * 2, axis=1))
        for place, beatmap in enumerate(maps):
            write(beatmap, folder / f"{place}.osu")
            rows.append(
                {
                    "BeatmapSetId": set_id,
                    "Id": set_id * 100 + place,
                    "BeatmapSetFolder": str(set_id),
                    "BeatmapFile": f"{place}.osu",
                    "AudioFile": "audio.ogg",
                    "ModeInt": int(beatmap.mode),
                    "Ranked": 1,
                    "RankedDate": datetime(2020, 1, 1),
                    "SubmittedDate": datetime(2020, 1, 1),
                    "DifficultyRating": 4.0,
                    "StarRating": [4.0] * 7,
                    "UserId": 0,
                }  # fmt: skip
            )
    parquet.write_table(pa.Table.from_pylist(rows), root / "metadata.parquet")


if __name__ == "__main__":
    main(sys.argv[1:])
