"""The readers of training data hand out the training split and refuse what is held out. Data here is invented."""

import json
import lzma

import pytest

from osuT5.beatmap import Beatmap, Circle, GameMode, TimingPoint, write
from osuT5.data import HeldOutError, is_held_out, read_corpora, read_maps, read_songs, read_timed
from osuT5.data.heldout import held_out_songs, normalise
from osuT5.errors import InputError


def osu_text(artist="Nobody", title="Song"):
    beatmap = Beatmap(timing_points=[TimingPoint(0, 500)])
    beatmap.artist, beatmap.title, beatmap.mode = artist, title, GameMode.STD
    beatmap.hit_objects = [Circle(100, 100, 500 * k) for k in range(20)]
    return write(beatmap)


def row(name, **changes):
    return {"file": f"maps/{name}.osu", "usable": True, "duplicate_of": None, "split": "train", "heldout": False,
            "artist": "Nobody", "title": "Song", "stars": 2.5, "song": "abc", **changes}  # fmt: skip


def make_maps(folder, rows, **text):
    (folder / "maps").mkdir(parents=True)
    for entry in rows:
        (folder / entry["file"]).write_text(osu_text(**text), "utf-8")
    index = folder / "osu.jsonl"
    index.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return index


def make_song(folder, **changes):
    (folder / "charts").mkdir(parents=True)
    (folder / "audio.ogg").write_bytes(b"not decoded here")
    rows = [{"time_ms": 23 + 500 * k, "lane": k % 4} for k in range(12)]
    (folder / "charts" / "easy.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    meta = {"id": "game/song", "artist": "Nobody", "title": "Song", "split": "train", "timing": [[23.0, 500.0, 4]],
            "charts": [{"name": "Easy", "keys": 4, "file": "charts/easy.jsonl"}], **changes}  # fmt: skip
    (folder / "meta.json").write_text(json.dumps(meta), "utf-8")


def test_only_usable_distinct_maps_of_the_split_are_read(tmp_path):
    rows = [row("a"), row("b", usable=False), row("c", duplicate_of="a"), row("d", split="test")]
    rows.append(row("e", heldout=True))
    index = make_maps(tmp_path, rows)
    assert [entry.path.stem for entry in read_maps(index, tmp_path)] == ["a"]
    assert [entry.path.stem for entry in read_maps(index, tmp_path / "maps", split="test")] == ["d"]
    entry = next(read_maps(index, tmp_path))
    assert (entry.stars, entry.mode, entry.song, len(entry.beatmap.hit_objects)) == (2.5, GameMode.STD, "abc", 20)


def test_a_compressed_index_is_read_too(tmp_path):
    index = make_maps(tmp_path, [row("a")])
    packed = tmp_path / "osu.jsonl.xz"
    packed.write_bytes(lzma.compress(index.read_bytes()))
    assert len(list(read_maps(packed, tmp_path))) == 1


def test_held_out_maps_are_left_out_by_name_whatever_the_index_says(tmp_path):
    index = make_maps(tmp_path / "by_index", [row("a", artist="Taishi", title="Sprintrances (cut)")])
    assert list(read_maps(index, tmp_path / "by_index")) == []
    index = make_maps(tmp_path / "by_file", [row("a")], artist="M2U", title="Velocity")
    assert list(read_maps(index, tmp_path / "by_file")) == []


@pytest.mark.parametrize("folder", ("eval", "heldout", "Eval"))
def test_reading_from_an_evaluation_folder_raises(tmp_path, folder):
    index = make_maps(tmp_path / folder, [row("a")])
    make_song(tmp_path / folder / "game" / "song")
    for attempt in (
        lambda: list(read_maps(index, tmp_path / folder)),
        lambda: list(read_songs(tmp_path / folder / "game")),
        lambda: list(read_timed(tmp_path / folder)),
        lambda: read_corpora(tmp_path / folder),
    ):
        with pytest.raises(HeldOutError, match="evaluation"):
            attempt()
    assert len(list(read_songs(tmp_path / folder / "game", for_training=False))) == 1


@pytest.mark.parametrize(
    "changes", ({"split": "eval"}, {"artist": "Kawai Sprite", "title": "South"}, {"title": "circle the halls"})
)
def test_a_held_out_song_in_a_training_folder_raises(tmp_path, changes):
    make_song(tmp_path / "game" / "song", **changes)
    with pytest.raises(HeldOutError):
        list(read_songs(tmp_path / "game"))
    assert len(list(read_songs(tmp_path / "game", for_training=False))) == 1


def test_a_chart_comes_as_mania_map_and_as_standard_rhythm(tmp_path):
    make_song(tmp_path / "game" / "song")
    (song,) = read_songs(tmp_path / "game")
    assert [b.mode for b in song.beatmaps] == [GameMode.MANIA, GameMode.STD]
    assert song.rhythm_only == [False, True]
    assert all(rating is not None and rating > 0 for rating in song.stars)
    assert song.beatmaps[0].hit_objects[0].time == 0 and song.timing.timing_points[0].time == 0


def test_a_native_map_moves_so_that_its_audio_has_the_usual_lead(tmp_path):
    folder = tmp_path / "game" / "song"
    make_song(folder, native=["map.osu"], measured_offset_ms=41)
    (folder / "map.osu").write_text(osu_text(), "utf-8")
    (song,) = read_songs(tmp_path / "game")
    assert [o.time for o in song.beatmaps[0].hit_objects[:2]] == [18, 518]
    assert song.timing.timing_points[0].time == 23 + 18
    assert song.rhythm_only == [False]


def test_timed_songs_are_the_steady_ones_with_audio(tmp_path):
    base = {"split": "train", "quality": "good", "audio": "audio/x.ogg", "artist": "", "title": "x",
            "timing": [[23, 480, 4]]}  # fmt: skip
    rows = [{**base, "id": "a"}, {**base, "id": "b", "quality": "irregular"}, {**base, "id": "c", "audio": None},
            {**base, "id": "d", "split": "test"}]  # fmt: skip
    (tmp_path / "index.json").write_text(json.dumps(rows), "utf-8")
    (song,) = read_timed(tmp_path)
    assert song.song == "tracker/a" and song.beatmaps == [] and song.timing.timing_points[0].time == 0


def test_a_working_folder_is_read_as_a_whole_and_an_empty_one_is_refused(tmp_path):
    make_maps(tmp_path / "work", [row("a"), row("b")])
    make_song(tmp_path / "work" / "fnf" / "song")
    found = read_corpora(tmp_path / "work")
    assert (len(found.maps), len(found.songs), len(found.timed)) == (2, 1, 0)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="osuT5.data.corpora"):
        read_corpora(tmp_path / "empty")


def test_missing_things_are_named(tmp_path):
    index = make_maps(tmp_path, [row("a")])
    (tmp_path / "maps" / "a.osu").unlink()
    with pytest.raises(InputError, match="a.osu"):
        list(read_maps(index, tmp_path))
    with pytest.raises(InputError, match="split='dev'"):
        list(read_maps(index, tmp_path, split="dev"))
    with pytest.raises(InputError, match="no_index"):
        list(read_maps(tmp_path / "no_index.jsonl", tmp_path))


@pytest.mark.parametrize(
    "artist, title",
    (
        ("Kawai Sprite", "Roses"),
        ("KAWAI SPRITE feat. someone", "roses (Erect Remix)"),
        ("", "Velocity"),
        ("someone", "Chrono Diver ~ PENDULUMs"),  # a cover of a distinctive title
        ("zetoban", "Csíkos Post!!"),
        ("BlackY", "Happy Voice [Short Ver.]"),
        ("Various", "Velocity by M2U"),
        ("Mapperatorinator", "First Light"),
    ),
)
def test_spellings_cuts_and_covers_of_held_out_songs_are_recognised(artist, title):
    assert is_held_out(artist, title)


@pytest.mark.parametrize(
    "artist, title", (("Somebody Else", "Roses"), ("Kawai Sprite", "Blammed"), ("Camellia", "Velocity"), ("", ""))
)
def test_other_songs_are_not(artist, title):
    assert not is_held_out(artist, title)


def test_every_row_of_the_list_is_held_out():
    assert len(held_out_songs()) >= 22
    assert all(is_held_out(artist, title) and normalise(title) for artist, title in held_out_songs())
