"""Ids and names in a data set: online ones where the files state them, else stable ones; fit for every system."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mapsets import map_text

from osuT5.beatmap import read
from osuT5.beatmap.names import FORBIDDEN, entry_name_problem
from osuT5.data.building.identity import MADE_FROM, MADE_TO, folder_name, ids_of, made_id, mapper_id, stored_name


def nobody(checksum):
    return None


def ids(*maps, name="", online=nobody, believed=True):
    return ids_of([(f"md5 {i}", read(text)) for i, text in enumerate(maps)], name, online, believed)


@pytest.mark.parametrize(
    ("set_id", "artist", "title", "expected"),
    (
        (12, "A.B.", "C: D?", "12 AB - C D"),
        (7, 'x/y\\z*|"<>', "t...", "7 xyz - t"),
        (3, "  spaced   out ", " end. ", "3 spaced out - end"),
        (5, "日本語", "曲", "5 日本語 - 曲"),
        (9, "", "", "9 -"),
    ),
)
def test_folders_are_named_by_id_artist_and_title_without_dots_and_forbidden_characters(
    set_id, artist, title, expected
):
    assert folder_name(set_id, artist, title) == expected


@given(st.integers(1, MADE_TO), st.text(max_size=300), st.text(max_size=300))
def test_any_folder_name_is_one_short_part_that_every_system_takes(set_id, artist, title):
    name = folder_name(set_id, artist, title)
    assert entry_name_problem(name) is None and "/" not in name and "." not in name
    assert len(name) <= 90 and len(name.encode()) <= 240 and name.startswith(str(set_id))


@given(st.text(max_size=300), st.lists(st.text(max_size=8), max_size=3))
def test_any_stored_name_is_one_part_that_every_system_takes_and_none_that_is_taken(name, taken):
    stored = stored_name(name, taken)
    assert entry_name_problem(stored) is None and not set(stored) & set(FORBIDDEN)
    assert stored.casefold() not in {t.casefold() for t in taken}
    assert len(stored.encode()) <= 240


def test_stored_names_keep_what_they_can():
    assert stored_name("music/Song (full).mp3", ()) == "Song (full).mp3"
    assert stored_name("..\\..\\con.mp3", ()) == "file con.mp3"
    assert stored_name("a.osu", ("A.osu", "a 2.osu")) == "a 3.osu"


def test_ids_are_the_online_ones_that_most_files_state():
    maps = (map_text("a", 5, 51), map_text("b", 5, 52), map_text("c", 6, 61), map_text("d", None, 53))
    set_id, (first, second, copied, older) = ids(*maps)
    assert (set_id, first, second, older) == (5, 51, 52, 53)
    assert copied >= MADE_FROM  # it says that it belongs to another set


@pytest.mark.parametrize("stated", (-1, 0, None, 2_000_000_000))
def test_a_set_without_an_online_id_gets_stable_ids_of_its_content(stated):
    maps = (map_text("a", stated, 51), map_text("b", stated, 0))
    set_id, map_ids = ids(*maps)
    assert MADE_FROM <= set_id < MADE_TO and all(MADE_FROM <= i < MADE_TO for i in map_ids)
    assert len({set_id, *map_ids}) == 3
    assert (set_id, map_ids) == ids(*maps, name="other name")
    assert ids(maps[0])[0] != set_id


def test_made_ids_never_change():
    """They are written into data sets, so a new release must make the same."""
    assert made_id("set", "0123456789abcdef0123456789abcdef") == 1_206_862_104
    assert mapper_id("Some  One") == mapper_id("some one ") and mapper_id(" ") is None
    assert mapper_id("someone") == 2_137_302_542


def test_two_maps_of_one_id_are_two():
    _, (first, second) = ids(map_text("a", 5, 51), map_text("b", 5, 51))
    assert first == 51 and second >= MADE_FROM


def test_the_name_of_the_source_tells_the_set_only_for_formats_before_ids():
    old = map_text("a", None, None)
    assert ids(old, name="123 An Artist - A Title")[0] == 123
    assert ids(old, name="99 Luftballons")[0] >= MADE_FROM
    assert ids(map_text("a", -1, 0), name="123 An Artist - A Title")[0] >= MADE_FROM


def test_what_the_online_table_says_of_a_file_comes_first():
    known = {"md5 0": (8, 81), "md5 1": (None, 82)}
    assert ids(map_text("a", None, None), map_text("b", -1, 0), online=known.get) == (8, [81, 82])


def test_a_further_song_of_a_set_is_a_set_of_its_own_with_the_maps_ids():
    set_id, (map_id,) = ids(map_text("a", 5, 51), believed=False)
    assert set_id >= MADE_FROM and map_id == 51
