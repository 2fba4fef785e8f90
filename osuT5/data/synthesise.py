"""Audio rendered from maps, so that maps without audio become training pairs.

`render_audio` composes a song that the map could have been made for: drums on the beats of the red lines, a melody on
the objects (held where they are held), chords and bass on the measures, more energy in kiai; and music that the map
does not follow, the more of it the easier the map. Kit, timbres, harmony, patterns, mix, noise and timing errors of
players are drawn from the seed. Sounds come `GAME_CLOCK_LEAD_MS` after the map's times, as in decoded human songs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from osuT5.beatmap import Beatmap
from osuT5.data import parts, score
from osuT5.data.arrangement import draw_arrangement, lay_out
from osuT5.data.mix import Mix, master
from osuT5.data.score import HEAD, Sounds
from osuT5.errors import InputError
from osuT5.timing import GAME_CLOCK_LEAD_MS

LONGEST_MS = 20 * 60 * 1000


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
    fitting = [other for other in others if score.same_timing(beatmap, other)]
    heard = score.together(own, [score.sounds_of(other, mapped=False) for other in fitting])
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
    parts.play_drums(mix, song, band)
    parts.play_harmony(mix, song, band)
    parts.play_melody(mix, song, heard, band, beatmap.mode)
    parts.play_decoys(mix, song, heard, band, stars)
    return master(mix, rng)
