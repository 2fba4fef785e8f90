"""Lane charts become maps on the game clock; charts here are invented."""

import json

import numpy as np
import pytest

from osuT5.beatmap import Circle, GameMode, Hold, Slider, read, write
from osuT5.data import ChartNote, chart_to_beatmap, chart_to_std_rhythm, read_chart
from osuT5.data.charts import red_lines, shifted, timing_only
from osuT5.errors import InputError

META = {"title": "Song", "artist": "Nobody", "source": "a game", "timing": [[123.0, 500.0, 4]]}


def notes(*rows):
    return [ChartNote(time, end, lane) for time, end, lane in rows]


def test_times_move_from_the_song_clock_to_the_game_clock():
    beatmap = chart_to_beatmap(META, notes((123, 123, 0), (623, 1123, 3)))
    assert beatmap.timing_points[0].time == 100 and beatmap.timing_points[0].beat_length == 500
    assert [(o.time, o.end_time) for o in beatmap.hit_objects] == [(100, 100), (600, 1100)]


@pytest.mark.parametrize("keys", (4, 5, 7))
def test_lanes_become_columns(keys):
    beatmap = chart_to_beatmap(META, notes(*((100 * lane, 100 * lane, lane) for lane in range(keys))), keycount=keys)
    assert beatmap.mode == GameMode.MANIA and beatmap.cs == keys
    assert [o.x * keys // 512 for o in beatmap.hit_objects] == list(range(keys))


def test_a_hold_ends_before_the_next_note_of_its_lane_and_doubles_are_one():
    beatmap = chart_to_beatmap(META, notes((1023, 3023, 1), (1023, 1023, 1), (2023, 2023, 1), (1523, 1530, 2)))
    assert [type(o) for o in beatmap.hit_objects] == [Hold, Circle, Circle]
    assert beatmap.hit_objects[0].end == 1990


@pytest.mark.parametrize(
    "options, words",
    (({"keycount": 0}, "keycount"), ({"keycount": 2}, "lane 3"), ({"mode": GameMode.STD}, "chart_to_std_rhythm")),
)
def test_what_is_no_mania_map_is_refused(options, words):
    with pytest.raises(InputError, match=words):
        chart_to_beatmap(META, notes((100, 100, 3)), **options)


def test_beats_that_lag_the_notes_move_the_red_lines_but_small_differences_do_not():
    late, fine = {**META, "beat_align": {"best_shift_ms": 42}}, {**META, "beat_align": {"best_shift_ms": 4}}
    assert red_lines(late)[0].time == 142 and red_lines(fine)[0].time == 100
    assert red_lines(late, native=True)[0].time == 123  # osu! sets are on the game clock


def test_in_standard_chords_are_one_circle_and_long_holds_sliders():
    chart = notes((123, 123, 0), (125, 125, 2), (1123, 2123, 1), (2623, 2800, 0), (3123, 4100, 2), (4123, 4123, 2))
    beatmap = chart_to_std_rhythm(META, chart)
    assert [type(o) for o in beatmap.hit_objects] == [Circle, Slider, Circle, Slider, Circle]
    ends = [beatmap.end_time(o) for o in beatmap.hit_objects]
    assert ends[1] == pytest.approx(2100, abs=0.01)  # two beats
    assert ends[3] == pytest.approx(3850, abs=0.01)  # cut to leave room for the next object


def test_a_very_long_hold_is_slowed_down_instead_of_leaving_the_playfield():
    beatmap = chart_to_std_rhythm(META, notes((123, 8123, 0), (9123, 9123, 1), (10123, 11123, 1)))
    slider = beatmap.hit_objects[0]
    assert beatmap.end_time(slider) == pytest.approx(8100, abs=8)
    assert slider.length <= 240
    assert beatmap.end_time(beatmap.hit_objects[2]) == pytest.approx(11100, abs=1)  # its velocity is its own


@pytest.mark.parametrize("seed", range(3))
def test_standard_positions_stay_inside_flow_and_spread_with_time(seed):
    rng = np.random.default_rng(seed)
    times = 123 + np.cumsum(rng.choice([125, 250, 500], 400))
    beatmap = chart_to_std_rhythm(META, [ChartNote(float(t), float(t), 0) for t in times], seed=seed)
    at = np.array([(o.x, o.y) for o in beatmap.hit_objects])
    assert at.min() >= 0 and at[:, 0].max() <= 512 and at[:, 1].max() <= 384
    step, gap = np.hypot(*np.diff(at, axis=0).T), np.diff(times)
    assert np.median(step[gap == 125]) < np.median(step[gap == 250]) < np.median(step[gap == 500])
    assert any(o.new_combo for o in beatmap.hit_objects)


def test_converted_maps_survive_the_file_format():
    chart = notes((123, 1123, 0), (1623, 1623, 3), (2623, 4623, 2))
    for beatmap in (chart_to_beatmap(META, chart), chart_to_std_rhythm(META, chart)):
        back = read(write(beatmap))
        assert back.hit_objects == beatmap.hit_objects and back.timing_points == beatmap.timing_points


def test_shifting_moves_everything_and_leaves_the_original_alone():
    beatmap = chart_to_beatmap(META, notes((123, 623, 0)))
    moved = shifted(beatmap, 18)
    assert (moved.timing_points[0].time, moved.hit_objects[0].time, moved.hit_objects[0].end) == (118, 118, 618)
    assert beatmap.hit_objects[0].time == 100
    assert timing_only(META).hit_objects == []


def test_chart_files_are_read_in_order_and_a_bad_line_is_named(tmp_path):
    path = tmp_path / "hard.jsonl"
    rows = [{"time_ms": 200, "kind": "note", "lane": 1}, {"time_ms": 100, "kind": "hold", "lane": 0, "end_ms": 150}]
    path.write_text("\n".join(map(json.dumps, rows)) + "\n\n", "utf-8")
    assert read_chart(path) == [ChartNote(100, 150, 0), ChartNote(200, 200, 1)]
    path.write_text('{"time_ms": 1, "lane": 0}\n{"lane": 2}\n', "utf-8")
    with pytest.raises(InputError, match="line 2"):
        read_chart(path)
