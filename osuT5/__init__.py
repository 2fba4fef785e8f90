"""Mapperatorinator: turns any song into osu! beatmaps.

    from osuT5 import Request, generate
    generate(Request(audio_path="song.mp3", difficulty=5.0))
"""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"
__all__ = ["Request", "generate"]


def __getattr__(name: str) -> Any:
    # imported on first use, so that tools that only read maps do not load a tensor library
    if name in __all__:
        from osuT5 import inference

        return getattr(inference, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
