"""Samples of the published recipe, id by id, label by label, with the sound that belongs to them."""

import numpy as np
import pytest
from golden_samples import PROFILES, cut_mmrs, digest, load

from osuT5.data.samples import IGNORED
from osuT5.data.windows import window_sound

FILES = {name: load(f"samples_{name}.json.gz") for name in (*PROFILES, "variants")}
CASES = [(file, case) for file, content in FILES.items() for case in content["cases"]]
LOSSY = {0, 1}  # rows of the MP3 set: decoders differ in the last bits


def assert_is_recorded(sample, sound, recorded, profile_like):
    ids = sample.input_ids
    first = recorded["first_non_pad"]
    assert ids[first:].tolist() == recorded["decoder_input_ids"], recorded["text"]
    assert not ids[:first].any()
    assert len(ids) <= recorded["total_len"]
    labels = [[i, int(label)] for i, label in enumerate(sample.labels) if label != IGNORED]
    assert labels == recorded["labels"], recorded["text"]
    assert sample.song_position == pytest.approx(recorded["song_position"], abs=1e-6)
    encoder = sample.encoder
    assert (encoder.style, encoder.mapper) == (recorded["beatmap_idx"], recorded["mapper_idx"])
    assert encoder.difficulty == pytest.approx(recorded["difficulty"], abs=1e-6)
    if "sample_weights" in recorded:
        assert encoder.weight == pytest.approx(recorded["sample_weights"], abs=1e-6)
    else:
        assert encoder.weight is None


def assert_sounds_as_recorded(heard, recorded, exact):
    assert heard.dtype == np.float32 and list(heard.shape) == recorded["shape"]
    if exact:
        assert digest(heard) == recorded["sha256"]
    else:
        places = [i for i, _ in recorded["probe"]]
        scale = max(float(np.abs(heard).max()), 1.0)  # not normalised: whole 16-bit numbers
        assert heard[places] == pytest.approx([v for _, v in recorded["probe"]], abs=2e-3 * scale)


@pytest.mark.parametrize(("file", "name"), CASES)
def test_samples_are_those_of_the_published_recipe(file, name):
    case = FILES[file]["cases"][name]
    profile = "v28" if file == "variants" else file
    _, made = cut_mmrs(profile, case)
    assert len(made) == len(case["samples"])
    for (sample, sound), recorded in zip(made, case["samples"], strict=True):
        assert_is_recorded(sample, sound, recorded, profile)
        window = recorded["frames"]["shape"][0]
        heard = window_sound(sound, sample.start_frame, 128, window)
        assert_sounds_as_recorded(heard, recorded["frames"], exact=recorded["beatmap_idx"] not in LOSSY)
