"""Every published spectrogram setting, on a one-second sweep."""

import numpy as np
import pytest
import torch

from osuT5.errors import CheckpointError, InputError
from osuT5.events.profile import load_profile
from osuT5.model.spectrogram import MelSpectrogram

SETTINGS = {"v28_v29": ("v28", 1e-3), "v30_v31": ("v30", 5e-5), "v32_v32mini": ("v32", 5e-5)}


@pytest.fixture(scope="module")
def sweep(golden):
    with np.load(golden / "model" / "spectrogram_sweep.npz") as arrays:
        return dict(arrays)


def of_profile(name: str) -> MelSpectrogram:
    values = load_profile(name).spectrogram
    return MelSpectrogram(**values)


@pytest.mark.parametrize("setting", SETTINGS)
def test_sweep(setting, sweep):
    name, tolerance = SETTINGS[setting]
    mel = of_profile(name)(torch.from_numpy(sweep["sweep"])[None])[0].numpy()
    np.testing.assert_allclose(mel[sweep[f"{setting}_frames"]], sweep[f"{setting}_spec_every5"], atol=tolerance, rtol=0)
    for axis, key in ((0, "mean_over_time"), (1, "mean_over_mel")):
        expected = sweep[f"{setting}_{key}"]
        near = 1e-5 * mel.max() if name == "v28" else 5e-5
        np.testing.assert_allclose(mel.mean(axis), expected, atol=near, rtol=0)


@pytest.mark.parametrize("setting", SETTINGS)
def test_filter_bank(setting, sweep):
    bank = of_profile(SETTINGS[setting][0]).filter_bank().T.numpy()
    expected = np.zeros_like(bank)
    expected[sweep[f"{setting}_fb_row"], sweep[f"{setting}_fb_col"]] = sweep[f"{setting}_fb_val"]
    np.testing.assert_allclose(bank, expected, atol=2e-5, rtol=0)


@pytest.mark.parametrize("name", ["v28", "v30", "v32", "mini"])
def test_a_window_gives_exactly_its_frames_and_silence_gives_zero(name):
    profile = load_profile(name)
    mel = of_profile(name)(torch.zeros(1, profile.window_samples))
    assert mel.shape == (1, profile.src_seq_len, profile.spectrogram["n_mels"])
    assert not mel.any()


def test_autocast_does_not_touch_it():
    spectrogram, samples = of_profile("mini"), torch.randn(1, 4096)
    with torch.autocast("cpu", torch.bfloat16):
        inside = spectrogram(samples)
    assert torch.equal(inside, spectrogram(samples))


def test_audio_shorter_than_half_a_frame_is_refused_by_reflect_padding():
    with pytest.raises(InputError, match="512 samples is too short"):
        of_profile("v32")(torch.zeros(1, 512))


def test_unknown_settings_are_refused():
    with pytest.raises(CheckpointError, match="librosa.*nnAudio, torchaudio"):
        MelSpectrogram(implementation="librosa")
    with pytest.raises(CheckpointError, match="wrap"):
        MelSpectrogram(pad_mode="wrap")
