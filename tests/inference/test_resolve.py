"""Where the value of an option comes from: the request, the reference beatmap, the model's profile, or a default."""

import copy
import pickle
import shutil

import pytest
from golden_inference import find

from osuT5.errors import OptionErrors
from osuT5.events import load_profile
from osuT5.inference.inputs import read_inputs
from osuT5.inference.options import Request
from osuT5.inference.resolve import check_against_model, resolve_options


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
    assert set(options.origins.values()) == {"asked", "reference", "profile", "rating", "default", "unset"}
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
