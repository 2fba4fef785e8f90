"""The older data set format: tracks become the same facts and sets as the rows of other data sets."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from osuT5.data.mmrs import mmrs_sets, read_metadata
from osuT5.data.ors import read_tracks, track_sets
from osuT5.errors import InputError

MMRS = Path(__file__).resolve().parents[1] / "golden" / "training" / "mmrs"


@pytest.fixture
def tracks(tmp_path):
    """Two tracks made of the sets 1001 and 1003."""
    for number, folder in enumerate(sorted(p for p in (MMRS / "data").iterdir() if p.name[:4] in ("1001", "1003"))):
        track = tmp_path / f"Track{number:05d}"
        (track / "beatmaps").mkdir(parents=True)
        rows = {}
        for place, path in enumerate(sorted(folder.glob("*.osu"))):
            shutil.copy(path, track / "beatmaps")
            stars = {"0": 2.5 + place, "64": 3.5 + place}
            rows[path.stem] = {"BeatmapId": 900 - place, "Index": 10 * number + place, "StandardStarRating": stars}
        sound = next(p for p in folder.iterdir() if p.suffix != ".osu")
        shutil.copy(sound, track / f"audio{sound.suffix}")
        (track / "metadata.json").write_text(json.dumps({"Beatmaps": rows}), encoding="utf-8")
    (tmp_path / "beatmap_idx.pickle").write_bytes(b"never opened")
    return tmp_path


def test_every_map_of_a_track_is_a_row_of_its_set(tracks):
    facts = read_tracks(tracks)
    assert [m.set_id for m in facts] == [0, 0, 0, 1]
    assert [m.beatmap_id for m in facts] == [898, 899, 900, 900]
    assert facts[2].difficulty == 2.5 and facts[2].style == 0 and facts[2].mode == 0
    assert (facts[0].status, facts[0].submitted_date, facts[0].user_id) == (None, None, None)


def test_the_sound_of_a_track_is_that_of_the_same_file_elsewhere(tracks):
    made = track_sets(tracks, read_tracks(tracks))
    published = mmrs_sets(MMRS, [m for m in read_metadata(MMRS) if m.set_id in (1001, 1003)])
    assert len(made) == 2 and all(Path(p).is_file() for one in made for p in one.maps)
    for one, other in zip(made, published, strict=True):
        np.testing.assert_array_equal(one.sound(1.0), other.sound(1.0))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda root: (root / "Track00000" / "metadata.json").write_text("{}"), "metadata.json: cannot be read"),
        (lambda root: (root / "Track00001" / "metadata.json").unlink(), "metadata.json: cannot be read"),
        (lambda root: (root / "Track00000" / "audio.flac").unlink(), "Track00000 has no sound"),
        (lambda root: [shutil.rmtree(p) for p in root.glob("Track*")], "holds no tracks"),
        (lambda root: shutil.rmtree(root), "is no folder"),
    ],
)
def test_damage_is_told(tracks, damage, reason):
    damage(tracks)
    with pytest.raises(InputError, match=reason):
        read_tracks(tracks)
