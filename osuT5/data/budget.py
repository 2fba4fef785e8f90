"""How many ids of each part of a decoder input fit, and where the input begins.

Outputs come first, all but four places that previous events keep; then previous events, then the given contexts.
"""

from __future__ import annotations

from dataclasses import dataclass

KEPT_PREVIOUS = 4


@dataclass(frozen=True)
class Fit:
    """How many ids of each part are written, behind `pad` empty places."""

    outputs: int
    previous: int
    inputs: int
    pad: int = 0


def fit_from_start(total: int, fixed: int, outputs: int, previous: int, inputs: int) -> Fit:
    """Room when the input begins at the first place.

    Args:
        total: places of the decoder.
        fixed: ids that are always written: conditions, marks and id 1; at most `total`.
        outputs, previous, inputs: ids that there are.
    """
    written = min(total - fixed - min(KEPT_PREVIOUS, previous), outputs)
    written = max(written, 0)
    before = min(total - fixed - written, previous)
    given = min(total - fixed - written - before, inputs)
    return Fit(written, before, given)


def fit_centred(total: int, fixed: int, outputs: int, previous: int, inputs: int) -> Fit:
    """Room when id 1 stands near the middle: outputs have the second half, the rest the first."""
    half = total // 2
    written = max(min(total - half - 1, total - fixed, outputs), 0)
    before = max(min(half - fixed + 1, previous), 0)
    given = max(min(half - before - fixed + 1, inputs), 0)
    return Fit(written, before, given, max(half - before - fixed + 1 - given, 0))
