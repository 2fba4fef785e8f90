"""Samples of the published recipe, id by id, label by label, with the sound that belongs to them."""

import dataclasses

import numpy as np
import pytest
from golden_samples import (
    CASES,
    FILES,
    GOLDEN,
    MMRS,
    PROFILES,
    WEB,
    ForcedDraws,
    assert_is_recorded,
    cut_mmrs,
    cut_set,
    digest,
    load,
    mmrs_facts,
    profile_of,
    recipe_values,
    vocabulary_of,
    web_cutter,
    web_filter,
)

from osuT5.beatmap import read
from osuT5.data.catalogue import MapFilter
from osuT5.data.mmrs import read_metadata
from osuT5.data.recipes import compat
from osuT5.data.samples import SampleMaker, prepare_map
from osuT5.data.web import web_facts, web_set
from osuT5.data.windows import FrameGrid, cut_sound
from osuT5.events import Conditions, ContextType, Template, Vocabulary, encode, load_profile

SEQUENCES = load("tokens/training_sequences.json.gz")["cases"]
LOSSY_SET = {0, 1}  # classes of the maps with MP3 sound: decoders differ in the last bits


def assert_sounds_as_recorded(sample, song, recorded, tolerance=None):
    frames = recorded["frames"]
    heard = cut_sound(song, sample.start_frame, 128, frames["shape"][0])
    assert heard.dtype == np.float32
    if tolerance is None:
        assert digest(heard) == frames["sha256"]
    else:
        places = [place for place, _ in frames["probe"]]
        assert heard[places] == pytest.approx([value for _, value in frames["probe"]], abs=tolerance)
        assert heard.sum(dtype=float) == pytest.approx(frames["sum"], abs=tolerance * len(heard) ** 0.5)


@pytest.mark.parametrize(("file", "name"), CASES)
def test_samples_are_those_of_the_published_recipe(file, name):
    case = FILES[file]["cases"][name]
    _, made = cut_mmrs("v28" if file == "variants" else file, case)
    assert len(made) == len(case["samples"])
    scale = 1.0 if case["config"]["normalize_audio"] else 32768
    for (sample, song), recorded in zip(made, case["samples"], strict=True):
        assert_is_recorded(sample, recorded)
        assert sample.encoder.difficulty == pytest.approx(recorded["difficulty"], abs=1e-6)
        lossy = recorded["beatmap_idx"] in LOSSY_SET
        assert_sounds_as_recorded(sample, song, recorded, 2e-3 * scale if lossy else None)


@pytest.mark.parametrize("name", PROFILES)
def test_the_vocabulary_of_a_training_slice_is_the_published_one(name):
    recorded = FILES[name]["vocab"]
    config = next(iter(FILES[name]["cases"].values()))["config"]
    vocabulary = vocabulary_of(profile_of(name, config), mmrs_facts(config), config)
    for key in ("offset", "vocab_size_out", "vocab_size_in", "num_classes", "num_mapper_classes",
                "num_descriptor_classes", "context_sos", "context_eos", "mapper_idx", "beatmap_mapper",
                "descriptor_idx", "beatmap_descriptors"):  # fmt: skip
        assert vocabulary.to_dict()[key] == recorded[key], key
    ranges = vocabulary.to_dict()
    for key in ("event_ranges", "input_event_ranges"):
        rows = [[r["type"], r["min_value"], r["max_value"], ranges["event_start"][r["type"]]] for r in ranges[key]]
        assert rows == recorded[key]


@pytest.mark.parametrize("name", list(WEB["cases"]))
def test_samples_of_the_web_data_set(name):
    case = WEB["cases"][name]
    cutter = web_cutter(name)
    made = []
    with np.load(MMRS.parent / "web_audio.npz") as sounds:
        for row in WEB["rows"]:
            found = web_set(row, lambda key=row["__key__"]: sounds[key].astype(np.float32) / 32768, web_filter(name))
            assert (found is None) == (row["__key__"] == "empty")
            if found is not None:
                made += cut_set(cutter, found, ForcedDraws(), case.get("forced_frame_offset"))
    assert len(made) == len(case["samples"])
    for (sample, song), recorded in zip(made, case["samples"], strict=True):
        assert_is_recorded(sample, recorded)
        # away from speed 1 the calculator's version counts
        assert sample.encoder.difficulty == pytest.approx(recorded["difficulty"], abs=1e-6 if name == "eval" else 0.05)
        assert_sounds_as_recorded(sample, song, recorded, 1e-5)
    assert list(cutter.skipped) == ["map 2005"]


@pytest.mark.parametrize("number", range(len(SEQUENCES)))
def test_sequences_of_the_token_specification(number):
    case = SEQUENCES[number]
    profile = load_profile(case["profile"]).replace(tgt_seq_len=case["tgt_seq_len"])
    if case["lookback"]:
        profile = profile.replace(src_seq_len=513)
    template = Template(tuple(map(ContextType, case["in_context"])), tuple(map(ContextType, case["out_context"])))
    # the windows of these cases are shorter, the vocabulary is the profile's
    vocabulary = Vocabulary.load(GOLDEN / "tokens" / "tokenizers" / f"{case['profile']}.tokenizer.json")
    beatmap = read(GOLDEN / "tokens" / "maps" / f"{case['map']}.osu")
    said = case["special"]
    conditions = Conditions(
        gamemode=said["gamemode"], difficulty=said["difficulty"], year=said["year"], hitsounded=said["hitsounded"],
        song_length_ms=said["song_length"], slider_multiplier=said.get("global_sv", 1.4),
        circle_size=said.get("circle_size"), keycount=said.get("keycount", 4),
        hold_note_ratio=said.get("hold_note_ratio"), scroll_speed_ratio=said.get("scroll_speed_ratio"),
        beatmap_id=said["beatmap_id"], descriptors=vocabulary.beatmap_descriptors.get(said["beatmap_id"]),
    )  # fmt: skip
    wanted = {c for c in (*template.inputs, *template.outputs) if c is not ContextType.SV or beatmap.mode == 3}
    events = {c: encode(beatmap, profile, c, song_length_ms=case["song_ms"]) for c in wanted}
    source = prepare_map(template, events, conditions, vocabulary, [(c, events[c], None) for c in template.inputs])
    recipe = dataclasses.replace(
        compat(profile).evaluation(), time_jitter=0, snapping_noise=0.0, lookback=case["lookback"], lookback_prob=1.0
    )
    grid = FrameGrid.of(case["song_ms"] * 16, 128, 16000)
    assert grid.n_frames == case["n_frames"]
    made = SampleMaker(profile, vocabulary, recipe).samples(source, grid, ForcedDraws(), offset=0)
    assert len(made) == len(case["sequences"])
    for sample, recorded in zip(made, case["sequences"], strict=True):
        assert sample.input_ids.tolist() == recorded["input_ids"]
        assert sample.labels.tolist() == recorded["labels"]
        assert sample.label_offsets == recorded["labels_offset"]
        assert sample.end_frame - sample.start_frame == recorded["frames"]
        assert grid.time_ms(sample.start_frame) == recorded["first_frame_time"]


@pytest.mark.parametrize("name", [*PROFILES, "v32-mini"])
def test_the_compat_recipe_has_the_published_settings(name):
    profiles = load("training/profiles.json")
    everything = {**profiles["common"], **profiles["profiles"][name]}
    config = {key.removeprefix("data."): value for key, value in everything.items() if key.startswith("data.")}
    recipe = compat(load_profile(name))
    assert {key: getattr(recipe, key) for key in recipe_values(config)} == recipe_values(config)
    assert recipe.jitter_prob == config["timing_random_offset_prob"]


FILTERS = load("training/filters.json")


@pytest.mark.parametrize("number", range(len(FILTERS["mmrs"])))
def test_filters_of_the_mmrs_table(number):
    case = FILTERS["mmrs"][number]
    chosen = MapFilter(**case["args"]).select(read_metadata(MMRS))
    assert [[m.set_id, m.beatmap_id] for m in chosen] == case["ids"]
    assert [m.style for m in chosen] == case["beatmap_idx"]


@pytest.mark.parametrize("number", range(len(FILTERS["web"])))
def test_filters_of_the_web_rows(number):
    case = FILTERS["web"][number]
    facts = [web_facts(beatmap) for beatmap in FILTERS["web_beatmaps"]]
    assert [m.beatmap_id for m in MapFilter(**case["args"]).select(facts)] == case["ids"]


def test_every_map_of_the_recorded_data_set_reads_cleanly():
    for path in sorted((MMRS / "data").rglob("*.osu")):
        assert read(path).hit_objects
