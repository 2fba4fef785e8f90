"""Small mapsets to build data sets from: texts of maps, a second of sound, archives with any entries."""

import io
import wave
import zipfile
from pathlib import Path

import numpy as np

OBJECTS = "\n".join(f"{64 + 32 * (i % 8)},{96 + 24 * (i % 5)},{500 + 250 * i},1,0,0:0:0:0:" for i in range(40))


def map_text(
    version="Normal", set_id=77, map_id=770, audio="song.wav", mode=0, objects=OBJECTS, creator="someone", events="",
    title="A Title", artist="An Artist",
):  # fmt: skip
    """A map of format 14; without ids where they are None."""
    ids = "".join(f"{k}:{v}\n" for k, v in (("BeatmapID", map_id), ("BeatmapSetID", set_id)) if v is not None)
    return (
        f"osu file format v14\n\n[General]\nAudioFilename: {audio}\nMode: {mode}\n\n[Metadata]\nTitle:{title}\n"
        f"Artist:{artist}\nCreator:{creator}\nVersion:{version}\nTags:some tags\n{ids}\n[Difficulty]\nHPDrainRate:5\n"
        "CircleSize:4\nOverallDifficulty:6\nApproachRate:8\nSliderMultiplier:1.4\nSliderTickRate:1\n\n"
        f"[Events]\n{events}\n[TimingPoints]\n500,500,4,2,0,60,1,0\n\n[HitObjects]\n{objects}\n"
    ).encode()


def sound(seconds=12.0, rate=8000):
    """A .wav with clicks."""
    samples = np.sin(np.arange(int(seconds * rate)) * 0.3) * 9000 * (np.arange(int(seconds * rate)) % 4000 < 400)
    packed = io.BytesIO()
    with wave.open(packed, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return packed.getvalue()


SOUND = sound()


def osz(path, entries, **options):
    """An archive at `path`; names may be `ZipInfo`s, and the contents text or bytes."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, content in entries if isinstance(entries, list) else entries.items():
            archive.writestr(name, content, zipfile.ZIP_DEFLATED)
    return path


def good_set(path, set_id=77, maps=1, **changes):
    """A set with sound and `maps` difficulties of ids set_id * 10 and up."""
    texts = {
        f"{i}.osu": map_text(f"Level {i}", set_id, set_id * 10 + i, **{"title": f"Song {set_id}", **changes})
        for i in range(maps)
    }
    return osz(path, {**texts, "song.wav": SOUND})
