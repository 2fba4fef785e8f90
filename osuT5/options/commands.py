"""The options of every command, by the name of its folder below `configs/`. Imported when they are wanted."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from osuT5.options.model import Options

# name -> where its options are stated
STATED: Mapping[str, str] = {
    "inference": "osuT5.inference.options:InferenceOptions",
}

# page in docs/ -> (command, how the page begins)
PAGES: Mapping[str, tuple[str, str]] = {
    "options.md": (
        "inference",
        """# All options of a generation

`python inference.py key=value ...`; written from `osuT5/inference/options.py` by `python -m osuT5.options write`. An
option that is not given takes its value from the reference beatmap, the model's profile, the song, or the *default*
here; `--explain` shows every value and where it is from. Presets (`-cn NAME`) lie in `configs/inference`: put your
arguments into a file of your own there, or in any folder with `--config-dir FOLDER`, instead of typing them.""",
    ),
}


def options_of(name: str) -> type[Options]:
    """The options of a command. Raises KeyError for an unknown name."""
    module, _, model = STATED[name].partition(":")
    return getattr(import_module(module), model)
