"""Generation: request → prompt → filters → decoder → song loop → post-processing → gate. `pipeline.py` first."""

from osuT5.inference.pipeline import Result, generate
from osuT5.inference.progress import Notice, Stage, Window
from osuT5.inference.request import Request, build_request

__all__ = ["Notice", "Request", "Result", "Stage", "Window", "build_request", "generate"]
