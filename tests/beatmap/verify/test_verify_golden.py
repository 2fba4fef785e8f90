"""The recorded rule-breaking files: each is found out, mended, and nothing else is complained of."""

import json
from collections import Counter
from pathlib import Path

import pytest

from osuT5.beatmap import read
from osuT5.beatmap.verify import gate, inspect, mend

FOLDER = Path(__file__).parents[2] / "golden" / "apps" / "verify"
ROWS = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))["files"]
ONLY_A_NEW_MAP_HELPS = {"a018_no_objects.osu": "A018", "b018_all_stacked.osu": "B018"}

each_file = pytest.mark.parametrize("row", ROWS, ids=[row["file"] for row in ROWS])


def class_a_and_b(findings):
    return {f.code for f in findings if f.code[0] in "AB"}


@each_file
def test_finds_what_must_be_found_and_no_other_class_a_or_b_fault(row):
    findings = inspect((FOLDER / row["file"]).read_bytes())
    codes = {f.code for f in findings}
    assert set(row["must"]) <= codes
    assert class_a_and_b(findings) <= {*row["must"], *row["also_allowed"]}


@each_file
def test_a_mended_file_has_no_class_a_or_b_fault_and_keeps_its_objects(row):
    data = (FOLDER / row["file"]).read_bytes()
    text, _, _, _ = mend(data)
    left = class_a_and_b(inspect(text))
    assert left == ({ONLY_A_NEW_MAP_HELPS[row["file"]]} if row["file"] in ONLY_A_NEW_MAP_HELPS else set())
    assert len(read(text).hit_objects) >= 0.95 * len(read(data).hit_objects)
    assert mend(text)[0] == text


WITHOUT_FAULTS = [row for row in ROWS if not any(code[0] in "AB" for code in row["must"])]


@pytest.mark.parametrize("row", WITHOUT_FAULTS, ids=[row["file"] for row in WITHOUT_FAULTS])
def test_files_without_class_a_and_b_faults_keep_every_byte(row):
    data = (FOLDER / row["file"]).read_bytes()
    text, _, dropped, changes = mend(data)
    assert text.encode("utf-8") == data
    assert not changes and not dropped


@each_file
def test_the_gate_lets_through_what_is_mended_and_nothing_degenerate(row):
    data = (FOLDER / row["file"]).read_bytes()
    result = gate(read(data))
    assert result.passed == (row["file"] not in ONLY_A_NEW_MAP_HELPS)
    assert read(result.text) == result.beatmap


def test_the_vectors_cover_most_of_classes_a_and_b():
    codes = Counter(code for row in ROWS for code in row["must"])
    assert sum(code[0] in "AB" for code in codes) >= 30
