"""The recorded training samples: which profile, recipe and vocabulary each case was made with."""

import dataclasses
import gzip
import hashlib
import json
from functools import partial
from pathlib import Path

import numpy as np

from osuT5.data.catalogue import MapFilter, class_tables, read_tags, read_weights
from osuT5.data.mmrs import mmrs_sets, read_metadata
from osuT5.data.recipes import compat
from osuT5.data.samples import IGNORED
from osuT5.data.sets import MapSet, SetCutter
from osuT5.events import ContextType, Template, Vocabulary, load_profile

GOLDEN = Path(__file__).parents[1] / "golden"
MMRS = GOLDEN / "training" / "mmrs"
NUM_STYLES = 152680  # recorded with room for more maps
PROFILES = ("v28", "v29", "v30", "v31", "v32")
# Switches of the recorded configuration that are profile fields of the same name.
PROFILE_KEYS = (
    "src_seq_len", "tgt_seq_len", "types_first", "add_pre_tokens", "add_gd_context", "center_pad_decoder",
    "add_out_context_types", "add_style_token", "add_timing", "add_kiai", "add_mania_sv",
)  # fmt: skip
# Recorded switch -> option of the recipe.
RECIPE_KEYS = {
    "lookback": "lookback",
    "lookback_prob": "lookback_prob",
    "lookahead": "lookahead",
    "frame_offset_augment_prob": "frame_offset_prob",
    "dt_augment_prob": "speed_prob",
    "flip_horizontal_prob": "flip_x_prob",
    "flip_vertical_prob": "flip_y_prob",
    "timing_random_offset": "time_jitter",
    "timing_random_offset_2": "common_time_jitter",
    "snapping_random_prob": "snapping_noise",
    "add_pre_tokens": "pre_tokens",
    "max_pre_token_len": "max_pre_tokens",
    "add_empty_sequences": "empty",
    "normalize_audio": "normalize_audio",
    "min_top_tag_count": "min_tag_votes",
    "dt_augment_sqrt": "speed_sqrt",
}
DROPOUT_KEYS = {
    "class_dropout_prob": "beatmap_id",
    "diff_dropout_prob": "difficulty",
    "mapper_dropout_prob": "mapper_id",
    "year_dropout_prob": "year",
    "cs_dropout_prob": "circle_size",
    "hold_note_ratio_dropout_prob": "hold_note_ratio",
    "scroll_speed_ratio_dropout_prob": "scroll_speed_ratio",
    "descriptor_dropout_prob": "descriptors",
}


class ForcedDraws:
    """Draws as the recording forced them: what can happen does, integers are the lowest or the highest possible.

    The same numbers for every set, map and window.
    """

    def __init__(self, highest: bool = False):
        self.highest = highest

    def set(self):
        return self

    def difficulty(self, place: int):
        return self

    map = template = set

    def window(self, index: int):
        return self

    def random(self, size=None):
        return 0.0 if size is None else np.zeros(size)

    def integers(self, low, high=None, size=None):
        low, high = (0, low) if high is None else (low, high)
        value = high - 1 if self.highest else low
        return value if size is None else np.full(size, value)


def load(name: str):
    data = (GOLDEN / name).read_bytes()
    return json.loads(gzip.decompress(data) if name.endswith(".gz") else data)


FILES = {name: load(f"training/samples_{name}.json.gz") for name in (*PROFILES, "variants")}
WEB = load("training/samples_web_v32.json.gz")
CASES = [(file, name) for file, content in FILES.items() for name in content["cases"]]


def recipe_values(config) -> dict:
    """Options of the recipe as the recorded configuration has them."""
    values = {option: config[key] for key, option in RECIPE_KEYS.items() if key in config}
    values["speed_range"] = tuple(config["dt_augment_range"])
    values["template_weights"] = tuple(map(float, config["context_weights"]))
    values["dropout"] = {option: config[key] for key, option in DROPOUT_KEYS.items()}
    return values


def profile_of(name: str, config):
    templates = tuple(
        Template(tuple(map(ContextType, t["in"])), tuple(map(ContextType, t["out"]))) for t in config["context_types"]
    )
    return load_profile(name).replace(templates=templates, **{key: config[key] for key in PROFILE_KEYS})


def recipe_of(profile, config, evaluation: bool):
    recipe = dataclasses.replace(compat(profile), **recipe_values(config))
    return recipe.evaluation() if evaluation else recipe


def vocabulary_of(profile, facts, config) -> Vocabulary:
    by_votes = config["descriptor_source"] != "omdb"
    tags = read_tags(MMRS / "tags.json") if by_votes else None
    found = class_tables(facts, tags, min_votes=config["min_top_tag_count"])
    described = profile.add_descriptors
    return Vocabulary.from_profile(
        profile,
        mappers=found.mappers,
        beatmap_mapper=found.beatmap_mapper,
        beatmap_styles=found.beatmap_styles,
        num_styles=NUM_STYLES,
        descriptors=found.descriptors if described else None,
        num_descriptors=found.num_descriptors if described else None,
        beatmap_descriptors=found.beatmap_descriptors if described else None,
    )


def mmrs_facts(config):
    chosen = MapFilter(start=0, end=3, gamemodes=config["gamemodes"], ranked_statuses=(1, 2, 4))
    return chosen.select(read_metadata(MMRS))


def cut_mmrs(name: str, case, open_sets=None) -> tuple[Vocabulary, list]:
    """The samples that a case should have, each with the sound of its song.

    `open_sets`: (facts, normalize=bool) -> sets; those of the MMRS files by default.
    """
    open_sets = open_sets or partial(mmrs_sets, MMRS)
    config = case["config"]
    profile = profile_of(name, config)
    facts = mmrs_facts(config)
    vocabulary = vocabulary_of(profile, facts, config)
    weights = read_weights(MMRS / config["sample_weights_path"]) if config["sample_weights_path"] else None
    cutter = SetCutter(profile, vocabulary, recipe_of(profile, config, case["test"]), weights)
    draws = ForcedDraws(highest=config["timing_random_offset"] > 0)
    start = config["test_dataset_start"]
    sets = open_sets(facts, normalize=config["normalize_audio"])[start:]
    samples = [pair for one in sets for pair in cut_set(cutter, one, draws, case["forced_frame_offset"])]
    assert not cutter.skipped
    return vocabulary, samples


def cut_set(cutter: SetCutter, one: MapSet, draws, offset: int | None = None) -> list:
    """The samples of a set, each with the sound of its song."""
    sound, samples = cutter.cut(one, draws, offset)
    return [(sample, sound) for sample in samples]


def labels_of(sample) -> list[list[int]]:
    return [[i, int(label)] for i, label in enumerate(sample.labels) if label != IGNORED]


def assert_is_recorded(sample, recorded) -> None:
    first = recorded["first_non_pad"]
    assert sample.input_ids[first:].tolist() == recorded["decoder_input_ids"], recorded["text"]
    assert not sample.input_ids[:first].any()
    assert labels_of(sample) == recorded["labels"], recorded["text"]
    assert np.allclose(sample.song_position, recorded["song_position"], atol=1e-6)
    encoder = sample.encoder
    assert (encoder.style, encoder.mapper) == (recorded["beatmap_idx"], recorded["mapper_idx"])
    weight = recorded.get("sample_weights")
    assert encoder.weight is None if weight is None else abs(encoder.weight - weight) <= 1e-6 * abs(weight)


def web_cutter(name: str) -> SetCutter:
    """The cutter of a recorded case of the web data set."""
    config = WEB["cases"][name]["config"]
    profile = profile_of("v32", config)
    vocabulary = Vocabulary.from_profile(
        profile,
        mappers=[int(user) for user in WEB["vocab"]["mapper_idx"]],
        beatmap_mapper={int(k): v for k, v in WEB["vocab"]["beatmap_mapper"].items()},
        descriptors=read_tags(MMRS / "tags.json"),
        beatmap_descriptors={int(k): v for k, v in WEB["vocab"]["beatmap_descriptors"].items()},
    )
    return SetCutter(profile, vocabulary, recipe_of(profile, config, evaluation=name == "eval"))


def web_filter(name: str) -> MapFilter:
    config = WEB["cases"][name]["config"]
    return MapFilter(gamemodes=config["gamemodes"], ranked_statuses=config["ranked_statuses"])


def digest(sound: np.ndarray) -> str:
    return hashlib.sha256(sound.astype("<f4").tobytes()).hexdigest()
