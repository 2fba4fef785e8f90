"""Measuring: generated maps and found timing against the truth of held-out songs. `evaluate.py` is its command."""

from osuT5.evaluation.maps import MapScore, measure_map
from osuT5.evaluation.rhythm import onsets, score
from osuT5.evaluation.songs import EvaluationSong, read_evaluation_songs
from osuT5.evaluation.tempo import TimingScore, compare_timing

__all__ = [
    "EvaluationSong",
    "MapScore",
    "TimingScore",
    "compare_timing",
    "measure_map",
    "onsets",
    "read_evaluation_songs",
    "score",
]
