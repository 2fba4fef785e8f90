"""Audio rendered from maps, so that maps without audio become training pairs.

`render_audio` composes a song that the map could have been made for: drums on the beats of the red lines, a melody on
the objects (held where they are held), chords and bass on the measures, more energy in kiai; and music that the map
does not follow, the more of it the easier the map. Kit, timbres, harmony, patterns, mix, noise and timing errors of
players are drawn from the seed. Sounds come `GAME_CLOCK_LEAD_MS` after the map's times, as in decoded human songs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.signal import lfilter

from osuT5.beatmap import Beatmap, GameMode
from osuT5.data import score, sounds
from osuT5.data.score import HEAD, REPEAT, ROLL, SPIN, TAIL, Grid, Sounds
from osuT5.errors import InputError
from osuT5.timing import GAME_CLOCK_LEAD_MS

LONGEST_MS = 20 * 60 * 1000
_LONGEST_NOTE_MS = 4000.0

# Sixteen steps of a measure in four; x loud, o soft.
PATTERNS: dict[str, dict[str, str]] = {
    "rock": {"kick": "x.......x.x.....", "snare": "....x.......x...", "hat": "x.o.x.o.x.o.x.o."},
    "pop": {"kick": "x..x......x.....", "snare": "....x.......x...", "hat": "x.x.x.x.x.x.x.xo"},
    "four": {"kick": "x...x...x...x...", "clap": "....x.......x...", "open_hat": "..x...x...x...x."},
    "house": {"kick": "x...x...x...x...", "clap": "....x.......x...", "hat": "oxoxoxoxoxoxoxox"},
    "break": {"kick": "x.x.......x.....", "snare": "....x..o.o..x..o", "hat": "x.x.x.x.x.x.x.xx"},
    "half": {"kick": "x.....x...o.....", "snare": "........x.......", "hat": "x.o.x.o.x.o.x.o."},
    "metal": {"kick": "xxx.xxx.xxx.xxx.", "snare": "....x.......x...", "crash": "x...............", "hat": "x...x...x...x..."},
    "blast": {"kick": "x.x.x.x.x.x.x.x.", "snare": ".x.x.x.x.x.x.x.x", "hat": "x.x.x.x.x.x.x.x."},
    "latin": {"kick": "x..xx..xx..xx..x", "rim": "x..x..x...x.x...", "shaker": "xoxoxoxoxoxoxoxo"},
    "light": {"kick": "x...............", "hat": "x...o...x...o..."},
    "tick": {"rim": "....x.......x...", "shaker": "x.o.x.o.x.o.x.o."},
    "none": {},
}  # fmt: skip
_CALM = ("none", "light", "tick", "half")
_DRIVING = tuple(name for name in PATTERNS if name not in _CALM)

_MAJOR, _MINOR, _PENTATONIC = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 3, 5, 7, 10)
_PROGRESSIONS = (
    (0, 4, 5, 3), (5, 3, 0, 4), (0, 5, 3, 4), (3, 4, 2, 5), (0, 3, 4, 4), (0, 0, 3, 4), (5, 4, 3, 4), (0, 6, 5, 4),
)  # fmt: skip
_MEASURES_IN_SECTION = 8


@dataclass
class Mix:
    """Where the sounds of a song go: dry and wet (with reverberation) buses."""

    sample_rate: int
    dry: np.ndarray
    wet: np.ndarray
    lead_ms: float = GAME_CLOCK_LEAD_MS
    tones: dict[tuple, np.ndarray] = field(default_factory=dict)

    def add(self, sound: np.ndarray, time_ms: float, gain: float, wet: bool = False) -> None:
        """Add a sound that begins at this time of the game clock; what falls outside the song is cut."""
        bus = self.wet if wet else self.dry
        start = int(round((time_ms + self.lead_ms) * self.sample_rate / 1000))
        skip = max(-start, 0)
        start += skip
        length = min(len(sound) - skip, len(bus) - start)
        if length > 0:
            bus[start : start + length] += sound[skip : skip + length] * np.float32(gain)

    def tone(self, timbre: sounds.Timbre, pitch: int, duration_ms: float) -> np.ndarray:
        """A tone of about that duration, made once for all notes alike."""
        steps = max(int(round(min(duration_ms, _LONGEST_NOTE_MS) / 30)), 1)
        key = (id(timbre), pitch, steps)
        if key not in self.tones:
            self.tones[key] = sounds.tone(timbre, pitch, steps * 30.0, self.sample_rate)
        return self.tones[key]


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


def play_drums(mix: Mix, song: Song, band: Arrangement) -> None:
    """Patterns on the grid, changed by section, with fills, crashes on new sections and more in kiai."""
    rng, grid = band.rng, song.grid
    if not len(grid):
        return
    sections = song.section.max() + 1
    driving = [str(name) for name in rng.choice(_DRIVING, 2)]
    calm = [str(name) for name in rng.choice(_CALM, 2)]
    columns = grid.step * 4 // grid.divisor if grid.divisor == 4 else (grid.step // 3) * 4 + np.array((0, 2, 3))[grid.step % 3]
    columns = columns % 16
    times = grid.time + band.jitter(len(grid))
    for section in range(sections):
        here = np.flatnonzero(song.section == section)
        if not len(here):
            continue
        vigour = song.energy[here].mean()
        name = driving[rng.integers(2)] if rng.random() < np.clip(vigour * 1.35 - 0.2, 0.05, 0.97) else calm[rng.integers(2)]
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
                sound = mix.tone(band.pad, pitch, length_ms if swells or rng.random() < 0.7 else length_ms / 2)
                mix.add(sound, grid.time[first] + rng.uniform(0, 4), band.levels["pad"] * (0.6 + 0.5 * energy), wet=True)
        if energy > 0.45:
            for step in range(first, stop, bass_every):
                pitch = int(band.pitch(root - 2 * len(band.scale))) + (12 if rng.random() < 0.15 else 0)
                while pitch < 33:
                    pitch += 12
                held = grid.step_ms[step] * bass_every * 0.9
                mix.add(mix.tone(band.bass, pitch, held), grid.time[step], band.levels["bass"] * (0.5 + 0.5 * energy))
        if arpeggio and energy > 0.5:
            for index, step in enumerate(range(first, stop, 2)):
                pitch = int(band.pitch(root + (0, 2, 4, 7)[index % 4]))
                mix.add(mix.tone(band.leads[2], pitch, 120), grid.time[step], band.levels["arpeggio"] * energy, wet=True)


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
            mix.add(mix.tone(timbre, int(band.pitch(int(degrees[i]))), duration), times[i], level[i] * 0.8, wet=doubled[i])
            if doubled[i]:
                mix.add(mix.tone(timbre, int(band.pitch(int(degrees[i]))) + 12, duration), times[i], level[i] * 0.3)
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
            mix.add(mix.tone(band.leads[timbre[i]], int(band.pitch(int(degrees[i]))), duration), times[i], gains[i])


def master(mix: Mix, rng: np.random.Generator) -> np.ndarray:
    """Reverberation, tone colour, noise, saturation, level: one float32 array, peak below 1."""
    rate, wet = mix.sample_rate, mix.wet
    out = mix.dry
    out += wet
    room = rng.uniform(0, 0.35)
    source = wet + np.float32(0.3) * mix.dry if room > 0.05 else wet
    for delay_ms in np.sort(rng.uniform(18, 260, 7)):
        delay = int(delay_ms * rate / 1000)
        gain = np.float32(room * np.exp(-delay_ms / 120) * rng.choice((-1, 1)))
        if delay < len(out):
            out[delay:] += gain * source[:-delay]
    tilt = rng.uniform(-0.55, 0.6)  # below 0 darker, above 0 brighter
    out = lfilter(np.float32([1.0]) if tilt < 0 else np.float32([1.0, -tilt]),
                  np.float32([1.0, tilt]) if tilt < 0 else np.float32([1.0]), out).astype(np.float32, copy=False)  # fmt: skip
    level = float(np.sqrt(np.mean(np.square(out[:: 7])))) + 1e-6
    noise = rng.standard_normal(min(len(out), 1 << 17), dtype=np.float32)
    out += np.resize(noise, len(out)) * np.float32(level * 10 ** rng.uniform(-3.2, -1.2))
    peak = float(np.abs(out).max()) + 1e-9
    drive = rng.uniform(0.6, 2.5)
    out *= np.float32(drive / peak)
    np.tanh(out, out=out)
    out *= np.float32(rng.uniform(0.25, 0.97) / (float(np.abs(out).max()) + 1e-9))
    return out


def guess_stars(heard: Sounds) -> float:
    """A rough star rating from the rate of heads alone, for callers that have none."""
    heads = np.unique(heard.time[heard.mapped & (heard.part == HEAD)])
    if len(heads) < 2:
        return 2.0
    rate = len(heads) / max((heads[-1] - heads[0]) / 1000, 1)
    return float(np.clip(0.4 + 1.05 * rate, 0.5, 8.0))


def render_audio(
    beatmap: Beatmap,
    seed: int,
    duration_ms: float | None = None,
    sample_rate: int = 16000,
    stars: float | None = None,
    others: Sequence[Beatmap] = (),
) -> np.ndarray:
    """A song for this map.

    Args:
        beatmap: any mode. It need not have a usable red line or any object.
        seed: everything that is drawn; the same arguments give the same samples.
        duration_ms: of the audio; None: until some seconds after the last object (at most 20 minutes).
        sample_rate: Hz, 8000 to 48000.
        stars: star rating, on which the amount of unmapped music depends; None: guessed from the density.
        others: other difficulties of the song; those on the same beats put their notes into the music too.
    Returns:
        float32, shape (samples,), within -1..1; sample 0 is time 0 of the song clock, so that the sound of an object
        at `t` begins at `t + GAME_CLOCK_LEAD_MS`.
    Raises:
        InputError: duration or sample rate out of range.
    """
    if not 8000 <= sample_rate <= 48000:
        raise InputError(f"sample_rate={sample_rate}: rendered audio needs 8000 to 48000 Hz")
    if duration_ms is not None and not 0 < duration_ms <= LONGEST_MS:
        raise InputError(f"duration_ms={duration_ms}: rendered audio lasts above 0 and at most {LONGEST_MS} ms")
    rng = np.random.default_rng([int(seed) & 0xFFFFFFFF, 0x50A6])
    own = score.sounds_of(beatmap)
    stars = guess_stars(own) if stars is None else stars
    heard = score.together(own, [score.sounds_of(other, mapped=False) for other in others if score.same_timing(beatmap, other)])
    if duration_ms is None:
        last = float(heard.end.max()) if len(heard) else 8000.0
        duration_ms = float(np.clip(last + rng.uniform(1500, 7000), 1000, LONGEST_MS))
    grid = score.grid_of(beatmap, -GAME_CLOCK_LEAD_MS, duration_ms)
    if score.prefers_thirds(heard, grid):
        grid = score.grid_of(beatmap, -GAME_CLOCK_LEAD_MS, duration_ms, divisor=3)
    if len(grid) and rng.random() < 0.35:  # some songs are silent before their first beat
        first_red = min((p.time for p in beatmap.timing_points if p.uninherited), default=-1e9)
        grid = grid.take(grid.time >= min(first_red, heard.time[0] if len(heard) else first_red) - 1)
    samples = int(round(duration_ms * sample_rate / 1000))
    mix = Mix(sample_rate, np.zeros(samples, np.float32), np.zeros(samples, np.float32))
    band = draw_arrangement(rng, sample_rate)
    song = lay_out(beatmap, heard, grid, rng)
    play_drums(mix, song, band)
    play_harmony(mix, song, band)
    play_melody(mix, song, heard, band, beatmap.mode)
    play_decoys(mix, song, heard, band, stars)
    return master(mix, rng)
