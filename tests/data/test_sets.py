"""From a data set to samples: what is taken, what is left out, and what is drawn."""

import dataclasses

import numpy as np
import pytest
from golden_samples import MMRS, cut_set, mmrs_facts

from osuT5.data.catalogue import (
    ClassTables,
    MapFacts,
    MapFilter,
    class_tables,
    descriptors_by_votes,
    rating_at,
    read_tags,
    read_weights,
)
from osuT5.data.keyed import SetDraws
from osuT5.data.mmrs import mmrs_sets, read_metadata
from osuT5.data.recipes import SampleRecipe, recipe_for
from osuT5.data.sets import MapSet, SetCutter
from osuT5.data.web import web_facts
from osuT5.errors import InputError
from osuT5.events import ContextType, Template, Vocabulary, load_profile

FACTS = mmrs_facts({"gamemodes": ()})
DRAWS = SetDraws(seed=0, epoch=0, number=0, first=0)


def vocabulary_for(profile, tables: ClassTables | None = None) -> Vocabulary:
    tables = tables or class_tables(FACTS)
    return Vocabulary.from_profile(profile, mappers=tables.mappers, beatmap_mapper=tables.beatmap_mapper)


def cutter_for(name="v32", recipe=None, **changes) -> SetCutter:
    profile = load_profile(name).replace(**changes)
    return SetCutter(profile, vocabulary_for(profile), recipe or recipe_for("improved", profile))


def test_a_broken_map_or_song_is_left_out_and_named_and_the_rest_is_cut():
    sets = mmrs_sets(MMRS, FACTS)
    broken_map = MapSet(sets[0].facts, [b"no map", *sets[0].maps[1:]], sets[0].sound)
    no_song = mmrs_sets(MMRS, [dataclasses.replace(m, audio_file="missing.mp3") for m in sets[1].facts])[0]
    cutter = cutter_for(recipe=SampleRecipe())
    made = [pair for one in (broken_map, no_song, sets[2]) for pair in cut_set(cutter, one, DRAWS)]
    assert {sample.encoder.style for sample, _ in made} == {3, 4, 5}
    assert list(cutter.skipped) == ["map 2001", "set 1002"]


def test_a_set_is_played_one_way_for_all_its_maps_and_its_times_follow_the_speed():
    recipe = SampleRecipe(speed_prob=1.0, speed_range=(1.5, 1.5))
    plain, fast = cutter_for(recipe=SampleRecipe()), cutter_for(recipe=recipe)
    one = mmrs_sets(MMRS, FACTS)[0]
    slow, _ = plain.cut(one, DRAWS)
    song, samples = fast.cut(one, DRAWS)
    assert len(song) == pytest.approx(len(slow) / 1.5, abs=1)
    lengths = {round(sample.song_position[0] * (len(song) // 128 + 1)) - sample.start_frame for sample in samples}
    assert lengths == {0}


def test_speeds_flips_and_templates_are_drawn_as_often_as_the_recipe_says():
    recipe = SampleRecipe(
        speed_prob=0.5, speed_range=(1.0, 1.4), flip_x_prob=0.25, speed_sqrt=True, template_weights=(4.0, 1.0, 1.0)
    )
    cutter = cutter_for("v28", recipe)
    rng = np.random.default_rng(1)
    plays = [cutter.draw(rng) for _ in range(4000)]
    speeds = np.array([p.speed for p in plays if p.speed != 1.0])
    assert len(speeds) == pytest.approx(2000, abs=150)
    assert speeds.mean() == pytest.approx(1.0 + 0.4 * 2 / 3, abs=0.01)  # a square root of a uniform number
    assert sum(p.flip_x for p in plays) == pytest.approx(1000, abs=130) and not any(p.flip_y for p in plays)
    drawn = [cutter._template(True, rng).inputs for _ in range(3000)]
    assert drawn.count((ContextType.NONE,)) == pytest.approx(2000, abs=120)
    assert drawn.count((ContextType.GD,)) == pytest.approx(500, abs=100)


def test_a_lone_difficulty_is_shown_nothing_and_the_template_of_others_stays():
    gd_only = (Template((ContextType.GD,), (ContextType.MAP,)),)
    cutter = cutter_for("v28", SampleRecipe(), templates=gd_only)
    rng = np.random.default_rng(0)
    assert cutter._template(False, rng).inputs == (ContextType.NONE,)
    assert cutter._template(True, rng).inputs == (ContextType.GD,)


def test_the_mapper_is_named_by_the_file_or_by_the_data_set():
    """Map 2001's row is handed to another user; its file still says BeatmapID 2001."""
    row = [dataclasses.replace(m, user_id=502) if m.beatmap_id == 2001 else m for m in FACTS]
    one = mmrs_sets(MMRS, row)[0]
    for mapper_of, expected in (("file", 501), ("row", 502)):
        cutter = cutter_for(recipe=SampleRecipe(mapper_of=mapper_of))
        sample = cutter.cut(one, DRAWS)[1][0]
        assert cutter.vocabulary.mapper_id(expected) in sample.input_ids
        assert sample.encoder.mapper == cutter.vocabulary.mapper_class(502)


@pytest.mark.parametrize("year", [1999, 2077, None])
def test_a_year_that_no_token_says_is_unknown(year):
    date = None if year is None else FACTS[0].submitted_date.replace(year=year)
    one = mmrs_sets(MMRS, [dataclasses.replace(m, submitted_date=date) for m in FACTS])[0]
    cutter = cutter_for(recipe=SampleRecipe())
    sample = cutter.cut(one, DRAWS)[1][0]
    assert cutter.vocabulary.year_id(None) in sample.input_ids


def test_a_slice_beyond_the_data_set_is_an_error_that_says_how_many_sets_there_are():
    for start, end in ((0, 4), (3, 4), (2, 2)):
        with pytest.raises(InputError, match="has 3"):
            MapFilter(start=start, end=end).select(FACTS)


def test_stars_between_the_rated_speeds_lie_on_a_line_and_stay_level_outside():
    ratings = (1.0, 2.0, 3.0, 5.0, 6.0, 7.0, 8.0)
    assert rating_at(ratings, 1.125) == 4.0
    assert (rating_at(ratings, 0.2), rating_at(ratings, 3.0)) == (1.0, 8.0)


def test_votes_are_sorted_and_unknown_tags_become_the_unknown_class():
    rows = [{"id": 5, "a": 1, "b": 4, "new": 9, "c": None}, {"id": 6, "a": 1}]
    assert descriptors_by_votes(rows, {"a": 0, "b": 1, "c": 7}, min_votes=2) == {5: [8, 1]}


def test_weights_are_clipped_and_then_average_one(tmp_path):
    path = tmp_path / "weights.csv"
    path.write_text("1,0.001\n2,99\n3,1\n")
    weights = read_weights(path)
    assert sum(weights.values()) / 3 == pytest.approx(1.0)
    assert weights[2] / weights[1] == pytest.approx(100)
    path.write_text("1;2\n")
    with pytest.raises(InputError, match="lines of beatmap id,weight"):
        read_weights(path)


def test_missing_or_damaged_files_are_named(tmp_path):
    with pytest.raises(InputError, match="metadata.parquet"):
        read_metadata(tmp_path)
    (tmp_path / "metadata.parquet").write_bytes(b"no table")
    with pytest.raises(InputError, match="metadata.parquet"):
        read_metadata(tmp_path)
    (tmp_path / "tags.json").write_text("[]")
    with pytest.raises(InputError, match="list of tags"):
        read_tags(tmp_path / "tags.json")


def test_a_table_that_lacks_columns_says_which(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet

    parquet.write_table(pyarrow.table({"Id": [1]}), tmp_path / "metadata.parquet")
    with pytest.raises(InputError, match="BeatmapSetId, BeatmapSetFolder"):
        read_metadata(tmp_path)


def test_each_date_of_a_web_row_stands_in_for_the_other():
    row = {"beatmap_id": 1, "beatmapset_id": 2, "mode": 0, "submit_date": "2012-03-04"}
    facts = web_facts(row)
    assert facts.ranked_date == facts.submitted_date and facts.ranked_date.year == 2012
    assert isinstance(facts, MapFacts) and facts.style == 1
    with pytest.raises(InputError, match="is no date"):
        web_facts({**row, "submit_date": "yesterday"})
