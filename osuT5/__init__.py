"""Mapperatorinator: turns any song into osu! beatmaps.

    from osuT5 import Request, generate
    generate(Request(audio_path="song.mp3", difficulty=5.0))
"""

from osuT5.lazy import lazy

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy(__name__, {"inference": "Request generate"})
