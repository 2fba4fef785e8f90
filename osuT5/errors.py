"""The project's own exceptions.

They are raised where the fact is known, say what was wrong, where, and what to do about it, and are caught in
one place: the entry point (`osuT5.cli`), which prints the message and exits with `exit_code`.
"""

import difflib
from collections.abc import Iterable, Sequence
from typing import Any


def suggestion(name: str, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)` for the nearest known name, or nothing."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" (did you mean {near[0]!r}?)" if near else ""


class MapperatorinatorError(Exception):
    """Anything that a user can cause and a user can mend. One message, no traceback."""

    exit_code = 2


class InputError(MapperatorinatorError):
    """A file, path or option is wrong."""


class OptionErrors(InputError):
    """Several options are wrong; all of them are named at once.

    Args:
        problems: one sentence per wrong option.
    """

    def __init__(self, problems: list[str]):
        self.problems = list(problems)
        lines = self.problems if len(self.problems) == 1 else [f"- {p}" for p in self.problems]
        super().__init__("\n".join(lines))


class BeatmapError(InputError):
    """A .osu or .osz file cannot be read."""


class AudioError(InputError):
    """An audio file cannot be read."""


class CheckpointError(InputError):
    """A model folder is incomplete, or does not fit the profile it is used with."""


class TokenError(MapperatorinatorError):
    """An event, id or conditioning value lies outside a vocabulary."""


class RejectedMap(MapperatorinatorError):
    """The gate refused every attempt.

    Args:
        reasons: one sentence for each finding that blocks the map.
        beatmap, text: the last attempt, and as the file it would be.
    """

    exit_code = 3

    def __init__(self, message: str, *, reasons: Sequence[str] = (), beatmap: Any = None, text: str = ""):
        super().__init__(message)
        self.reasons, self.beatmap, self.text = list(reasons), beatmap, text


class Cancelled(MapperatorinatorError):
    """The caller ended the work; nothing was written."""

    exit_code = 130
