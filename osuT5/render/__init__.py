"""Pictures of maps: `render_map(beatmap, "map.png")`, or `python -m osuT5.render map.osu`."""

from osuT5.render.page import render_map

__all__ = ["render_map"]
