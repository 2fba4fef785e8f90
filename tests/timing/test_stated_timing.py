"""Timing that is not found but given: by a map or by the user."""

import numpy as np
import pytest

from osuT5.audio import Song
from osuT5.beatmap import Beatmap, TimingPoint
from osuT5.errors import BeatmapError, InputError
from osuT5.timing import constant_timing, file_timing, find_timing, timing_of

SILENCE = Song(np.zeros(100, dtype=np.float32), 16000)

MAP = """osu file format v14

[General]
AudioFilename: a.mp3

[TimingPoints]
9000,300,3,1,2,60,1,8
1000,333.33,4,2,1,70,1,1
1500,-50,4,2,1,70,0,0
"""


def test_red_lines_of_a_map_come_sorted_and_as_they_are(tmp_path):
    path = tmp_path / "a.osu"
    path.write_text(MAP)
    first, second = find_timing(SILENCE, "file", path=path).points
    assert (first.time, first.beat_length, first.volume, first.effects) == (1000, 333.33, 70, 1)
    assert (second.time, second.meter, second.sample_index, second.effects) == (9000, 3, 2, 8)


def test_lines_are_copies():
    beatmap = Beatmap(timing_points=[TimingPoint(0, 500), TimingPoint(1, float("nan")), TimingPoint(2, 0.0)])
    (line,) = timing_of(beatmap)
    line.time = 99
    assert beatmap.timing_points[0].time == 0


def test_a_map_without_red_lines_is_an_error(tmp_path):
    path = tmp_path / "b.osu"
    path.write_text(MAP.split("[TimingPoints]")[0])
    with pytest.raises(InputError, match="no red timing line"):
        file_timing(path)


def test_what_is_no_map_is_an_error(tmp_path):
    path = tmp_path / "c.osu"
    path.write_bytes(b"\x00\x01\x02")
    with pytest.raises(BeatmapError):
        file_timing(path)


def test_a_stated_tempo_is_one_line():
    (point,) = find_timing(SILENCE, "constant", bpm=180, offset=1234.0).points
    assert (point.time, point.bpm, point.meter) == (1234.0, pytest.approx(180), 4)


@pytest.mark.parametrize("bpm, offset", [(0, 0), (-5, 0), (float("nan"), 0), (1e9, 0), (120, float("inf"))])
def test_absurd_statements_are_errors(bpm, offset):
    with pytest.raises(InputError):
        constant_timing(bpm, offset)
