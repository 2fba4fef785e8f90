"""Time zero never moves: clicks come out of every codec where they went in, within 1 ms."""

import numpy as np
import pytest
import soundfile

from osuT5.audio import decode, load

CLICKS_S = (0.0, 0.1, 0.25, 0.9, 1.75, 2.5)
DURATION_S = 2.75


def click_track(rate, channels=2):
    """Short bursts of 2.5 kHz, the first of them on sample 0, shape (frames, channels)."""
    samples = np.zeros((int(rate * DURATION_S), channels))
    length = int(0.01 * rate)
    burst = 0.8 * np.exp(-np.arange(length) / (0.001 * rate)) * np.cos(2 * np.pi * 2500 * np.arange(length) / rate)
    for second in CLICKS_S:
        samples[int(second * rate) :][:length] += burst[:, None]
    return samples


def click_errors_ms(samples, rate):
    """How far each click of mono samples lies from the truth, by correlation with a click."""
    burst = click_track(rate, 1)[: int(0.01 * rate), 0]
    reach = int(0.045 * rate)
    errors = []
    for second in CLICKS_S:
        at = int(second * rate)
        begin = max(at - reach, 0)
        match = np.correlate(samples[begin : at + reach + len(burst)], burst, "valid")
        errors.append((int(np.argmax(match)) + begin - at) * 1000 / rate)
    return errors


def assert_in_place(path, source_rate):
    for resampler in ("published", "band_limited"):
        song = load(path, resampler=resampler)
        errors = click_errors_ms(song.samples, song.sample_rate)
        assert max(map(abs, errors)) <= 1.0, f"{resampler}: {errors}"
    raw = decode(path)
    assert raw.sample_rate == source_rate
    errors = click_errors_ms(raw.samples.mean(axis=1), source_rate)
    assert max(map(abs, errors)) <= 1.0, errors


@pytest.mark.parametrize(
    ("container", "subtype", "rate", "channels"),
    [
        ("WAV", "PCM_16", 44100, 2),
        ("WAV", "PCM_24", 48000, 2),
        ("WAV", "FLOAT", 22050, 1),
        ("FLAC", "PCM_16", 44100, 2),
        ("FLAC", "PCM_24", 96000, 2),
        ("OGG", "VORBIS", 44100, 2),
        ("OGG", "VORBIS", 22050, 1),
        ("OGG", "OPUS", 48000, 2),
        ("OGG", "OPUS", 24000, 1),
        ("MP3", "MPEG_LAYER_III", 44100, 2),
        ("MP3", "MPEG_LAYER_III", 48000, 1),
        ("MP3", "MPEG_LAYER_III", 32000, 2),
        ("MP3", "MPEG_LAYER_III", 22050, 2),
        ("MP3", "MPEG_LAYER_III", 11025, 1),
        ("AIFF", "PCM_16", 44100, 2),
    ],
)
def test_soundfile_codecs(tmp_path, container, subtype, rate, channels):
    path = tmp_path / "clicks"
    soundfile.write(path, click_track(rate, channels), rate, format=container, subtype=subtype)
    raw = decode(path)
    assert (raw.sample_rate, raw.channels) == (rate, channels)
    assert len(raw.samples) == int(rate * DURATION_S)
    assert_in_place(path, rate)


@pytest.mark.parametrize(
    ("suffix", "container", "codec", "rate", "width"),
    [
        ("m4a", "ipod", "aac", 44100, 2),
        ("m4a", "ipod", "alac", 44100, 4),
        ("mp4", "mp4", "aac", 48000, 2),
        ("mka", "matroska", "aac", 44100, 2),
        ("webm", "webm", "libopus", 48000, 4),
    ],
)
def test_container_codecs(tmp_path, suffix, container, codec, rate, width):
    pytest.importorskip("av")
    path = tmp_path / f"clicks.{suffix}"
    encode_with_av(path, container, codec, rate)
    assert decode(path).sample_width == width
    assert_in_place(path, rate)


def test_a_bare_aac_stream_is_late_by_its_encoders_delay(tmp_path):
    pytest.importorskip("av")
    path = tmp_path / "clicks.aac"
    encode_with_av(path, "adts", "aac", 44100)
    errors = click_errors_ms(decode(path).samples.mean(axis=1), 44100)
    assert errors == pytest.approx([1024 * 1000 / 44100] * len(errors), abs=1.0)


def test_opus_at_music_bit_rates_is_the_same_in_both_decoders(tmp_path):
    pytest.importorskip("av")
    from osuT5.audio.containers import open_container

    path = tmp_path / "clicks.opus"
    soundfile.write(path, click_track(48000), 48000, format="OGG", subtype="OPUS")
    with path.open("rb") as file, open_container(path, file) as stream:
        ffmpeg = np.concatenate(list(stream.blocks()))
    ours = decode(path).samples
    np.testing.assert_allclose(ours / 2**31, ffmpeg / 2**31, atol=2e-3)


def encode_with_av(path, container, codec, rate):
    import av

    samples = np.ascontiguousarray(click_track(rate).T.astype(np.float32))
    with av.open(str(path), "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate, layout="stereo")
        stream.bit_rate = 128000
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts = rate, 0
        resampler = av.AudioResampler(format=stream.codec_context.format, layout="stereo", rate=rate)
        packets = [packet for part in resampler.resample(frame) for packet in stream.encode(part)]
        output.mux(packets + stream.encode(None))
