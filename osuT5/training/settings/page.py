"""The page of all options, `docs/training-options.md`, written from the table:

python -m osuT5.training.settings.page > docs/training-options.md
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from osuT5.cli import compose
from osuT5.data.recipes import RECIPES, recipe_for
from osuT5.events import load_profile
from osuT5.training.settings.option import Option, spelled
from osuT5.training.settings.table import BY_RECIPE, GROUPS

INTRODUCTION = """# All options of a training run

`python osuT5/train.py -cn NAME section.key=value ...`; a key may be written without its section where it names exactly
one. The configurations lie in `configs/train`; this page is written from the table that checks them
(`python -m osuT5.training.settings.page`). *Default* is that of `default.yaml`. **fixed** keys exist because published
configurations have them: only the value in *takes* is possible, anything else is refused with the reason given here.
A star marks keys of ours.

```sh
python osuT5/train.py -cn train_v29 train_dataset_path=SETS train_dataset_end=90 test_dataset_start=90 \\
    test_dataset_end=100
python osuT5/train.py -cn v32 data.dataset_type=mmrs data.path=SETS data.descriptors_path=null recipe=compat
python osuT5/train.py -cn v29 --cfg job          # shows the whole configuration and starts nothing
```
"""
RECIPES_TEXT = """
## What parts `recipe=compat` from `recipe=improved`

`compat` trains exactly as the published models were trained, oddities included; `improved`, the default, keeps their
augmentation and rates and mends the oddities. Each difference is a key of its own: `recipe=improved
recipe_options.state=carried` changes one of them. These are all; where a
published version has no such thing (pre tokens, label smoothing), its key changes nothing:
"""


def page() -> str:
    """The text of the page."""
    defaults = compose("train", "default", [])
    parts = [INTRODUCTION, RECIPES_TEXT, *_differences()]
    for heading, options in GROUPS.items():
        parts += [f"\n## {heading}\n", "| key | default | takes | what it does here |", "|---|---|---|---|"]
        parts += [_row(option, defaults) for option in options]
    return "\n".join(parts) + "\n"


def _row(option: Option, defaults: Mapping[str, Any]) -> str:
    value: Any = defaults
    for name in option.key.split("."):
        value = value[name]
    about = f"**fixed**: {option.about}" if option.only else option.about
    cells = (f"`{option.key}`{'*' if option.ours else ''}", f"`{spelled(value)}`", option.allowed, about)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _differences() -> list[str]:
    """A row for every key whose null means another value under the other recipe."""
    keys = {option.goes_to: option.key for options in GROUPS.values() for option in options if option.goes_to}
    profile = load_profile("v29")
    made = {name: recipe_for(name, profile) for name in RECIPES}
    rows = {
        keys[f"recipe.{field.name}"]: {name: getattr(recipe, field.name) for name, recipe in made.items()}
        for field in fields(made["compat"])
        if getattr(made["compat"], field.name) != getattr(made["improved"], field.name)
    }
    rows |= {key: {name: BY_RECIPE[name][key] for name in RECIPES} for key in BY_RECIPE["compat"]}
    lines = ["| key | compat | improved |", "|---|---|---|"]
    return lines + [
        f"| `{k}` | `{spelled(v['compat'])}` | `{spelled(v['improved'])}` |" for k, v in sorted(rows.items())
    ]


if __name__ == "__main__":
    sys.stdout.write(page())
