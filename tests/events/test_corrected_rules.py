"""What "corrected" event rules do better than the published ones, each beside what the published rules do."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osuT5.beatmap import Beatmap, Circle, HitSample, Hold, Slider, Spinner, TimingPoint, read
from osuT5.errors import BeatmapError, CheckpointError
from osuT5.events import ContextType, EventSequence, EventType, Vocabulary, decode_positions, encode, load_profile
from osuT5.events.conditions import conditions_of
from osuT5.events.rules import rules_of

MINI = load_profile("mini")
PUBLISHED = MINI.replace(event_rules="published")
RED = TimingPoint(0, 500.0)


def make(objects=(), points=(RED,), mode=0, **difficulty) -> Beatmap:
    beatmap = Beatmap(timing_points=list(points), hit_objects=list(objects))
    beatmap.mode = mode
    for key, value in difficulty.items():
        setattr(beatmap, key, value)
    return beatmap


def values(sequence, event_type):
    return [e.value for e in sequence.events if e.type is event_type]


def kinds(sequence):
    skipped = {EventType.TIME_SHIFT, EventType.SNAPPING, EventType.HITSOUND, EventType.POS_X, EventType.POS_Y}
    return [(e.type.value, t) for e, t in zip(sequence.events, sequence.times, strict=True) if e.type not in skipped]


def moments(sequence):
    """Event times, one for each group of one time."""
    return list(dict.fromkeys(sequence.times))


def both(beatmap, context=ContextType.MAP, **changes):
    return [encode(beatmap, p.replace(**changes), context) for p in (MINI, PUBLISHED)]


def test_an_unknown_rule_name_is_refused():
    with pytest.raises(CheckpointError, match="no event rules named 'newest'"):
        rules_of(MINI.replace(event_rules="newest"))


def test_objects_and_lines_are_sorted():
    points = [TimingPoint(1000, 250.0), TimingPoint(0, 500.0)]
    circles = [Circle(0, 0, 1250), Circle(0, 0, 500)]
    ours, theirs = both(make(circles, points), ContextType.TIMING)
    assert moments(ours) == [0, 500, 1000, 1250]
    assert moments(theirs) == [0, 500]  # the file's last object ends it


def test_beats_end_with_the_song_when_its_length_is_known():
    beatmap = make([Circle(0, 0, 500)])
    assert encode(beatmap, MINI, ContextType.TIMING, song_length_ms=2000).times[-1] == 2000
    assert encode(beatmap, MINI, ContextType.TIMING).times[-1] == 500
    assert encode(beatmap, PUBLISHED, ContextType.TIMING, song_length_ms=2000).times[-1] == 500


def test_only_the_kiai_bit_is_kiai():
    greens = [TimingPoint(t, -100, uninherited=False, effects=e) for t, e in ((1000, 8), (2000, 9))]
    points = [RED, *greens]
    ours, theirs = both(make(points=points), ContextType.KIAI)
    assert kinds(ours) == [("kiai", 2000)]
    assert kinds(theirs) == [("kiai", 1000)]


def test_a_line_without_volume_is_at_full_volume():
    beatmap = make([Circle(0, 0, 0)], [TimingPoint(0, 500.0, fields=2)])
    ours, theirs = both(beatmap, add_volumes=True)
    assert (values(ours, EventType.VOLUME), values(theirs, EventType.VOLUME)) == ([100], [1])


def test_without_volumes_no_volume_follows_a_hitsound():
    sequence = encode(make([Circle(0, 0, 0, hitsound=8)]), MINI)
    assert values(sequence, EventType.HITSOUND) and not values(sequence, EventType.VOLUME)


@pytest.mark.parametrize(("name", "sample_set"), [("Normal", 1), ("Soft", 2), ("Drum", 3), ("", 1)])
def test_sample_set_0_is_the_sample_set_of_the_map(name, sample_set):
    beatmap = make([Circle(0, 0, 0)])
    beatmap.sample_set = name
    ours, theirs = both(beatmap)
    assert values(ours, EventType.HITSOUND) == [32 * (sample_set - 1)]
    assert values(theirs, EventType.HITSOUND) == [32]


def test_slider_edges_without_sounds_sound_like_the_slider():
    sample = HitSample(3, 3)
    slider = Slider(0, 0, 0, hitsound=2, sample=sample, points=[(100, 0)], curve="L", length=100, slides=2)
    beatmap = make([slider])
    ours, theirs = both(beatmap)
    whistle = 1 + 16 + 48
    assert values(ours, EventType.HITSOUND) == [whistle] * 4  # head, body, repeat, tail
    assert values(theirs, EventType.HITSOUND) == [32, whistle, 32, 32]
    beatmap.hit_objects[0].edge_sounds = [0, 4, 8]
    assert [v % 8 for v in values(encode(beatmap, MINI), EventType.HITSOUND)] == [0, 1, 2, 4]


def test_sliders_end_at_their_length_along_the_path():
    # a corner: half way up the second line
    slider = Slider(0, 0, 0, points=[(100, 0), (100, 100), (200, 100)], curve="L", length=150)
    ours, theirs = both(make([slider]))
    assert (values(ours, EventType.POS_X)[-1] * 4, values(ours, EventType.POS_Y)[-1] * 4) == (100, 52)
    assert values(theirs, EventType.POS_Y)[-1] * 4 == 100


def test_a_slider_of_length_0_is_as_long_as_its_path():
    ours, theirs = both(make([Slider(0, 0, 0, points=[(140, 0)], curve="L", length=0)], slider_multiplier=1.4))
    assert (ours.times[-1], theirs.times[-1]) == (500, 0)


def test_sliders_with_many_points_keep_their_place():
    points = [(i * 3, (i % 2) * 10) for i in range(1, 120)]
    ours, theirs = both(make([Slider(0, 0, 0, points=points, curve="B", length=300), Circle(0, 0, 9000)]))
    assert kinds(theirs) == [("circle", 9000)]
    assert [k for k, _ in kinds(ours)].count("slider_head") == 1
    assert 2 < [k for k, _ in kinds(ours)].count("red_anchor") < 20


def test_positions_go_to_the_nearest_step_and_decode_without_bias():
    for x, y in [(0, 0), (256, 192), (3, 5), (-20, -19), (511, 383)]:
        placed = decode_positions(encode(make([Circle(x, y, 0)]), MINI), MINI)
        assert abs(values(placed, EventType.POS_X)[0] - x) <= 2 and abs(values(placed, EventType.POS_Y)[0] - y) <= 2


def test_cells_of_negative_coordinates_survive_the_round_trip():
    fine = MINI.replace(position_precision=32, position_split_axes=False, position_refinement=2)
    for x, y in [(-20, 100), (-33, -1), (13, 15)]:
        placed = decode_positions(encode(make([Circle(x, y, 0)]), fine), fine)
        assert (values(placed, EventType.POS_X)[0], values(placed, EventType.POS_Y)[0]) == (x // 2 * 2, y // 2 * 2)


def test_negative_times_are_floored():
    ours, theirs = both(make([Circle(0, 0, -500.4)]))
    assert (ours.times[0], theirs.times[0]) == (-501, -500)


def test_chords_run_from_left_to_right_and_ends_come_before_starts():
    objects = [Hold(448, 192, 0, end=1000), Hold(64, 192, 0, end=1000), Circle(320, 192, 1000), Circle(192, 192, 1000)]
    ours, theirs = both(make(objects, mode=3, cs=4))
    assert values(ours, EventType.MANIA_COLUMN) == [0, 3, 0, 3, 1, 2]
    assert values(theirs, EventType.MANIA_COLUMN) == [3, 0, 3, 0, 2, 1]
    assert [k for k, t in kinds(ours) if t == 1000 and k != "column"] == ["hold_note_end"] * 2 + ["circle"] * 2
    assert values(encode(make(objects, mode=3, cs=4), MINI, flip_x=True), EventType.MANIA_COLUMN) == [0, 3, 0, 3, 1, 2]


def test_a_hold_without_length_still_starts_before_it_ends():
    sequence = encode(make([Hold(64, 192, 10, end=10), Hold(64, 192, 500, end=400)], mode=3, cs=4), MINI)
    assert [k for k, _ in kinds(sequence) if k != "column"] == ["hold_note", "hold_note_end"] * 2
    assert sequence.times[-1] == 500


def test_green_lines_set_no_tempo():
    points = [
        TimingPoint(0, -50, uninherited=False),
        TimingPoint(200, 500.0),
        TimingPoint(1000, 400.0, uninherited=False),
    ]
    ours, theirs = both(make([Circle(0, 0, 2200)], points), ContextType.TIMING)
    assert [k for k, _ in kinds(ours)].count("timing_point") == 1 and ours.times[0] == 200
    assert [k for k, _ in kinds(theirs)].count("timing_point") == 2
    slider = Slider(0, 0, 0, points=[(200, 0)], curve="L", length=140)
    ours, _ = both(make([slider], points, slider_multiplier=1.4))
    assert ours.times[-1] == 250  # twice as fast from the start, at the tempo of the first red line


@pytest.mark.parametrize("beat_length", [0.0, -500.0, 1e-9, float("inf")])
def test_broken_red_lines_do_not_count(beat_length):
    points = [RED, TimingPoint(1000, beat_length, meter=0)]
    sequence = encode(make([Circle(0, 0, 2000)], points), MINI, ContextType.TIMING)
    assert moments(sequence) == [0, 500, 1000, 1500, 2000]
    with pytest.raises(BeatmapError, match="no timing line that sets a tempo"):
        encode(make([Circle(0, 0, 0)], points[1:]), MINI)


def test_a_meter_of_0_counts_as_4():
    sequence = encode(make([Circle(0, 0, 2000)], [TimingPoint(0, 500.0, meter=0)]), MINI, ContextType.TIMING)
    assert [k for k, _ in kinds(sequence)] == ["timing_point", "beat", "beat", "beat", "measure"]


def test_the_main_tempo_counts_milliseconds_and_negative_offsets():
    points = [TimingPoint(-100, 500.0), TimingPoint(900, 250.0, uninherited=True)]
    notes = [Circle(64, 192, t) for t in (0, 950)]
    ours, theirs = both(make(notes, points, mode=3), ContextType.SV)
    assert values(ours, EventType.SCROLL_SPEED) == [100, 200]
    assert values(theirs, EventType.SCROLL_SPEED) == [1]  # nothing counts, so every speed is the lowest


def test_slow_drifts_are_written_once_they_add_up():
    points = [RED] + [TimingPoint(i * 100, -100 / (1 + i * 0.0009), uninherited=False) for i in range(1, 30)]
    ours, theirs = both(make([Circle(0, 0, 0)], points, mode=1), ContextType.SV)
    assert len(values(theirs, EventType.SCROLL_SPEED)) == 1
    assert values(ours, EventType.SCROLL_SPEED)[-1] == 103


def test_a_slider_is_never_slower_than_the_game_plays_it():
    points = [RED, TimingPoint(0, -5000, uninherited=False)]
    slider = Slider(0, 0, 0, points=[(10, 0)], curve="L", length=10)
    ours, theirs = both(make([slider], points))
    assert (values(ours, EventType.SCROLL_SPEED), values(theirs, EventType.SCROLL_SPEED)) == ([10], [2])


def test_sounds_on_slider_edges_make_a_map_hitsounded():
    beatmap = make([Slider(0, 0, 0, points=[(99, 0)], curve="L", length=99, edge_sounds=[0, 8])])
    assert conditions_of(beatmap, MINI, difficulty=1.0).hitsounded
    assert not conditions_of(beatmap, PUBLISHED, difficulty=1.0).hitsounded


def test_old_formats_keep_the_24_ms_that_the_game_adds():
    text = "osu file format v4\n[General]\nAudioFilename: a\n[TimingPoints]\n0,500\n[HitObjects]\n5,5,1000,1,0\n"
    ours, theirs = both(read(text))
    assert (ours.times[0], theirs.times[0]) == (1024, 1000)
    assert both(read(text), ContextType.TIMING)[0].times[0] == 24


def test_a_coordinate_a_hair_below_zero_stays_in_the_vocabulary():
    profile = load_profile("v32")
    sequence = encode(make([Circle(-7e-15, 0, 0)]), profile)
    Vocabulary.from_profile(profile).encode_window(sequence, 0)


@pytest.mark.parametrize("rules", ["published", "corrected"])
def test_hostile_lengths_and_tempos_are_refused_in_words(rules):
    profile = MINI.replace(event_rules=rules)
    with pytest.raises(BeatmapError, match="longer than a day"):
        encode(make([Spinner(0, 0, 0, end=1e12)]), profile)
    points = [TimingPoint(0, 6.5)]
    with pytest.raises(BeatmapError, match="too many beats"):
        encode(make([Circle(0, 0, 1e8)], points), profile, ContextType.TIMING)


time = st.floats(-5000, 60000, allow_nan=False).map(lambda t: round(t, 3)) | st.integers(-5000, 60000)
where = st.integers(-600, 1200)
line = st.builds(
    TimingPoint,
    time,
    st.floats(-2000, -20) | st.floats(20, 2000) | st.sampled_from([0.0, 500.0, -100.0, 1e9, -1e9]),
    st.integers(-1, 9),
    st.integers(0, 4),
    st.just(0),
    st.integers(-5, 130),
    st.booleans(),
    st.integers(0, 15),
)
sample = st.builds(HitSample, st.integers(0, 5), st.integers(0, 5), st.just(0), st.integers(0, 120))
circle = st.builds(Circle, where, where, time, st.booleans(), st.just(0), st.integers(0, 15), sample)
spinner = st.builds(Spinner, where, where, time, end=time)
hold = st.builds(Hold, where, where, time, end=time)
slider = st.builds(
    Slider,
    where,
    where,
    time,
    st.booleans(),
    hitsound=st.integers(0, 15),
    sample=sample,
    curve=st.sampled_from("BCLP"),
    points=st.lists(st.tuples(where, where), max_size=6),
    slides=st.integers(1, 4),
    length=st.floats(0, 900),
    edge_sounds=st.lists(st.integers(0, 15), max_size=3),
    edge_sets=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=3),
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(line, max_size=6),
    st.lists(circle | spinner | hold | slider, max_size=12),
    st.integers(0, 3),
    st.sampled_from(["mini", "v29", "v31", "v32"]),
    st.sampled_from(["corrected", "published"]),
)
def test_whatever_the_map_its_events_are_in_order_and_in_the_vocabulary(lines, objects, mode, name, rules):
    profile = load_profile(name).replace(event_rules=rules, add_kiai_special_token=True)
    vocabulary = Vocabulary.from_profile(profile)
    beatmap = make(objects, [RED, *lines], mode=mode, cs=4)
    for context in (ContextType.MAP, ContextType.TIMING, ContextType.KIAI, ContextType.SV, ContextType.NO_HS):
        try:
            sequence: EventSequence = encode(beatmap, profile, context)
        except BeatmapError as error:  # the only refusal: a slider on an absurd tempo
            assert "lasts longer than a day" in str(error)
            return
        assert sequence.times == sorted(sequence.times)
        assert all(float(t).is_integer() for t in sequence.times)
        ids = vocabulary.encode_window(sequence, -6000)
        assert [e.type for e in vocabulary.decode_ids(ids)] == [e.type for e in sequence.events]
        if profile.types_first is False and rules == "corrected":
            for event, t in zip(sequence.events, sequence.times, strict=True):
                assert event.type is not EventType.TIME_SHIFT or event.value == t
