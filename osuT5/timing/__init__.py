"""Where the beats are: from the signal alone, from beats that a model wrote, from a map, or as stated.

`find_timing` is the door for users; `fit_timing` turns beat events into red lines. What measures audio is on the song
clock inside this folder; everything that leaves it is on the game clock, except `find_grid`, which says so.
"""

from osuT5.lazy import lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "choice": "Candidate choose",
        "clock": "GAME_CLOCK_LEAD_MS to_game to_song",
        "constant": "constant_timing",
        "file": "file_timing timing_of",
        "find": "Timing find_timing",
        "fit": "fit_timing",
        "grid": "GridTiming find_grid",
        "markers": "Marker markers_from_events markers_from_passes",
        "onset": "find_onsets",
    },
)
