"""What is drawn for a rendered song before a note is played: its band, key, harmony, drum patterns and sections."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from osuT5.beatmap import Beatmap
from osuT5.data import sounds
from osuT5.data.score import HEAD, REPEAT, ROLL, Grid, Sounds

# Sixteen steps of a measure in four; x loud, o soft.
PATTERNS: dict[str, dict[str, str]] = {
    "rock": {"kick": "x.......x.x.....", "snare": "....x.......x...", "hat": "x.o.x.o.x.o.x.o."},
    "pop": {"kick": "x..x......x.....", "snare": "....x.......x...", "hat": "x.x.x.x.x.x.x.xo"},
    "four": {"kick": "x...x...x...x...", "clap": "....x.......x...", "open_hat": "..x...x...x...x."},
    "house": {"kick": "x...x...x...x...", "clap": "....x.......x...", "hat": "oxoxoxoxoxoxoxox"},
    "break": {"kick": "x.x.......x.....", "snare": "....x..o.o..x..o", "hat": "x.x.x.x.x.x.x.xx"},
    "half": {"kick": "x.....x...o.....", "snare": "........x.......", "hat": "x.o.x.o.x.o.x.o."},
    "metal": {"kick": "xxx.xxx.xxx.xxx.", "snare": "....x.......x...", "crash": "x...............",
              "hat": "x...x...x...x..."},
    "blast": {"kick": "x.x.x.x.x.x.x.x.", "snare": ".x.x.x.x.x.x.x.x", "hat": "x.x.x.x.x.x.x.x."},
    "latin": {"kick": "x..xx..xx..xx..x", "rim": "x..x..x...x.x...", "shaker": "xoxoxoxoxoxoxoxo"},
    "light": {"kick": "x...............", "hat": "x...o...x...o..."},
    "tick": {"rim": "....x.......x...", "shaker": "x.o.x.o.x.o.x.o."},
    "none": {},
}  # fmt: skip
CALM = ("none", "light", "tick", "half")
DRIVING = tuple(name for name in PATTERNS if name not in CALM)

_MAJOR, _MINOR, _PENTATONIC = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 3, 5, 7, 10)
_PROGRESSIONS = (
    (0, 4, 5, 3), (5, 3, 0, 4), (0, 5, 3, 4), (3, 4, 2, 5), (0, 3, 4, 4), (0, 0, 3, 4), (5, 4, 3, 4), (0, 6, 5, 4),
)  # fmt: skip
_MEASURES_IN_SECTION = 8


@dataclass
class Arrangement:
    """What a song is made of, drawn from its seed. Per-section arrays are indexed with `Song.section`."""

    rng: np.random.Generator
    kit: dict[str, np.ndarray]
    leads: list[sounds.Timbre]
    pad: sounds.Timbre
    bass: sounds.Timbre
    key: int  # MIDI pitch of the tonic, in the octave of middle C
    scale: tuple[int, ...]
    motif: np.ndarray  # scale degrees, shape (4, 64): measure of four, step
    chords: tuple[int, ...]
    jitter_ms: float
    levels: dict[str, float]

    def pitch(self, degree: int | np.ndarray) -> int | np.ndarray:
        scale = np.array(self.scale)
        return self.key + 12 * (degree // len(scale)) + scale[degree % len(scale)]

    def jitter(self, count: int) -> np.ndarray:
        return np.clip(self.rng.normal(0, self.jitter_ms, count), -8, 8) if self.jitter_ms else np.zeros(count)


def draw_arrangement(rng: np.random.Generator, sample_rate: int) -> Arrangement:
    """A band, a key and habits for one song."""
    scale = (_MAJOR, _MINOR, _PENTATONIC)[rng.choice(3, p=(0.45, 0.4, 0.15))]
    steps = rng.choice((-3, -2, -1, 1, 2, 3, 4), size=(4, 64), p=(0.06, 0.17, 0.27, 0.27, 0.15, 0.04, 0.04))
    walk = np.cumsum(steps, axis=1) + rng.integers(0, 5, (4, 1))
    motif = np.abs((walk + 3) % 22 - 11) - 2  # reflected into two octaves
    if rng.random() < 0.6:
        motif[2] = motif[0]
    lead_families = rng.choice(sounds.LEADS, 3)
    return Arrangement(
        rng=rng,
        kit=sounds.draw_kit(rng, sample_rate),
        leads=[sounds.draw_timbre(rng, str(family)) for family in lead_families],
        pad=sounds.draw_timbre(rng, str(rng.choice(sounds.PADS))),
        bass=sounds.draw_timbre(rng, "bass"),
        key=int(rng.integers(55, 68)),
        scale=scale,
        motif=motif,
        chords=_PROGRESSIONS[rng.integers(len(_PROGRESSIONS))],
        jitter_ms=float(rng.choice((0.0, 1.0, 2.5, 4.0))),
        levels={
            "lead": rng.uniform(0.35, 0.9), "decoy": rng.uniform(0.2, 0.75), "drums": rng.uniform(0.3, 0.9),
            "pad": rng.uniform(0.05, 0.28), "bass": rng.uniform(0.2, 0.6), "hats": rng.uniform(0.1, 0.45),
            "accents": rng.uniform(0.0, 0.5), "arpeggio": rng.uniform(0.05, 0.3),
        },
    )  # fmt: skip


@dataclass
class Song:
    """The grid with what is known of each step: its section, the energy there (0..1.5), kiai."""

    grid: Grid
    section: np.ndarray  # per step, from 0
    energy: np.ndarray  # per step
    kiai: np.ndarray  # per step

    def at(self, times: np.ndarray) -> np.ndarray:
        """Index of the step nearest to each time."""
        grid = self.grid.time
        if not len(grid):
            return np.zeros(len(times), dtype=int)
        right = np.clip(np.searchsorted(grid, times), 0, len(grid) - 1)
        left = np.maximum(right - 1, 0)
        return np.where(np.abs(grid[left] - times) < np.abs(grid[right] - times), left, right)


def lay_out(beatmap: Beatmap, heard: Sounds, grid: Grid, rng: np.random.Generator) -> Song:
    """Sections of the song and their energy, from the map's density and kiai."""
    measure = grid.measure - (grid.measure.min() if len(grid) else 0)
    section = measure // _MEASURES_IN_SECTION
    kiai_times = np.array([point.time for point in beatmap.timing_points])
    order = np.argsort(kiai_times, kind="stable")
    kiai_times = kiai_times[order]
    kiai_flags = np.array([point.kiai for point in beatmap.timing_points], dtype=bool)[order]
    latest = np.searchsorted(kiai_times, grid.time + 1, side="right") - 1
    kiai = np.zeros(len(grid), bool)
    if len(kiai_flags):
        kiai = kiai_flags[np.maximum(latest, 0)] & (latest >= 0)
    strikes = np.sort(heard.time[(heard.part == HEAD) | (heard.part == REPEAT) | (heard.part == ROLL)])
    window = 4000.0
    density = np.searchsorted(strikes, grid.time + window) - np.searchsorted(strikes, grid.time - window)
    scale = np.percentile(density, 90) if len(density) and density.max() else 1
    energy = np.clip(0.25 + 0.55 * density / max(scale, 1), 0.1, 1) + 0.3 * kiai
    if len(section):
        energy = energy * rng.uniform(0.8, 1.15, section.max() + 1)[section]
    return Song(grid, section, energy.astype(float), kiai)
