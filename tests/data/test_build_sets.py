"""One source to sets: what is kept, how it is stored, and that hostile sources reach nothing outside their place."""

import os
import stat
import zipfile

import pytest
from mapsets import SOUND, good_set, map_text, osz, sound

from osuT5.beatmap import read, stars
from osuT5.data.building.one_set import DiskFull, Job, make_sets
from osuT5.data.building.settings import BuildOptions
from osuT5.data.building.sources import discover


def nobody(checksum):
    return None


@pytest.fixture
def room(tmp_path):
    """Folders for sources and for staging, and a look at everything else."""
    (tmp_path / "in").mkdir()
    (tmp_path / "staging").mkdir()
    return tmp_path


def chosen(**options):
    return BuildOptions(osz_dir=".", out="out", **options).choice


def make(room, choice=None, keep_free=0, online=nobody):
    """The outcome of the only source in the room, after checking that nothing else was touched."""
    (source,), _ = discover(room / "in")
    before = everything(room, room / "staging")
    outcome = make_sets(Job(source, room / "staging" / "0", choice or chosen(), keep_free), online)
    assert everything(room, room / "staging") == before
    assert not any(path.is_symlink() for path in (room / "staging").rglob("*"))
    return outcome


def everything(root, without):
    return sorted(str(p) for p in root.rglob("*") if not p.is_relative_to(without))


def versions(outcome):
    return [[row["Version"] for row in staged.rows] for staged in outcome.sets]


def entry(name, **fields):
    """A zip entry whose name is written as it is."""
    info = zipfile.ZipInfo("x")
    info.filename = info.orig_filename = name
    for key, value in fields.items():
        setattr(info, key, value)
    return info


def test_a_set_is_stored_with_format_14_online_ids_its_sound_and_no_pictures(room):
    events = '0,0,"bg.jpg",0,0\nVideo,0,"v.avi"\n2,4000,6000\nSprite,Pass,Centre,"a.png",1,1\n F,0,1,2,3\n'
    text = map_text("Hard", 77, 771, "AUDIO\\Song.WAV", events=events).replace(b"v14", b"v9")
    osz(room / "in" / "a.osz", {"sub/hard.osu": text, "sub/Audio/song.wav": SOUND, "sub/bg.jpg": b"x"})
    (staged,) = make(room).sets
    (row,) = staged.rows
    assert (staged.set_id, staged.folder) == (77, "77 An Artist - A Title")
    assert sorted(os.listdir(staged.staged)) == [row["BeatmapFile"], "song.wav"]
    stored = (staged.staged / row["BeatmapFile"]).read_bytes()
    assert stored.startswith(b"osu file format v14\n")
    beatmap, original = read(stored), read(text)
    assert (beatmap.beatmap_id, beatmap.beatmap_set_id, beatmap.audio_filename) == (771, 77, "song.wav")
    assert beatmap.events == ["2,4000,6000"]
    assert beatmap.hit_objects == original.hit_objects and beatmap.timing_points == original.timing_points
    assert row["Video"] and row["Storyboard"]


def test_a_row_tells_what_the_file_says(room):
    objects = "100,100,1000,5,0\n200,100,2000,2,0,L|300:100,1,140\n256,192,3000,12,0,5000\n64,64,61000,1,0"
    text = map_text(objects=objects, events="2,6000,16000\n")
    osz(room / "in" / "a.osz", {"a.osu": text, "song.wav": SOUND})
    (row,) = make(room).sets[0].rows
    expected = {
        "Id": 770, "BeatmapSetId": 77, "ModeInt": 0, "Mode": "osu", "TotalLength": 60, "HitLength": 50,
        "Bpm": 120.0, "BeatmapSetBpm": 120.0, "CountCircles": 2, "CountSliders": 1, "CountSpinners": 1,
        "Cs": 4.0, "Ar": 8.0, "Drain": 5.0, "Accuracy": 6.0, "Tags": "some tags", "AudioFile": "song.wav",
        "MaxCombo": 5, "Video": False, "Storyboard": False,
    }  # fmt: skip
    assert {key: row[key] for key in expected} == expected
    assert len(row["StarRating"]) == 7 and row["DifficultyRating"] == row["StarRating"][2]
    speeds = (0.5, 0.75, 1, 1.25, 1.5, 1.75, 2)
    assert row["StarRating"] == pytest.approx([stars(read(text), clock_rate=speed) for speed in speeds])
    assert not {"Ranked", "RankedDate", "SubmittedDate", "PlayCount"} & set(row)


def test_all_four_modes_are_taken_or_those_asked_for(room):
    texts = {f"{m}.osu": map_text(f"mode {m}", map_id=770 + m, mode=m) for m in range(4)}
    osz(room / "in" / "a.osz", {**texts, "song.wav": SOUND})
    assert versions(make(room)) == [["mode 0", "mode 1", "mode 2", "mode 3"]]
    few = make_sets(Job(discover(room / "in")[0][0], room / "staging" / "1", chosen(gamemodes=(1, 3)), 0), nobody)
    assert versions(few) == [["mode 1", "mode 3"]] and few.issues == []


@pytest.mark.parametrize(
    ("broken", "reason"),
    (
        (b"no map at all", "is no beatmap"),
        (map_text(objects=""), "no hit objects"),
        (map_text(audio="gone.mp3"), "'gone.mp3' is not there"),
        (map_text(audio="../../../../../etc/passwd"), "is not there"),
        (map_text(audio="/etc/passwd"), "is not there"),
        (map_text(audio=""), "names no sound"),
        (map_text(audio="good.osu"), "is not there"),
        (map_text("Good"), "is the same as 'broken.osu'"),
        (map_text(audio="noise.mp3"), "noise.mp3"),
    ),
)
def test_a_broken_map_is_named_and_the_rest_of_its_set_stays(room, broken, reason):
    osz(
        room / "in" / "a.osz",
        {"broken.osu": broken, "good.osu": map_text("Good"), "song.wav": SOUND, "noise.mp3": b"\x01noise" * 99},
    )
    outcome = make(room)
    assert versions(outcome) == [["Good"]] and outcome.skipped is None
    (issue,) = outcome.issues
    assert reason in issue and str(room) not in issue


@pytest.mark.parametrize(
    ("entries", "reason"),
    (
        ({"song.wav": SOUND}, "no .osu file"),
        ({"a.osu": map_text()}, "'song.wav' is not there"),
        ({"a.osu": map_text(), "song.wav": b"RIFF" + bytes(99)}, "song.wav"),
        ({"a.osu": map_text(), "song.wav": b""}, "empty"),
        ({f"{i}.osu": b"" for i in range(501)}, "501 maps"),
    ),
)
def test_a_set_that_cannot_be_used_says_why(room, entries, reason):
    osz(room / "in" / "a.osz", entries)
    outcome = make(room)
    assert not outcome.sets and reason in outcome.skipped and str(room) not in outcome.skipped


@pytest.mark.parametrize(
    "name",
    (
        "../evil.osu", "a/../../evil.osu", "..\\evil.osu", "/evil.osu", "\\\\host\\share\\evil.osu", "C:\\evil.osu",
        "C:evil.osu", "ev\0il.osu", "con.osu", "dir /evil.osu", "evil?.osu", "./evil.osu", "a//evil.osu",
    ),
)  # fmt: skip
def test_names_that_lead_elsewhere_are_left_out_and_named(room, name):
    good = [("good.osu", map_text("Good")), ("song.wav", SOUND)]
    osz(room / "in" / "a.osz", [(entry(name), map_text("Evil")), *good])
    outcome = make(room)
    assert versions(outcome) == [["Good"]]
    assert len(outcome.issues) == 1 and "left out" in outcome.issues[0]


def test_links_encrypted_entries_and_case_clashes_are_left_out_and_named(room):
    link = entry("link.osu", external_attr=(stat.S_IFLNK | 0o777) << 16)
    entries = [
        ("song.wav", SOUND),
        ("good.osu", map_text("Good")),
        ("GOOD.osu", map_text("Other")),
        (link, b"/etc/passwd"),
    ]
    osz(room / "in" / "a.osz", entries)
    outcome = make(room)
    assert versions(outcome) == [["Good"]]
    assert "same name as 'good.osu'" in outcome.issues[0] and "is a link" in outcome.issues[1]


def test_thousands_of_bad_entries_make_a_few_lines(room):
    bad = [(entry(f"../{i}.png"), b"") for i in range(2000)]
    osz(room / "in" / "a.osz", [*bad, ("good.osu", map_text()), ("song.wav", SOUND)])
    assert len(make(room).issues) == 6


def test_bombs_are_not_unpacked(room):
    bomb = map_text("Bomb") + b"\n" * (40 << 20)
    osz(room / "in" / "a.osz", {"bomb.osu": bomb, "good.osu": map_text("Good"), "song.wav": SOUND})
    outcome = make(room)
    assert versions(outcome) == [["Good"]] and "times its size" in outcome.issues[0]


def test_sizes_are_counted_and_not_believed(room, monkeypatch):
    import osuT5.data.building.one_set as one_set

    monkeypatch.setattr(one_set, "MAX_FILE_BYTES", 1000)
    good_set(room / "in" / "a.osz")
    outcome = make(room)
    assert not outcome.sets and "larger than" in outcome.skipped
    monkeypatch.undo()
    monkeypatch.setattr(one_set, "MAX_MAP_BYTES", 100)
    assert (
        "larger than"
        in make_sets(Job(discover(room / "in")[0][0], room / "staging" / "1", chosen(), 0), nobody).skipped
    )


def test_an_entry_that_is_longer_than_it_says_is_damaged(room):
    path = good_set(room / "in" / "a.osz")
    data = bytearray(path.read_bytes())
    place = data.rindex(b"PK\1\2")  # song.wav's place in the list: its unpacked size is at 24
    data[place + 24 : place + 28] = (100).to_bytes(4, "little")
    path.write_bytes(data)
    outcome = make(room)
    assert not outcome.sets and "damaged" in outcome.skipped


@pytest.mark.parametrize(
    ("data", "reason"),
    (
        (b"", "no zip archive"),
        (b"PK\3\4 but no more", "no zip archive"),
        (b"PK\5\6" + bytes(8) + b"\xff" * 4 + bytes(4) + b"\0\0", "list of entries has 4095 MiB"),
        (b"PK\6\7" + bytes(16) + b"PK\5\6" + bytes(18), "zip64"),
        (b"PK\5\6" + b"\xff" * 16 + b"\0\0", "list of entries"),
    ),
)
def test_what_is_no_archive_says_so(room, data, reason):
    (room / "in" / "a.osz").write_bytes(data)
    assert reason in make(room).skipped


def test_too_many_entries_are_refused(room, monkeypatch):
    monkeypatch.setattr("osuT5.data.building.sources.MAX_ENTRIES", 2)
    good_set(room / "in" / "a.osz", maps=2)
    assert "3 entries" in make(room).skipped


def test_cut_off_archives_are_skipped(room):
    path = good_set(room / "in" / "a.osz")
    path.write_bytes(path.read_bytes()[:-40])
    assert "no zip archive" in make(room).skipped


def test_a_full_disk_stops_the_build_before_anything_is_written(room):
    good_set(room / "in" / "a.osz")
    with pytest.raises(DiskFull, match="keep_free_gib"):
        make(room, keep_free=1 << 60)
    assert not list((room / "staging" / "0").rglob("*.wav"))


def test_a_folder_of_the_game_is_a_set_and_links_in_it_are_left_out(room):
    folder = room / "in" / "Songs" / "77 An Artist - A Title"
    (folder / "sb").mkdir(parents=True)
    (folder / "a.osu").write_bytes(map_text("Good"))
    (folder / "SONG.wav").write_bytes(SOUND)
    (folder / "sb" / "x.osb").write_text("")
    secret = room / "secret.osu"
    secret.write_bytes(map_text("Secret"))
    (folder / "link.osu").symlink_to(secret)
    outcome = make(room)
    assert versions(outcome) == [["Good"]] and "is a link" in outcome.issues[0]
    assert outcome.sets[0].rows[0]["Storyboard"]


def test_the_same_set_as_archive_and_as_folder_is_stored_alike(room):
    texts = {"a.osu": map_text("A", None, None), "song.wav": SOUND}
    osz(room / "in" / "1.osz", texts)
    packed = make(room).sets[0]
    first = {p.name: p.read_bytes() for p in packed.staged.iterdir()}
    (room / "in" / "1.osz").unlink()
    (room / "in" / "loose").mkdir()
    for name, data in texts.items():
        (room / "in" / "loose" / name).write_bytes(data)
    loose = make_sets(Job(discover(room / "in")[0][0], room / "staging" / "1", chosen(), 0), nobody).sets[0]
    assert {p.name: p.read_bytes() for p in loose.staged.iterdir()} == first
    assert loose.rows == packed.rows and loose.folder == packed.folder


def test_each_song_of_a_set_becomes_a_set_as_training_plays_one_sound_a_set(room):
    maps = {f"{i}.osu": map_text(f"L{i}", 77, 770 + i, audio="song.wav" if i else "other.wav") for i in range(3)}
    osz(room / "in" / "a.osz", {**maps, "song.wav": SOUND, "other.wav": sound(5)})
    first, second = make(room).sets
    assert (first.set_id, [r["Id"] for r in first.rows]) == (77, [771, 772])
    assert second.set_id >= 1_000_000_000 and [r["Id"] for r in second.rows] == [770]
    assert second.rows[0]["AudioFile"] == "other.wav" and second.folder.startswith(str(second.set_id))


def test_two_maps_of_one_name_are_two_files(room):
    texts = {f"{i}.osu": map_text("Same", 77, 770 + i) for i in range(2)}
    osz(room / "in" / "a.osz", {**texts, "song.wav": SOUND})
    (staged,) = make(room).sets
    assert len({row["BeatmapFile"] for row in staged.rows}) == 2
    for row in staged.rows:
        assert read(staged.staged / row["BeatmapFile"]).beatmap_id == row["Id"]


@pytest.mark.parametrize(
    ("choice", "reason"),
    (
        (chosen(min_drain_s=60), "10 s of objects"),
        (chosen(min_stars=9), "min_stars=9"),
        (chosen(max_stars=0.1), "max_stars=0.1"),
        (chosen(min_mapped=0.9), "81% of the song|83% of the song"),
    ),
)
def test_maps_that_are_not_wanted_are_left_out_with_the_reason(room, choice, reason):
    good_set(room / "in" / "a.osz")
    outcome = make(room, choice)
    assert not outcome.sets and any(part in outcome.skipped for part in reason.split("|"))
    kinder = chosen(min_drain_s=9, min_stars=0.1, max_stars=9, min_mapped=0.5)
    again = make_sets(Job(discover(room / "in")[0][0], room / "staging" / "1", kinder, 0), nobody)
    assert len(again.sets) == 1


def test_without_ratings_the_columns_stay_empty(room):
    good_set(room / "in" / "a.osz")
    (row,) = make(room, chosen(ratings=False)).sets[0].rows
    assert not {"StarRating", "DifficultyRating", "MaxCombo"} & set(row)


def test_ids_of_an_online_table_are_written_into_the_files(room):
    osz(room / "in" / "a.osz", {"a.osu": map_text("Old", None, None), "song.wav": SOUND})
    (staged,) = make(room, online=lambda checksum: (12, 345)).sets
    beatmap = read(staged.staged / staged.rows[0]["BeatmapFile"])
    assert (beatmap.beatmap_set_id, beatmap.beatmap_id, staged.set_id) == (12, 345, 12)
