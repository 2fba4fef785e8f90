"""What names and archives promise: names for every system, hostile archives refused, the same bytes again."""

import io
import os
import stat
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osuT5.beatmap import Beatmap, read, read_osz, safe_file_name, write, write_osz
from osuT5.beatmap import archive as archive_module
from osuT5.beatmap.names import entry_name_problem
from osuT5.errors import BeatmapError, InputError

OSU = b"osu file format v14\n[Metadata]\nTitle:T\n[HitObjects]\n1,2,3,1,0\n"


def packed(*entries, compression=zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of (name or ZipInfo, content)."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", compression) as file:
        for name, content in entries:
            file.writestr(name, content)
    return data.getvalue()


def test_names():
    assert safe_file_name("Artist", "Title", "Creator", "Hard") == "Artist - Title (Creator) [Hard].osu"
    assert safe_file_name("A/B\\C", 'What? "No": <x>|*', "c\u200bd", "x\u034f\ty") == "ABC - What No x (cd) [x y].osu"
    assert safe_file_name("", " \u200b ", "???", "") == "Unknown - Unknown (Unknown) [Unknown].osu"
    assert safe_file_name("夜", "駆ける", "é", "ü") == "夜 - 駆ける (é) [ü].osu"


def test_long_names_lose_the_title_first():
    name = safe_file_name("Artist", "T" * 300, "Creator", "Insane")
    assert len(name) == 130 and name.startswith("Artist - TTT") and name.endswith("T (Creator) [Insane].osu")
    assert len(safe_file_name("夜" * 300, "夜" * 300, "夜" * 300, "夜" * 300).encode()) <= 240


@given(*[st.text(max_size=200)] * 4)
def test_any_name_fits_every_system(artist, title, creator, version):
    name = safe_file_name(artist, title, creator, version)
    assert len(name) <= 130 and len(name.encode("utf-8")) <= 240 and name.endswith("].osu")
    assert entry_name_problem(name) is None and "/" not in name


def test_reading_what_was_written(tmp_path):
    first, second = read(OSU), read(OSU)
    first.version, second.version = "Easy", "夜"
    audio = tmp_path / "song.ogg"
    audio.write_bytes(b"OggS audio")
    path = write_osz(tmp_path / "set.osz", [first, second], {"song.ogg": audio, "背景.png": b"png"})
    mapset = read_osz(path)
    assert {b.version for b in mapset.beatmaps.values()} == {"Easy", "夜"}
    assert mapset.files == {"song.ogg": b"OggS audio", "背景.png": b"png"}
    with zipfile.ZipFile(path) as file:
        assert all(i.compress_type == zipfile.ZIP_DEFLATED for i in file.infolist())
        assert [i.flag_bits & 0x800 for i in file.infolist() if not i.filename.isascii()] == [0x800, 0x800]
        assert "Unknown - T (Unknown) [Easy].osu" in file.namelist()
    assert read_osz(path.read_bytes()) == mapset


def test_the_same_content_gives_the_same_bytes(tmp_path):
    beatmap = read(OSU)
    a = write_osz(tmp_path / "a.osz", [beatmap], {"x.png": b"x", "a.png": b"a"}).read_bytes()
    b = write_osz(tmp_path / "b.osz", [beatmap], {"a.png": b"a", "x.png": b"x"}).read_bytes()
    assert a == b


def test_difficulties_of_one_name_get_numbers(tmp_path):
    mapset = read_osz(write_osz(tmp_path / "a.osz", [read(OSU), read(OSU), read(OSU)]))
    assert sorted(mapset.beatmaps) == [f"Unknown - T (Unknown) [{v}].osu" for v in ("2", "3", "Unknown")]


def test_nothing_is_overwritten_unasked(tmp_path):
    path = write_osz(tmp_path / "a.osz", [read(OSU)])
    before = path.read_bytes()
    with pytest.raises(InputError, match="exists"):
        write_osz(path, [])
    write_osz(path, [], overwrite=True)
    assert (tmp_path / "a.osz.bak").read_bytes() == before and read_osz(path).beatmaps == {}
    assert sorted(os.listdir(tmp_path)) == ["a.osz", "a.osz.bak"]


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "C:/x", "con.png", "x.", "a\\..\\b", "a//b", "", "x?"])
def test_names_that_not_every_system_takes_are_not_written(tmp_path, name):
    with pytest.raises(InputError, match="give the file another name"):
        write_osz(tmp_path / "a.osz", [], {name: b""})
    assert os.listdir(tmp_path) == []


def test_names_used_twice_and_missing_files_are_not_written(tmp_path):
    with pytest.raises(InputError, match="twice"):
        write_osz(tmp_path / "a.osz", {"map.osu": Beatmap()}, {"MAP.OSU": b""})
    with pytest.raises(InputError, match="missing.mp3"):
        write_osz(tmp_path / "a.osz", [], {"song.mp3": tmp_path / "missing.mp3"})


@pytest.mark.parametrize(
    "name",
    [
        "../evil.osu", "a/../../evil.osu", "/evil.osu", "C:/evil.osu", "c:evil.osu", "..\\evil.osu", "\\\\host\\x",
        "CON", "nul.txt", "folder/COM1.wav", "lpt9", "dot.", "space ", "a/b /c", "tab\t.wav", "pipe|.wav",
        "./x", "x" * 2000,
    ],
)  # fmt: skip
def test_hostile_names_are_refused(name):
    with pytest.raises(BeatmapError, match="refused"):
        read_osz(packed(("fine.osu", OSU), (name, b"x")))


def test_a_name_that_hides_behind_nul_is_refused():
    data = packed(("goodXname.osu", OSU)).replace(b"goodXname.osu", b"good\0name.osu")
    with pytest.raises(BeatmapError, match="refused"):
        read_osz(data)


def test_links_are_refused():
    link = zipfile.ZipInfo("link.osu")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(BeatmapError, match="link"):
        read_osz(packed((link, "/etc/passwd")))


@pytest.mark.parametrize("twin", ["MAP.osu", "map.osu", "Map.OSU"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_entries_of_one_name_are_refused(twin):
    with pytest.raises(BeatmapError, match="same name"):
        read_osz(packed(("map.osu", OSU), (twin, OSU)))


def test_too_many_entries_are_refused():
    with pytest.raises(BeatmapError, match="2000"):
        read_osz(packed(*[(f"{i}.wav", b"") for i in range(2001)]))


def test_bombs_are_refused_before_they_are_unpacked(monkeypatch):
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *_: pytest.fail("unpacked"))
    with pytest.raises(BeatmapError, match="200 times"):
        read_osz(packed(("zeros.wav", bytes(3 << 20))))
    monkeypatch.setattr(archive_module, "MAX_TOTAL_BYTES", 1000)
    with pytest.raises(BeatmapError, match="MiB when unpacked"):
        read_osz(packed(("a.wav", os.urandom(600)), ("b.wav", os.urandom(600))))


def test_an_entry_larger_than_it_says_is_refused():
    data = packed(("map.osu", OSU), compression=zipfile.ZIP_STORED)
    size = len(OSU).to_bytes(4, "little")
    with pytest.raises(BeatmapError, match="damaged"):
        read_osz(data.replace(size, (len(OSU) - 10).to_bytes(4, "little")))


def test_silence_may_pack_well():
    assert len(read_osz(packed(("silence.wav", bytes(400_000)))).files["silence.wav"]) == 400_000


@pytest.mark.parametrize("data", [b"", b"not a zip", packed(("map.osu", OSU))[:-30]])
def test_what_is_no_archive_is_refused(data):
    with pytest.raises(BeatmapError, match="no zip archive or is damaged"):
        read_osz(data)


def test_damaged_content_is_refused():
    data = bytearray(packed(("map.osu", OSU), compression=zipfile.ZIP_STORED))
    data[60] ^= 0xFF
    assert zlib.crc32(bytes(data)) != zlib.crc32(packed(("map.osu", OSU)))
    with pytest.raises(BeatmapError, match="damaged"):
        read_osz(bytes(data))


def test_encrypted_archives_are_refused():
    data = bytearray(packed(("map.osu", OSU)))
    central = data.find(b"PK\x01\x02")
    data[6] |= 1
    data[central + 8] |= 1
    with pytest.raises(BeatmapError, match="encrypted"):
        read_osz(bytes(data))


def test_a_missing_archive_says_so(tmp_path):
    with pytest.raises(BeatmapError, match="check the path"):
        read_osz(tmp_path / "missing.osz")


def test_a_broken_beatmap_does_not_cost_the_others():
    mapset = read_osz(packed(("good.osu", OSU), ("bad.osu", b"no beatmap"), ("sb/glow.png", b"png")))
    assert list(mapset.beatmaps) == ["good.osu"] and set(mapset.files) == {"bad.osu", "sb/glow.png"}
    assert "bad.osu" in mapset.diagnostics[0].message
    assert write(mapset.beatmaps["good.osu"])


def test_paths_may_be_strings(tmp_path):
    path = tmp_path / "a.osz"
    path.write_bytes(packed(("folder/", b""), ("folder/map.osu", OSU)))
    assert list(read_osz(str(path)).beatmaps) == ["folder/map.osu"] and isinstance(path, Path)
