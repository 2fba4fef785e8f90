"""The options of every command, by the name of its folder below `configs/`. Imported when they are wanted."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from osuT5.options.model import Options

# name -> where its options are stated
STATED: Mapping[str, str] = {
    "inference": "osuT5.inference.options:InferenceOptions",
    "build": "osuT5.data.building.settings:BuildOptions",
    "compile": "osuT5.data.compile:CompileOptions",
    "corpora": "osuT5.data.corpora:CorporaOptions",
    "convert/merge": "osuT5.convert:MergeOptions",
    "convert/lora": "osuT5.convert:StandardOptions",
    "convert/state": "osuT5.convert:StateOptions",
    "publish": "osuT5.publish:PublishOptions",
    "evaluate": "osuT5.evaluation.command:EvaluateOptions",
    "train": "osuT5.training.options:TrainOptions",
}

# page in docs/ -> (command, function that gives what stands above its tables)
PAGES: Mapping[str, tuple[str, str]] = {
    "options.md": ("inference", "osuT5.inference.options:page_head"),
    "training-options.md": ("train", "osuT5.training.recipe_page:page_head"),
}


def named(place: str) -> Any:
    """What `module:name` names."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


def options_of(name: str) -> type[Options]:
    """The options of a command. Raises KeyError for an unknown name."""
    return named(STATED[name])
