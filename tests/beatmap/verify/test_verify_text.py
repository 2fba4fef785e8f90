"""Class A on texts: what is mended, and that everything else keeps its bytes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osuT5.beatmap import read
from osuT5.beatmap.verify import AudioFacts, check_text, repair_text

LINES = """osu file format v14

[General]
AudioFilename: song.mp3
PreviewTime: 1000
SampleSet: Soft
Mode: 0

[Metadata]
Title:A
Artist:B
Creator:C
Version:D

[Difficulty]
HPDrainRate:5
CircleSize:4
OverallDifficulty:7
ApproachRate:8
SliderMultiplier:1.4
SliderTickRate:1

[Events]
0,0,"bg.jpg",0,0

[TimingPoints]
0,500,4,2,0,60,1,0

[HitObjects]
100,100,1000,5,0,0:0:0:0:
200,100,1500,2,0,L|340:100,1,140
256,192,3000,12,0,4000,0:0:0:0:
"""


def codes(text):
    return [f.code for f in check_text(text)]


def mended(text, audio=None):
    return repair_text(text, audio)[0]


def replaced(old, new):
    assert old in LINES
    return LINES.replace(old, new)


def test_the_plain_map_is_clean():
    assert codes(LINES) == []
    assert codes(LINES.replace("\n", "\r\n")) == []


@pytest.mark.parametrize(
    "old, new, code",
    [
        ("osu file format v14\n", "", "A001"),
        ("osu file format v14", "osu file format v99", "A001"),
        ("Title:A", "Title:A\0", "A002"),
        ("[Metadata]", "[General]\nMode: 0\n[Metadata]", "A004"),
        ("Mode: 0", "Mode: 4", "A005"),
        ("song.mp3", "", "A006"),
        ("song.mp3", "C:\\music\\song.mp3", "A006"),
        ("song.mp3", "/song.mp3", "A006"),
        ("song.mp3", "a/../../song.mp3", "A006"),
        ("ApproachRate:8", "ApproachRate:nan", "A007"),
        ("ApproachRate:8", "ApproachRate:11", "A008"),
        ("SliderMultiplier:1.4", "SliderMultiplier:0.3", "A008"),
        ("0,500,4,2,0,60,1,0", "0,500,0,2,0,60,1,0\n0,500,4,2,0,60,1,0", "A010"),
        ("0,500,4", "0,-500,4,2,0,60,1,0\n0,500,4", "A010"),
        ("0,500,4,2,0,60,1,0", "0,500,4,2,0,60,1,0\n9,-2000,4,2,0,60,0,0", "A011"),
        ("100,100,1000,5,", "100,100,1000,7,", "A012"),
        ("100,100,1000,5,", "100,100,1e400,5,", "A012"),
        ("100,100,1000,5,0,0:0:0:0:", "100,100,1000,5", "A012"),
        ("100,100,", "100.5,100,", "A013"),
        ("L|340:100", "X|340:100", "A014"),
        ("L|340:100", "L", "A014"),
        ("340:100,1,140", "340:100,0,140", "A014"),
        ("340:100,1,140", "340:100,1,NaN", "A014"),
        ("340:100,1,140", "340:100,1,140,2|0|0,0:0|0:0", "A015"),
        ("12,0,4000", "12,0,2000", "A016"),
        ("100,100,1000,5,0,0:0:0:0:", "100,100,1000,5,0,9:0:0:0:", "A017"),
        ("100,100,1000,5,0,0:0:0:0:", "100,100,1000,5,0,0:0:0:0:a:b", "A017"),
        ("100,100,1000,5", "100,100,1600,5", "A019"),
        ("Title:A", "Title:A\u200b", "A020"),
        ("[HitObjects]", "[Colours]\nCombo1 : 1,2,3\n[HitObjects]", "A021"),
        ("[HitObjects]", "[Colours]\nCombo1 : 1,2,3\nCombo9 : 1,2,3\n[HitObjects]", "A021"),
        ("SampleSet: Soft", "SampleSet: soft?", "A022"),
        ("SampleSet: Soft", "SampleSet: Soft\nCountdown: 7", "A022"),
        ('0,0,"bg.jpg",0,0', "0,0,bg.jpg,0,0", "A023"),
        ('0,0,"bg.jpg",0,0', "2,9000,8000", "A023"),
        ("340:100,1,140", "340:100,2000,140", "A024"),
        ("Mode: 0", "Mode: 0\nFancyKey: 1", "A025"),
        ("[Events]", "[Fancy]\n1\n[Events]", "A025"),
    ],
)
def test_each_fault_is_found_alone_and_mended(old, new, code):
    text = replaced(old, new)
    assert set(codes(text)) == {code}
    if "v99" not in new:
        again = mended(text)
        assert codes(again) == []
        assert len(read(again).hit_objects) >= 2
        assert mended(again) == again


def test_an_unknown_format_is_refused_not_guessed():
    text = replaced("format v14", "format v99")
    assert mended(text) == text
    assert [f.fixable for f in check_text(text)] == [False]


def test_lines_that_are_in_order_keep_their_bytes_and_line_ends():
    text = replaced("SampleSet: Soft", "SampleSet: All").replace("\n", "\r\n")
    assert mended(text) == LINES.replace("\n", "\r\n")


def test_bytes_that_are_not_utf8_are_decoded_another_way():
    japanese = replaced("Title:A", "TitleUnicode:\u6771\u65b9\u30c6\u30b9\u30c8").encode("shift_jis")
    western = replaced("Title:A", "TitleUnicode:\u00c9t\u00e9").encode("cp1252")
    assert codes(japanese) == codes(western) == ["A002"]
    assert read(mended(japanese)).title_unicode == "\u6771\u65b9\u30c6\u30b9\u30c8"
    assert read(mended(western)).title_unicode == "\u00c9t\u00e9"


def test_a_comma_for_a_decimal_point_keeps_its_value():
    assert read(mended(replaced("OverallDifficulty:7", "OverallDifficulty:7,5"))).od == 7.5


def test_mania_keys_have_their_own_range():
    assert codes(replaced("Mode: 0", "Mode: 3").replace("CircleSize:4", "CircleSize:18")) == []
    assert codes(replaced("CircleSize:4", "CircleSize:18")) == ["A008"]


def test_the_known_song_gives_its_name():
    text = replaced("AudioFilename: song.mp3", "AudioFilename: ..\\x\\other.mp3")
    assert read(mended(text, AudioFacts(file_name="mine.ogg"))).audio_filename == "mine.ogg"
    assert read(mended(text)).audio_filename == "other.mp3"


def test_a_map_without_tempo_gets_one_that_fits_its_rhythm():
    text = replaced("0,500,4,2,0,60,1,0\n", "")
    red = read(mended(text)).timing.reds[0]
    assert 300 <= red.beat_length <= 600 and red.time <= 1000


def test_more_objects_than_tools_take_are_thinned_out():
    crowd = "".join(f"{k % 500},100,{5000 + k},1,0,0:0:0:0:\n" for k in range(300))
    text = LINES + crowd
    assert "A024" in codes(text)
    left = read(mended(text))
    assert 3 <= len(left.hit_objects) < 110
    assert codes(mended(text)) == []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(LINES.splitlines()) | st.text(max_size=30), max_size=40).map("\n".join) | st.binary())
def test_any_text_is_checked_and_mended_without_a_crash(text):
    check_text(text)
    again, findings, _ = repair_text(text)
    assert all(f.code.startswith("A") for f in findings)
    assert repair_text(again)[0] == again
