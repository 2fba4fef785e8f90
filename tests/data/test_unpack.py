"""`prepare` unpacks a data folder once, checks it, and trusts no archive."""

import hashlib
import io
import lzma
import tarfile

import pytest

from osuT5.data import prepare
from osuT5.data.corpora import main
from osuT5.errors import InputError

pytestmark = pytest.mark.skipif(
    not hasattr(tarfile, "data_filter"), reason="needs a Python with tarfile filters (3.10.12, 3.11.4 or later)"
)


def make_archive(path, members):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:xz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    make_archive(folder / "osu.tar.xz", {"maps/a.osu": b"osu file format v14\n"})
    make_archive(folder / "eval" / "heldout.tar.xz", {"heldout/song/meta.json": b"{}"})
    (folder / "osu.jsonl.xz").write_bytes(lzma.compress(b'{"file": "maps/a.osu"}\n'))
    return folder


def test_archives_and_index_are_unpacked_but_not_what_is_held_out(source, tmp_path):
    out = tmp_path / "out"
    assert prepare(source, out) == ["osu.tar.xz", "osu.jsonl.xz"]
    assert (out / "maps" / "a.osu").read_bytes().startswith(b"osu")
    assert (out / "osu.jsonl").read_text().startswith('{"file"')
    assert not (out / "heldout").exists()


def test_held_out_songs_are_unpacked_when_asked_for(source, tmp_path):
    prepare(source, tmp_path / "out", evaluation=True)
    assert (tmp_path / "out" / "heldout" / "song" / "meta.json").is_file()


def test_a_second_run_does_nothing_and_a_new_archive_is_unpacked_anew(source, tmp_path):
    out = tmp_path / "out"
    prepare(source, out)
    (out / "maps" / "mine.txt").write_text("kept")
    assert prepare(source, out) == []
    assert (out / "maps" / "mine.txt").exists()
    make_archive(source / "osu.tar.xz", {"maps/b.osu": b"osu file format v14\n"})
    assert prepare(source, out) == ["osu.tar.xz"]
    assert [path.name for path in (out / "maps").iterdir()] == ["b.osu"]


@pytest.mark.parametrize(
    "members",
    (
        {"../evil.txt": b"x"},
        {"maps/../../evil.txt": b"x"},
        {"/abs.txt": b"x"},
        {"maps/link": "/etc/passwd"},
        {"other/a": b"x"},
    ),
)
def test_unsafe_or_wrong_archives_are_refused_and_leave_nothing(source, tmp_path, members):
    make_archive(source / "osu.tar.xz", members)
    with pytest.raises(InputError, match="osu.tar.xz"):
        prepare(source, tmp_path / "out")
    assert not (tmp_path / "evil.txt").exists() and not (tmp_path / "out" / "maps").exists()
    assert [path.name for path in (tmp_path / "out").iterdir()] == []


def test_damaged_archives_are_refused(source, tmp_path):
    whole = (source / "osu.tar.xz").read_bytes()
    (source / "osu.tar.xz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="osu.tar.xz"):
        prepare(source, tmp_path / "out")


def test_a_wrong_checksum_is_refused(source, tmp_path):
    digest = hashlib.sha256((source / "osu.tar.xz").read_bytes()).hexdigest()
    (source / "SHA256SUMS").write_text(f"{digest}  osu.tar.xz\n")
    assert "osu.tar.xz" in prepare(source, tmp_path / "good")
    (source / "SHA256SUMS").write_text(f"{'0' * 64}  osu.tar.xz\n")
    with pytest.raises(InputError, match="SHA256SUMS"):
        prepare(source, tmp_path / "bad")


def test_a_folder_without_archives_and_wrong_options_are_named(tmp_path, capsys):
    with pytest.raises(InputError, match="no data archives"):
        prepare(tmp_path, tmp_path / "out")
    capsys.readouterr()
    assert main(["source=x", "fast=1"]) == 2
    said = capsys.readouterr().err
    assert "out is missing" in said and "unknown option 'fast'" in said
