"""The players of a rendered song: drums, harmony, melody, and the music that the map does not follow.

Each takes the mix, the laid-out song and the band and adds its sounds at times of the game clock.
"""

from __future__ import annotations

import numpy as np

from osuT5.beatmap import GameMode
from osuT5.data import score
from osuT5.data.arrangement import CALM, DRIVING, PATTERNS, Arrangement, Song
from osuT5.data.mix import Mix
from osuT5.data.score import HEAD, REPEAT, ROLL, SPIN, TAIL, Sounds


def play_drums(mix: Mix, song: Song, band: Arrangement) -> None:
    """Patterns on the grid, changed by section, with fills, crashes on new sections and more in kiai."""
    rng, grid = band.rng, song.grid
    if not len(grid):
        return
    sections = song.section.max() + 1
    driving = [str(name) for name in rng.choice(DRIVING, 2)]
    calm = [str(name) for name in rng.choice(CALM, 2)]
    sixteenth = {4: np.arange(4), 3: np.array((0, 2, 3))}[grid.divisor]  # thirds swing the patterns of quarters
    columns = (grid.step // grid.divisor * 4 + sixteenth[grid.step % grid.divisor]) % 16
    times = grid.time + band.jitter(len(grid))
    for section in range(sections):
        here = np.flatnonzero(song.section == section)
        if not len(here):
            continue
        vigour = song.energy[here].mean()
        drives = rng.random() < np.clip(vigour * 1.35 - 0.2, 0.05, 0.97)
        name = (driving if drives else calm)[rng.integers(2)]
        if song.kiai[here].mean() > 0.5:
            name = driving[0]
        for drum, pattern in PATTERNS[name].items():
            loudness = np.array([{"x": 1.0, "o": 0.45, ".": 0.0}[mark] for mark in pattern])[columns[here]]
            loudness *= rng.random(len(here)) > 0.02
            level = band.levels["hats" if drum in ("hat", "open_hat", "shaker", "crash") else "drums"]
            for index in np.flatnonzero(loudness):
                step = here[index]
                gain = level * loudness[index] * (0.6 + 0.45 * song.energy[step]) * rng.uniform(0.85, 1.1)
                mix.add(band.kit[drum], times[step], gain)
        if rng.random() < 0.6:
            mix.add(band.kit["crash"], times[here[0]], band.levels["hats"] * 0.9)
        if rng.random() < 0.35 and name != "none" and len(here) > 16:  # a fill before the next section
            for step in here[-int(rng.integers(3, 9)) :]:
                drum = ("snare", "tom", "kick")[rng.integers(3)]
                mix.add(band.kit[drum], times[step], band.levels["drums"] * rng.uniform(0.4, 0.8))
    begins = np.flatnonzero(song.kiai & ~np.r_[False, song.kiai[:-1]])
    for step in begins:
        mix.add(band.kit["crash"], times[step], band.levels["hats"] * 1.4)


def play_harmony(mix: Mix, song: Song, band: Arrangement) -> None:
    """Chords held over each measure, a bass on their roots, sometimes broken chords between."""
    rng, grid = band.rng, song.grid
    downbeats = np.flatnonzero(np.diff(grid.measure, prepend=-(10**9)) != 0)
    bass_every = int(rng.choice((1, 2, 4, 8)))
    arpeggio = rng.random() < 0.4
    swells = band.pad.attack > 15
    for number, first in enumerate(downbeats):
        stop = downbeats[number + 1] if number + 1 < len(downbeats) else len(grid)
        length_ms = float(grid.step_ms[first] * (stop - first))
        root = band.chords[int(grid.measure[first]) % 4]
        energy = song.energy[first]
        if rng.random() < 0.9:
            for third in (0, 2, 4):
                pitch = int(band.pitch(root + third - len(band.scale)))
                held = length_ms if swells or rng.random() < 0.7 else length_ms / 2
                level = band.levels["pad"] * (0.6 + 0.5 * energy)
                mix.play(band.pad, pitch, held, grid.time[first] + rng.uniform(0, 4), level, wet=True)
        if energy > 0.45:
            for step in range(first, stop, bass_every):
                pitch = int(band.pitch(root - 2 * len(band.scale))) + (12 if rng.random() < 0.15 else 0)
                while pitch < 33:
                    pitch += 12
                held = grid.step_ms[step] * bass_every * 0.9
                mix.play(band.bass, pitch, held, grid.time[step], band.levels["bass"] * (0.5 + 0.5 * energy))
        if arpeggio and energy > 0.5:
            for index, step in enumerate(range(first, stop, 2)):
                pitch = int(band.pitch(root + (0, 2, 4, 7)[index % 4]))
                level = band.levels["arpeggio"] * energy
                mix.play(band.leads[2], pitch, 120, grid.time[step], level, wet=True)


def _degrees(times: np.ndarray, song: Song, band: Arrangement) -> np.ndarray:
    """Scale degrees of the melody at these times: the motif, on the chord's root at downbeats."""
    at = song.at(times)
    grid = song.grid
    if not len(grid):
        return band.motif[0, np.arange(len(times)) % 64]
    measure = grid.measure[at]
    degrees = band.motif[measure % 4, (grid.step[at] * 12 // grid.divisor // 3) % 64]
    degrees = degrees + ((song.section[at] * 5) % 3 - 1)  # sections differ
    root = np.array(band.chords)[measure % 4]
    degrees = np.where(grid.step[at] == 0, root, degrees)
    repeated = np.r_[False, (at[1:] == at[:-1])] if len(at) else np.zeros(0, bool)
    return degrees + repeated  # two notes within a step are a trill, not one note


def play_melody(mix: Mix, song: Song, heard: Sounds, band: Arrangement, mode: GameMode) -> None:
    """A note where the objects are; per section on one of the instruments, or on the drums."""
    rng = band.rng
    if not len(heard):
        return
    at = song.at(heard.time)
    sections = (song.section.max() + 1) if len(song.section) else 1
    section = song.section[at] if len(song.section) else np.zeros(len(heard), int)
    instrument = rng.choice(3, sections, p=(0.5, 0.35, 0.15))[section]
    drummed_share = 0.55 if mode == GameMode.TAIKO else 0.2
    drummed = (rng.random(sections) < drummed_share)[section]
    doubled = (rng.random(sections) < 0.3)[section]
    follow = {HEAD: rng.uniform(0.93, 1.0), REPEAT: 0.75, TAIL: 0.5, SPIN: 1.0, ROLL: 0.9}
    sounding = rng.random(len(heard)) < np.array([follow[part] for part in heard.part])
    articulation = rng.uniform(80, 320, sections)[section]
    energy = song.energy[at] if len(song.energy) else np.ones(len(heard))
    degrees = _degrees(heard.time, song, band)
    by_place = 0.75 if mode in (GameMode.MANIA, GameMode.TAIKO) else 0.1  # chance that a song's pitch follows the lanes
    if rng.random() < by_place:
        degrees = np.round(0.5 * degrees + 7 * (heard.place - 0.3)).astype(int)
    kat = (heard.hitsound & 10) != 0
    if mode == GameMode.TAIKO:
        degrees = degrees + np.where(kat, 4, 0)
    gap = np.diff(heard.time, append=heard.time[-1] + 1000 if len(heard) else 0)
    gap = np.where(gap > 1, gap, np.roll(gap, -1))
    times = heard.time + band.jitter(len(heard))
    level = band.levels["lead"] * heard.strength * (0.6 + 0.45 * energy) * rng.uniform(0.8, 1.1, len(heard))
    for i in np.flatnonzero(sounding):
        part, held = heard.part[i], heard.end[i] - heard.time[i]
        if part == SPIN:
            play_swell(mix, heard.time[i], held, level[i] * 0.7, band)
        if drummed[i] and part != TAIL:
            if mode == GameMode.TAIKO:
                drum = "rim" if kat[i] else "tom"
            else:
                drum = "clap" if heard.hitsound[i] & 8 else ("snare", "tom", "kick")[int(degrees[i]) % 3]
            mix.add(band.kit[drum], times[i], level[i])
        if not drummed[i] or held > 0 or doubled[i]:
            duration = held if held > 0 else min(articulation[i], max(gap[i] * 0.92, 40))
            timbre = band.leads[instrument[i]]
            pitch = int(band.pitch(int(degrees[i])))
            mix.play(timbre, pitch, duration, times[i], level[i] * 0.8, wet=doubled[i])
            if doubled[i]:
                mix.play(timbre, pitch + 12, duration, times[i], level[i] * 0.3)
    accents = band.levels["accents"]
    for bit, drum, gain in ((4, "crash", 1.0), (8, "clap", 0.9), (2, "open_hat", 0.5)):
        if mode == GameMode.TAIKO and bit != 4:
            continue
        for i in np.flatnonzero(((heard.hitsound & bit) != 0) & (rng.random(len(heard)) < 0.7)):
            mix.add(band.kit[drum], times[i], accents * gain)


def play_swell(mix: Mix, time_ms: float, duration_ms: float, gain: float, band: Arrangement) -> None:
    """A riser: noise that grows over a spinner."""
    n = int(min(max(duration_ms, 60.0), 8000.0) * mix.sample_rate / 1000)
    noise = np.diff(band.rng.standard_normal(n + 1, dtype=np.float32))
    mix.add(noise * np.linspace(0.05, 0.5, n, dtype=np.float32) ** 2, time_ms, gain, wet=True)


def play_decoys(mix: Mix, song: Song, heard: Sounds, band: Arrangement, stars: float) -> None:
    """Music that the map does not follow: notes and hits on halves and quarters of beats that have no object.

    An easy map leaves most of a busy song unmapped: the chance of a note falls from about 0.6 at one star to 0.08 at
    six, and differs between songs and sections.
    """
    rng, grid = band.rng, song.grid
    if not len(grid):
        return
    busy = np.clip(0.72 - 0.11 * stars, 0.06, 0.7) * rng.uniform(0.4, 1.3)
    per_section = np.clip(rng.uniform(0.2, 1.6, song.section.max() + 1), 0, 1.5)[song.section]
    on_half = (grid.step * 2) % grid.divisor == 0 if grid.divisor == 4 else grid.step % grid.divisor == 0
    chance = busy * per_section * np.where(on_half, 1.0, 0.4)
    first, last = (heard.time[0], heard.end.max()) if len(heard) else (0.0, 0.0)
    inside = (grid.time > first - 12000) & (grid.time < last + 6000)
    free = score.away_from(grid.time, np.sort(heard.time), grid.step_ms * 0.45)
    chosen = np.flatnonzero(inside & free & (rng.random(len(grid)) < chance))
    degrees = _degrees(grid.time[chosen], song, band)
    times = grid.time[chosen] + band.jitter(len(chosen))
    timbre = rng.choice(3, song.section.max() + 1, p=(0.4, 0.4, 0.2))[song.section[chosen]]
    drums = rng.random(len(chosen)) < 0.2
    gains = band.levels["decoy"] * (0.5 + 0.5 * song.energy[chosen]) * rng.uniform(0.5, 1.1, len(chosen))
    for i, step in enumerate(chosen):
        if drums[i]:
            mix.add(band.kit[("snare", "tom", "rim", "kick")[rng.integers(4)]], times[i], gains[i])
        else:
            duration = grid.step_ms[step] * (1.8, 0.9, 3.6)[rng.integers(3)]
            pitch = int(band.pitch(int(degrees[i])))
            mix.play(band.leads[timbre[i]], pitch, duration, times[i], gains[i])
