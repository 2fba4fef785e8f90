"""Whatever numbers a map holds: what `read` accepts is encoded, or refused by an error of the project's own."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osuT5.beatmap import TimingPoint, read
from osuT5.errors import BeatmapError, MapperatorinatorError
from osuT5.events import ContextType, EventType, encode, encode_timing, load_profile, only, timing_context

RESOURCES = Path(__file__).parents[1] / "resources" / "extreme_maps"
PROFILES = [load_profile(name) for name in ("v28", "v29", "v30", "v31", "v32", "mini")]
CONTEXTS = [ContextType.MAP, ContextType.TIMING, ContextType.KIAI, ContextType.SV]


def map_text(multiplier="1.4", points=("0,500",), objects=(), mode="0", circle_size="4", version=14) -> str:
    return "\n".join(
        [
            f"osu file format v{version}",
            "[General]", f"Mode: {mode}",
            "[Difficulty]", f"SliderMultiplier:{multiplier}", f"CircleSize:{circle_size}",
            "[TimingPoints]", *points,
            "[HitObjects]", *objects, "",
        ]
    )  # fmt: skip


extremes = st.sampled_from(
    ["0", "-0", "5e-324", "1e-320", "-1e-320", "1e-300", "1e-9", "-1e-9", "1e-3", "0.4", "-1", "6", "-100", "1e5",
     "1e9", "-1e9", "131072", "-131072", "2147483647", "-2147483647", "1e300", "-1e300", "nan", "inf", "-inf",
     "1_4", "x", ""]
)  # fmt: skip
multipliers = extremes | st.floats(0, 10).map(repr)
beat_lengths = extremes | st.floats(-300, 1000).map(repr)
times = st.integers(-2000, 60_000).map(str) | extremes
coordinates = st.sampled_from([0, 1, 2, 64, 100, 512, -131072, 131072]) | st.integers(-600, 1200)
lengths = extremes | st.sampled_from(["1", "70", "140.5", "131072"])
slides = st.sampled_from(["1", "1", "2", "3", "0", "-1", "9000", "9001"])
lines = st.builds("{},{},{},1,0,60,{},{}".format, times, beat_lengths, st.sampled_from(["4", "3", "0", "-1"]),
                  st.sampled_from("110"), st.sampled_from("018"))  # fmt: skip
curve_points = st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=8) | st.lists(
    st.tuples(coordinates, coordinates), min_size=60, max_size=101
)
curves = st.builds(
    lambda kind, points: kind + "".join(f"|{x}:{y}" for x, y in points), st.sampled_from("BBLPC"), curve_points
)
objects = (
    st.builds("{},{},{},1,0".format, coordinates, coordinates, times)
    | st.builds("{},{},{},2,0,{},{},{}".format, coordinates, coordinates, times, curves, slides, lengths)
    | st.builds("256,192,{},12,0,{}".format, times, times)
    | st.builds("{},192,{},128,0,{}:0:0:0:0:".format, coordinates, times, times)
)
maps = st.builds(
    map_text,
    multipliers,
    st.lists(lines, max_size=4) | st.lists(lines, max_size=3).map(lambda drawn: ["0,500,4,1,0,60,1,0", *drawn]),
    st.lists(objects, max_size=4),
    st.sampled_from("0123"),
    extremes,
    st.sampled_from([4, 14, 128]),
)


@pytest.fixture(scope="module")
def few_beats():
    """The limit of beats lowered, so that no map takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timing_context, "MAX_BEATS", 10_000)
        yield


@given(maps)
@settings(max_examples=100, deadline=None)
@pytest.mark.usefixtures("few_beats")
def test_any_map_that_reads_is_encoded_or_refused_in_words(text):
    beatmap = read(text)
    for profile in PROFILES:
        for context in CONTEXTS:
            for song_length_ms in (None, 30_000.0):
                try:
                    sequence = encode(beatmap, profile, context, song_length_ms=song_length_ms)
                except MapperatorinatorError as error:
                    assert str(error)
                else:
                    assert len(sequence) == len(sequence.times) == len(sequence.object_indices)
                    assert all(type(e.value) is int for e in sequence.events)


V28 = load_profile("v28")
MINI = load_profile("mini")


def slider_length_ms(text: str, profile=V28) -> float:
    sequence = only(encode(read(text), profile), {EventType.SLIDER_HEAD, EventType.SLIDER_END})
    return sequence.times[1] - sequence.times[0]


def with_slider(multiplier: str) -> str:
    return map_text(multiplier, objects=["0,0,1000,2,0,L|140:0,1,140"])


@pytest.mark.parametrize("multiplier", ["0", "-0", "-1.4", "1e-400"])
def test_a_multiplier_that_is_not_positive_is_the_games_least(multiplier):
    assert slider_length_ms(with_slider(multiplier)) == slider_length_ms(with_slider("0.4")) == 1750


@pytest.mark.parametrize("multiplier", ["nan", "inf", "1_4", "x", "", "1e300"])
def test_a_multiplier_that_is_no_number_is_the_games_default(multiplier):
    assert slider_length_ms(with_slider(multiplier)) == 500


def test_published_rules_still_count_any_positive_multiplier():
    assert slider_length_ms(with_slider("0.1")) == 7000 and slider_length_ms(with_slider("0.1"), MINI) == 1750
    assert slider_length_ms(with_slider("7")) == 100 and slider_length_ms(with_slider("7"), MINI) == 194


def test_the_old_map_with_multiplier_0_is_encoded():
    beatmap = read(RESOURCES / "slider_multiplier_0.osu")
    for profile in PROFILES:
        assert EventType.SLIDER_END in {e.type for e in encode(beatmap, profile).events}


def test_a_slider_that_would_never_end_is_refused_by_its_time():
    beatmap = read(RESOURCES / "slider_multiplier_1e-320.osu")
    for profile in PROFILES[:-1]:
        with pytest.raises(BeatmapError, match="object at 1600 ms lasts longer than a day"):
            encode(beatmap, profile)
    assert len(encode(beatmap, MINI))


@pytest.mark.parametrize("context", [ContextType.MAP, ContextType.TIMING])
@pytest.mark.parametrize("beat_length", [2e9, -2e9])
@pytest.mark.parametrize("mode", ["0", "1"])
def test_sliders_of_huge_beats_are_refused(mode, beat_length, context):
    text = map_text("0.001", [f"0,{beat_length}"], ["0,0,70,2,0,L|140:0,1,140"], mode)
    with pytest.raises(BeatmapError, match="object at 70 ms lasts longer than a day"):
        encode(read(text), V28, context)


def test_a_slider_that_is_left_out_cannot_be_too_long():
    points = "|".join(f"{i}:{i % 2}" for i in range(120))
    text = map_text("1e-320", objects=[f"0,0,70,2,0,B|{points},1,140", "0,0,900,1,0"])
    assert EventType.SLIDER_HEAD not in {e.type for e in encode(read(text), V28).events}


def test_a_green_line_of_0_ms_before_all_tempos_has_the_first_one():
    beatmap = read(map_text(points=["0,0,4,1,0,60,0,1", "1000,500"], objects=["0,0,500,1,0", "0,0,750,1,0"]))
    snaps = [e.value for e in only(encode(beatmap, V28), {EventType.SNAPPING}).events]
    assert snaps == [1, 2]
    assert only(encode(beatmap, V28, ContextType.KIAI), {EventType.KIAI}).times == [0, 1000]
    beatmap.timing_points.pop()
    with pytest.raises(BeatmapError, match="no timing line that sets a tempo"):
        encode(beatmap, V28)


def test_a_scroll_speed_beyond_all_floats_is_the_least():
    beatmap = read(map_text(points=["0,500", "0,1e-320,4,1,0,60,0,0"], mode="3"))
    speeds = only(encode(beatmap, V28, ContextType.SV), {EventType.SCROLL_SPEED})
    assert [e.value for e in speeds.events] == [1]


def test_a_curve_whose_end_is_beyond_all_floats_ends_at_its_last_point():
    points = "|".join(f"{i % 2}:0" for i in range(1, 98))
    slider, circle = (
        only(encode(read(map_text(objects=[text])), V28), {EventType.POS}).events[-1]
        for text in (f"0,0,0,2,0,B|{points},1,131072", "1,0,0,1,0")
    )
    assert slider == circle


def test_beats_without_length_are_refused_where_a_line_has_no_room():
    points = [TimingPoint(0, 5e-7), TimingPoint(10, 500.0)]
    with pytest.raises(BeatmapError, match="too many beats"):
        encode_timing(points, V28, 2000.0)
    points[1].time = 9  # no room at all, so no beat either
    assert encode_timing(points, V28, 2000.0).times[0] == 9
