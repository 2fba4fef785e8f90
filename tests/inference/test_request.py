"""A request is checked as a whole: every mistake is named, at once, with a way out."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from osuT5.beatmap import GameMode
from osuT5.errors import OptionErrors
from osuT5.events import ContextType
from osuT5.inference.options import Request


def problems(**options):
    with pytest.raises(OptionErrors) as caught:
        Request(**{"audio_path": "song.mp3", **options})
    return caught.value.problems


def test_values_come_in_their_own_types():
    request = Request(audio_path="a.mp3", difficulty=5, year="2020", hitsounded="true", seed=3.0, title=123)
    assert (request.difficulty, request.year, request.hitsounded, request.seed) == (5.0, 2020, True, 3)
    assert isinstance(request.difficulty, float) and isinstance(request.year, int)
    assert request.title == "123"
    request = Request(audio_path="a.mp3", descriptors="clean", difficulties=4, in_context="none")
    assert (request.descriptors, request.difficulties, request.in_context) == (("clean",), (4.0,), ("NONE",))


def test_values_of_other_libraries_are_taken():
    request = Request(
        audio_path=Path("x"),
        gamemode=GameMode.MANIA,
        difficulty=np.float32(4),
        seed=np.int64(3),
        in_context=[ContextType.NONE],
        difficulties=(stars for stars in (1, 2)),
    )
    assert request == Request(
        audio_path="x", gamemode=3, difficulty=4, seed=3, in_context=["NONE"], difficulties=[1, 2]
    )
    arrays = Request(audio_path="x", difficulties=np.array([1.0, 2.0]), descriptors=np.array([3, 4]))
    assert (arrays.difficulties, arrays.descriptors) == ((1.0, 2.0), (3, 4))
    assert type(request.gamemode) is int and type(request.difficulty) is float and type(request.seed) is int


def test_names_values_and_contradictions_are_told_together():
    found = problems(dificulty=4, keycount=99, timing="modle", start_time=5000, end_time=4000)
    assert len(found) == 4
    for word in ("did you mean 'difficulty'", "keycount=99", "did you mean 'model'", "not before"):
        assert any(word in problem for problem in found), word


def test_a_contradiction_is_not_told_of_values_that_are_wrong_themselves():
    assert problems(start_time="soon", end_time=4000) == [
        "start_time=soon is not a whole number (generate from here, ms)"
    ]


def test_defaults_contradict_nobody():
    Request(audio_path="a.mp3", lookback=0.7)  # with the default lookahead, 0.4, the sum would be above 1


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"gamemode": 7}, "between 0 and 3"),
        ({"gamemode": True}, "not a whole number"),
        ({"gamemode": 10**400}, "too large"),
        ({"gamemode": 10**5000}, "digits is too large"),
        ({"gamemode": "9" * 5000}, "not a whole number"),
        ({"difficulty": 10**400}, "not a number"),
        ({"top_k": 10**20}, "too large"),
        ({"preview_time": 1e300}, "too large"),
        ({"year": 1990}, "between 2007 and 2077"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**32}, "seed"),
        ({"difficulty": float("nan")}, "not a number"),
        ({"difficulty": True}, "not a number"),
        ({"keycount": 4.5}, "not a whole number"),
        ({"hitsounded": "maybe"}, "true or false"),
        ({"hitsounded": 1}, "true or false"),
        ({"timing": "modle"}, "did you mean 'model'?"),
        ({"output_type": ["MAPP"]}, "did you mean 'MAP'?"),
        ({"difficulties": [2, 40]}, "between 0 and 30"),
        ({"descriptors": {"a": 1}}, "not a list"),
        ({"title": ["a"]}, "not a text"),
        ({"title": "two\nlines"}, "line break"),
        ({"audio_path": "a\0b"}, "zero character"),
        ({"profile": "v99"}, "v32-mini"),
        ({"lookback": 0.6, "lookahead": 0.5}, "below 1"),
        ({"start_time": 5000, "end_time": 4000}, "not before"),
        ({"end_time": 0}, "between 1 and"),
        ({"end_time": 0}, "end_time=0"),
        ({"in_context": ["GD"]}, "needs beatmap_path"),
        ({"timing": "constant"}, "needs bpm"),
        ({"bpm": 10000}, "between 1 and 2000"),
        ({"add_to_beatmap": True}, "needs beatmap_path"),
        ({"overwrite_reference_beatmap": True}, "add_to_beatmap"),
        ({"lr": 1}, "unknown option 'lr'"),
        ({"stars": 4}, "did you mean 'difficulty'?"),
        ({"grid_habit": 1}, "did you mean 'prior_weight'?"),
    ],
)
def test_wrong_value_is_explained(options, word):
    found = problems(**options)
    assert word in " ".join(found)
    assert all(len(problem) < 400 for problem in found)


def test_missing_song_is_named():
    with pytest.raises(OptionErrors, match="audio_path is missing"):
        Request()


def test_options_of_published_recipes_without_effect_are_said():
    said = Request(audio_path="a.mp3", timing_leniency=3, use_server=True).ignored()
    assert len(said) == 2 and "timing_leniency has no effect" in said[0]


def test_repeated_descriptors_count_once():
    assert Request(audio_path="a", descriptors=["tech", "tech", "clean"]).descriptors == ("tech", "clean")


def test_what_is_empty_was_not_asked_for():
    request = Request(audio_path="a", title="", difficulty=None, tags=None)
    assert request == Request(audio_path="a") and request.asked() == {"audio_path": "a"}


def test_a_request_is_frozen_can_be_sent_to_a_process_and_changed_into_another():
    request = Request(audio_path="a", difficulty=4)
    with pytest.raises(ValueError, match="frozen"):
        request.difficulty = 5
    assert pickle.loads(pickle.dumps(request)) == request
    assert request.replace(difficulty=5, seed=1) == Request(audio_path="a", difficulty=5, seed=1)
    with pytest.raises(OptionErrors, match="seed=-1"):
        request.replace(seed=-1)
