"""Whole builds: a folder of mapsets becomes a data set that training reads; builds go on, grow and never half-write."""

import csv
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from mapsets import SOUND, good_set, map_text, osz

from osuT5.data.build import main
from osuT5.data.building.builder import build
from osuT5.data.building.settings import BuildOptions
from osuT5.data.catalogue import class_tables
from osuT5.data.keyed import SetDraws
from osuT5.data.mmrs import mmrs_sets, read_metadata
from osuT5.data.recipes import SampleRecipe
from osuT5.data.sets import SetCutter
from osuT5.errors import InputError
from osuT5.events import Vocabulary, load_profile

parquet = pytest.importorskip("pyarrow.parquet")
ROOT = Path(__file__).resolve().parents[2]
NAME = "in it's [a]"
MMRS = ROOT / "tests" / "golden" / "training" / "mmrs"


def settings(tmp_path, **changes):
    return BuildOptions(**{"osz_dir": tmp_path / "in", "out": tmp_path / "out", "keep_free_gib": 0, **changes})


@pytest.fixture
def at_once(monkeypatch):
    """Sets are read in this process, which saves the start of others."""

    def run(start, arguments, jobs, workers, limit_s):
        handle = start(*arguments)
        return ((job, handle(job)) for job in jobs)

    monkeypatch.setattr("osuT5.data.building.builder.run_jobs", run)


def set_ids(out):
    return [row["BeatmapSetId"] for row in rows_of(out)]


def rows_of(out):
    return parquet.read_table(out / "metadata.parquet").to_pylist()


def lines(path):
    return path.read_text().splitlines()


def files(out):
    """Everything that is there but the work folder, with its content; the table as rows."""
    found = {p.relative_to(out): p.read_bytes() for p in out.rglob("*") if p.is_file() and ".build" not in p.parts}
    return {**found, Path("metadata.parquet"): rows_of(out)}


def test_a_build_is_read_back_and_cut_into_samples(tmp_path):
    osz(tmp_path / "in" / "a" / "b" / "1.osz", {
        "easy.osu": map_text("Easy", 5, 51), "taiko.osu": map_text("Oni", 5, 52, mode=1),
        "catch.osu": map_text("Rain", 5, 53, mode=2), "mania.osu": map_text("4K", 5, 54, mode=3), "song.wav": SOUND,
    })  # fmt: skip
    folder = tmp_path / "in" / "Songs" / "6 An Artist - A Title"
    folder.mkdir(parents=True)
    (folder / "a.osu").write_bytes(map_text("Solo", -1, 0, creator="other"))
    (folder / "song.wav").write_bytes(SOUND)
    report = build(settings(tmp_path, workers=2))
    assert (report.rows, report.issues, report.skipped, report.progress.sets) == (5, 0, 0, 2)
    maps = read_metadata(tmp_path / "out")
    assert [m.beatmap_id for m in maps][:4] == [51, 52, 53, 54] and [m.style for m in maps] == [1, 2, 3, 4, 0]
    tables = class_tables(maps)
    assert len(tables.mappers) == 2
    profile = load_profile("v32")
    vocabulary = Vocabulary.from_profile(profile, mappers=tables.mappers, beatmap_mapper=tables.beatmap_mapper)
    cutter = SetCutter(profile, vocabulary, SampleRecipe())
    made = [cutter.cut(one, SetDraws(0, 0, 0, 0)) for one in mmrs_sets(tmp_path / "out", maps)]
    assert [len(song) for song, _ in made] == pytest.approx([12 * 16000] * 2, abs=2)
    assert [{sample.encoder.style for sample in samples} for _, samples in made] == [{1, 2, 3, 4}, {0}]
    assert cutter.skipped == {}


def test_duplicates_and_broken_sets_are_reported_and_skipped(tmp_path, at_once):
    source = tmp_path / "in"
    good_set(source / "a.osz", 5, maps=2)
    shutil.copy(source / "a.osz", source / "b the same.osz")
    osz(source / "c copied map.osz", {"0.osu": map_text("Level 0", 5, 50, title="Song 5"), "song.wav": SOUND})
    text = map_text("Level 0", 5, 50, title="Song 5")
    osz(source / "d half new.osz", {"0.osu": map_text("X", None, None), "1.osu": text, "song.wav": SOUND})
    osz(source / "e new set with an old map.osz", {
        "0.osu": map_text("New", 6, 60), "1.osu": map_text("Stolen id", None, 50), "song.wav": SOUND,
    })  # fmt: skip
    (source / "f.osz").write_bytes(b"no archive")
    report = build(settings(tmp_path))
    assert set_ids(tmp_path / "out") == [5, 5, 6]
    assert len(os.listdir(tmp_path / "out" / "data")) == 2
    skipped = lines(tmp_path / "out" / "sets_skipped.txt")
    assert [line.split(": ")[0].rsplit(os.sep, 1)[1] for line in skipped] == [
        "b the same.osz", "c copied map.osz", "d half new.osz", "f.osz",
    ]  # fmt: skip
    assert "set 5 is in the data set already, from" in skipped[0] and "no zip archive" in skipped[3]
    (issue,) = lines(tmp_path / "out" / "sets_with_issues.txt")
    assert "has the id 50 of another map" in issue
    assert (report.skipped, report.issues, report.unread) == (4, 1, {})
    assert [row["BeatmapFile"] for row in rows_of(tmp_path / "out") if row["BeatmapSetId"] == 6] == [
        name for name in os.listdir(tmp_path / "out" / "data" / "6 An Artist - A Title") if name.endswith(".osu")
    ]


def test_a_map_file_that_another_set_holds_is_taken_once(tmp_path, at_once):
    shared = map_text("Shared", -1, 0)
    osz(tmp_path / "in" / "a.osz", {"0.osu": shared, "song.wav": SOUND})
    osz(tmp_path / "in" / "b.osz", {"0.osu": shared, "1.osu": map_text("Own", -1, 0), "song.wav": SOUND})
    build(settings(tmp_path))
    assert [row["Version"] for row in rows_of(tmp_path / "out")] == ["Shared", "Own"]
    assert "is the same file as a map from" in lines(tmp_path / "out" / "sets_with_issues.txt")[0]


KILLED = """
import os, signal, sys
from pathlib import Path
from osuT5.data.building.builder import build
from osuT5.data.building.settings import BuildOptions

def kill(progress):
    if progress.done == 3:
        os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    build(BuildOptions(osz_dir=sys.argv[1], out=sys.argv[2], workers=2, keep_free_gib=0), kill)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_killed_build_goes_on_where_it_was_and_ends_the_same(tmp_path, at_once):
    for i in range(1, 7):
        good_set(tmp_path / "in" / f"{i}.osz", i)
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    out = tmp_path / "out"
    ended = subprocess.run(
        [sys.executable, script, tmp_path / "in", out], env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=120
    )
    assert ended.returncode == -signal.SIGKILL
    assert not (out / "metadata.parquet").exists()
    # what a kill at the worst moments leaves: half a line, a folder in place without a line, files half copied
    with (out / ".build" / "journal.jsonl").open("ab") as journal:
        journal.write(b'{"source": "/half')
    orphan = out / "data" / "4 An Artist - Song 4"
    orphan.mkdir(exist_ok=True)
    (orphan / "half.osu").write_text("half")
    (out / ".build" / "staging-dead" / "0").mkdir(parents=True)
    report = build(settings(tmp_path))
    assert (report.progress.settled, report.progress.done, report.rows) == (3, 3, 6)
    assert sorted(os.listdir(out / ".build")) == ["journal.jsonl", "lock"]
    whole = settings(tmp_path, out=tmp_path / "whole")
    build(whole)
    assert files(out) == files(whole.out_folder)


def test_an_interrupted_build_leaves_a_table_of_what_is_done(tmp_path, at_once):
    for i in (1, 2, 3):
        good_set(tmp_path / "in" / f"{i}.osz", i)

    def interrupt(progress):
        if progress.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(settings(tmp_path), interrupt)
    assert set_ids(tmp_path / "out") == [1, 2]


def test_new_sets_are_appended_and_changed_sets_are_read_again(tmp_path, at_once):
    out = tmp_path / "out"
    good_set(tmp_path / "in" / "m.osz", 5)
    build(settings(tmp_path))
    good_set(tmp_path / "in" / "a.osz", 4)
    assert build(settings(tmp_path)).progress.done == 1
    assert set_ids(out) == [5, 4]  # not by name: the style classes of the first stay
    good_set(tmp_path / "in" / "m.osz", 5, maps=2, title="New name")
    assert build(settings(tmp_path)).progress.done == 1
    assert sorted(set_ids(out)) == [4, 5, 5]
    assert sorted(os.listdir(out / "data")) == ["4 An Artist - Song 4", "5 An Artist - New name"]
    before = files(out)
    assert build(settings(tmp_path)).progress.done == 0 and files(out) == before
    shutil.rmtree(out / "data" / "4 An Artist - Song 4")
    assert build(settings(tmp_path)).progress.done == 1 and sorted(set_ids(out)) == [4, 5, 5]


def test_another_choice_reads_all_again_and_takes_out_what_is_no_longer_wanted(tmp_path, at_once):
    good_set(tmp_path / "in" / "a.osz", 4)
    good_set(tmp_path / "in" / "b.osz", 5, mode=3)
    build(settings(tmp_path))
    build(settings(tmp_path, gamemodes=(3,)))
    assert set_ids(tmp_path / "out") == [5] and os.listdir(tmp_path / "out" / "data") == ["5 An Artist - Song 5"]
    assert "no map is of the kind asked for" in lines(tmp_path / "out" / "sets_skipped.txt")[0]


def test_no_more_sets_than_asked_for_until_more_are(tmp_path, at_once):
    for i in (1, 2, 3):
        good_set(tmp_path / "in" / f"{i}.osz", i)
    build(settings(tmp_path, max_sets=2))
    assert set_ids(tmp_path / "out") == [1, 2] and len(os.listdir(tmp_path / "out" / "data")) == 2
    build(settings(tmp_path))
    assert set_ids(tmp_path / "out") == [1, 2, 3]


def test_what_was_skipped_is_tried_again_when_asked_for(tmp_path, at_once):
    good_set(tmp_path / "in" / "a.osz", 4)
    (tmp_path / "in" / "b.osz").write_bytes(b"no archive")
    build(settings(tmp_path))
    assert build(settings(tmp_path)).progress.done == 0
    assert build(settings(tmp_path, retry_skipped=True)).progress.done == 1


def test_a_data_set_from_elsewhere_is_kept_and_added_to(tmp_path, at_once):
    shutil.copytree(MMRS, tmp_path / "out")
    before = rows_of(tmp_path / "out")
    good_set(tmp_path / "in" / "a.osz", 4)
    good_set(tmp_path / "in" / "b.osz", before[0]["BeatmapSetId"])
    build(settings(tmp_path))
    after = rows_of(tmp_path / "out")
    assert after[:-1] == before and after[-1]["BeatmapSetId"] == 4
    assert "an earlier data set" in lines(tmp_path / "out" / "sets_skipped.txt")[0]
    build(settings(tmp_path))
    assert rows_of(tmp_path / "out") == after


def test_online_facts_and_a_stated_status_fill_their_columns(tmp_path, at_once):
    good_set(tmp_path / "in" / "a.osz", 4, maps=2)
    facts = tmp_path / "facts.csv"
    with facts.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["Id", "Ranked", "RankedDate", "SubmittedDate", "UserId", "OmdbTags", "Checksum"])
        table.writerow([40, 4, "2015-03-04 05:06:07", "2014-01-02", 99, "jump aim;clean", "f" * 32])
    report = build(settings(tmp_path, api_csv=facts, status=1))
    known, other = read_metadata(tmp_path / "out")
    assert (known.status, known.user_id, known.omdb_tags) == (4, 99, ("jump aim", "clean"))
    assert (known.ranked_date.year, known.submitted_date.year) == (2015, 2014)
    assert (other.status, other.ranked_date) == (1, None) and other.user_id >= 1_000_000_000
    assert report.mismatched == 1
    assert "map 40 has the checksum" in lines(tmp_path / "out" / "sets_with_mismatched_checksums.txt")[0]
    build(settings(tmp_path))
    assert {m.status for m in read_metadata(tmp_path / "out")} == {None}  # facts are joined anew in every run


def test_a_full_disk_ends_the_build_with_one_message(tmp_path, at_once):
    good_set(tmp_path / "in" / "a.osz", 4)
    with pytest.raises(InputError, match="keep_free_gib"):
        build(settings(tmp_path, keep_free_gib=10**6))
    assert os.listdir(tmp_path / "out" / "data") == []


def test_two_builds_in_one_folder_are_refused(tmp_path, at_once):
    good_set(tmp_path / "in" / "a.osz", 4)

    def again(progress):
        with pytest.raises(InputError, match="another build is at work"):
            build(settings(tmp_path))

    build(settings(tmp_path), again)


def test_a_damaged_journal_or_table_is_named_and_not_overwritten(tmp_path, at_once):
    good_set(tmp_path / "in" / "a.osz", 4)
    (tmp_path / "out" / ".build").mkdir(parents=True)
    for name in (".build/journal.jsonl", "metadata.parquet"):
        (tmp_path / "out" / name).write_bytes(b"something else\n")
        with pytest.raises(InputError, match="move it away"):
            build(settings(tmp_path))
        assert (tmp_path / "out" / name).read_bytes() == b"something else\n"
        (tmp_path / "out" / name).unlink()


def command(*arguments):
    return main(["workers=1", *map(str, arguments)])


def test_the_command_builds_and_says_what_came_of_it(tmp_path, capsys):
    good_set(tmp_path / NAME / "a.osz", 4)
    (tmp_path / NAME / "b.osz").write_bytes(b"no archive")
    assert command(f"osz_dir={tmp_path / NAME}", f"out={tmp_path}/out", "keep_free_gib=0") == 0
    said = capsys.readouterr()
    assert "1 new sets with 1 maps" in said.out and "1 sets were skipped" in said.out
    assert "status of these maps is unknown" in said.out
    assert "2/2 read" in said.err
    assert main(["--help"]) == 0 and "min_mapped" in capsys.readouterr().out


def test_wrong_input_gives_one_message_and_exit_code_2(tmp_path, capsys):
    empty, out = tmp_path / "empty", tmp_path / "out"
    empty.mkdir()
    (tmp_path / "file").write_text("")
    for arguments, message in (
        ([], "osz_dir is missing"),
        ([f"osz_dir={tmp_path}/gone", f"out={out}"], "there is no folder"),
        ([f"osz_dir={empty}", f"out={out}"], "holds no .osz file"),
        ([f"osz_dir={empty}", f"out={empty}/out"], "lies in osz_dir"),
        ([f"osz_dir={empty}", f"out={tmp_path}"], "lies in out"),
        ([f"osz_dir={empty}", f"out={tmp_path}/file"], "is a file"),
        ([f"osz_dir={empty}", f"out={out}", "api_csv=gone.csv"], "there is no file gone.csv"),
        ([f"osz_dir={empty}", f"out={out}", "gamemodes=[4]", "status=9", "max_sets=0.5", "ratings=3"], "status=9"),
        ([f"osz_dir={empty}", f"out={out}", "ratings=false", "min_stars=2"], "need ratings=true"),
        ([f"osz_dir={empty}", f"out={out}", "minstars=2"], "did you mean 'min_stars'"),
    ):
        assert main(arguments) == 2
        said = capsys.readouterr().err
        assert message in said and said.startswith("error: ") and "Traceback" not in said
    assert not out.exists()


def test_a_folder_in_which_nothing_can_be_used_is_an_error(tmp_path, capsys, at_once):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "b.osz").write_bytes(b"no archive")
    assert command(f"osz_dir={tmp_path}/in", f"out={tmp_path}/out") == 2
    assert "sets_skipped.txt" in capsys.readouterr().err


def test_an_out_folder_that_cannot_be_written_is_named(tmp_path, capsys):
    good_set(tmp_path / "in" / "a.osz", 4)
    (tmp_path / "file").write_text("")
    assert command(f"osz_dir={tmp_path}/in", f"out={tmp_path}/file/out") == 2
    assert "cannot be written" in capsys.readouterr().err


def test_a_missing_part_for_tables_is_named_before_anything_is_read(tmp_path, monkeypatch):
    good_set(tmp_path / "in" / "a.osz", 4)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(InputError, match="pip install"):
        build(settings(tmp_path))
    assert not (tmp_path / "out").exists()
