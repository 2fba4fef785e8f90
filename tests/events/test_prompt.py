"""Prompts: where each context's events lie, what a model is asked to say after each id, and what fits the decoder."""

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osuT5.beatmap import read
from osuT5.data.keyed import MapDraws
from osuT5.data.recipes import improved
from osuT5.data.samples import SampleMaker, prepare_map
from osuT5.data.windows import FrameGrid
from osuT5.errors import InputError
from osuT5.events import (
    IGNORED,
    ContextSpan,
    ContextType,
    EventSequence,
    Prompt,
    PromptBuilder,
    Vocabulary,
    conditions_of,
    encode,
    load_profile,
    window_slice,
)
from osuT5.events.prompt import InputContext, PromptContext, build_decoder_input, negative_conditions

MAPS = {p.stem: p for p in sorted((Path(__file__).parents[1] / "golden" / "tokens" / "maps").glob("*.osu"))}
LENGTH_MS = 80_000
GRID_MS = LENGTH_MS + 1000  # no event in the last frame, which belongs to no training window
PROFILES = {name: load_profile(name) for name in ("v28", "v29", "v30", "v31", "v32", "mini")}
VOCABULARIES = {name: Vocabulary.from_profile(profile, mappers=[7]) for name, profile in PROFILES.items()}
CASES = [
    (name, number, map_name)
    for name, profile in PROFILES.items()
    for number in range(len(profile.templates))
    for map_name, path in MAPS.items()
    if read(path).mode in profile.gamemodes
]


def known_map(name: str, number: int, map_name: str):
    """A builder for a whole map, its sequences, and the source of the training samples of the same map."""
    profile, vocabulary = PROFILES[name], VOCABULARIES[name]
    template, beatmap = profile.templates[number], read(MAPS[map_name])
    wanted = {c for c in (*template.inputs, *template.outputs) if c is not ContextType.SV or beatmap.mode == 3}
    sequences = {c: encode(beatmap, profile, c, song_length_ms=LENGTH_MS) for c in wanted}
    conditions = conditions_of(beatmap, profile, song_length_ms=LENGTH_MS, difficulty=3.0)
    inputs = [
        (c, sequences.get(c, EventSequence()), conditions if c is ContextType.GD else None) for c in template.inputs
    ]
    builder = PromptBuilder(
        profile, vocabulary, template, conditions, LENGTH_MS, [InputContext(c, s, k) for c, s, k in inputs]
    )
    return builder, sequences, prepare_map(template, sequences, conditions, vocabulary, inputs)


def after_start(ids, labels, vocabulary):
    start = list(ids).index(vocabulary.sos_id)
    return list(map(int, ids[start:])), list(map(int, labels[start:]))


@pytest.mark.parametrize(("name", "number", "map_name"), CASES)
def test_labels_of_a_complete_prompt_are_those_of_the_training_sample(name, number, map_name):
    builder, sequences, source = known_map(name, number, map_name)
    profile, vocabulary = builder.profile, builder.vocabulary
    recipe = improved(profile).evaluation()
    grid = FrameGrid.of(GRID_MS * profile.sample_rate // 1000, profile.hop_length, profile.sample_rate)
    compared = 0
    for sample in SampleMaker(profile, vocabulary, recipe).samples(source, grid, MapDraws(0, 0, 0), offset=0):
        if sample.cut:
            continue
        ids, labels = after_start(sample.input_ids, sample.labels, vocabulary)
        for stage in range(len(builder.template.outputs)):
            prompt = builder.build(stage, sequences, grid.time_ms(sample.start_frame), complete=True)
            assert len(prompt.labels) == len(prompt.ids)
            of_prompt, labels_of_prompt = after_start(prompt.ids, prompt.labels, vocabulary)
            assert of_prompt == ids[: len(of_prompt)]
            assert labels_of_prompt == labels[: len(of_prompt)]
            assert all(label == IGNORED for label in prompt.labels[: len(prompt.ids) - len(of_prompt)])
            compared += 1
        assert len(of_prompt) == len(ids) and labels_of_prompt[-1] == vocabulary.eos_id
    assert compared


@pytest.mark.parametrize(("name", "number", "map_name"), CASES)
def test_spans_point_at_the_events_of_each_context(name, number, map_name):
    builder, sequences, _ = known_map(name, number, map_name)
    profile, vocabulary, template = builder.profile, builder.vocabulary, builder.template
    for start_ms in (0, 1500, 4000):
        prompt = builder.build(len(template.outputs) - 1, sequences, start_ms)
        assert [s.context for s in prompt.spans] == [*template.inputs, *template.outputs]
        assert [s.is_output for s in prompt.spans] == [False] * len(template.inputs) + [True] * len(template.outputs)
        for span in prompt.spans:
            sequence = sequences.get(span.context, EventSequence())
            first, end = window_slice(sequence.times, start_ms, start_ms + profile.window_ms)
            assert span.first_event == first and span.end - span.first == end - first
            expected = vocabulary.encode_window(sequence.events[first:end], start_ms)
            assert prompt.ids[span.first : span.end] == expected


@given(st.sampled_from(CASES), st.integers(60, 400), st.sampled_from([0, 1500]), st.booleans())
@settings(max_examples=60, deadline=None)
def test_spans_still_point_at_their_events_after_a_cut(case, room, start_ms, complete):
    builder, sequences, _ = known_map(*case)
    builder.profile = builder.profile.replace(tgt_seq_len=room)
    prompt = builder.build(len(builder.template.outputs) - 1, sequences, start_ms, complete)
    assert len(prompt.ids) < room
    for span in prompt.spans:
        events = sequences.get(span.context, EventSequence()).events[span.first_event :][: span.end - span.first]
        assert prompt.ids[span.first : span.end] == builder.vocabulary.encode_window(events, start_ms)
        if span.is_output:
            assert list(prompt.labels[span.first : span.end - 1]) == prompt.ids[span.first + 1 : span.end]


def test_the_end_of_what_is_still_being_written_is_not_known():
    builder, sequences, _ = known_map("v28", 0, "std_basic")
    opened, whole = (builder.build(0, sequences, 0, complete=c) for c in (False, True))
    assert opened.ids == whole.ids[:-1] and opened.spans == whole.spans
    context = builder.template.outputs[0]
    assert whole.ids[-1] == whole.labels[-2] == builder.vocabulary.context_eos[context]
    assert whole.labels[-1] == builder.vocabulary.context_sos[builder.template.outputs[1]]
    assert list(opened.labels) == [*whole.labels[:-2], IGNORED]


def test_offsets_and_cuts_take_labels_away():
    vocabulary = VOCABULARIES["v28"]
    sos, eos = vocabulary.context_sos[ContextType.MAP], vocabulary.context_eos[ContextType.MAP]
    made = build_decoder_input(vocabulary, [], [50], [PromptContext(ContextType.MAP, [60, 61, 62])], close_last=True)
    assert made.ids == [50, 1, sos, 60, 61, 62, eos] and made.start_index == 1
    assert made.spans == (ContextSpan(ContextType.MAP, True, 3, 6, 0),)
    assert made.labels(vocabulary, 2) == [IGNORED, sos, 60, 61, 62, eos, 2]
    assert made.labels(vocabulary, 2, offsets=[2]) == [IGNORED, sos, IGNORED, IGNORED, 62, eos, 2]
    assert made.labels(vocabulary, None, ended=[False]) == [IGNORED, sos, 60, 61, 62, IGNORED, IGNORED]
    assert made.labels(vocabulary, None, [9], [False]) == [IGNORED, sos, *[IGNORED] * 5]


def test_a_prompt_can_be_made_of_ids_alone():
    prompt = Prompt([1, 2])
    assert (prompt.negative, prompt.spans, tuple(prompt.labels)) == (None, (), ())
    assert dataclasses.replace(prompt, negative=[1]).negative == [1]


NAMES = [f"style {n}" for n in range(400)]


def guided_builder(limit: int, negative_descriptors: int, descriptors: int = 1) -> tuple[PromptBuilder, dict]:
    """A map of v32 with guidance by descriptors, in a decoder of `limit` ids."""
    profile = PROFILES["v32"].replace(tgt_seq_len=limit)
    vocabulary = Vocabulary.from_profile(profile, descriptors=NAMES)
    builder, sequences, _ = known_map("v32", 0, "std_basic")
    conditions = dataclasses.replace(builder.conditions, descriptors=NAMES[:descriptors])
    negative = negative_conditions(conditions, NAMES[:negative_descriptors])
    return PromptBuilder(profile, vocabulary, builder.template, conditions, LENGTH_MS, negative=negative), sequences


@pytest.mark.parametrize("length_over_limit", [-1, 0, 1])
@pytest.mark.parametrize(("descriptors", "negative_descriptors"), [(1, 120), (120, 1)])
def test_both_branches_are_shorter_than_the_limit_and_hold_the_same_contexts(
    descriptors, negative_descriptors, length_over_limit
):
    roomy, sequences = guided_builder(5000, negative_descriptors, descriptors)
    stage = len(roomy.template.outputs) - 1
    whole = roomy.build(stage, sequences, 0)
    longest = max(len(whole.ids), len(whole.negative))
    assert abs(len(whole.ids) - len(whole.negative)) == 119
    limit = longest - length_over_limit
    builder, _ = guided_builder(limit, negative_descriptors, descriptors)
    prompt = builder.build(stage, sequences, 0)
    assert max(len(prompt.ids), len(prompt.negative)) < limit
    start, negative_start = (ids.index(builder.vocabulary.sos_id) for ids in (prompt.ids, prompt.negative))
    assert prompt.ids[start:] == prompt.negative[negative_start:]
    assert negative_start - start == negative_descriptors - descriptors
    if length_over_limit < 0:
        assert (prompt.ids, prompt.negative) == (whole.ids, whole.negative)
    for span, full in zip(prompt.spans, whole.spans, strict=True):
        dropped = span.first_event - full.first_event
        assert prompt.ids[span.first : span.end] == whole.ids[full.first + dropped : full.end]
        assert span.end - span.first == min(full.end - full.first, limit // 2 if length_over_limit >= 0 else limit)


@pytest.mark.parametrize(
    ("descriptors", "negative_descriptors", "message"),
    [
        (1, 300, "^Negative prompt is too long: .* use fewer negative descriptors"),
        (300, 1, "^Prompt is too long: .* use fewer descriptors"),
    ],
)
def test_conditions_of_either_branch_that_do_not_fit_are_refused(descriptors, negative_descriptors, message):
    builder, sequences = guided_builder(200, negative_descriptors, descriptors)
    with pytest.raises(InputError, match=message):
        builder.build(0, sequences, 0)
