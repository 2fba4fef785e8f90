"""Generation: request → session → prompts → logits processors → decoder → song loop → post-processing → gate.

`pipeline.py` is the page to read first.
"""

from osuT5.lazy import lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "options": "Request",
        "pipeline": "Result generate open_session",
        "progress": "CancelToken Notice Objects Restart Stage Window",
        "session": "SongSession",
    },
)
