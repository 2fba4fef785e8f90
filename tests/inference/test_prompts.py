"""Prompts of the published models, id by id."""

import pytest
from golden_inference import find, load_json

from osuT5.beatmap import read
from osuT5.errors import InputError, MapperatorinatorError
from osuT5.events import (
    Conditions,
    ContextType,
    Event,
    EventSequence,
    EventType,
    Vocabulary,
    encode_timing,
    load_profile,
)
from osuT5.events.prompt import PromptBuilder, negative_conditions
from osuT5.inference.templates import choose_task, given_sequence, template_inputs

RECORDED = load_json("prompts.json.gz")


def contexts(names):
    return [ContextType[n] for n in names if n != "NONE"]


def history(case):
    found = {}
    for name, rows in (case.get("history") or {}).items():
        found[ContextType[name]] = EventSequence([Event(EventType(t), v) for t, v, _ in rows], [t for _, _, t in rows])
    return found


def build_case(case):
    profile = load_profile(case["preset"])
    if "tgt_seq_len" in case["options"]:
        profile = profile.replace(tgt_seq_len=case["options"]["tgt_seq_len"])
    vocabulary = Vocabulary.load(RECORDED["tokenizers"][case["preset"]]["state"])
    length = case["song_length_ms"]
    reference = read(find(case["reference"])) if case["reference"] else None
    given = contexts(case["in_context"])
    supplied = case["timing_supplied_from"]
    known = given + ([ContextType.TIMING] if supplied else [])
    usable = {c for t in profile.templates for c in (*t.inputs, *t.outputs)}
    conditions = Conditions(
        **{**case["generation_config"], "song_length_ms": length}
        if "negative_descriptors" not in case["generation_config"]
        else {
            **{k: v for k, v in case["generation_config"].items() if k != "negative_descriptors"},
            "song_length_ms": length,
        }
    )
    task = choose_task(profile, [c for c in known if c in usable], contexts(case["out_context"]), conditions.gamemode)
    negative = None
    if case["options"].get("cfg_scale", 1) > 1:
        negative = negative_conditions(conditions, case["generation_config"].get("negative_descriptors"))
    builder = PromptBuilder(
        profile,
        vocabulary,
        task.template,
        conditions,
        length,
        template_inputs(task.template, reference, profile, vocabulary, length),
        negative,
    )
    sequences = history(case)
    for context in task.stages:
        if context in known and reference is not None and context in given:
            sequences[context] = given_sequence(reference, context, profile, length)
    if supplied:
        lines = [p for p in read(find(supplied)).timing_points if p.uninherited]
        sequences[ContextType.TIMING] = encode_timing(lines, profile, length)
    return task, builder, sequences


CASES = [c for c in RECORDED["cases"] if not c.get("error")]


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["name"].replace(" ", "_"))
def test_prompt_equals_recording(case):
    task, builder, sequences = build_case(case)
    assert [c.name for c in task.stages] == case["stages"]
    for row in case["prompts"]:
        prompt = builder.build(case["stage_index"], sequences, row["frame_time"])
        assert prompt.ids == row["ids"]
        if "negative_ids" in row:
            assert prompt.negative == row["negative_ids"]


@pytest.mark.parametrize(
    "case", [c for c in RECORDED["cases"] if c.get("error")], ids=lambda c: c["name"].replace(" ", "_")
)
def test_impossible_prompt_is_one_clear_error(case):
    with pytest.raises(MapperatorinatorError) as caught:
        task, builder, sequences = build_case(case)
        for start in (0, 818):
            builder.build(case["stage_index"], sequences, start)
    assert str(caught.value)


def test_conditions_that_do_not_fit_are_refused():
    profile = load_profile("v28").replace(tgt_seq_len=8)
    vocabulary = Vocabulary.from_profile(profile)
    builder = PromptBuilder(profile, vocabulary, profile.templates[0], Conditions(), 10000.0)
    with pytest.raises(InputError, match="too long"):
        builder.build(0, {}, 0)
