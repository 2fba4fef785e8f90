"""A data set as a source: units are sets, the draws depend on (seed, epoch, unit) alone, and nothing kills a worker."""

import dataclasses
import gc
import logging
import pickle

import numpy as np
import pytest
from golden_samples import MMRS, mmrs_facts
from hypothesis import given
from hypothesis import strategies as st

from osuT5.data.catalogue import class_tables
from osuT5.data.keyed import MapDraws, SetDraws
from osuT5.data.mmrs import mmrs_sets
from osuT5.data.recipes import SampleRecipe, recipe_for
from osuT5.data.samples import IGNORED
from osuT5.data.set_source import SetSource
from osuT5.data.sets import MapSet, SetCutter
from osuT5.data.stored_sound import as_int16
from osuT5.errors import InputError
from osuT5.events import ContextType, Template, Vocabulary, load_profile

FACTS = mmrs_facts({"gamemodes": ()})
SETS = mmrs_sets(MMRS, FACTS)


def source_for(name="v28", recipe=None, sets=SETS, seed=42, **changes) -> SetSource:
    profile = load_profile(name).replace(**changes)
    vocabulary = Vocabulary.from_profile(profile, mappers=class_tables(FACTS).mappers)
    return SetSource(sets, SetCutter(profile, vocabulary, recipe or recipe_for("improved", profile)), seed)


def same(windows, others) -> bool:
    return len(windows) == len(others) and all(
        np.array_equal(one.sound, other.sound)
        and np.array_equal(one.sample.input_ids, other.sample.input_ids)
        and np.array_equal(one.sample.labels, other.sample.labels)
        for one, other in zip(windows, others, strict=True)
    )


def test_a_unit_is_a_set_with_all_its_difficulties():
    source = source_for()
    assert (len(source), source.maps) == (3, 6)
    styles = [{w.sample.encoder.style for w in source.windows(0, unit)} for unit in range(3)]
    assert sorted(map(len, styles)) == [1, 2, 3] and set.union(*styles) == set(range(6))


def test_windows_depend_on_seed_epoch_and_unit_and_on_nothing_that_was_read_before():
    source, other = source_for(), source_for()
    later = [source.windows(5, unit) for unit in (2, 0, 1)]
    assert all(same(windows, other.windows(5, unit)) for windows, unit in zip(later, (2, 0, 1), strict=True))
    copy = pickle.loads(pickle.dumps(source))
    assert same(copy.windows(5, 0), source.windows(5, 0))
    assert not same(source.windows(5, 0), source.windows(6, 0))
    assert not same(source.windows(5, 0), source_for(seed=43).windows(5, 0))


def test_sound_is_int16_where_it_is_normalised_and_raw_where_not():
    for normalize, kind in ((True, np.int16), (False, np.float32)):
        recipe = SampleRecipe(normalize_audio=normalize)
        sets = mmrs_sets(MMRS, FACTS, normalize=normalize)
        (first, *_) = source_for(recipe=recipe, sets=sets).windows(0, 0)
        assert first.sound.dtype == kind and first.sound.shape == (load_profile("v28").window_samples,)
        assert np.abs(first.sound).max() > 2000
        assert first.sound.base is None  # it does not hold the whole song


def test_sound_belongs_to_its_window():
    source = source_for(recipe=SampleRecipe(), src_seq_len=129)
    song = as_int16(SETS[0].sound(1.0))
    windows = source.windows(0, 0)
    assert len(windows) > 10
    for window in windows:
        first = window.sample.start_frame * 128
        heard = song[first : first + 128 * 128]
        assert np.array_equal(window.sound[: len(heard)], heard) and not window.sound[len(heard) :].any()


def test_windows_without_labels_are_left_out_and_empty_ones_by_the_recipe():
    def count(**options) -> int:
        objects = (Template((), (ContextType.MAP,)),)
        recipe = SampleRecipe(**options)
        source = source_for(recipe=recipe, src_seq_len=65, templates=objects, add_out_context_types=False)
        windows = [w for unit in range(3) for w in source.windows(0, unit)]
        assert all((w.sample.labels != IGNORED).any() for w in windows)
        return len(windows)

    assert 0 < count(empty=False) < count(empty=True)


def broken(place: int, content: bytes | None = None, **changes) -> list[MapSet]:
    """The sets with a map of the first one replaced."""
    one = SETS[0]
    facts, maps = list(one.facts), list(one.maps)
    facts[place] = dataclasses.replace(facts[place], **changes)
    if content is not None:
        maps[place] = content
    return [MapSet(facts, maps, one.sound), *SETS[1:]]


TEXT = SETS[0].maps[0].read_bytes()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no map", "no beatmap"),
        (b"", "no beatmap"),
        (TEXT.split(b"[TimingPoints]")[0] + b"[HitObjects]\n256,192,1000,1,0\n", "no timing line"),
        (TEXT.replace(b"[TimingPoints]", b"[TimingPoints]\n0,1e-200,4,1,0,60,1,0"), "too many beats"),
    ],
)
def test_a_map_that_cannot_be_used_costs_itself_and_is_logged_once(content, reason, caplog):
    source = source_for(sets=broken(0, content))
    with caplog.at_level(logging.WARNING):
        for epoch in range(2):
            assert {w.sample.encoder.style for w in source.windows(epoch, 0)} == {3, 4}
    (record,) = caplog.records
    assert "map 2001" in record.getMessage() and reason in record.getMessage()


@pytest.mark.parametrize(
    "changes",
    [
        {"submitted_date": None},
        {"submitted_date": FACTS[0].submitted_date.replace(year=2001)},
        {"ratings": (), "difficulty": None},
        {"user_id": None},
    ],
)
def test_a_row_that_says_little_is_used_all_the_same(changes):
    windows = source_for(sets=broken(0, **changes)).windows(0, 0)
    assert len({w.sample.encoder.style for w in windows}) == 3


@pytest.mark.parametrize("keys", [b"0", b"-3", b"25", b"4.5"])
def test_an_odd_number_of_keys_costs_its_map_at_most(keys):
    """Nor is that map shown beside others."""
    mania = SETS[1].maps[0].read_bytes().replace(b"CircleSize:4", b"CircleSize:" + keys)
    assert b"CircleSize:" + keys in mania
    sets = [MapSet(SETS[1].facts, [mania, *SETS[1].maps[1:]], SETS[1].sound)]
    guest = (Template((ContextType.GD,), (ContextType.MAP,)),)
    source = source_for(recipe=SampleRecipe(), sets=sets, templates=guest)
    used = {w.sample.encoder.style for w in source.windows(0, 0)}
    assert used == ({0} if source.cutter.skipped else {0, 1})


def test_missing_sound_costs_its_set_only():
    lost = mmrs_sets(MMRS, [dataclasses.replace(m, audio_file="none.mp3") for m in FACTS[:3]])
    source = source_for(sets=[*lost, *SETS[1:]])
    assert source.windows(0, 0) == [] and source.windows(0, 1)
    assert "none.mp3" in source.cutter.skipped["set 1001"]


def test_the_collector_runs_again_after_a_set():
    source_for().windows(0, 2)
    assert gc.isenabled()


def test_no_sets_or_none_that_the_profile_can_use_is_an_error():
    with pytest.raises(InputError, match="passes the filters"):
        source_for(sets=[])
    with pytest.raises(InputError, match="add_gd_context"):
        source_for(sets=SETS[2:], add_gd_context=True)
    assert len(source_for(add_gd_context=True)) == 2


def test_weights_for_another_number_of_templates_are_an_error():
    with pytest.raises(InputError, match="2 template weights.*3 templates"):
        source_for(recipe=SampleRecipe(template_weights=(1.0, 2.0)))


def test_the_scheme_changes_with_the_sets():
    scheme = source_for().scheme()
    assert scheme == source_for().scheme() and (scheme["sets"], scheme["maps"]) == (3, 6)
    fewer = [MapSet(SETS[0].facts[:2], SETS[0].maps[:2], SETS[0].sound), *SETS[1:]]
    assert source_for(sets=fewer).scheme() != scheme != source_for(sets=SETS[:2]).scheme()


@given(st.integers(0, 2**31), st.integers(0, 1000), st.integers(0, 10**6))
def test_draws_of_a_map_its_template_and_its_windows_are_independent(seed, epoch, number):
    draws = MapDraws(seed, epoch, number)
    streams = [draws.map(), draws.template(), draws.window(0), draws.window(1), SetDraws(seed, epoch, number, 0).set()]
    first = [int(rng.integers(2**62)) for rng in streams]
    assert len(set(first)) == len(first)
    assert int(MapDraws(seed, epoch, number).window(1).integers(2**62)) == first[3]
