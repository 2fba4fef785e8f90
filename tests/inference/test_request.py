"""A request is validated as a whole: every mistake is named, at once, with a way out."""

import pytest

from osuT5.errors import OptionErrors
from osuT5.inference.request import Request, build_request


def problems(**options):
    with pytest.raises(OptionErrors) as caught:
        build_request({"audio_path": "song.mp3", **options})
    return caught.value.problems


def test_values_come_in_their_own_types():
    request = build_request({"audio_path": "a.mp3", "difficulty": 5, "year": "2020", "hitsounded": "true", "seed": 3.0})
    assert (request.difficulty, request.year, request.hitsounded, request.seed) == (5.0, 2020, True, 3)
    assert isinstance(request.difficulty, float) and isinstance(request.year, int)


def test_two_wrong_options_are_both_named():
    found = problems(difficulty="abc", keycount=99)
    assert len(found) == 2
    assert "difficulty='abc'" in found[0] and "keycount=99" in found[1]


def test_misspelt_option_gets_a_suggestion():
    assert "did you mean 'difficulty'?" in problems(dificulty=4)[0]


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"gamemode": 7}, "between 0 and 3"),
        ({"year": 1990}, "between 2007 and 2077"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**32}, "seed"),
        ({"difficulty": float("nan")}, "not a number"),
        ({"keycount": 4.5}, "not a whole number"),
        ({"hitsounded": "maybe"}, "true or false"),
        ({"timing": "modle"}, "did you mean 'model'?"),
        ({"output_type": ["MAPP"]}, "did you mean 'MAP'?"),
        ({"lookback": 0.6, "lookahead": 0.5}, "below 1"),
        ({"start_time": 5000, "end_time": 4000}, "not before"),
        ({"in_context": ["GD"]}, "needs beatmap_path"),
        ({"timing": "constant"}, "needs bpm"),
        ({"add_to_beatmap": True}, "needs beatmap_path"),
        ({"overwrite_reference_beatmap": True}, "add_to_beatmap"),
    ],
)
def test_wrong_value_is_explained(options, word):
    assert word in " ".join(problems(**options))


def test_request_built_directly_is_validated_too():
    with pytest.raises(OptionErrors, match="gamemode=9"):
        Request(audio_path="a.mp3", gamemode=9)


def test_missing_song_is_named():
    with pytest.raises(OptionErrors, match="audio_path is missing"):
        Request()


def test_what_is_not_built_yet_is_said():
    said = build_request(
        {"audio_path": "a.mp3", "super_timing": True, "num_beams": 2, "difficulties": [2, 4]}
    ).notices()
    assert len(said) == 3
    assert build_request({"audio_path": "a.mp3", "super_timing": False, "num_beams": 1}).notices() == []


def test_repeated_descriptors_count_once():
    assert build_request({"audio_path": "a", "descriptors": ["tech", "tech", "clean"]}).descriptors == ["tech", "clean"]
