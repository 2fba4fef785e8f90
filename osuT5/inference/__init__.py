"""Generation: request → session → prompts → logits processors → decoder → song loop → post-processing → gate.

`pipeline.py` is the page to read first.
"""

from osuT5.inference.options import Request
from osuT5.inference.pipeline import Result, generate, open_session
from osuT5.inference.progress import CancelToken, Notice, Objects, Restart, Stage, Window
from osuT5.inference.session import SongSession

__all__ = [
    "CancelToken",
    "Notice",
    "Objects",
    "Request",
    "Restart",
    "Result",
    "SongSession",
    "Stage",
    "Window",
    "generate",
    "open_session",
]
