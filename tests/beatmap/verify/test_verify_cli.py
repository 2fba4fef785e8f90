"""The command line of the checker: exit codes, reports, mending in place and elsewhere."""

import json
from pathlib import Path

import pytest

from osuT5.beatmap import read
from osuT5.beatmap.archive import read_osz, write_osz
from osuT5.beatmap.verify.__main__ import main
from osuT5.beatmap.verify.song_facts import container_of, song_facts

GOLDEN = Path(__file__).parents[2] / "golden" / "apps" / "verify"


@pytest.fixture
def folder(tmp_path):
    for name in ("clean_std.osu", "b009_ninja_spinner.osu"):
        (tmp_path / name).write_bytes((GOLDEN / name).read_bytes())
    return tmp_path


def test_exit_codes(folder, capsys):
    assert main([str(folder / "clean_std.osu")]) == 0
    assert "passes the automatic checks" in capsys.readouterr().out
    assert main([str(folder / "b009_ninja_spinner.osu")]) == 3
    assert main([str(folder)]) == 3
    assert main([str(folder / "b009_ninja_spinner.osu"), "--ignore", "B009"]) == 0
    assert main([str(GOLDEN / "c001_drain_20s.osu")]) == 0
    assert main([str(GOLDEN / "c001_drain_20s.osu"), "--profile", "rank"]) == 3
    assert main([str(folder / "none.osu")]) == 2
    assert "none.osu" in capsys.readouterr().err


def test_wrong_options_are_named(folder, capsys):
    assert main([str(folder), "--ignore", "B9"]) == 2
    assert "B9" in capsys.readouterr().err
    assert main([str(folder), "--out", "x"]) == 2
    with pytest.raises(SystemExit) as stop:
        main([str(folder), "--profile", "mine"])
    assert stop.value.code == 2


def test_what_is_no_beatmap_is_an_input_error(folder):
    (folder / "other.osu").write_text("hello")
    assert main([str(folder / "other.osu")]) == 2
    assert main([str(folder / "other.osu"), "--fix"]) == 2
    assert (folder / "other.osu").read_text() == "hello"


def test_json_names_code_objects_link_and_changes(folder, capsys):
    assert main([str(folder / "b009_ninja_spinner.osu"), "--json"]) == 3
    report = json.loads(capsys.readouterr().out)
    issue = next(i for i in report["issues"] if i["code"] == "B009")
    assert report["mode"] == 0 and report["level"] == "N" and report["summary"]["error"] >= 1
    assert issue["time"] == 33000 and issue["objects"][0]["index"] == 64 and not issue["fixed"]
    assert issue["link"] == "osu://edit/00:33:000 (1)"
    main([str(GOLDEN / "b016_short_hold.osu"), "--json"])
    issue = next(i for i in json.loads(capsys.readouterr().out)["issues"] if i["code"] == "B016")
    assert issue["link"] == "osu://edit/00:03:500 (3500|1)"


def test_fix_mends_in_place_and_keeps_the_old_file(folder):
    path = folder / "b009_ninja_spinner.osu"
    old = path.read_bytes()
    assert main([str(folder), "--fix"]) == 0
    assert read(path).hit_objects[64].end == 33500
    assert path.with_name(path.name + ".bak").read_bytes() == old
    assert (folder / "clean_std.osu").read_bytes() == (GOLDEN / "clean_std.osu").read_bytes()
    assert not (folder / "clean_std.osu.bak").exists()


def test_fix_elsewhere_leaves_the_original(folder):
    path = folder / "b009_ninja_spinner.osu"
    old = path.read_bytes()
    assert main([str(path), "--fix", "--out", str(folder / "out")]) == 0
    assert path.read_bytes() == old
    assert main([str(folder / "out" / path.name)]) == 0


def test_archives_are_checked_and_mended(folder):
    archive = folder / "set.osz"
    maps = {name: (GOLDEN / name).read_bytes() for name in ("clean_std.osu", "b009_ninja_spinner.osu")}
    write_osz(archive, {}, {**maps, "audio.mp3": b"ID3" + bytes(200), "bg.jpg": b"x"})
    assert main([str(archive)]) == 3
    assert main([str(archive), "--fix"]) == 0
    mapset = read_osz(archive)
    assert mapset.texts["clean_std.osu"] == maps["clean_std.osu"]
    assert mapset.files["bg.jpg"] == b"x"
    assert main([str(archive)]) == 0


def test_an_archive_without_its_song_does_not_pass(folder):
    archive = folder / "set.osz"
    write_osz(archive, {}, {"clean_std.osu": (GOLDEN / "clean_std.osu").read_bytes()})
    assert main([str(archive)]) == 3


@pytest.mark.parametrize(
    "head, suffix",
    [
        (b"ID3\x04", "mp3"),
        (b"\xff\xfb\x90\x00", "mp3"),
        (b"OggS", "ogg"),
        (b"fLaC", "flac"),
        (b"RIFF\0\0\0\0WAVE", "wav"),
        (b"\0\0\0\x20ftypM4A ", "m4a"),
        (b"hello", ""),
    ],
)
def test_containers_are_told_by_content(head, suffix):
    assert container_of(head) == suffix


def test_facts_of_songs_that_are_missing_or_empty(tmp_path):
    (tmp_path / "a.mp3").write_bytes(b"")
    assert not song_facts("b.mp3", tmp_path / "b.mp3").found
    assert song_facts("a.mp3", tmp_path / "a.mp3").size_bytes == 0
