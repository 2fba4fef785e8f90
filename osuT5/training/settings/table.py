"""The table of all options of a training configuration: one row says of every key what it does here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from osuT5.training.settings.data_options import MIXTURE, RECIPE, SAMPLES, SOURCE, TOKENS
from osuT5.training.settings.model_options import MODEL
from osuT5.training.settings.option import Option
from osuT5.training.settings.run_options import INTERVALS, LOADER, LORA, OPTIM, TOP

# heading of the page of options -> its rows
GROUPS: Mapping[str, tuple[Option, ...]] = {
    "The run": TOP,
    "Data: which maps": SOURCE,
    "Data: tokens and windows": TOKENS,
    "Data: from maps to samples": SAMPLES,
    "Differences of the recipes": RECIPE,
    "Corpora of the embedded model": MIXTURE,
    "Loader": LOADER,
    "Network and sound": MODEL,
    "Optimiser": OPTIM,
    "Evaluation, checkpoints, log, profiler": INTERVALS,
    "LoRA": LORA,
}
OPTIONS: Mapping[str, Option] = {option.key: option for rows in GROUPS.values() for option in rows}

# What null means where the sample recipe (`osuT5.data.recipes`) does not say it.
BY_RECIPE: Mapping[str, Mapping[str, Any]] = {
    "improved": {
        "optim.second_rate": "used",
        "optim.decay": "matrices",
        "optim.orthogonalise": "float32",
        "recipe_options.label_smoothing": "honoured",
        "data.pool": 512,
        "data.batching": "similar",
    },
    "compat": {
        "optim.second_rate": "decay_only",
        "optim.decay": "published",
        "optim.orthogonalise": "bfloat16",
        "recipe_options.label_smoothing": "ignored",
        "data.pool": 0,
        "data.batching": "random",
    },
}


def text_keys() -> tuple[str, ...]:
    """Last names of the keys whose values are free text, for `osuT5.cli.run`."""
    return tuple(sorted({o.key.split(".")[-1] for o in OPTIONS.values() if o.kind == "place"} | {"run_name"}))
