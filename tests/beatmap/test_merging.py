"""What merging promises: outside the part the reference is and plays as it was, inside the part the generated map."""

import copy
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osuT5.beatmap import Beatmap, Circle, Hold, Slider, Spinner, TimingPoint, merge_range, read, write
from osuT5.beatmap.timing_lines import SOUND_LENIENCY_MS

GOLDEN = Path(__file__).parents[1] / "golden" / "postprocess" / "add_to_beatmap.json"
CASES = [c for c in json.loads(GOLDEN.read_text(encoding="utf-8")) if "output" in c]


def red(time, beat_length=500.0, **fields):
    return TimingPoint(time, beat_length, **fields)


def green(time, velocity, **fields):
    return TimingPoint(time, -100.0 / velocity, uninherited=False, **fields)


def beatmap(lines, objects=(), mode=0) -> Beatmap:
    made = Beatmap(timing_points=list(lines), hit_objects=list(objects))
    made.mode, made.slider_multiplier = mode, 1.4
    return made


def slider(time, length=140.0, slides=1, **fields):
    return Slider(0, 0, time, curve="L", points=[(int(length), 0)], length=length, slides=slides, **fields)


def state(m: Beatmap, time: float) -> tuple:
    """What an object at `time` plays with: px per ms, volume, sample set, kiai."""
    lines = m.timing
    sound = lines.sound_line_at(time)
    speed = 100 * m.slider_multiplier * lines.velocity_at(time) / lines.beat_length_at(time)
    return round(speed, 5), sound.volume, sound.sample_set, lines.kiai_at(time)


def grid(m: Beatmap, time: float) -> tuple:
    """Tempo, meter and the phase of the measure in force."""
    line = m.timing.red_at(time)
    measure = line.beat_length * line.meter
    phase = line.time % measure
    return round(line.beat_length, 6), line.meter, round(phase / measure, 2) % 1


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["name"])
def test_golden_objects(case):
    """The same objects as recorded, unless one that began earlier reaches into the part: it is cut or left out."""
    reference, generated = read(case["reference_osu"]), read(case["generated_osu"])
    start = case["start_time"] if case["start_time"] is not None else float("-inf")
    merged = merge_range(reference, generated, case["start_time"], case["end_time"])
    reaching = [o.time for o in reference.hit_objects if o.time < start <= reference.end_time(o)]
    kept = [o for o in read(case["output"]).hit_objects if o.time not in reaching]
    assert [o for o in merged.hit_objects if o.time not in reaching] == kept
    assert all(merged.end_time(o) <= start for o in merged.hit_objects if o.time in reaching)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["name"])
def test_every_object_of_the_golden_cases_plays_as_where_it_comes_from(case):
    reference, generated = read(case["reference_osu"]), read(case["generated_osu"])
    start, end = case["start_time"], case["end_time"]
    merged = merge_range(reference, generated, start, end)
    for hit_object in merged.hit_objects:
        inside = (start is None or hit_object.time >= start) and (end is None or hit_object.time <= end)
        assert state(merged, hit_object.time) == state(generated if inside else reference, hit_object.time), hit_object


def test_everything_else_of_the_reference_is_kept_and_neither_map_is_changed():
    reference = read(Path(__file__).parents[1] / "resources" / "beatmaps" / "standard.osu")
    generated = beatmap([red(0, 300)], [Circle(9, 9, 4100)])
    before = copy.deepcopy(reference), copy.deepcopy(generated)
    merged = merge_range(reference, generated, 4050, 5400)
    assert (reference, generated) == before
    for section in ("general", "editor", "metadata", "difficulty", "colours", "events", "other_sections"):
        assert getattr(merged, section) == getattr(reference, section)
    kept = [o for o in reference.hit_objects if not 4050 <= o.time <= 5400]
    assert [o for o in merged.hit_objects if o.time != 4100] == kept
    outside = [p for p in reference.timing_points if not 4050 <= p.time <= 5400]
    assert [p for p in merged.timing_points if p in outside] == outside
    assert write(merged)


def test_nothing_before_the_part_changes():
    reference = beatmap([red(0, volume=70), green(0, 1.25, volume=70), green(1000, 0.8, volume=20)])
    generated = beatmap([red(0, volume=90), green(500, 2.0, volume=30, effects=1)])
    merged = merge_range(reference, generated, 2000, 4000)
    assert [p for p in merged.timing_points if p.time < 2000] == reference.timing_points


def test_state_is_set_at_the_start_and_restored_right_after_the_end():
    reference = beatmap([red(0, volume=70), green(1000, 0.8, volume=20, effects=1)])
    generated = beatmap([red(0, volume=90), green(500, 2.0, volume=30)])
    merged = merge_range(reference, generated, 2000, 4000)
    assert [p.time for p in merged.timing_points] == [0, 1000, 2000, 4006]
    assert state(merged, 2000) == state(generated, 2000) and state(merged, 4006) == state(reference, 4006)
    assert merged.timing.kiai_at(1999) and not merged.timing.kiai_at(2000) and merged.timing.kiai_at(4006)


def test_the_next_object_of_the_reference_brings_its_state_back_at_once():
    reference = beatmap([red(0, volume=70)], [Circle(1, 1, 4003), slider(4500)])
    generated = beatmap([red(0, volume=90), green(500, 2.0, volume=30)])
    merged = merge_range(reference, generated, 2000, 4000)
    assert [p.time for p in merged.timing_points] == [0, 2000, 4003]
    assert merged.timing.volume_at(4003) == 70 and merged.timing.velocity_at(4500) == 1


def test_no_lines_are_added_where_the_states_agree():
    reference = beatmap([red(0, volume=70), green(1000, 0.8, volume=20)])
    generated = copy.deepcopy(reference)
    assert merge_range(reference, generated, 2000, 4000).timing_points == reference.timing_points


def test_a_tempo_changes_on_the_first_beat_of_the_part_and_back_on_the_first_beat_after_it():
    reference = beatmap([red(0, 500)])
    generated = beatmap([red(100, 400)])
    merged = merge_range(reference, generated, 2010, 4000)
    reds = [p for p in merged.timing_points if p.uninherited]
    assert [(p.time, p.beat_length) for p in reds][:2] == [(0, 500), (2100, 400)]
    assert all(p.time >= 2010 and (p.time - 100) % 400 == 0 for p in reds if p.beat_length == 400)
    assert [p.time for p in reds if p.beat_length == 500 and p.time > 4000][0] == 4500
    assert grid(merged, 3900) == grid(generated, 3900) and grid(merged, 6500) == grid(reference, 6500)


def test_until_the_tempo_changes_the_velocity_makes_up_for_it():
    """A slider between the part's start and its first beat lasts as long as it did in the generated map."""
    reference = beatmap([red(0, 500)], [slider(4200)])
    generated = beatmap([red(100, 400), green(2020, 1.5)], [slider(2015), slider(2030)])
    merged = merge_range(reference, generated, 2010, 4000)
    for before, after in ((generated, 2015), (generated, 2030), (reference, 4200)):
        original = next(o for o in before.hit_objects if o.time == after)
        again = next(o for o in merged.hit_objects if o.time == after)
        assert merged.end_time(again) == pytest.approx(before.end_time(original), abs=0.01)


def test_measures_agree_where_only_the_phase_or_the_meter_differs():
    reference, waltz = beatmap([red(0, 500)]), beatmap([red(500, 500, meter=3)])
    merged = merge_range(reference, waltz, 2000, 8000)
    assert grid(merged, 6000) == grid(waltz, 6000) and grid(merged, 12000) == grid(reference, 12000)


def test_another_slider_multiplier_keeps_durations():
    reference, generated = beatmap([red(0)]), beatmap([red(0), green(2500, 2.0)], [slider(2000), slider(2600)])
    generated.slider_multiplier = 2.1
    merged = merge_range(reference, generated, 1500, 4000)
    for hit_object in generated.hit_objects:
        again = next(o for o in merged.hit_objects if o.time == hit_object.time)
        assert merged.end_time(again) == pytest.approx(generated.end_time(hit_object), abs=0.01)


def test_a_slider_that_reaches_into_the_part_is_cut_on_a_quarter_beat():
    lines = [red(0)]
    reference = beatmap(lines, [slider(1000, 700.0)])  # 2500 ms long
    generated = beatmap(lines, [Circle(1, 1, 2000)])
    cut, _ = merge_range(reference, generated, 2000, 3000).hit_objects
    assert reference.end_time(cut) == pytest.approx(1875) and cut.length == pytest.approx(245)
    free, _ = merge_range(reference, beatmap(lines, [Circle(1, 1, 2500)]), 2000, 3000).hit_objects
    assert reference.end_time(free) == pytest.approx(2000)


def test_repeats_go_before_the_path_is_shortened():
    reference = beatmap([red(0)], [slider(1000, 70.0, slides=6, edge_sounds=[0, 2, 4, 8, 2, 4, 8])])
    cut, _ = merge_range(reference, beatmap([red(0)], [Circle(1, 1, 2000)]), 2000, 3000).hit_objects
    assert (cut.slides, cut.length, cut.edge_sounds) == (3, 70, [0, 2, 4, 8])


def test_what_becomes_too_short_turns_into_a_circle_or_goes():
    lines = [red(0)]
    objects = [slider(1950, edge_sounds=[8, 0], edge_sets=[(1, 2), (0, 0)]), Spinner(256, 192, 1900, end=2600)]
    merged = merge_range(beatmap(lines, objects), beatmap(lines, [Circle(1, 1, 2000)]), 2000, 3000)
    head, _ = merged.hit_objects
    assert isinstance(head, Circle) and head.hitsound == 8 and head.sample.normal_set == 1


def test_a_generated_slider_does_not_run_over_the_next_kept_object():
    lines = [red(0)]
    merged = merge_range(beatmap(lines, [Circle(1, 1, 3250)]), beatmap(lines, [slider(2750, 700.0)]), 2000, 3000)
    cut, kept = merged.hit_objects
    assert merged.end_time(cut) == pytest.approx(3125) and kept.time == 3250


def test_in_mania_only_the_same_column_cuts():
    lines = [red(0)]
    reference = beatmap(
        lines, [Hold(64, 192, 1000, end=2500), Hold(192, 192, 1000, end=2000), Circle(64, 192, 3200)], 3
    )
    generated = beatmap(
        lines, [Circle(192, 192, 2000), Hold(448, 192, 2800, end=3500), Hold(64, 192, 2750, end=3500)], 3
    )
    for m in (reference, generated):
        m.cs = 4
    merged = merge_range(reference, generated, 2000, 3000)
    ends = {(o.x, o.time): o.end_time for o in merged.hit_objects if isinstance(o, Hold)}
    assert ends == {(64, 1000): 2000, (192, 1000): 1875, (448, 2800): 3500, (64, 2750): 3125}


def test_breaks_that_are_now_played_go():
    reference = beatmap([red(0)], [Circle(1, 1, 0), Circle(1, 1, 20000)])
    reference.events = ["2,1000,5000", "2,9000,15000"]
    assert merge_range(reference, beatmap([red(0)], [Circle(1, 1, 3000)]), 2000, 4000).events == ["2,9000,15000"]


def test_no_limits_replace_everything():
    reference, generated = beatmap([red(0)], [Circle(1, 1, 5)]), beatmap([red(9, 300)], [Circle(2, 2, 10)])
    merged = merge_range(reference, generated)
    assert merged.hit_objects == generated.hit_objects and merged.timing_points == generated.timing_points


beat_lengths = st.sampled_from([300.0, 345.678, 500.0])
line_lists = st.lists(
    st.builds(green, st.integers(0, 9000), st.sampled_from([0.5, 1.0, 1.5, 2.0]), volume=st.sampled_from([20, 60])),
    max_size=4,
    unique_by=lambda p: p.time,
)
maps = st.builds(
    lambda offset, length, meter, greens: beatmap([red(offset, length, meter=meter), *greens]),
    st.integers(-500, 0), beat_lengths, st.sampled_from([3, 4]), line_lists,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(maps, maps, st.integers(500, 4000), st.integers(0, 4000))
def test_at_any_time_the_merged_map_plays_as_the_side_it_comes_from(reference, generated, start, length):
    """Objects far from lines (sounds look 5 ms ahead) have the speed, volume and kiai of their own map."""
    end = start + length
    merged = merge_range(reference, generated, start, end)
    for time in range(0, 10000, 37):
        own = generated if start <= time <= end else reference
        near = any(abs(p.time - time) <= SOUND_LENIENCY_MS + 2 for p in [*merged.timing_points, *own.timing_points])
        near |= end < time <= end + SOUND_LENIENCY_MS + 1
        if not near:
            ours, theirs = state(merged, time), state(own, time)
            limited = merged.timing.velocity_at(time) in (0.1, 10.0)
            assert limited or ours[0] == pytest.approx(theirs[0], rel=1e-4) and ours[1:] == theirs[1:]
    last = max(end + 2 * 4 * 500.0, 9500.0)
    assert grid(merged, last)[:2] == grid(reference, last)[:2]
