"""What the published models heard, sample for sample (golden/training/audio, golden/inference)."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from osuT5.audio import change_speed_polyphase, decode, frame, load, normalize_peak, resample_for_model

GOLDEN = Path(__file__).parents[1] / "golden"
FOLDER = GOLDEN / "training" / "audio"
RECORD = json.loads((FOLDER / "audio.json").read_text())
FILE_CASES = [case for case in RECORD["cases"] if not case.get("web")]
LOSSLESS = [case for case in FILE_CASES if case["sha256"]]
WEB = [case for case in RECORD["cases"] if case.get("web")]


def name(case):
    return f"{case.get('file', 'web')}-{case['speed']}-{'normalized' if case['normalize'] else 'raw'}"


def case_of(file, speed=1.0):
    return next(c for c in FILE_CASES if c["file"] == file and c["speed"] == speed)


@pytest.fixture(scope="module")
def arrays():
    with np.load(FOLDER / "decoded.npz") as stored:
        return dict(stored)


def shape_of(raw):
    return {
        "rate": raw.sample_rate,
        "channels": raw.channels,
        "sample_width": raw.sample_width,
        "frames": len(raw.samples),
    }


@pytest.mark.parametrize("case", LOSSLESS, ids=name)
def test_lossless_files_are_exact_to_the_bit(case):
    samples = load(FOLDER / case["file"], speed=case["speed"], normalize=case["normalize"]).samples
    assert samples.dtype == np.float32
    assert samples[:12].tolist() == case["first"]
    assert len(samples) == case["n"]
    assert hashlib.sha256(samples.tobytes()).hexdigest() == case["sha256"]


@pytest.mark.parametrize("case", LOSSLESS, ids=name)
def test_lossless_files_decode_to_the_recorded_shape(case):
    assert shape_of(decode(FOLDER / case["file"])) == case["decoded"]


@pytest.mark.parametrize("speed", [1.0, 1.25])
def test_mp3_is_heard_as_recorded(arrays, speed):
    case = case_of("mp3_44100_stereo.mp3", speed)
    samples = load(FOLDER / case["file"], speed=speed).samples
    expected = arrays[case["key"]]
    assert len(samples) == case["n"]
    np.testing.assert_allclose(samples[: len(expected)], expected, atol=1e-3)
    assert shape_of(decode(FOLDER / case["file"])) == case["decoded"]


def test_vorbis_is_heard_as_recorded_and_keeps_its_last_128_frames(arrays):
    case = case_of("vorbis_44100_stereo.ogg")
    samples = load(FOLDER / case["file"]).samples
    expected = arrays[case["key"]]
    np.testing.assert_allclose(samples[: len(expected)], expected, atol=2e-3)
    # The recording decoder loses the end of the stream; ours gives all of the 44100 frames that were encoded.
    assert shape_of(decode(FOLDER / case["file"])) == {**case["decoded"], "frames": case["decoded"]["frames"] + 128}


def test_opus_speech_mode_is_heard_as_recorded_by_ffmpegs_own_decoder(arrays):
    pytest.importorskip("av")
    from osuT5.audio.containers import open_container

    case = case_of("opus_48000_stereo.opus")
    path = FOLDER / case["file"]
    with path.open("rb") as file, open_container(path, file) as stream:
        samples = resample_for_model(stream)
    expected = arrays[case["key"]]
    np.testing.assert_allclose(samples[: len(expected)], expected, atol=2e-3)


def test_opus_speech_mode_differs_by_a_fiftieth_of_a_millisecond(arrays):
    # This file is in opus' hybrid mode, which FFmpeg's decoder puts one sample of 48 kHz earlier than libopus, the
    # codec's own decoder, which reads it here. Music bit rates use the other mode, in which the two agree.
    case = case_of("opus_48000_stereo.opus")
    raw = decode(FOLDER / case["file"])
    assert shape_of(raw) == case["decoded"]
    expected = arrays[case["key"]]
    moved = type(raw)(raw.samples[1:], raw.sample_width, raw.sample_rate)
    errors = [np.abs(resample_for_model(audio)[: len(expected)] - expected).max() for audio in (raw, moved)]
    assert errors[0] < 0.1
    assert errors[1] < 0.03


@pytest.mark.parametrize("case", WEB, ids=name)
def test_web_training_speed_change(arrays, case):
    samples = normalize_peak(change_speed_polyphase(arrays[case["key_in"]][0], case["speed"]))
    assert len(samples) == case["n"]
    np.testing.assert_allclose(samples, arrays[case["key"]], atol=1e-5)


@pytest.mark.parametrize("case", RECORD["framing"], ids=lambda case: str(case["n_samples"]))
def test_framing(case):
    framed = frame(np.ones(case["n_samples"], np.float32), 128)
    assert framed.shape == (case["n_frames"], 128)
    assert framed[-1].sum() == case["last_frame_sum"]
    assert [8.0 * k for k in range(len(framed))] == case["frame_times_ms"]


def test_click_song_of_inference():
    with np.load(GOLDEN / "inference" / "audio_click.npz") as stored:
        raw, peak = stored["raw_int16"], stored["peak"]
    path = GOLDEN / "inference" / "click.flac"
    np.testing.assert_array_equal(load(path, normalize=False).samples, raw.astype(np.float32))
    np.testing.assert_array_equal(load(path).samples, raw.astype(np.float32) / peak)
