"""Where the song select starts to play: the first kiai, else 40 % into the song. Facts: verify spec C002."""

from __future__ import annotations

from osuT5.inference.postprocess.drafts import Change
from osuT5.inference.postprocess.snap import Grid

_SHARE = 0.4


def choose_preview(wanted: int | None, kiai: list[Change], grid: Grid, song_end_ms: float) -> int:
    """Whole ms. `wanted` below 0 or None means none was chosen; `song_end_ms`: end of the song or of the map."""
    if wanted is not None and wanted >= 0:
        return wanted
    start = next((change.time for change in sorted(kiai, key=lambda c: c.time) if change.value), None)
    if start is None:
        start = grid.downbeat_near(song_end_ms * _SHARE).time
    return max(start, 0)
