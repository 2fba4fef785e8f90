"""Where the beats are: from the signal alone, from beats that a model wrote, from a map, or as stated.

`find_timing` is the door for users; `fit_timing` turns beat events into red lines. What measures audio is on the song
clock inside this folder; everything that leaves it is on the game clock, except `find_grid`, which says so.
"""

from osuT5.timing.choice import Candidate, choose
from osuT5.timing.clock import GAME_CLOCK_LEAD_MS, to_game, to_song
from osuT5.timing.constant import constant_timing
from osuT5.timing.file import file_timing, timing_of
from osuT5.timing.find import Timing, find_timing
from osuT5.timing.fit import fit_timing
from osuT5.timing.grid import GridTiming, find_grid
from osuT5.timing.markers import Marker, markers_from_events, markers_from_passes
from osuT5.timing.onset import find_onsets

__all__ = [
    "GAME_CLOCK_LEAD_MS",
    "Candidate",
    "GridTiming",
    "Marker",
    "Timing",
    "choose",
    "constant_timing",
    "file_timing",
    "find_grid",
    "find_onsets",
    "find_timing",
    "fit_timing",
    "markers_from_events",
    "markers_from_passes",
    "timing_of",
    "to_game",
    "to_song",
]
