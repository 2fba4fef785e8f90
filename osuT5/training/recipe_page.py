"""What stands above the tables of `docs/training-options.md`: how options are given, what parts the two recipes."""

from __future__ import annotations

from dataclasses import fields

from osuT5.data.recipes import RECIPES, recipe_for
from osuT5.events import load_profile
from osuT5.options import spelled
from osuT5.training.run import BY_RECIPE, RECIPE_FIELDS

HEAD = """# All options of a training run

`python osuT5/train.py -cn NAME section.key=value ...`; a key may be written without its section where it names exactly
one. This page is written from `osuT5/training/options.py` by `python -m osuT5.options write`; *default* is that of
`configs/train/default.yaml`, which the presets beside it change. To keep settings, put them into a preset
file of your own, there or in any folder with `--config-dir FOLDER`. Keys of published configurations that cannot act
here stand at the end: those that are accepted without effect, and those of which only one value is accepted.

```sh
python osuT5/train.py -cn v29 data.path=SETS                 # a tenth of the sets is evaluated
python osuT5/train.py -cn train_v29 train_dataset_path=SETS train_dataset_end=90 test_dataset_start=90 \\
    test_dataset_end=100
python osuT5/train.py -cn v32 data.dataset_type=mmrs data.path=SETS data.descriptors_path=null
python osuT5/train.py -cn v29 --cfg job                      # shows the whole configuration and starts nothing
```

## Differences between `recipe=compat` and `recipe=improved`

`compat` trains exactly as the published models were trained, faults included; `improved`, the default, keeps their
augmentation and learning rates and fixes the known faults. Each difference is a key of its own: `recipe=improved
recipe_options.state=carried` changes one of them. These are all; where a published version has no such thing (pre
tokens, label smoothing), its key changes nothing:
"""


def page_head() -> str:
    """With a row for every key whose null means another value under the other recipe."""
    keys = {field: key for key, field in RECIPE_FIELDS.items()}
    profile = load_profile("v29")
    made = {name: recipe_for(name, profile) for name in RECIPES}
    rows = {
        keys[field.name]: {name: getattr(recipe, field.name) for name, recipe in made.items()}
        for field in fields(made["compat"])
        if getattr(made["compat"], field.name) != getattr(made["improved"], field.name)
    }
    rows |= {key: {name: BY_RECIPE[name][key] for name in RECIPES} for key in BY_RECIPE["compat"]}
    lines = [f"| `{k}` | `{spelled(v['compat'])}` | `{spelled(v['improved'])}` |" for k, v in sorted(rows.items())]
    return HEAD + "\n".join(["| key | compat | improved |", "|---|---|---|", *lines])
