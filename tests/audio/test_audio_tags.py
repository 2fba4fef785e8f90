"""Tags: read from every kind of file, and never in anybody's way."""

import base64

import numpy as np
import pytest
import soundfile
from mutagen.asf import ASF, ASFByteArrayAttribute
from mutagen.flac import FLAC, Picture
from mutagen.id3 import APIC, ID3, TALB, TIT2, TPE1
from mutagen.mp4 import MP4, MP4Cover
from mutagen.oggvorbis import OggVorbis

from osuT5.audio import Tags, load, read_tags

COVER = b"\x89PNG\r\n\x1a\n and so on"
BACK = b"the back of the sleeve"
FULL = Tags("Tïtle 題", "One, Two", "Album", COVER, "image/png")


def sound(path, **options):
    soundfile.write(path, np.zeros(4410), 44100, **options)
    return path


def picture(data, kind):
    made = Picture()
    made.data, made.type, made.mime = data, kind, "image/png"
    return made


@pytest.fixture
def mp3(tmp_path):
    path = sound(tmp_path / "song.mp3", format="MP3")
    tags = ID3()
    tags.add(TIT2(3, ["Tïtle 題"]))
    tags.add(TPE1(3, ["One", "Two"]))
    tags.add(TALB(3, [" Album\n"]))
    tags.add(APIC(3, "image/png", 4, "back", BACK))
    tags.add(APIC(3, "image/png", 3, "front", COVER))
    tags.save(path)
    return path


def test_id3(mp3):
    assert read_tags(mp3) == FULL
    assert load(mp3).tags == FULL


@pytest.mark.parametrize("kind", ["flac", "ogg"])
def test_vorbis_comments(tmp_path, kind):
    path = sound(tmp_path / f"song.{kind}")
    file = FLAC(path) if kind == "flac" else OggVorbis(path)
    file["title"], file["artist"], file["album"] = "Tïtle 題", ["One", "Two"], "Album"
    if kind == "flac":
        file.add_picture(picture(BACK, 4))
        file.add_picture(picture(COVER, 3))
    else:
        pictures = (picture(BACK, 4), picture(COVER, 3))
        file["metadata_block_picture"] = [base64.b64encode(p.write()).decode() for p in pictures]
    file.save()
    assert read_tags(path) == FULL


def with_av(path, container, codec):
    av = pytest.importorskip("av")
    with av.open(str(path), "w", format=container) as output:
        stream = output.add_stream(codec, rate=44100, layout="stereo")
        stream.bit_rate = 128000
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 44100), np.float32), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts = 44100, 0
        output.mux(stream.encode(frame) + stream.encode(None))
    return path


def test_mp4_atoms(tmp_path):
    path = with_av(tmp_path / "song.m4a", "ipod", "aac")
    file = MP4(path)
    file["\xa9nam"], file["\xa9ART"], file["\xa9alb"] = "Tïtle 題", ["One", "Two"], "Album"
    file["covr"] = [MP4Cover(COVER, MP4Cover.FORMAT_PNG)]
    file.save()
    assert read_tags(path) == FULL


def test_asf_attributes(tmp_path):
    path = with_av(tmp_path / "song.wma", "asf", "wmav2")
    file = ASF(path)
    file["Title"], file["Author"], file["WM/AlbumTitle"] = "Tïtle 題", ["One", "Two"], "Album"
    head = b"\x03" + len(COVER).to_bytes(4, "little") + "image/png\0front\0".encode("utf-16-le")
    file["WM/Picture"] = [ASFByteArrayAttribute(head + COVER)]
    file.save()
    assert read_tags(path) == FULL
    assert load(path).format == "wmav2"


def test_a_file_without_tags_has_none(tmp_path):
    assert read_tags(sound(tmp_path / "song.wav")) == Tags()


def test_broken_tags_are_left_out_and_the_song_still_loads(tmp_path, mp3):
    data = bytearray(mp3.read_bytes())
    rng = np.random.default_rng(0)
    title = tmp_path / "title.mp3"
    loaded = 0
    for _ in range(40):
        broken = bytearray(data)
        for at in rng.integers(10, 200, 8):  # inside the tag, behind its header
            broken[at] = rng.integers(256)
        title.write_bytes(broken)
        read_tags(title)
        loaded += load(title).duration_ms == 100.0
    assert loaded == 40


def test_a_cover_that_is_no_picture_costs_no_song(tmp_path):
    path = sound(tmp_path / "song.ogg")
    file = OggVorbis(path)
    file["title"], file["metadata_block_picture"] = "Title", ["not base64 !", "AAAA"]
    file.save()
    assert load(path).duration_ms == 100.0
    assert read_tags(path) == Tags(title="Title")


def test_text_is_no_reason_to_fail(tmp_path):
    path = tmp_path / "song.mp3"
    path.write_text("ID3 but no more")
    assert read_tags(path) == Tags()
