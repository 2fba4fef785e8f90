"""Published profiles turn the recorded maps into exactly the recorded events and ids."""

import pytest

from osuT5.beatmap import TimingPoint, read
from osuT5.errors import TokenError
from osuT5.events import (
    ContextType,
    EventSequence,
    decode_columns,
    decode_positions,
    encode,
    encode_timing,
    fill_times,
    load_profile,
    pack_hitsound,
    unpack_hitsound,
    window_slice,
)
from osuT5.events.line_view import LineView
from osuT5.events.object_writer import column_of
from osuT5.events.positions import column_x
from osuT5.events.rules import rules_of
from osuT5.events.state_contexts import longest_tempo

MAPS = ("catch", "mania4k", "mania7k_neg", "std_basic", "std_edges", "std_long", "taiko")
FORM = "osu file format v14\n[General]\nAudioFilename: a\nMode: {mode}\n[Difficulty]\nCircleSize:{cs}\n{body}"


def recorded(golden, name):
    return golden.load(f"tokens/events/{name}.json{'.gz' if name == 'std_basic' else ''}")


def map_of(golden, name):
    return read(golden.tokens / "maps" / f"{name}.osu")


def variant(profile, options):
    """Profile and arguments for a case's suffix."""
    changes, arguments = {}, {}
    for option in filter(None, options.replace("+", ",").split(",")):
        key, _, value = option.partition("=")
        if key == "speed":
            arguments["speed"] = float(value)
        elif key == "flip":
            arguments |= {"flip_x": "h" in value, "flip_y": "v" in value}
        elif key == "song_length":
            arguments["end_ms"] = float(value)
        elif key == "mania_unnormalized":
            changes |= {"add_mania_sv": True, "mania_bpm_normalized_scroll_speed": False}
        elif key != "list":
            changes[key] = True
    return profile.replace(**changes), arguments


@pytest.mark.parametrize("name", MAPS)
def test_events_of_every_stream_and_context(golden, name):
    beatmap = map_of(golden, name)
    for stream, contexts in recorded(golden, name)["streams"].items():
        for case, expected in contexts.items():
            context, _, options = case.partition("@")
            profile, arguments = variant(load_profile(golden.streams[stream]), options)
            if "list" in options:
                result = encode_timing(beatmap.timing_points, profile, **arguments)
            else:
                result = encode(beatmap, profile, ContextType(context), **arguments)
            assert golden.rows_of(result.events) == expected["events"], (stream, case)
            assert result.times == expected["times"], (stream, case)


@pytest.mark.parametrize("name", MAPS)
def test_ids_of_windows(golden, name):
    beatmap = map_of(golden, name)
    for profile_name, windows in recorded(golden, name)["tokens"].items():
        profile, vocabulary = golden.profile_of(profile_name), golden.vocabulary(profile_name)
        for case in windows:
            sequence = encode(beatmap, profile, ContextType(case["context"]))
            start = case["frame_time"]
            first, end = window_slice(sequence.times, start, start + profile.window_ms)
            assert [first, end] == case["range"]
            if "error" in case:
                with pytest.raises(TokenError, match="no event type"):
                    vocabulary.encode_window(sequence.slice(first, end), start)
            else:
                assert vocabulary.encode_window(sequence.slice(first, end), start) == case["ids"]


def test_ids_back_to_events_times_and_coordinates(golden):
    for case in golden.load("tokens/decode.json"):
        profile, vocabulary = golden.profile_of(case["profile"]), golden.vocabulary(case["profile"])
        events = vocabulary.decode_ids(case["ids"], case["frame_time"])
        assert [e.type.value for e in events] == [t for t, _ in case["events"]]
        assert [e.value for e in events] == pytest.approx([v for _, v in case["events"]], abs=1e-6)
        times = fill_times(events, [], types_first=case["types_first"], end_time=case["end_time"])
        assert times == pytest.approx(case["event_times"], abs=1e-6)
        sequence = EventSequence(events, times)
        placed = decode_positions(sequence, profile)
        assert coordinates(golden, placed) == case["rescaled_positions"]
        if "columns_to_positions_4k" in case:
            assert coordinates(golden, decode_columns(sequence, 4)) == case["columns_to_positions_4k"]
        if "allow_non_events" in case:
            kept = vocabulary.decode_ids(case["allow_non_events_ids"], case["frame_time"], keep_control=True)
            assert golden.rows_of(kept) == [[t, pytest.approx(v, abs=1e-6)] for t, v in case["allow_non_events"]]


def coordinates(golden, sequence):
    return [row for row in golden.rows_of(sequence.events) if row[0] in ("pos_x", "pos_y")]


def test_snap_divisors(golden):
    table = golden.load("tokens/quantise.json")["snapping"]
    assert table["columns"] == ["ms_per_beat", "red_line_offset", "object_time", "time_token_value", "snapping"]
    rules = rules_of(load_profile("v32"))
    for beat_length, offset, time, value, snap in table["rows"]:
        view = LineView([TimingPoint(offset, beat_length)], rules)
        assert view.snap(round(time * 1000)) == snap, (beat_length, offset, time)
        if value != time:
            body = f"[TimingPoints]\n{offset},{beat_length}\n[HitObjects]\n1,1,{time},1,0\n"
            events = encode(read(FORM.format(mode=0, cs=4, body=body)), load_profile("v32")).events
            assert events[0].value == value


def test_positions_to_cells_and_back(golden):
    for case in golden.load("tokens/quantise.json")["positions"]:
        body = f"[TimingPoints]\n0,500,4,1,0,60,1,0\n[HitObjects]\n{case['x']},{case['y']},0,1,0,0:0:0:0:\n"
        beatmap = read(FORM.format(mode=0, cs=4, body=body))
        for stream, profile_name in golden.streams.items():
            profile = load_profile(profile_name)
            expected = case[stream]
            sequence = encode(beatmap, profile)
            rows = [r for r in golden.rows_of(sequence.events) if r[0].startswith(("dist", "pos"))]
            assert rows == expected["events"], (stream, case)
            xy = [value for _, value in coordinates(golden, decode_positions(sequence, profile))]
            assert xy == expected["decoded_xy"], (stream, case)


def test_mania_columns(golden):
    table = golden.load("tokens/quantise.json")
    for keys, x, flip, column in table["mania_columns"]["rows"]:
        assert column_of(512 - x if flip else x, keys) == column
    for keys, column, x in table["column_to_x"]:
        assert column_x(column, keys) == x


def test_sounds(golden):
    table = golden.load("tokens/hitsounds.json")
    for case in table["decode"]:
        bits, sample_set, addition = unpack_hitsound(case["value"])
        assert (bits, sample_set, addition) == (case["hitsound_bits"], case["sample_set"], case["addition_set"])
        if case["value"] < 72:
            assert pack_hitsound(bits, sample_set, addition) == case["value"]
    form = "[TimingPoints]\n{lines}\n[HitObjects]\n100,100,{time},1,{hitsound},{addition}\n"

    def sound(**values):
        beatmap = read(FORM.format(mode=0, cs=4, body=form.format(**values)))
        rows = golden.rows_of(encode(beatmap, load_profile("v32")).events)
        return [value for kind, value in rows if kind in ("hitsound", "volume")]

    for case in table["encode"]:
        line = f"0,500,4,{case['timing_sample_type']},0,{case['timing_volume']},1,0"
        got = sound(lines=line, time=500, hitsound=case["hitsound"], addition=case["addition"])
        assert got == [case["hitsound_token"], case["volume_token"]], case
    lines = "0,500,4,1,0,60,1,0\n1000,-100,4,3,0,33,0,0"
    for time, hitsound, volume in table["lookahead_5ms"]["cases_time_hitsound_volume"]:
        assert sound(lines=lines, time=time, hitsound=0, addition="0:0:0:0:") == [hitsound, volume]


def test_main_tempo_as_recorded(golden):
    rules = rules_of(load_profile("v32"))

    def longest(rows, last_time):
        points = [TimingPoint(time, beat, uninherited=red) for time, beat, red in rows]
        if not points:
            return 0
        # a green line first in the file counts as the recorded "inherited" only when it has a red line before it
        lines = LineView(points, rules).lines
        seconds = [line.time_us // 1_000_000 % 86400 for line in lines]
        return longest_tempo(list(zip(seconds, lines, strict=True)), last_time // 1000)

    for case in golden.load("tokens/data_utils.json")["cases"]:
        if case["function"] == "get_median_mpb":
            rows = [(p["offset_ms"], p["ms_per_beat"], not p["inherited"]) for p in case["input"]["timing_points"]]
            assert longest(rows, case["input"]["last_time"]) == case["output"]["ms_per_beat"], case.get("note")
    for case in golden.load("postprocess/median_beat_length.json"):
        rows = [(p["time_ms"], p["beat_length"], p.get("red", True)) for p in case["timing"]]
        assert longest(rows, case["last_time"]) == case["median_beat_length"]


CONTEXTS = ("map", "timing", "kiai", "sv")
# The reader takes a negative slider length for the natural one, as the game does; the older system ended it early.
READ_DIFFERENTLY = {("negative slider length", "map"), ("negative slider length", "timing")}


def test_degenerate_maps(golden):
    """Where the older system made events, ours are equal; where it failed, ours are not worse."""
    profile = load_profile("v32")
    compared = 0
    for case in golden.load("tokens/degenerate.json")["cases"]:
        if case["parse"] != "ok":
            continue
        beatmap = read(case["osu"])
        for context in CONTEXTS:
            expected = case[context]
            if "error" in expected or (case["label"], context) in READ_DIFFERENTLY:
                continue
            result = encode(beatmap, profile, ContextType(context))
            assert golden.rows_of(result.events) == expected["events"], (case["label"], context)
            assert result.times == expected["times"], (case["label"], context)
            compared += 1
    assert compared > 150
