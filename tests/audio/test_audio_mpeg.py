"""MP3 files as people have them: with and without headers, cut, glued, wrapped in junk."""

import io

import numpy as np
import pytest
import soundfile

from osuT5.audio import decode, load
from osuT5.errors import AudioError

RATE, FRAME = 44100, 1152
N = 3 * RATE
BIT_RATES = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
ALL_SAMPLES = 116 * FRAME  # what the frames of this file decode to, untrimmed
LATE = 576 + 529  # LAME's delay and every decoder's


def encode(samples, **options):
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", RATE, samples.shape[1], format="MP3", **options) as sound:
        sound.write(samples)
    return file.getvalue()


def frame_starts(data):
    """First bytes of all frames of a 44.1 kHz layer 3 stream, and its end."""
    at, starts = 0, []
    while at < len(data):
        starts.append(at)
        at += 144 * BIT_RATES[data[at + 2] >> 4] * 1000 // RATE + (data[at + 2] >> 1 & 1)
    assert at == len(data)
    return [*starts, at]


def patch(data, at, value):
    return data[:at] + value + data[at + len(value) :]


@pytest.fixture(scope="module")
def music():
    """Noise that never repeats, low-passed, so that a delay shows to the sample."""
    noise = np.random.default_rng(5).standard_normal((N, 2))
    kernel = np.hanning(24) / np.hanning(24).sum()
    smooth = np.stack([np.convolve(channel, kernel, "same") for channel in noise.T], axis=1)
    return 0.5 * smooth / np.abs(smooth).max()


@pytest.fixture(scope="module")
def mp3(music):
    return encode(music)


@pytest.fixture
def heard(tmp_path, music):
    """Decode bytes → (number of samples, delay against the music in samples)."""

    def hear(data):
        path = tmp_path / "song.mp3"
        path.write_bytes(data)
        raw = decode(path)
        assert (raw.format, raw.sample_width, raw.sample_rate) == ("mp3", 2, RATE)
        size = 1 << 19
        made = np.fft.rfft(raw.samples[:N].mean(axis=1), size)
        match = np.fft.irfft(made * np.conj(np.fft.rfft(music.mean(axis=1), size)), size)
        delay = int(np.argmax(match))
        return len(raw.samples), delay if delay < size // 2 else delay - size

    return hear


def test_the_lame_tag_gives_back_exactly_what_went_in(heard, mp3):
    assert b"LAME" in mp3[:200]
    assert heard(mp3) == (N, 0)


def test_without_a_header_nothing_is_cut_and_the_sound_is_late(heard, mp3):
    assert heard(mp3[frame_starts(mp3)[1] :]) == (ALL_SAMPLES, LATE)


@pytest.mark.parametrize("tag", [bytes(36), b"LAME3.100" + bytes(27), b"GOGO3.13b" + bytes(27)])
def test_a_header_that_does_not_know_the_delay_is_as_none(heard, mp3, tag):
    assert heard(patch(mp3, mp3.index(b"LAME"), tag)) == (ALL_SAMPLES, LATE)


@pytest.mark.parametrize("tag", [b"Lavc", b"Lavf"])
def test_ffmpegs_tag_counts_too(heard, mp3, tag):
    assert heard(patch(mp3, mp3.index(b"LAME"), tag)) == (N, 0)


@pytest.mark.parametrize("frames", [1, 58, 232, 2**32 - 1])
def test_a_wrong_frame_count_loses_no_sound(heard, mp3, frames):
    count = mp3.index(b"Xing") + 8
    assert heard(patch(mp3, count, frames.to_bytes(4, "big"))) == (ALL_SAMPLES - LATE, 0)


def test_a_headerless_variable_rate_file_is_heard_to_its_end(tmp_path):
    # A loud beginning makes the first frames large; a length estimated from them would lose most of the song.
    samples = 0.01 * np.sin(np.arange(20 * RATE) / 20)[:, None].repeat(2, axis=1)
    samples[:RATE] = 0.2 * np.random.default_rng(0).standard_normal((RATE, 2))
    data = encode(samples, bitrate_mode="VARIABLE", compression_level=0.3)
    path = tmp_path / "song.mp3"
    path.write_bytes(data[frame_starts(data)[1] :])
    assert 20_000 < load(path).duration_ms < 20_100


def test_a_file_that_was_cut_is_heard_up_to_the_cut(heard, mp3):
    starts = frame_starts(mp3)
    assert heard(mp3[: starts[60] + 50]) == (59 * FRAME - LATE, 0)
    assert heard(mp3[: starts[60]]) == (59 * FRAME - LATE, 0)


def test_two_files_glued_together_are_heard_one_after_the_other(heard, mp3):
    length, delay = heard(mp3 + mp3)
    assert delay == 0
    assert length > 2 * N


ID3 = b"ID3\x03\x00\x00\x00\x00\x10\x00" + bytes(2048)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (ID3, b""),
        (ID3 + ID3, b""),
        (bytes(1000), b""),
        (b"\xff" * 999, b""),
        (b"HTTP/1.1 200 OK\r\n" * 50, b""),
        (b"", b"TAG" + bytes(125)),
        (b"", b"APETAGEX" + b"\xff\xfb\x90\x64" * 3000),
        (b"", b"junk" * 5000),
    ],
)
def test_tags_and_junk_around_the_frames_move_nothing(heard, mp3, before, after):
    assert heard(before + mp3 + after) == (N, 0)


def test_junk_between_the_frames_moves_nothing(heard, mp3):
    at = frame_starts(mp3)[50]
    assert heard(mp3[:at] + b"junk" * 1000 + mp3[at:]) == (N, 0)


def test_a_layer_2_stream_renamed_is_known_by_its_content(tmp_path):
    av = pytest.importorskip("av")
    path = tmp_path / "song.mp3"
    with av.open(str(path), "w", format="mp2") as output:
        stream = output.add_stream("mp2", rate=RATE, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 2 * RATE), np.int16), format="s16", layout="stereo")
        frame.sample_rate, frame.pts = RATE, 0
        output.mux(stream.encode(frame) + stream.encode(None))
    assert decode(path).samples.shape[1] == 2
    assert 1000 <= load(path).duration_ms < 1100


def test_a_change_of_rate_within_a_file_is_refused(tmp_path, mp3):
    file = io.BytesIO()
    soundfile.write(file, np.zeros((48000, 2)), 48000, format="MP3")
    path = tmp_path / "song.mp3"
    path.write_bytes(mp3 + file.getvalue())
    with pytest.raises(AudioError, match="changes its sample rate or channels 3.0 s after its start"):
        load(path)


def test_broken_bytes_end_in_sound_or_in_a_message(tmp_path, mp3):
    rng = np.random.default_rng(1)
    path = tmp_path / "song.mp3"
    for _ in range(25):
        broken = bytearray(mp3)
        for at in rng.integers(0, len(broken), 20):
            broken[at] = rng.integers(256)
        path.write_bytes(broken)
        try:
            assert load(path).duration_ms > 2000
        except AudioError as error:
            assert str(path) in str(error)
