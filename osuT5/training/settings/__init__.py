"""The configuration of a training run: the table of all options, and how a configuration becomes `RunSettings`."""

from osuT5.training.settings.read import read_settings
from osuT5.training.settings.sections import (
    LoaderSettings,
    LoopSettings,
    ModelSettings,
    ProfilerSettings,
    RunSettings,
    SplitSettings,
)
from osuT5.training.settings.table import OPTIONS, text_keys

__all__ = [
    "OPTIONS",
    "LoaderSettings",
    "LoopSettings",
    "ModelSettings",
    "ProfilerSettings",
    "RunSettings",
    "SplitSettings",
    "read_settings",
    "text_keys",
]
