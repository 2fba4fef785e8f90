"""Training data: corpora, charts of other games as maps, audio rendered from maps, the held-out list, samples.

Names are looked up when they are first used, so that asking for one does not load the rest.
"""

from importlib import import_module
from typing import Any

_HOME = {
    "MapFilter": "catalogue",
    "class_tables": "catalogue",
    "read_tags": "catalogue",
    "ChartNote": "charts",
    "chart_to_beatmap": "charts",
    "chart_to_std_rhythm": "charts",
    "read_chart": "charts",
    "Corpora": "corpora",
    "MapEntry": "corpora",
    "SongEntry": "corpora",
    "read_corpora": "corpora",
    "read_maps": "corpora",
    "read_songs": "corpora",
    "read_timed": "corpora",
    "HeldOutError": "heldout",
    "is_held_out": "heldout",
    "mmrs_sets": "mmrs",
    "read_metadata": "mmrs",
    "SampleRecipe": "recipes",
    "recipe_for": "recipes",
    "SampleMaker": "samples",
    "SetSource": "set_source",
    "SetCutter": "sets",
    "open_shards": "shards",
    "render_audio": "synthesise",
    "prepare": "unpack",
    "web_set": "web",
    "web_sets": "web_archives",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
