"""A vocabulary is exactly what the published tokenizer.json says, and new ones are laid out by the same rules."""

import json

import numpy as np
import pytest

from osuT5.errors import CheckpointError, TokenError
from osuT5.events import (
    TYPE_CODE,
    ContextType,
    Event,
    EventSequence,
    EventType,
    Vocabulary,
    load_profile,
    profile_names,
)
from osuT5.events.vocabulary import EVENT_TYPES

FILES = (
    "v28", "v29", "v30", "v31", "v32", "v32-mini", "v32-std-only", "v28-asof-2025-01", "v30-asof-2025-05"
)  # fmt: skip
CURRENT = [f for f in FILES if "asof" not in f]
TABLES = {
    "gamemode": "gamemode_id",
    "difficulty": "difficulty_id",
    "mapper_by_user_id": "mapper_id",
    "mapper_by_beatmap_id": "mapper_id_of_beatmap",
    "mapper_idx_by_user_id": "mapper_class",
    "circle_size": "circle_size_id",
    "year": "year_id",
    "hitsounded": "hitsounded_id",
    "song_length_ms": "song_length_id",
    "descriptor_by_name": "descriptor_id",
    "descriptor_by_idx": "descriptor_id",
    "descriptor_name_of_idx": "descriptor_name",
    "keycount": "keycount_id",
    "hold_note_ratio": "hold_note_ratio_id",
    "scroll_speed_ratio": "scroll_speed_ratio_id",
    "global_sv": "global_sv_id",
    "decode_difficulty": "difficulty_of",
}
UNKNOWN = {
    "difficulty_unknown": "difficulty_id",
    "mapper_unknown": "mapper_id",
    "circle_size_unknown": "circle_size_id",
    "year_unknown": "year_id",
    "descriptor_unknown": "descriptor_id",
    "hold_note_ratio_unknown": "hold_note_ratio_id",
    "scroll_speed_ratio_unknown": "scroll_speed_ratio_id",
}


@pytest.mark.parametrize("name", FILES)
def test_a_published_file_is_written_back_byte_for_byte(golden, name, tmp_path):
    vocabulary = golden.vocabulary(name)
    vocabulary.save(tmp_path / "tokenizer.json")
    original = (golden.tokens / "tokenizers" / f"{name}.tokenizer.json").read_bytes()
    assert (tmp_path / "tokenizer.json").read_bytes() == original


@pytest.mark.parametrize("name", CURRENT)
def test_a_new_vocabulary_has_the_published_layout(golden, name):
    published = golden.load(f"tokens/tokenizers/{name}.tokenizer.json")
    made = Vocabulary.from_profile(
        golden.profile_of(name),
        sorted((int(k) for k in published["mapper_idx"]), key=lambda k: published["mapper_idx"][str(k)]),
        published["descriptor_idx"],
        published["num_descriptor_classes"],
        beatmap_mapper=published["beatmap_mapper"],
        beatmap_descriptors=published["beatmap_descriptors"],
    )
    assert made.to_dict() == published


@pytest.mark.parametrize("name", [f for f in FILES if f not in ("v29", "v32-mini")])
def test_every_condition_and_id_matches_the_recorded_tables(golden, name):
    recorded = dict(golden.load("tokens/vocab.json")[name])
    vocabulary = golden.vocabulary(name)
    assert (vocabulary.pad_id, vocabulary.sos_id, vocabulary.eos_id) == tuple(
        recorded.pop(k) for k in ("pad", "sos", "eos")
    )
    assert vocabulary.offset == recorded.pop("offset")
    assert vocabulary.vocab_size_out == recorded.pop("vocab_size_out")
    assert vocabulary.vocab_size_in == recorded.pop("vocab_size_in")
    ranges = [
        [t.value, r.min_value, r.max_value, vocabulary.event_start[t], vocabulary.event_end[t]]
        for t, r in vocabulary.ranges.items()
    ]
    assert ranges == recorded.pop("ranges")
    marks = {c.value: [i, vocabulary.context_eos[c]] for c, i in vocabulary.context_sos.items()}
    assert marks == recorded.pop("context")

    for token_id, event in recorded.pop("decode_id"):
        if event is None:
            with pytest.raises(TokenError):
                vocabulary.decode(token_id)
        else:
            assert vocabulary.decode(token_id) == golden.events_of([event])[0]
    for event_type, value, token_id in recorded.pop("encode_edge"):
        event = Event(EventType(event_type), value)
        if token_id is None:
            with pytest.raises(TokenError):
                vocabulary.encode(event)
            with pytest.raises(TokenError):
                # a window clips times, so only other events can be out of range there
                vocabulary.encode_window([event if event_type != "t" else Event(EventType.CONTROL)], 0)
        else:
            assert vocabulary.encode(event) == token_id

    for (position, length), token_id in recorded.pop("song_position_ms_of_length_ms", []):
        assert vocabulary.song_position_id(position / length) == token_id
    for beatmap_id, ids in recorded.pop("descriptors_by_beatmap_id", []):
        assert vocabulary.descriptor_ids(vocabulary.beatmap_descriptors.get(beatmap_id)) == ids
    for key, method in UNKNOWN.items():
        if key in recorded:
            assert getattr(vocabulary, method)(None) == recorded.pop(key), key
    for key, method in TABLES.items():
        for given, expected in recorded.pop(key, []):
            if isinstance(expected, dict):
                with pytest.raises(TokenError):
                    getattr(vocabulary, method)(given)
            else:
                assert getattr(vocabulary, method)(given) == expected, (key, given)
    assert not recorded, "tables that no assertion looked at"


@pytest.mark.parametrize("name", profile_names())
def test_tables_and_functions_agree_for_every_id(name):
    vocabulary = Vocabulary.from_profile(load_profile(name), mappers=[7, 3], descriptors=["a", "b"])
    assert len(vocabulary.type_of_id) == len(vocabulary.value_of_id) == vocabulary.vocab_size_in
    assert np.all(vocabulary.type_of_id[: vocabulary.offset] == -1)
    for token_id in range(vocabulary.offset, vocabulary.vocab_size_in):
        event = vocabulary.decode(token_id)
        assert vocabulary.encode(event) == token_id
        assert vocabulary.type_of_id[token_id] == TYPE_CODE[event.type]
        assert EVENT_TYPES[vocabulary.type_of_id[token_id]] is event.type
        assert vocabulary.value_of_id[token_id] == event.value
    for outside in (-1, 0, vocabulary.offset - 1, vocabulary.vocab_size_in):
        with pytest.raises(TokenError, match=f"id {outside} is not an event"):
            vocabulary.decode(outside)


def test_ids_of_gives_whole_ranges_and_nothing_for_missing_types():
    vocabulary = Vocabulary.from_profile(load_profile("mini"))
    ids = vocabulary.ids_of(EventType.KIAI, EventType.MAPPER, EventType.SNAPPING)
    assert [vocabulary.decode(int(i)) for i in ids] == [
        *(Event(EventType.KIAI, v) for v in (0, 1)),
        *(Event(EventType.SNAPPING, v) for v in range(17)),
    ]
    assert vocabulary.ids_of(EventType.MAPPER).size == 0
    assert vocabulary.has(EventType.KIAI) and not vocabulary.has(EventType.VOLUME)


def test_times_of_a_window_are_clipped_steps_and_come_back_in_the_middle_of_their_step():
    vocabulary = Vocabulary.from_profile(load_profile("mini"))
    top = load_profile("mini").max_time_step
    times = [990, 1000, 1009, 1010, 1000 + 10 * top + 500]
    ids = vocabulary.encode_window(EventSequence([Event(EventType.TIME_SHIFT, t) for t in times], times), 1000.0)
    assert [vocabulary.decode(i).value for i in ids] == [0, 0, 0, 1, top]
    assert [e.value for e in vocabulary.decode_ids(ids, 1000.0)] == [1005, 1005, 1005, 1015, 1005 + 10 * top]


def test_decoding_stops_at_the_end_id_and_skips_what_is_no_event():
    vocabulary = Vocabulary.from_profile(load_profile("v32"))
    circle = vocabulary.encode(Event(EventType.CIRCLE))
    ids = [vocabulary.sos_id, circle, vocabulary.context_sos[ContextType.MAP], circle, vocabulary.eos_id, circle]
    assert vocabulary.decode_ids(ids) == [Event(EventType.CIRCLE)] * 2
    kept = vocabulary.decode_ids(np.array(ids), keep_control=True)
    assert [e.value for e in kept if e.type is EventType.CONTROL] == [1, vocabulary.context_sos[ContextType.MAP], 2]
    assert len(kept) == len(ids)


def test_negative_steps_get_no_half_step():
    vocabulary = Vocabulary.from_profile(load_profile("v32").replace(add_pre_tokens=True))
    ids = [vocabulary.encode(Event(EventType.TIME_SHIFT, s)) for s in (-2, 0)]
    assert [e.value for e in vocabulary.decode_ids(ids, 100.0)] == [80, 105]


def test_absent_optional_fields_mean_an_empty_tokenizer():
    vocabulary = Vocabulary.load(
        {"vocab_size_out": 1873, "vocab_size_in": 1873, "num_classes": 0, "num_diff_classes": 0, "max_difficulty": 0,
         "beatmap_idx": {}}
    )  # fmt: skip
    assert vocabulary.offset == 3 and vocabulary.context_sos == {}
    assert vocabulary.decode(3) == Event(EventType.TIME_SHIFT, -512)
    assert vocabulary.decode(3 + 1025 + 17) == Event(EventType.DISTANCE, 0)


def test_style_is_found_by_beatmap_id_after_loading():
    values = Vocabulary.from_profile(load_profile("v32")).to_dict()
    style = {"type": "style", "min_value": 0, "max_value": 2}
    values["input_event_ranges"] = [style]
    start = values["vocab_size_out"]
    values |= {"num_classes": 2, "beatmap_idx": {"55": 1}, "vocab_size_in": start + 3}
    del values["event_range"], values["event_start"], values["event_end"]
    vocabulary = Vocabulary.load(values)
    assert (vocabulary.style_id(55), vocabulary.style_id(56)) == (start + 1, start + 2)


def test_a_descriptor_is_sent_once():
    vocabulary = Vocabulary.from_profile(load_profile("v28"), descriptors=["clean", "tech"])
    assert vocabulary.descriptor_ids(["tech", "tech", 1, "clean"]) == [
        vocabulary.descriptor_id("tech"),
        vocabulary.descriptor_id("clean"),
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vocab_size_out": None}, "vocab_size_out is missing"),
        ({"vocab_size_in": 10}, "do not fit its ranges"),
        ({"offset": 12}, "event_start and event_end put 't' at 9..1647"),
        ({"context_sos": {"timing": 9, "map": 5, "sv": 7}}, "do not fit offset"),
        ({"event_ranges": [{"type": "nonsense", "min_value": 0, "max_value": 1}]}, "cannot be read as a vocabulary"),
    ],
)
def test_a_damaged_file_is_refused_with_its_name_and_the_reason(golden, tmp_path, change, message):
    values = golden.load("tokens/tokenizers/v32.tokenizer.json") | change
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(values))
    with pytest.raises(CheckpointError, match=message) as error:
        Vocabulary.load(path)
    assert str(path) in str(error.value)


def test_files_that_are_no_json_object_are_refused(tmp_path):
    for content in ("{", "[]"):
        (tmp_path / "t.json").write_text(content)
        with pytest.raises(CheckpointError, match="cannot be read"):
            Vocabulary.load(tmp_path / "t.json")
    with pytest.raises(CheckpointError, match="cannot be read"):
        Vocabulary.load(tmp_path / "absent.json")
