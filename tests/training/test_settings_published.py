"""The configurations of the published versions reproduce the published values, key by key."""

import json

import pytest

from osuT5 import cli
from osuT5.events import ContextType
from osuT5.training.settings import OPTIONS, read_settings
from osuT5.training.settings.assemble import STOCK_BACKBONE, STOCK_ROPE

NAMES = ("v28", "v29", "v30", "v31", "v32", "v32_ft", "v32-mini", "v32-mini_ft", "lora", "lora_v32")
# Keys whose defaults are ours on purpose, with the reason.
OURS = {
    "compile": "a wrong start must show within seconds",
    "device": "auto takes the GPU where there is one",
    "logging.log_with": "no account is needed",
    "checkpoint.cleanup_wandb_cache_before_save": "nothing is uploaded",
    "checkpoint.wandb_cache_cleanup_size": "nothing is uploaded",
    "lora.target_modules": "null finds the attention projections of any family",
}
# Of single configurations.
OURS_IN = {
    # ranges of the older format count its tracks; it never ran in the published trainer of that time
    "v30": {"data.dataset_type"},
    # the published one trains a v32 model on v30's windows and tokens; ours on v32's, with all their own values
    "lora": {k for k, o in OPTIONS.items() if o.goes_to.split(".")[0] in ("profile", "recipe")}
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


@pytest.fixture(scope="module")
def composed():
    overrides = ["recipe=compat", "data.path=somewhere"]
    return {name: cli.compose("train", name, overrides, ("path",)) for name in NAMES}


def effective(settings, config, key):
    """What a key amounts to in the end."""
    part, _, name = OPTIONS[key].goes_to.partition(".")
    if key.startswith(("lora.", "lora_metadata.")) and settings.lora is None or not OPTIONS[key].goes_to:
        return stated(config, key)
    if part == "backbone":
        stock = {**STOCK_BACKBONE, **{f"rope_scaling.{k}": v for k, v in STOCK_ROPE.items()}}
        return (
            stated(config, key)
            if name in ("overwrite", "add_config")
            else settings.model.backbone.get(name, stock[name])
        )
    if key == "data.context_types":
        return [
            {"in": [c.value for c in t.inputs], "out": [c.value for c in t.outputs]} for t in settings.profile.templates
        ]
    special = {
        "run.enable_lora": lambda: settings.lora is not None,
        "run.pretrained_path": lambda: settings.pretrained_path or "",
        "run.checkpoint_path": lambda: settings.checkpoint_path or "",
        "split.descriptors_path": lambda: settings.train.descriptors_path or "",
        "split.weights_path": lambda: settings.train.weights_path or "",
        "loader.cycle": lambda: stated(config, key),
        "loader.buffer": lambda: settings.loader.pool if settings.loader.balanced else 0,
        "loader.prefetch_share": lambda: stated(config, key),
        "empty.always": lambda: settings.recipe.empty,
        "empty.from_step": lambda: stated(config, key),
        "model.label_smoothing": lambda: stated(config, key),  # without effect: its own test
        "profile.gamemodes": lambda: settings.train.filter.gamemodes,
        "same.sample_rate": lambda: settings.profile.sample_rate,
        "same.hop_length": lambda: settings.profile.hop_length,
    }
    if OPTIONS[key].goes_to in special:
        return special[OPTIONS[key].goes_to]()
    if part in ("train", "test") and name in ("start", "end"):
        split = getattr(settings, part)
        if split is None:
            return stated(config, key)
        return split.shards[name == "end"] if split.shards else getattr(split.filter, name)
    owners = {
        "run": settings, "profile": settings.profile, "recipe": settings.recipe, "optim": settings.optim,
        "loop": settings.loop, "profiler": settings.loop.profiler, "loader": settings.loader, "model": settings.model,
        "lora": settings.lora, "split": settings.train, "filter": settings.train.filter, "train": settings.train,
        "test": settings.test or settings.train,
    }  # fmt: skip
    value = owners[part]
    if key == "data.test_dataset_streaming" and settings.test is None:
        return stated(config, key)
    for step in name.split("."):
        value = value[step] if isinstance(value, dict) else getattr(value, step)
    return value


def stated(config, key):
    """What the configuration says, where a key cannot be read off the settings."""
    for step in key.split("."):
        config = config[step]
    return config


def plain(value):
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value.value if isinstance(value, ContextType) else value


@pytest.mark.parametrize("name", NAMES)
def test_every_key_of_a_published_version_has_its_published_value(published, composed, name):
    settings = read_settings(composed[name])
    differing = {}
    for key, wanted in published[name].items():
        if key in OURS or key in OURS_IN.get(name, ()):
            continue
        got = plain(effective(settings, composed[name], key))
        if got != (None if NO_LIMIT.get(key) == wanted else wanted):
            differing[key] = (got, wanted)
    assert not differing


def test_every_published_key_is_an_option(published):
    keys = {key for row in published.values() for key in row}
    assert keys - set(OPTIONS) == set()
    assert {o.key for o in OPTIONS.values() if not o.ours} - keys <= {
        # paths are not recorded
        "data.train_dataset_path", "data.test_dataset_path", "data.mappers_path", "data.tags_path", "data.subset_ids",
    }  # fmt: skip


def test_the_reasons_for_our_defaults_are_about_keys_that_differ(published, composed):
    config = composed["v29"]
    for key in OURS:
        if key != "lora.target_modules":
            assert stated(config, key) != published["v29"][key]


def test_published_label_smoothing_is_stated_and_has_no_effect_under_compat(composed):
    settings = read_settings(composed["v32"])
    assert stated(composed["v32"], "data.label_smoothing") == 0.2
    assert settings.model.label_smoothing == 0
    assert any("label_smoothing 0.2 has no effect" in notice for notice in settings.notices)


def test_the_command_of_the_older_readme_works_literally():
    line = (
        "train_dataset_path=/songs test_dataset_path=/songs train_dataset_end=90 test_dataset_start=90 "
        "test_dataset_end=100"
    )
    settings = read_settings(cli.compose("train", "train_v29", line.split()))
    assert settings.profile.name == "v29"
    assert (settings.train.path, settings.train.filter.start, settings.train.filter.end) == ("/songs", 0, 90)
    assert (settings.test.path, settings.test.filter.start, settings.test.filter.end) == ("/songs", 90, 100)
    assert settings.optim.base_lr == 0.01 and settings.optim.total_steps == 65536
