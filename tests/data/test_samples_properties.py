"""What every sample keeps, whatever the map, the window and the recipe."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osuT5.beatmap import read
from osuT5.data.budget import fit_centred, fit_from_start
from osuT5.data.keyed import MapDraws
from osuT5.data.recipes import RECIPES, SampleRecipe, improved, recipe_for
from osuT5.data.samples import IGNORED, SampleMaker, prepare_map
from osuT5.data.windows import FrameGrid
from osuT5.errors import InputError
from osuT5.events import (
    Conditions,
    ContextType,
    EventType,
    Template,
    Vocabulary,
    conditions_of,
    encode,
    load_profile,
)

MAPS = sorted((Path(__file__).parents[1] / "golden" / "tokens" / "maps").glob("*.osu"))
LENGTH_MS = 30_000
EOS = 2


def source_of(path, profile, vocabulary, template=None, labelled=None):
    beatmap = read(path)
    template = template or profile.templates[0]
    wanted = {c for c in (*template.inputs, *template.outputs) if c is not ContextType.SV or beatmap.mode == 3}
    events = {c: encode(beatmap, profile, c, song_length_ms=LENGTH_MS) for c in wanted}
    conditions = conditions_of(beatmap, profile, song_length_ms=LENGTH_MS, difficulty=3.0)
    inputs = [(c, events[c], conditions if c is ContextType.GD else None) for c in template.inputs]
    return prepare_map(template, events, conditions, vocabulary, inputs, labelled)


def grid_of(profile):
    return FrameGrid.of(LENGTH_MS * profile.sample_rate // 1000, profile.hop_length, profile.sample_rate)


PROFILES = {name: load_profile(name) for name in ("mini", "v28", "v30", "v32")}
VOCABULARIES = {name: Vocabulary.from_profile(profile, mappers=[7]) for name, profile in PROFILES.items()}
SOURCES = {
    (name, path.stem): source_of(path, profile, VOCABULARIES[name], profile.templates[-1])
    for name, profile in PROFILES.items()
    for path in MAPS
    if read(path).mode in profile.gamemodes
}


def recipes():
    """Any recipe, but without noise on the input: labels can then be compared with what follows."""
    return st.builds(
        SampleRecipe,
        lookback=st.floats(0, 0.9),
        lookback_prob=st.sampled_from([0.0, 1.0]),
        lookahead=st.floats(0, 0.9),
        frame_offset_prob=st.sampled_from([0.0, 1.0]),
        state=st.sampled_from(["carried", "events"]),
        dropout=st.sampled_from([{}, {"difficulty": 1.0, "mapper_id": 1.0, "descriptors": 0.5}]),
        pre_tokens=st.booleans(),
        max_pre_tokens=st.integers(-1, 30),
        first_pre_window=st.sampled_from(["all", "none"]),
        end_after_cut=st.booleans(),
    )


@given(
    st.sampled_from(sorted(SOURCES)),
    recipes(),
    st.integers(80, 3000),
    st.booleans(),
    st.integers(0, 2**32),
)
@settings(max_examples=60, deadline=None)
def test_labels_are_what_follows_and_nothing_exceeds_the_decoder(key, recipe, room, centred, seed):
    profile = PROFILES[key[0]].replace(tgt_seq_len=room, center_pad_decoder=centred)
    vocabulary = VOCABULARIES[key[0]]
    maker = SampleMaker(profile, vocabulary, recipe)
    for sample in maker.samples(SOURCES[key], grid_of(profile), MapDraws(seed, 0, 0)):
        ids, labels = sample.input_ids, sample.labels
        assert len(ids) == len(labels) <= room
        assert ids.min() >= 0 and ids.max() < vocabulary.vocab_size_in
        known = np.flatnonzero(labels != IGNORED)
        inner = known[known < len(ids) - 1]
        assert (labels[inner] == ids[inner + 1]).all()
        assert labels[-1] in (IGNORED, EOS)
        assert EOS not in ids and EOS not in labels[:-1]
        assert labels.max() < vocabulary.vocab_size_out
        start = int(np.flatnonzero(ids == vocabulary.sos_id)[0])
        assert (labels[:start] == IGNORED).all()  # what is given is never asked for
        assert 0 <= sample.song_position[0] < sample.song_position[1] <= 1


@given(st.sampled_from(sorted(SOURCES)), st.integers(80, 400), st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_improved_recipe_never_teaches_to_end_where_events_were_cut(key, room, seed):
    profile = PROFILES[key[0]].replace(tgt_seq_len=room)
    vocabulary = VOCABULARIES[key[0]]
    recipe = dataclasses.replace(improved(profile), time_jitter=0, snapping_noise=0.0)
    ends = {vocabulary.context_eos[c]: c for c in vocabulary.context_eos}
    for sample in SampleMaker(profile, vocabulary, recipe).samples(
        SOURCES[key], grid_of(profile), MapDraws(seed, 0, 0)
    ):
        said = [int(label) for label in sample.labels if label != IGNORED]
        if sample.cut:
            assert EOS not in said
            assert sum(label in ends for label in said) < len(SOURCES[key].outputs) or not ends
        else:
            assert said[-1] == EOS


def test_published_recipe_ends_cut_windows_as_if_they_were_whole():
    profile = PROFILES["v28"].replace(tgt_seq_len=90)
    recipe = dataclasses.replace(recipe_for("compat", profile), time_jitter=0, frame_offset_prob=0.0)
    source = SOURCES["v28", "std_basic"]
    made = SampleMaker(profile, VOCABULARIES["v28"], recipe).samples(source, grid_of(profile), MapDraws(0, 0, 0))
    cut = [s for s in made if s.cut]
    assert cut and all(s.labels[-1] == EOS for s in cut)


def test_a_chart_that_is_trusted_for_rhythm_only_labels_nothing_else():
    profile, vocabulary = PROFILES["mini"], VOCABULARIES["mini"]
    allowed = np.zeros(vocabulary.vocab_size_out, dtype=bool)
    allowed[vocabulary.ids_of(EventType.TIME_SHIFT, EventType.SNAPPING)] = True
    path = next(p for p in MAPS if p.stem == "std_long")
    plain, masked = (
        SampleMaker(profile, vocabulary, SampleRecipe()).samples(
            source_of(path, profile, vocabulary, labelled=table), grid_of(profile), MapDraws(0, 0, 0)
        )
        for table in (None, allowed)
    )
    assert len(plain) == len(masked) > 1
    for whole, rhythm in zip(plain, masked, strict=True):
        assert (whole.input_ids == rhythm.input_ids).all()
        known = rhythm.labels != IGNORED
        assert allowed[rhythm.labels[known]].all()
        times = (whole.labels != IGNORED) & allowed[np.where(whole.labels == IGNORED, 0, whole.labels)]
        assert (rhythm.labels[times] == whole.labels[times]).all() and (known == times).all()


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40), st.integers(1, 60), st.integers(0, 60))
def test_budget_is_kept_and_used(outputs, previous, inputs, fixed, spare):
    total = fixed + spare
    fit = fit_from_start(total, fixed, outputs, previous, inputs)
    assert min(fit.outputs, fit.previous, fit.inputs) >= 0 == fit.pad
    used = fixed + fit.outputs + fit.previous + fit.inputs
    assert used <= total
    assert used == total or (fit.outputs, fit.previous, fit.inputs) == (outputs, previous, inputs)
    centred = fit_centred(total, fixed, outputs, previous, inputs)
    assert min(centred.outputs, centred.previous, centred.inputs, centred.pad) >= 0
    assert centred.pad + fixed + centred.outputs + centred.previous + centred.inputs <= total


def test_noise_touches_the_input_only_and_stays_in_range():
    profile, vocabulary = PROFILES["v32"], VOCABULARIES["v32"]
    source = SOURCES["v32", "std_long"]
    noisy = SampleRecipe(time_jitter=3, common_time_jitter=2, snapping_noise=0.5)
    clean, shaken = (
        SampleMaker(profile, vocabulary, r).samples(source, grid_of(profile), MapDraws(5, 0, 0), offset=0)
        for r in (SampleRecipe(), noisy)
    )
    for before, after in zip(clean, shaken, strict=True):
        assert (before.labels == after.labels).all()
        changed = np.flatnonzero(before.input_ids != after.input_ids)
        assert len(changed) > 0
        for kind in (EventType.TIME_SHIFT, EventType.SNAPPING):
            there = np.isin(before.input_ids, vocabulary.ids_of(kind))
            assert (there == np.isin(after.input_ids, vocabulary.ids_of(kind))).all()
            changed = changed[~there[changed]]
        assert len(changed) == 0
        times = np.isin(before.input_ids, vocabulary.ids_of(EventType.TIME_SHIFT))
        assert np.abs(before.input_ids - after.input_ids)[times].max() <= 5


def test_dropped_conditions_are_said_to_be_unknown():
    profile, vocabulary = PROFILES["v28"], VOCABULARIES["v28"]
    source = source_of(MAPS[0], profile, vocabulary)
    source.conditions = dataclasses.replace(source.conditions, mapper_id=7, year=2015, beatmap_id=70005)
    dropped = {"difficulty": 1.0, "mapper_id": 1.0, "year": 1.0}
    maker = SampleMaker(profile, vocabulary, SampleRecipe(dropout=dropped))
    for sample in maker.samples(source, grid_of(profile), MapDraws(0, 0, 0)):
        said = set(sample.input_ids.tolist())
        assert {vocabulary.mapper_id(None), vocabulary.year_id(None), vocabulary.difficulty_id(None)} <= said
        assert vocabulary.mapper_id(7) not in said


def test_state_of_a_window_is_the_maps_own_or_that_of_this_epoch():
    """A kiai that began before the first window of an epoch is known to `events` and not to `carried`."""
    profile = PROFILES["mini"].replace(templates=(Template((), (ContextType.KIAI,)),))
    vocabulary = Vocabulary.from_profile(profile)
    path = next(p for p in MAPS if p.stem == "std_basic")
    source = source_of(path, profile, vocabulary)
    (_, events) = source.outputs[0]
    index, on = next((i, v) for i, v in events.kiai if v == 1)
    grid = grid_of(profile)
    offset = int(events.times[index] * profile.sample_rate / 1000 / profile.hop_length) + 2
    for state, expected in (("events", on), ("carried", 0)):
        maker = SampleMaker(profile, vocabulary, SampleRecipe(state=state))
        first = maker.samples(source, grid, MapDraws(0, 0, 0), offset=offset)[0]
        start = int(np.flatnonzero(first.input_ids == vocabulary.sos_id)[0])
        kiai = [vocabulary.decode(int(i)).value for i in first.input_ids[:start]
                if i in vocabulary.ids_of(EventType.KIAI)]  # fmt: skip
        assert kiai == [expected]


def test_conditions_that_do_not_fit_are_an_error_that_names_the_room():
    profile = PROFILES["v28"].replace(tgt_seq_len=12)
    maker = SampleMaker(profile, VOCABULARIES["v28"], SampleRecipe())
    with pytest.raises(InputError, match="tgt_seq_len is 12"):
        maker.samples(SOURCES["v28", "std_basic"], grid_of(profile), MapDraws(0, 0, 0))


def test_recipes_are_found_by_name():
    assert recipe_for("improved", PROFILES["mini"]).state == "events"
    assert set(RECIPES) == {"compat", "improved"}
    with pytest.raises(InputError, match="compat, improved"):
        recipe_for("best", PROFILES["mini"])
    with pytest.raises(InputError, match="mini has no published"):
        recipe_for("compat", PROFILES["mini"])


def test_evaluation_is_undisturbed_unless_the_recipe_says_so():
    compat, better = (recipe_for(name, PROFILES["v32"]).evaluation() for name in ("compat", "improved"))
    assert compat.time_jitter == 2 and better.time_jitter == 0 == better.snapping_noise
    for recipe in (compat, better):
        assert not recipe.dropout
        assert recipe.frame_offset_prob == recipe.speed_prob == recipe.flip_x_prob == recipe.lookback_prob == 0


def test_conditions_defaults_are_not_changed_by_cutting():
    source = SOURCES["mini", "taiko"]
    before = dataclasses.replace(source.conditions)
    maker = SampleMaker(PROFILES["mini"], VOCABULARIES["mini"], SampleRecipe(dropout={"difficulty": 1.0}))
    maker.samples(source, grid_of(PROFILES["mini"]), MapDraws(0, 0, 0))
    assert source.conditions == before and isinstance(before, Conditions)
