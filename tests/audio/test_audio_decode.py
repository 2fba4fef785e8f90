"""Which files are read, as what, and what is said of those that are not."""

import builtins
import io
import os
import struct
import tracemalloc

import numpy as np
import pytest
import soundfile

from osuT5.audio import decode, load, open_audio
from osuT5.errors import AudioError

SOUND = 0.5 * np.sin(np.arange(22050) / 30)[:, None].repeat(2, axis=1)


def written(path, samples=SOUND, rate=44100, **options):
    soundfile.write(path, samples, rate, **options)
    return path


@pytest.mark.parametrize("container", ["WAV", "FLAC", "MP3", "OGG", "AIFF"])
@pytest.mark.parametrize("suffix", [".mp3", ".ogg", ".wav", ".raw", ".vox", ".txt", ""])
def test_files_are_known_by_their_content(tmp_path, container, suffix):
    song = load(written(tmp_path / f"song{suffix}", format=container))
    assert song.duration_ms == pytest.approx(500, abs=1)
    assert song.path == tmp_path / f"song{suffix}"
    assert np.abs(song.samples).max() == 1
    expected = {"WAV": "pcm_16", "FLAC": "flac", "MP3": "mp3", "OGG": "vorbis", "AIFF": "pcm_16"}
    assert song.format == expected[container]


@pytest.mark.parametrize("name", ["a b [c] 'd' = (é) 曲.mp3", "-cn.mp3", "%20$HOME~.mp3"])
def test_any_file_name_will_do(tmp_path, name):
    assert load(str(written(tmp_path / name, format="MP3"))).duration_ms == pytest.approx(500, abs=1)


@pytest.mark.parametrize(
    ("subtype", "width", "dtype"),
    [
        ("PCM_U8", 1, "int8"),
        ("PCM_16", 2, "int16"),
        ("PCM_24", 4, "int32"),
        ("FLOAT", 4, "int32"),
        ("ULAW", 2, "int16"),
    ],
)
def test_samples_are_integers_of_the_files_width(tmp_path, subtype, width, dtype):
    raw = decode(written(tmp_path / "song.wav", subtype=subtype))
    assert raw.sample_width == width
    assert raw.samples.dtype == dtype
    full = 1 << (8 * width - 1)
    np.testing.assert_allclose(raw.samples / full, SOUND, atol=0.03 if subtype in ("PCM_U8", "ULAW") else 1e-4)


def test_24_bits_fill_the_low_byte_of_negative_samples(tmp_path):
    path = written(tmp_path / "song.flac", np.array([[-5], [5]], np.int32) * 256, subtype="PCM_24")
    assert decode(path).samples[:, 0].tolist() == [-5 * 256 + 255, 5 * 256]


def test_floats_beyond_full_scale_are_clipped_and_nan_is_silence(tmp_path):
    values = np.array([[2.0], [-2.0], [np.nan], [0.5]])
    path = written(tmp_path / "song.wav", values, subtype="FLOAT")
    assert decode(path).samples[:, 0].tolist() == [2**31 - 1, -(2**31), 0, 2**30]


def test_half_a_second_silence_and_one_sample_are_songs(tmp_path):
    silent = load(written(tmp_path / "silent.wav", np.zeros((22050, 2))))
    assert silent.duration_ms == 500 and not silent.samples.any()
    assert load(written(tmp_path / "one.wav", np.ones((1, 1)))).samples.tolist() == [1.0]


def test_a_file_can_be_deleted_after_it_was_read(tmp_path):
    path = written(tmp_path / "song.mp3", format="MP3")
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
    load(path)
    path.unlink()
    if before is not None:
        assert len(os.listdir("/proc/self/fd")) == before


def test_memory_grows_with_the_mono_result_only(tmp_path):
    path = tmp_path / "song.flac"
    with soundfile.SoundFile(path, "w", 44100, 2, "PCM_16") as file:
        for _ in range(300):
            file.write(SOUND.repeat(2, axis=0)[:44100])
    tracemalloc.start()
    song = load(path)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert song.duration_ms == 300_000
    assert peak_bytes < 2.2 * song.samples.nbytes + 30e6  # all channels as floats would be 106e6 alone


def not_there(folder):
    return folder / "song.mp3"


def under_a_file(folder):
    return written(folder / "song.wav") / "song.mp3"


def a_folder(folder):
    return folder


def empty(folder):
    (folder / "song.mp3").write_bytes(b"")
    return folder / "song.mp3"


def text(folder):
    (folder / "song.mp3").write_text("This is not a song.\n" * 100)
    return folder / "song.mp3"


def noise(folder):
    (folder / "song.mp3").write_bytes(np.random.default_rng(0).bytes(100_000))
    return folder / "song.mp3"


def only_an_id3_tag(folder):
    (folder / "song.mp3").write_bytes(b"ID3\x03\x00\x00\x00\x00\x10\x00" + bytes(2048))
    return folder / "song.mp3"


def a_playlist(folder):
    song = written(folder / "other.mp3", format="MP3")
    (folder / "song.mp3").write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{song}\n#EXT-X-ENDLIST\n")
    return folder / "song.mp3"


def a_concatenation(folder):
    written(folder / "other.mp3", format="MP3")
    (folder / "song.mp3").write_text("ffconcat version 1.0\nfile 'other.mp3'\n")
    return folder / "song.mp3"


def no_samples(folder):
    return written(folder / "song.wav", np.zeros((0, 2)))


def absurd_rate(folder):
    data = bytearray(written(folder / "song.wav").read_bytes())
    data[24:28] = struct.pack("<I", 2_000_000_000)
    (folder / "song.wav").write_bytes(data)
    return folder / "song.wav"


def absurd_channels(folder):
    return written(folder / "song.wav", np.zeros((100, 33)))


def a_pipe(folder):
    os.mkfifo(folder / "song.mp3")
    return folder / "song.mp3"


def a_name_too_long(folder):
    return folder / ("x" * 5000)


def a_name_with_a_nul(folder):
    return folder / "so\0ng.mp3"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (not_there, "does not exist"),
        (under_a_file, "does not exist"),
        (a_folder, "is a folder"),
        (empty, r"is empty \(0 bytes\)"),
        (text, "is not an"),
        (noise, "is not an"),
        (only_an_id3_tag, "is not an|no sound|no samples"),
        (a_playlist, "is not an"),
        (a_concatenation, "is not an"),
        (no_samples, "holds no samples"),
        (absurd_rate, "2000000000 Hz"),
        (absurd_channels, "33 channels"),
        pytest.param(
            a_pipe,
            "not a regular file",
            marks=pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here"),
        ),
        (a_name_too_long, "cannot be opened|does not exist"),
        (a_name_with_a_nul, "cannot be opened"),
    ],
)
def test_what_is_no_song_gets_one_clear_sentence(tmp_path, make, message):
    path = make(tmp_path)
    with pytest.raises(AudioError, match=message) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(AudioError):
        decode(path)


def test_a_header_that_promises_more_than_there_is(tmp_path):
    data = bytearray(written(tmp_path / "song.wav").read_bytes())
    for promised in (0x7FFFFFFF, 0xFFFFFFFF):
        data[40:44] = struct.pack("<I", promised)
        (tmp_path / "song.wav").write_bytes(data)
        assert load(tmp_path / "song.wav").duration_ms == pytest.approx(500, abs=1)


def test_a_song_of_absurd_length_stops_while_it_is_read(tmp_path):
    path = tmp_path / "song.flac"
    with soundfile.SoundFile(path, "w", 1000, 1, "PCM_16") as file:
        for _ in range(121):
            file.write(np.zeros(60 * 1000, np.int16))
    assert path.stat().st_size < 100_000
    with pytest.raises(AudioError, match="longer than 2 hours"), open_audio(path) as stream:
        assert sum(len(block) for block in stream.blocks()) == 0


@pytest.mark.parametrize("container", ["FLAC", "OGG", "WAV"])
def test_a_cut_file_ends_in_sound_or_in_a_message(tmp_path, container):
    buffer = io.BytesIO()
    soundfile.write(buffer, np.tile(SOUND, (10, 1)), 44100, format=container)
    data = buffer.getvalue()
    path = tmp_path / "song"
    for share in (0.01, 0.3, 0.7, 0.99):
        path.write_bytes(data[: int(len(data) * share)])
        try:
            assert 0 < load(path).duration_ms <= 5000
        except AudioError as error:
            assert str(path) in str(error)


def test_without_pyav_a_file_for_it_says_what_to_install(tmp_path, monkeypatch):
    real_import = builtins.__import__

    def without_av(name, *args, **kwargs):
        if name == "av":
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_av)
    path = tmp_path / "song.m4a"
    path.write_bytes(b"\x00\x00\x00\x20ftypM4A " + bytes(100))
    with pytest.raises(AudioError, match="pip install av"):
        load(path)


def test_a_stream_tells_its_shape_before_it_is_read(tmp_path):
    with open_audio(written(tmp_path / "song.wav")) as stream:
        assert (stream.sample_rate, stream.channels, stream.sample_width) == (44100, 2, 2)
        assert sum(len(block) for block in stream.blocks()) == 22050
