"""Where the value of an option comes from: the request, the reference beatmap, the model's profile, or a default."""

import copy
import dataclasses
import pickle
import shutil

import pytest
from golden_inference import find

from osuT5 import audio
from osuT5.errors import InputError, OptionErrors
from osuT5.events import load_profile
from osuT5.inference.inputs import read_inputs
from osuT5.inference.options import Request
from osuT5.inference.plan import explained_options
from osuT5.inference.resolve import check_against_model, generation_values, resolve_for_song, resolve_options


@pytest.fixture
def folder(tmp_path):
    for name in ("click.flac", "ref_std.osu", "ref_mania.osu"):
        shutil.copy(find(name), tmp_path / name)
    return tmp_path


def resolved(folder, reference=None, profile="v32", **options):
    if reference:
        options["beatmap_path"] = str(folder / reference)
    request = Request(audio_path=str(folder / "click.flac"), **options)
    inputs = read_inputs(request)
    return inputs, resolve_options(request, load_profile(profile), inputs.reference)


def test_a_constant_tempo_is_the_reference_beatmaps_unless_asked_otherwise(folder):
    _, options = resolved(folder, "ref_std.osu", timing="constant")
    assert (options.bpm, options.offset) == (128, 350)
    _, options = resolved(folder, "ref_std.osu", timing="constant", bpm=90)
    assert (options.bpm, options.origins["bpm"], options.origins["offset"]) == (90, "asked", "reference")


def test_a_background_beside_the_reference_goes_along(folder):
    picture = folder / "bg.jpg"
    assert resolved(folder, "ref_std.osu")[0].background is None
    picture.write_bytes(b"picture")
    inputs, options = resolved(folder, "ref_std.osu")
    assert inputs.background == picture
    assert (options.background, options.origins["background"]) == (str(picture), "reference")
    other = folder / "other.png"
    other.write_bytes(b"other")
    assert resolved(folder, "ref_std.osu", background=str(other))[0].background == other


def test_a_beatmap_cannot_name_a_background_outside_its_folder(folder):
    (folder.parent / "private.jpg").write_bytes(b"private")
    text = (folder / "ref_std.osu").read_text()
    (folder / "ref_std.osu").write_text(text.replace('"bg.jpg"', '"../private.jpg"'))
    assert resolved(folder, "ref_std.osu")[0].background is None


def test_the_number_of_keys_is_no_circle_size(folder):
    text = (folder / "ref_mania.osu").read_text()
    (folder / "ref_mania.osu").write_text(text.replace("CircleSize:4", "CircleSize:7"))
    _, options = resolved(folder, "ref_mania.osu", gamemode=0)
    assert options.circle_size == 3.0 and options.origins["circle_size"] == "rating"
    _, options = resolved(folder, "ref_mania.osu")
    assert (options.keycount, options.circle_size) == (7, 7)


def test_only_what_was_asked_for_comes_from_the_request(folder):
    _, options = resolved(folder, "ref_std.osu", add_to_beatmap=True, difficulty=3)
    requested = {name for name, source in options.origins.items() if source == "asked"}
    assert requested == {"audio_path", "beatmap_path", "add_to_beatmap", "difficulty"}
    assert {options.origins[n] for n in ("verify", "overwrite_reference_beatmap", "timing")} == {"default"}
    assert set(options.origins.values()) == {"asked", "reference", "profile", "default", "unset"}
    assert all((options.values[n] is None) == (source == "unset") for n, source in options.origins.items())


@pytest.mark.parametrize(
    ("wanted", "words"),
    [({"in_context": ["MAP"]}, "mode 3, which v30"), ({"add_to_beatmap": True}, "mode 3, objects of gamemode=0")],
)
def test_a_reference_of_another_mode_is_refused_where_its_objects_count(folder, wanted, words):
    inputs, options = resolved(folder, "ref_mania.osu", "v30", gamemode=0, **wanted)
    with pytest.raises(OptionErrors, match=words):
        check_against_model(options, load_profile("v30"), inputs.reference)
    inputs, options = resolved(folder, "ref_mania.osu", "v30", gamemode=0, in_context=["TIMING"])
    check_against_model(options, load_profile("v30"), inputs.reference)


def test_circle_size_follows_the_star_rating(folder):
    sizes = [resolved(folder, difficulty=stars)[1].circle_size for stars in (1.5, 3, 8)]
    assert sizes == sorted(set(sizes))
    assert resolved(folder, difficulty=1.5, circle_size=4)[1].circle_size == 4


def test_what_a_reference_leaves_out_has_a_value(folder):
    lines = (folder / "ref_std.osu").read_text().splitlines()
    gone = ("CircleSize", "SliderMultiplier", "SliderTickRate", "Title", "350,468.75", "2225,", "4100,", "7850,")
    (folder / "ref_std.osu").write_text("\n".join(line for line in lines if not line.startswith(gone)))
    _, options = resolved(folder, "ref_std.osu")
    assert (options.circle_size, options.slider_multiplier, options.slider_tick_rate) == (5, 1.4, 1)
    assert (options.bpm, options.offset, options.origins["bpm"]) == (120, 0, "default")
    assert options.title is None and options.origins["title"] == "unset"  # follows from the song


def test_resolved_options_can_be_copied_and_sent_to_another_process():
    profile = load_profile("v29")
    options = resolve_options(Request(**{"audio_path": "song.mp3", "seed": 3}), profile, None)
    for again in (pickle.loads(pickle.dumps(options)), copy.deepcopy(options)):
        assert dict(again.values) == dict(options.values) and dict(again.origins) == dict(options.origins)


# ---- when the song is known


def for_song(folder, tags=None, **options):
    inputs, options = resolved(folder, **options)
    song = audio.load(inputs.audio_path)
    song = dataclasses.replace(song, tags=audio.Tags(**tags)) if tags else song
    return resolve_for_song(options, inputs.audio_path, song, load_profile("v32"))


def test_names_come_from_the_request_the_tags_or_the_file_name(folder):
    options = for_song(folder, {"title": "夜", "artist": "X"}, artist="Me")
    assert (options.title_unicode, options.origins["title_unicode"]) == ("夜", "tags")
    assert options.title.isascii() and options.origins["title"] == "tags"
    assert (options.artist, options.origins["artist"]) == ("Me", "asked")
    options = for_song(folder)
    assert (options.title, options.origins["title"]) == ("click", "song")
    assert (options.artist, options.origins["artist"]) == ("Unknown Artist", "song")


def test_values_by_star_rating_are_named_so(folder):
    options = for_song(folder, difficulty=2.0, approach_rate=7)
    by_rating = {n for n, origin in options.origins.items() if origin == "rating"}
    assert by_rating == {"hp_drain_rate", "circle_size", "overall_difficulty", "version"}
    assert options.version == "Mapperatorinator V32 2.0*" and options.origins["approach_rate"] == "asked"
    assert for_song(folder, difficulty=2.0, version="Hard").version == "Hard"
    assert for_song(folder, gamemode=3).circle_size is None  # its prompt knows keys instead


def test_a_range_begins_within_the_song(folder):
    with pytest.raises(OptionErrors, match="start_time=12000 lies beyond the song, which lasts 11"):
        for_song(folder, start_time=12000)
    assert for_song(folder, start_time=11000, end_time=99_000).end_time == 99_000


# ---- the profile's generation defaults


def test_the_reference_goes_before_the_profile(folder):
    profile = load_profile("mini").replace(generation={"slider_multiplier": 2.5, "top_p": 0.5})
    request = Request(beatmap_path=str(folder / "ref_std.osu"))
    options = resolve_options(request, profile, read_inputs(request).reference)
    assert (options.slider_multiplier, options.origins["slider_multiplier"]) == (1.6, "reference")
    assert (options.top_p, options.origins["top_p"]) == (0.5, "profile")


def test_older_names_of_generation_defaults_are_read():
    older = load_profile("mini").replace(generation={"grid_habit": 3, "grid_hearing": 2, "grid_onsets": 1.5})
    assert generation_values(older) == {"prior_weight": 3, "audio_weight": 2, "onset_weight": 1.5}


@pytest.mark.parametrize(
    ("wrong", "words"), [({"grid_habits": 1}, "unknown option 'grid_habits'"), ({"top_p": 3}, "top_p=3")]
)
def test_wrong_generation_defaults_are_told(wrong, words):
    with pytest.raises(OptionErrors, match=f"profile mini: {words}"):
        generation_values(load_profile("mini").replace(generation=wrong))


def test_a_checkpoint_says_nothing_of_the_users_files(folder):
    profile = load_profile("mini").replace(generation={"overwrite_reference_beatmap": True, "output_path": "/"})
    options = resolve_options(Request(audio_path="a"), profile, None)
    assert options.overwrite_reference_beatmap is False and options.output_path is None


# ---- which model


def test_bundled_models_are_found_from_every_folder(folder, monkeypatch):
    monkeypatch.chdir(folder)
    asked = {"audio_path": "click.flac", "difficulty": 3}
    explained = explained_options(Request(**asked, model_path="models/mini"))
    assert explained.grid_times is True and explained.origins["grid_times"] == "profile"
    assert explained.values["audio_weight"] == 2.0
    with pytest.raises(InputError, match="name its profile"):
        explained_options(Request(**asked, model_path="owner/nothing"))
    with pytest.raises(OptionErrors, match="no folder models/minni") as caught:
        explained_options(Request(**asked, model_path="models/minni", background="none.png"))
    assert len(caught.value.problems) == 2
    assert explained_options(Request(**asked, model_path="owner/name", profile="v30")).lookahead == 0.4


def test_what_a_model_cannot_do_is_refused_before_it_is_fetched(folder):
    audio_path = str(folder / "click.flac")
    with pytest.raises(OptionErrors, match="v30 was trained for 0 only"):
        explained_options(Request(audio_path=audio_path, model_path="owner/name", profile="v30", gamemode=3))
