"""The table's columns, and what a user's own table adds to them."""

from datetime import datetime
from pathlib import Path

import pytest

from osuT5.data.building.columns import COLUMNS, parse_cell, schema
from osuT5.data.building.online import read_online
from osuT5.data.building.table import full_row
from osuT5.errors import InputError

parquet = pytest.importorskip("pyarrow.parquet")
GOLDEN = Path(__file__).parents[1] / "golden" / "training" / "mmrs" / "metadata.parquet"


def test_columns_their_order_and_types_are_those_of_published_data_sets():
    published = parquet.read_schema(GOLDEN)
    assert [(f.name, f.type) for f in schema()] == [(f.name, f.type) for f in published]


@pytest.mark.parametrize(
    ("column", "text", "value"),
    (
        ("UserId", "12.0", 12),
        ("DifficultyRating", "3.5", 3.5),
        ("Nsfw", "True", True),
        ("OmdbTags", "jump aim|clean", ["jump aim", "clean"]),
        ("TopTagIds", "[3, 9]", [3, 9]),
        ("TopTagCounts", "4;2", [4, 2]),
        ("RankedDate", "2015-03-04T05:06:07+02:00", datetime(2015, 3, 4, 3, 6, 7)),
        ("SubmittedDate", "2014-12-31 23:00:00", datetime(2014, 12, 31, 23)),
        ("SubmittedDate", "2014-12-31T23:00:00Z", datetime(2014, 12, 31, 23)),
        ("Tags", " ", None),
    ),
)
def test_cells_are_read_by_their_column(column, text, value):
    assert parse_cell(COLUMNS[column], text) == value


@pytest.mark.parametrize(("column", "text"), (("UserId", "9999999999"), ("UserId", "1.5"), ("Nsfw", "maybe")))
def test_a_cell_that_is_no_value_is_named_with_its_line(tmp_path, column, text):
    path = tmp_path / "facts.csv"
    path.write_text(f"Id,{column}\n1,\n2,{text}\n")
    with pytest.raises(InputError, match=f"line 3, column {column}"):
        read_online(path)


def test_a_table_adds_what_the_files_do_not_say_and_changes_nothing_that_they_do(tmp_path):
    path = tmp_path / "facts.csv"
    path.write_text("beatmap_id,userid,Ranked,Checksum,BeatmapFile,weather\n1,42,4,ABCD,evil.osu,rain\n")
    online = read_online(path)
    assert online.ignored == ("weather",) and online.ids_of("abcd") == (None, 1) and online.ids_of("ef") is None
    row = {"Id": 1, "UserId": 7, "BeatmapFile": "a.osu", "Checksum": "x"}
    assert full_row(row, online, None) == {**row, "UserId": 42, "Ranked": 4}
    assert full_row({**row, "Id": 2}, online, 1) == {**row, "Id": 2, "Ranked": 1, "Status": "ranked"}
    assert full_row(row, online, 1)["Ranked"] == 4


def test_files_that_are_no_such_table_are_named(tmp_path):
    path = tmp_path / "facts.csv"
    for content in (b"", b"name,year\n", b"\xff\xfe\x00Id"):
        path.write_bytes(content)
        with pytest.raises(InputError, match="facts.csv"):
            read_online(path)
