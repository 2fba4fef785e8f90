"""What the embedded model trains on: maps with rendered sound, and real songs with human lane charts.

Three kinds of items, drawn by the shares of `MixtureSettings`:
- a human map, its sound rendered anew each time (`synthesise.py`);
- a real song with a lane chart as a mania map: everything but kiai and hitsounds is labelled;
- the same song as an osu! rhythm: only times and snaps are labelled, because lanes say nothing about positions. Its
  star rating is read off a line fitted through the human osu! maps: onsets a second against stars.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from osuT5 import audio
from osuT5.beatmap import Beatmap, GameMode, Slider, stars
from osuT5.data.corpora import MapEntry, SongEntry
from osuT5.data.keyed import MapDraws, Purpose, generator
from osuT5.data.samples import IGNORED, MapSource, SampleMaker, prepare_map
from osuT5.data.source import Window
from osuT5.data.synthesise import render_audio
from osuT5.data.windows import FrameGrid, window_sound
from osuT5.events import ContextType, EventSequence, EventType, conditions_of, encode
from osuT5.timing import timing_of

STD, TAIKO, CATCH, MANIA = GameMode
RHYTHM_TYPES = (EventType.TIME_SHIFT, EventType.SNAPPING)
CHART_TYPES = (
    *RHYTHM_TYPES,
    EventType.MANIA_COLUMN,
    EventType.CIRCLE,
    EventType.HOLD_NOTE,
    EventType.HOLD_NOTE_END,
)
Item = tuple[MapSource, np.ndarray]  # a map ready to be cut, and its sound
TIMING_TYPES = (EventType.BEAT, EventType.MEASURE, EventType.TIMING_POINT)


@dataclass(frozen=True)
class MixtureSettings:
    """Shares and augmentation.

    Attributes:
        mode_shares: how often a rendered item is a map of each mode.
        song_share: share of items that are real songs; `rhythm_share` of them osu! rhythms.
        speed_range: real songs are played at a speed drawn from here (pitch follows), maps keep theirs.
        longest_ms: of a rendered item; a longer map is cut to a random part.
    """

    mode_shares: Mapping[int, float]
    song_share: float
    rhythm_share: float
    speed_range: tuple[float, float] = (0.87, 1.18)
    longest_ms: float = 150_000.0


class Mixture:
    """The source of the embedded model: every unit is an item drawn by the shares."""

    def __init__(
        self,
        maps: Sequence[MapEntry],
        songs: Sequence[SongEntry],
        maker: SampleMaker,
        settings: MixtureSettings,
        seed: int = 42,
    ):
        self.maker, self.settings, self.seed = maker, settings, seed
        self.profile, self.vocabulary = maker.profile, maker.vocabulary
        maps = [m for m in maps if m.stars and timing_of(m.beatmap)]
        self.maps = {mode: [m for m in maps if m.mode == mode] for mode in settings.mode_shares}
        self.siblings: dict[str, list[Beatmap]] = {}
        for entry in maps:
            self.siblings.setdefault(entry.song, []).append(entry.beatmap)
        self.songs = [s for s in songs if s.beatmaps]
        self.sounds: dict[str, np.ndarray] = {}
        self.rating_of_rate = fit_rating([(onset_rate(m.beatmap), m.stars) for m in self.maps.get(STD, [])])
        self.rhythm_labels = self._labelled(RHYTHM_TYPES)
        self.chart_labels = self._labelled(CHART_TYPES)

    def _labelled(self, types: Sequence[EventType]) -> np.ndarray:
        """Table of output ids that may be labels: these types, beats, and the marks of timing and map."""
        vocabulary = self.vocabulary
        table = np.zeros(vocabulary.vocab_size_out, dtype=bool)
        table[vocabulary.ids_of(*(t for t in (*types, *TIMING_TYPES) if vocabulary.has(t)))] = True
        for context in (ContextType.TIMING, ContextType.MAP):
            table[[vocabulary.context_sos[context], vocabulary.context_eos[context]]] = True
        return table

    def __len__(self) -> int:
        """Items that are called an epoch: as many as there are maps and songs."""
        return sum(map(len, self.maps.values())) + len(self.songs)

    def windows(self, epoch: int, unit: int) -> list[Window]:
        item = self._draw(generator(self.seed, epoch, Purpose.ITEM, unit))
        if item is None:
            return []
        source, samples = item
        grid = FrameGrid.of(len(samples), self.profile.hop_length, self.profile.sample_rate)
        made = self.maker.samples(source, grid, MapDraws(self.seed, epoch, unit))
        hop, length = self.profile.hop_length, self.profile.window_samples
        return [
            Window(window_sound(samples, sample.start_frame, hop, length), sample)
            for sample in made
            if np.any(sample.labels != IGNORED)
        ]

    def scheme(self) -> dict[str, Any]:
        return {
            "source": "corpora",
            "maps": {int(mode): len(maps) for mode, maps in self.maps.items()},
            "songs": len(self.songs),
            "mixture": asdict(self.settings),
        }

    def _draw(self, rng: np.random.Generator) -> Item | None:
        if self.songs and rng.random() < self.settings.song_share:
            return self._song(rng)
        modes = [m for m in self.settings.mode_shares if self.maps[m]]
        shares = np.array([self.settings.mode_shares[m] for m in modes])
        pool = self.maps[modes[int(rng.choice(len(modes), p=shares / shares.sum()))]]
        return self._rendered(pool[int(rng.integers(len(pool)))], rng)

    def _rendered(self, entry: MapEntry, rng: np.random.Generator) -> Item | None:
        beatmap = entry.beatmap
        others = [b for b in self.siblings[entry.song] if b is not beatmap]
        seed = int(rng.integers(2**31))
        samples = render_audio(beatmap, seed, sample_rate=self.profile.sample_rate, stars=entry.stars, others=others)
        flips = rng.random(2) < 0.5
        flip_x, flip_y = bool(flips[0] and beatmap.mode != TAIKO), bool(flips[1] and beatmap.mode == STD)
        return self._item(beatmap, samples, entry.stars, None, rng, flip_x=flip_x, flip_y=flip_y)

    def _song(self, rng: np.random.Generator) -> Item | None:
        entry = self.songs[int(rng.integers(len(self.songs)))]
        as_rhythm = rng.random() < self.settings.rhythm_share
        pairs = list(zip(entry.beatmaps, entry.rhythm_only, strict=True))
        charts = [p for p in pairs if p[1] == as_rhythm] or pairs
        beatmap, rhythm_only = charts[int(rng.integers(len(charts)))]
        low, high = self.settings.speed_range
        speed = math.exp(rng.uniform(math.log(low), math.log(high)))
        samples = disturb(played_at(self._sound(entry), speed), rng)
        if rhythm_only:
            return self._item(
                beatmap,
                samples,
                float(self.rating_of_rate(onset_rate(beatmap) * speed)),
                self.rhythm_labels,
                rng,
                speed,
            )
        rating = stars(beatmap, clock_rate=speed)
        return self._item(beatmap, samples, rating, self.chart_labels, rng, speed, flip_x=bool(rng.random() < 0.5))

    def _sound(self, entry: SongEntry) -> np.ndarray:
        key = str(entry.audio_path)
        if key not in self.sounds:
            song = audio.load(entry.audio_path, sample_rate=self.profile.sample_rate)
            self.sounds[key] = (song.samples * 32767).astype(np.int16)
        return self.sounds[key].astype(np.float32) / 32767

    def _item(
        self,
        beatmap: Beatmap,
        samples: np.ndarray,
        rating: float | None,
        labelled: np.ndarray | None,
        rng: np.random.Generator,
        speed: float = 1.0,
        flip_x: bool = False,
        flip_y: bool = False,
    ) -> Item | None:
        length = len(samples) * 1000 / self.profile.sample_rate
        template = self.profile.templates[0]
        contexts: dict[ContextType, EventSequence] = {}
        for context in template.outputs:
            if context is ContextType.SV and beatmap.mode != MANIA:
                continue
            contexts[context] = encode(
                beatmap,
                self.profile,
                context,
                speed=speed,
                flip_x=flip_x,
                flip_y=flip_y,
                song_length_ms=length * speed,
            )
        conditions = conditions_of(beatmap, self.profile, song_length_ms=length, speed=speed, difficulty=rating or 0.0)
        source = prepare_map(template, contexts, conditions, self.vocabulary, labelled=labelled)
        longest = int(self.settings.longest_ms * self.profile.sample_rate / 1000)
        if len(samples) > 2 * longest:  # keep the pool mixed: the windows of a part only
            source.part = part_of(len(samples), longest, self.profile.hop_length, rng)
        return source, samples


def part_of(n_samples: int, longest: int, hop: int, rng: np.random.Generator) -> tuple[int, int]:
    """A random part of a song in frames."""
    begin = int(rng.integers(0, n_samples - longest))
    return begin // hop, (begin + longest) // hop


def onset_rate(beatmap: Beatmap) -> float:
    """Moments with an object's start, repeat or end, a second between the first and the last object."""
    times: set[float] = set()
    timing = beatmap.timing
    for thing in beatmap.hit_objects:
        times.add(round(thing.time))
        if isinstance(thing, Slider):
            span = beatmap.span_duration(thing, timing)
            times.update(round(thing.time + span * i) for i in range(1, min(thing.slides, 32) + 1))
    if len(times) < 2:
        return 0.0
    return (len(times) - 1) * 1000 / max(max(times) - min(times), 1000)


def fit_rating(pairs: Sequence[tuple[float, float]]) -> np.poly1d:
    """Stars as a line over onsets a second; a plain guess where there are too few maps to fit one."""
    rates, ratings = np.array(pairs, dtype=float).reshape(-1, 2).T
    usable = (rates > 0.3) & (ratings > 0.3) & (ratings < 9)
    if usable.sum() < 20:
        return np.poly1d([0.95, 0.3])
    return np.poly1d(np.polyfit(rates[usable], ratings[usable], 1))


def played_at(samples: np.ndarray, speed: float) -> np.ndarray:
    """The same sound `speed` times as fast, pitch included, by linear interpolation."""
    length = int(len(samples) / speed)
    return np.interp(np.arange(length) * speed, np.arange(len(samples)), samples).astype(np.float32)


def disturb(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random spectral tilt and noise floor, so that few songs sound like many; peak 1."""
    tilt = float(rng.uniform(-0.6, 0.5))
    from scipy.signal import lfilter

    tilted = lfilter([1.0, tilt], [1.0], samples).astype(np.float32)
    peak = float(np.abs(tilted).max()) or 1.0
    noisy = tilted / peak
    if rng.random() < 0.5:
        noisy = noisy + rng.standard_normal(len(noisy)).astype(np.float32) * 10 ** rng.uniform(-3.5, -1.7)
    return noisy / float(np.abs(noisy).max() or 1.0)
