"""The configurations of the published versions reproduce the published values, key by key."""

import json

import pytest

from osuT5.events import ContextType, Profile
from osuT5.options.compose import compose, find_preset
from osuT5.options.model import put
from osuT5.training.options import TrainOptions
from osuT5.training.run import DROPOUT, RECIPE_FIELDS, open_run

NAMES = ("v28", "v29", "v30", "v31", "v32", "v32_ft", "v32-mini", "v32-mini_ft", "lora", "lora_v32")
# Keys whose defaults are ours on purpose, with the reason.
OURS = {
    "compile": "a wrong start must show within seconds",
    "device": "auto takes the GPU where there is one",
    "logging.log_with": "no account is needed",
    "lora.target_modules": "null finds the attention projections of any family",
}
# Of single configurations.
OURS_IN = {
    # ranges of the older format count its tracks; it never ran in the published trainer of that time
    "v30": {"data.dataset_type"},
    # the published one trains a v32 model on v30's windows and tokens; ours on v32's, with all their own values
    "lora": {
        k
        for k in TrainOptions.keys()
        if k.startswith("data.") and k.removeprefix("data.") in Profile.__dataclass_fields__
    }
    | {k for k in TrainOptions.keys() if k.startswith("model.") and k.split(".")[1] not in ("overwrite", "add_config")}
    | {*RECIPE_FIELDS, *DROPOUT, "data.context_types"}
    | {"data.num_classes", "data.min_difficulty", "data.max_difficulty"},
    # nothing is fetched for a vocabulary that knows only its own maps
    "lora_v32": {"data.descriptors_path", "data.descriptor_source"},
}
# Published values that set no limit: null here, which also lets maps pass that nobody rated.
NO_LIMIT = {"data.min_difficulty": 0.0, "data.max_difficulty": 100.0}


@pytest.fixture(scope="module")
def published(golden):
    found = json.loads((golden / "training" / "profiles.json").read_text())
    rows = {name: {**found["common"], **found["profiles"][name]} for name in NAMES}
    for row in rows.values():
        row["model.overwrite"] = {
            k.rsplit(".", 1)[1]: row.pop(k) for k in list(row) if k.startswith("model.overwrite.")
        }
    return rows


# Published keys that are accepted and have no value here: the published values must be accepted.
NOT_HERE = {*TrainOptions.command.without_effect, *TrainOptions.command.only}
# Published values of fixed keys that are ours on purpose.
OURS_FIXED = {"checkpoint.cleanup_wandb_cache_before_save"}


@pytest.fixture(scope="module")
def composed():
    """The options of each version, trained as published."""
    found = {}
    for name in NAMES:
        values = compose(TrainOptions, find_preset("train", name), ["recipe=compat", "data.path=somewhere"])
        found[name] = TrainOptions.read(values.values, values.layers, values.problems)
    return found


def effective(run, options, key):
    """What a key amounts to in the end."""
    section, _, name = key.partition(".")
    if key == "data.context_types":
        return [{"in": [c.value for c in t.inputs], "out": [c.value for c in t.outputs]} for t in run.profile.templates]
    if key in RECIPE_FIELDS:
        return getattr(run.recipe, RECIPE_FIELDS[key])
    if key in DROPOUT:
        return run.recipe.dropout[DROPOUT[key]]
    if key == "data.descriptor_source":
        return run.descriptor_source
    if key in ("data.sample_rate", "data.hop_length"):
        return getattr(run.profile, name)
    if section == "data" and name in Profile.__dataclass_fields__:
        return getattr(run.profile, name)
    if section == "model" and name.startswith("spectrogram."):
        return run.profile.spectrogram[name.split(".")[1]]
    if section == "model" and name in ("name", "cond_size", *run.profile.model):
        return run.profile.model[{"name": "backbone_model_name"}.get(name, name)]
    for part in ("train", "test"):
        split = getattr(run, part)
        if split and name in (f"{part}_dataset_start", f"{part}_dataset_end"):
            end = name.endswith("end")
            return split.shards[end] if split.shards else (split.filter.end if end else split.filter.start)
    if name in ("ranked_statuses", "min_year", "max_year", "min_difficulty", "max_difficulty"):
        return getattr(run.train.filter, name)
    if key in ("data.cycle_length", "dataloader.balancer_buffer_size"):
        return options.get(key)
    value = run.options.get(key)
    paths = ("descriptors_path", "sample_weights_path", "pretrained_path", "checkpoint_path")
    return "" if value is None and name in paths or key in paths and value is None else value


def plain(value):
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value.value if isinstance(value, ContextType) else value


@pytest.mark.parametrize("name", NAMES)
def test_every_key_of_a_published_version_has_its_published_value(published, composed, name):
    run = open_run(composed[name])
    differing = {}
    for key, wanted in published[name].items():
        if key in OURS or key in OURS_IN.get(name, ()) or key in NOT_HERE:
            continue
        if key == "model.overwrite":  # the published one says only that nothing is tied
            assert wanted == {"tie_word_embeddings": False} and composed[name].model.overwrite == {}
            continue
        got = plain(effective(run, composed[name], key))
        if got != (None if NO_LIMIT.get(key) == wanted else wanted):
            differing[key] = (got, wanted)
    assert not differing


@pytest.mark.parametrize("name", NAMES)
def test_published_values_of_keys_that_cannot_act_here_are_accepted(published, name):
    values = {"data": {"path": "somewhere"}}
    for key in NOT_HERE - OURS_FIXED:
        if key in published[name]:
            put(values, key, published[name][key])
    TrainOptions(**values)


def test_every_published_key_is_an_option(published):
    keys = {key for row in published.values() for key in row}
    assert keys - set(TrainOptions.keys()) - NOT_HERE == set()


def test_the_reasons_for_our_defaults_are_about_keys_that_differ(published, composed):
    for key in OURS:
        if key != "lora.target_modules":
            assert composed["v29"].get(key) != published["v29"][key]


def test_published_label_smoothing_is_stated_and_has_no_effect_under_compat(composed):
    run = open_run(composed["v32"])
    assert composed["v32"].data.label_smoothing == 0.2
    assert run.label_smoothing == 0
    assert any("label_smoothing 0.2 has no effect" in notice for notice in run.notices)


def test_the_command_of_the_older_readme_works_literally():
    line = (
        "train_dataset_path=/songs test_dataset_path=/songs train_dataset_end=90 test_dataset_start=90 "
        "test_dataset_end=100"
    )
    found = compose(TrainOptions, find_preset("train", "train_v29"), line.split())
    settings = open_run(TrainOptions.read(found.values, found.layers, found.problems))
    assert settings.profile.name == "v29"
    assert (settings.train.path, settings.train.filter.start, settings.train.filter.end) == ("/songs", 0, 90)
    assert (settings.test.path, settings.test.filter.start, settings.test.filter.end) == ("/songs", 90, 100)
    assert settings.options.optim.base_lr == 0.01 and settings.options.optim.total_steps == 65536
