"""What reading promises: every oddity met in real files is read or noted, and nothing but a non-beatmap raises."""

import json
from pathlib import Path

import pytest

from osuT5.beatmap import Circle, GameMode, Hold, Slider, Spinner, read, write
from osuT5.beatmap.reader import MAX_FILE_BYTES
from osuT5.errors import BeatmapError

TESTS = Path(__file__).parents[1]
RESOURCES = TESTS / "resources" / "beatmaps"
GOLDEN = TESTS / "golden"
HEAD = "osu file format v14\n[General]\nMode: 0\n[TimingPoints]\n0,500,4,1,0,70,1,0\n"


def objects(*lines: str, head: str = HEAD) -> list:
    return read(head + "[HitObjects]\n" + "\n".join(lines) + "\n").hit_objects


def points(*lines: str) -> list:
    return read("osu file format v14\n[TimingPoints]\n" + "\n".join(lines) + "\n[HitObjects]\n").timing_points


def codes(beatmap) -> list[str]:
    return [d.code for d in beatmap.diagnostics]


def test_every_object_kind_with_all_its_fields():
    circle, second, bezier, spinner, perfect, linear, catmull, named = read(RESOURCES / "standard.osu").hit_objects
    assert (circle.x, circle.y, circle.time, circle.new_combo) == (100, 100, 1000, True)
    assert (second.hitsound, second.sample.normal_set, second.sample.addition_set, second.sample.volume) == (
        2,
        1,
        2,
        40,
    )
    assert (bezier.new_combo, bezier.combo_skip, bezier.hitsound) == (True, 3, 8)
    assert bezier.points == [(340, 180), (340, 180), (400, 150)]
    assert (bezier.curve, bezier.slides, bezier.length) == ("B", 2, 140)
    assert bezier.edge_sounds == [2, 0, 8] and bezier.edge_sets == [(1, 2), (0, 0), (3, 1)]
    assert isinstance(spinner, Spinner) and spinner.end_time == 4000 and spinner.hitsound == 4
    assert (perfect.curve, linear.curve, catmull.curve) == ("P", "L", "C")
    assert linear.edge_sounds == [0, 0, 0, 0] and linear.edge_sets == [] and linear.slides == 3
    assert catmull.edge_sounds == [] and catmull.sample.volume == 30
    assert named.sample.filename == "hit.wav" and named.sample.index == 3


def test_hold_notes_end_before_the_colon():
    _, first, named, both, short, bare = read(RESOURCES / "mania_holds.osu").hit_objects
    assert isinstance(first, Hold) and first.end_time == 1500 and first.hitsound == 2
    assert named.sample.filename == "key_sound.wav" and named.sample.volume == 35
    assert isinstance(both, Circle)  # circle and hold bits together: the circle wins
    assert short.end_time == short.time == 1500
    assert bare.end_time == 2500


def test_sections_keep_keys_values_and_events_verbatim():
    beatmap = read(RESOURCES / "standard.osu")
    assert beatmap.editor.values["Bookmarks"] == "1000,3000"
    assert beatmap.colours.values == {"Combo1": "255,128,64", "Combo2": "64,128,255", "SliderBorder": "20,20,20"}
    assert " F,0,1000,2000,0,1" in beatmap.events and "  _M,0,1000,2000,0,0,10,10" in beatmap.events
    assert beatmap.background_filename == "bg.jpg" and beatmap.breaks == [(8200, 12000)]


def test_formats_below_5_are_24_ms_late():
    beatmap = read(RESOURCES / "old_format_4.osu")
    assert beatmap.time_offset_ms == 24 and beatmap.format_version == 4
    assert [o.time for o in beatmap.hit_objects] == [124, 424, 724, 1324]
    assert beatmap.hit_objects[3].end_time == 2524
    assert [p.time for p in beatmap.timing_points] == [124, 924]
    assert beatmap.preview_time == 2024 and beatmap.breaks == [(5024, 8024)]
    assert beatmap.editor.values["Bookmarks"] == "124,224"
    assert beatmap.ar == beatmap.od == 6  # older than the key
    assert [p.fields for p in beatmap.timing_points] == [2, 5]


def test_format_5_is_not_shifted():
    assert read("osu file format v5\n[HitObjects]\n1,2,3,1,0\n").hit_objects[0].time == 3


def test_newer_editors_decimals_are_rounded_and_its_curves_joined():
    circle, joined, spline = read(RESOURCES / "newer_editor_128.osu").hit_objects
    assert (circle.x, circle.y, circle.time) == (257, 256, 1001)
    assert joined.curve == "B" and joined.points[-1] == (400, 100) and joined.points.count((200, 100)) == 2
    assert joined.edge_sounds == [2, 0] and joined.length == 420.5
    assert spline.curve == "B" and spline.points[-1] == (200, 150)


def test_older_formats_truncate_coordinates_as_the_game_does():
    circle, slider = objects("101.9,-7.9,2500,1,0", "100,100,2600,2,0,L|200.9:-100.9,1,100")
    assert (circle.x, circle.y) == (101, -7)
    assert slider.points == [(200, -100)]


def test_broken_lines_are_left_out_and_noted_with_their_line():
    beatmap = read(RESOURCES / "broken_lines.osu")
    assert [p.time for p in beatmap.timing_points] == [0, 400, 500, 800, 900]
    assert beatmap.timing_points[1].volume == 100 and beatmap.timing_points[2].meter == 4
    times = [o.time for o in beatmap.hit_objects]
    assert times == [1000, 1700, 1800, 1900, 2200, 2300, 2400, 2500, 2600, 2701, 2800]
    lines = (RESOURCES / "broken_lines.osu").read_text(encoding="utf-8").split("\n")
    refused = [lines[d.line - 1] for d in beatmap.diagnostics if d.code == "hit-object"]
    assert refused[:3] == ["oops", "100,100", "100,100,NaN,1,0,0:0:0:0:"] and len(refused) == 13
    assert len([c for c in codes(beatmap) if c == "timing-point"]) == 6


@pytest.mark.parametrize("number", ["NaN", "inf", "-inf", "1e999", "0x10", "1_0", "١٢", "", "None", "--1", "1e"])
def test_numbers_outside_the_grammar_drop_the_line(number):
    assert points(f"{number},500,4,1,0,70,1,0") == []
    assert objects(f"100,100,{number},1,0,0:0:0:0:") == []


def test_a_file_name_with_odd_characters_does_not_loosen_the_grammar():
    kept = objects("100,100,1_0,1,0,0:0:0:0:", "100,100,100,1,0,0:0:0:0:a_b.wav", "100,100,200,1,0,0:0:0:0:鼓.wav")
    assert [(o.time, o.sample.filename) for o in kept] == [(100, "a_b.wav"), (200, "鼓.wav")]


def test_short_lines_get_the_games_defaults():
    (red,) = points("100,300")
    assert (red.meter, red.sample_set, red.sample_index, red.volume, red.uninherited, red.effects) == (
        4,
        0,
        0,
        100,
        True,
        0,
    )
    assert red.fields == 2
    circle, empty, spinner, slider = objects("1,2,3,1,2", "1,2,3,1,2,", "256,192,5,8,0,9", "1,2,3,2,0,L|5:6,1")
    assert circle == empty and circle.hitsound == 2
    assert spinner.end_time == 9
    assert slider.length == 0 and slider.edge_sets == []


def test_equal_tails_share_nothing():
    first, second = objects("1,2,3,1,2,0:0:0:0:", "4,5,6,1,2,0:0:0:0:")
    first.sample.volume = 50
    assert second.sample.volume == 0
    a, b = objects("1,2,3,2,0,L|5:6,1,9,0|2,0:0|1:1", "1,2,4,2,0,L|5:6,1,9,0|2,0:0|1:1")
    a.edge_sounds[0] = 8
    assert b.edge_sounds == [0, 2]


def test_hand_written_files():
    beatmap = read(RESOURCES / "hand_written.osu")
    assert beatmap.title == "Colons: everywhere" and beatmap.artist == "Test: Resources"
    assert beatmap.version == "b" and beatmap.metadata.values["NewKey"] == "kept"
    assert beatmap.other_sections == {"Plugin": ["keep this", "  and this: too"]}
    assert [o.time for o in beatmap.hit_objects] == [900, 600, 300]  # file order, repeated section read on
    assert beatmap.mode == GameMode.STD and beatmap.cs == 5 and beatmap.slider_multiplier == 3.6 and beatmap.ar == 9
    assert {"repeated-key", "no-colon", "unknown-section", "repeated-section"} == set(codes(beatmap))


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.encode("utf-8"),
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.encode("utf-16"),
        lambda text: text.encode("cp932"),
        lambda text: text.replace("\n", "\r\n").encode("utf-8"),
        lambda text: text.replace("\n", "\r").encode("utf-8-sig"),
    ],
)
def test_encodings_and_line_ends(encode):
    text = "osu file format v14\n[Metadata]\nTitle:夜に駆ける\nArtist:ヨルシカ\n[HitObjects]\n1,2,3,1,0\n"
    beatmap = read(encode(text))
    assert (beatmap.title, beatmap.artist, len(beatmap.hit_objects)) == ("夜に駆ける", "ヨルシカ", 1)


def test_western_bytes_and_damaged_utf8():
    assert read("osu file format v9\n[Metadata]\nTitle:Café déjà vu\n".encode("cp1252")).title == "Café déjà vu"
    damaged = "osu file format v9\n[Metadata]\nTitle:夜に駆ける夜に駆ける\n".encode()[:-2] + b"\n"
    assert read(damaged).title.startswith("夜に駆ける夜に駆け")


@pytest.mark.parametrize("source", [b"", b"\n\n", b"hello\nworld", "just\ntext", b"\x00\x01\xff" * 50, b"[Unknown]\nx"])
def test_what_is_no_beatmap_is_refused(source):
    with pytest.raises(BeatmapError, match="osu file format"):
        read(source)


def test_a_missing_header_is_noted_where_sections_tell_what_it_is():
    beatmap = read("[General]\nMode: 3\n[HitObjects]\n1,2,3,1,0\n")
    assert beatmap.mode == GameMode.MANIA and len(beatmap.hit_objects) == 1 and "header" in codes(beatmap)
    assert read("x osu file format v9\n[HitObjects]\n").format_version == 9


def test_paths_that_cannot_be_read_say_why(tmp_path):
    with pytest.raises(BeatmapError, match="nothing.osu"):
        read(tmp_path / "nothing.osu")
    with pytest.raises(BeatmapError, match="cannot be opened"):
        read(str(tmp_path))
    archive = tmp_path / "set.osz"
    archive.write_bytes(b"PK\x03\x04")
    with pytest.raises(BeatmapError, match="read_osz"):
        read(archive)


def test_limits():
    with pytest.raises(BeatmapError, match="32 MiB"):
        read(b"osu file format v14\n" + b" " * MAX_FILE_BYTES)
    long = "1,2,3,2,0,B" + "|1:2" * 20000 + ",1,100"
    beatmap = read(HEAD + "[HitObjects]\n" + long + "\n1,2,4,1,0\n")
    assert [o.time for o in beatmap.hit_objects] == [4] and "long-line" in codes(beatmap)


@pytest.mark.parametrize("name", sorted(p.name for p in (GOLDEN / "tokens" / "maps").glob("*.osu")))
def test_golden_fields(name):
    expected = json.loads((GOLDEN / "tokens" / "fields.json").read_text(encoding="utf-8"))[name]
    beatmap = read(GOLDEN / "tokens" / "maps" / name)
    assert (beatmap.mode, beatmap.cs) == (expected["mode"], expected["circle_size"])
    assert beatmap.slider_multiplier == expected["slider_multiplier"]
    assert len(beatmap.hit_objects) == len(expected["objects"])
    for ours, theirs in zip(beatmap.hit_objects, expected["objects"], strict=True):
        assert type(ours).__name__ == theirs["kind"].replace("HoldNote", "Hold")
        for key in ("x", "y", "time", "hitsound", "new_combo", "combo_skip"):
            assert getattr(ours, key) == theirs[key], (key, theirs)
        sample = ours.sample
        written = f"{sample.normal_set}:{sample.addition_set}:{sample.index}:{sample.volume}:{sample.filename}"
        assert written == (theirs["addition"] or "0:0:0:0:")
        if isinstance(ours, Slider):
            assert (ours.slides, ours.length) == (theirs["repeat"], theirs["length"])
            assert ours.edge_sounds == theirs["edge_sounds"]
            assert [f"{a}:{b}" for a, b in ours.edge_sets] == theirs["edge_additions"]
            assert len(ours.points) + 1 == theirs["point_count"]
            assert [list(p) for p in [(ours.x, ours.y), *ours.points][:12]] == theirs["points"]
        elif "end_time" in theirs:
            assert ours.end_time == theirs["end_time"]
    assert len(beatmap.timing_points) == len(expected["timing_points"])
    for ours, theirs in zip(beatmap.timing_points, expected["timing_points"], strict=True):
        assert ours.time == pytest.approx(theirs["offset"], abs=1e-6)
        assert (ours.beat_length, ours.meter, ours.volume) == (theirs["ms_per_beat"], theirs["meter"], theirs["volume"])
        assert (ours.sample_set, ours.sample_index) == (theirs["sample_type"], theirs["sample_set"])
        assert (ours.effects != 0) == theirs["kiai"]


def test_degenerate_files_are_all_read():
    """Also those at which the older system raised; only a text that is no beatmap is refused."""
    for case in json.loads((GOLDEN / "tokens" / "degenerate.json").read_text(encoding="utf-8"))["cases"]:
        if case["label"] == "bad header":
            with pytest.raises(BeatmapError):
                read(case["osu"])
            continue
        beatmap = read(case["osu"])
        assert read(write(beatmap)) == beatmap, case["label"]
