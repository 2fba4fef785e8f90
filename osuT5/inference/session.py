"""One song with one model: what is computed once and shared by attempts, difficulties, variants and sections.

Samples, encoder output, onsets, the beat grid of the signal and the decoder with its caches live here. A session can be
kept and used for any number of requests about its song; their results do not depend on what it was used for before.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from osuT5 import audio
from osuT5.beatmap import TimingPoint
from osuT5.inference.decoder import Decoder
from osuT5.inference.threads import Threads, intra_op_threads, measure_threads
from osuT5.inference.tick_weights import AudioSalience, OnsetLogits, audio_salience
from osuT5.model import Mapperatorinator
from osuT5.timing import find_timing

if TYPE_CHECKING:
    from osuT5.inference.resolve import ResolvedOptions

ENCODINGS_BYTES = 2**31  # four songs of four minutes for the largest models
# Songs from here on keep encoder output in half precision: by length and never by free memory, so that a request gives
# the same bytes on every machine. In float32 the largest models need 115 MB a minute.
HALF_PRECISION_MS = 6 * 60_000

EncoderConditions = dict[str, Tensor]


class SongSession:
    """A song that one model has been given.

    Args:
        encoder_batch: windows encoded at once.
        audio_path: the song's file; None for made-up sound.
    """

    def __init__(
        self, song: audio.Song, model: Mapperatorinator, encoder_batch: int = 8, audio_path: Path | None = None
    ):
        self.song, self.model, self.audio_path = song, model, audio_path
        self.lock = threading.Lock()  # held while maps are made: a session serves one request at a time
        self.encoder_batch = max(1, encoder_batch)
        self.threads = Threads()
        self._encodings: OrderedDict[tuple, Tensor] = OrderedDict()
        self.encoded_windows = 0  # how many windows the encoder has seen, for measurements

    def plan(self, options: ResolvedOptions) -> audio.WindowPlan:
        """The windows that a request needs."""
        profile = self.model.profile
        return audio.plan_windows(
            len(self.song.samples),
            window_samples=profile.window_samples,
            sample_rate=profile.sample_rate,
            lookback=options.lookback,
            lookahead=options.lookahead,
            start_ms=options.start_time,
            end_ms=options.end_time,
            integer=profile.event_rules != "published",
        )

    # ---- encoder

    def encoding(self, plan: audio.WindowPlan, window: int, conditions: EncoderConditions) -> Tensor:
        """Encoder output of one window, (1, S, D); encoded ahead in batches and kept by conditions.

        Args:
            conditions: of the encoder besides the sound, each of one row (see `Mapperatorinator.encode`); the position
                of the window in the song is added where the model wants it.
        """
        number, place = divmod(window, self.encoder_batch)
        key = (settings_key(conditions), plan.stride_samples, int(plan.starts_samples[0]), len(plan), number)
        if key in self._encodings:
            self._encodings.move_to_end(key)
        else:
            self._encodings[key] = self._encode(plan, number, conditions)
            self._evict()
        return self._encodings[key][place : place + 1].to(self.model.compute_dtype)

    def _encode(self, plan: audio.WindowPlan, number: int, conditions: EncoderConditions) -> Tensor:
        first = number * self.encoder_batch
        windows = range(first, min(first + self.encoder_batch, len(plan)))
        rows = {name: value.expand(len(windows), *value.shape[1:]) for name, value in conditions.items()}
        if self.model.config.do_song_position_embed:
            length = plan.song_length_ms or 1.0
            starts = [float(plan.times_ms[i]) for i in windows]
            pairs = [[t / length, (t + plan.window_ms) / length] for t in starts]
            rows["song_position"] = torch.tensor(pairs, device=self.model.device)
        audio_windows = torch.stack([self._window(plan, i) for i in windows])
        self.encoded_windows += len(windows)
        with intra_op_threads(self.threads.encoder):
            hidden = self.model.encode(audio_windows, **rows)
        return hidden.half() if self.is_long and hidden.dtype == torch.float32 else hidden

    def _window(self, plan: audio.WindowPlan, window: int) -> Tensor:
        """Samples of a window, zeros outside the song; (window_samples,)."""
        start, end = int(plan.starts_samples[window]), int(plan.starts_samples[window]) + plan.window_samples
        inside = self.samples[max(start, 0) : max(end, 0)]
        before = max(-start, 0)
        return F.pad(inside, (before, plan.window_samples - before - len(inside)))

    def _evict(self) -> None:
        """Lets the encodings go that were not used for longest, down to `ENCODINGS_BYTES`."""
        while len(self._encodings) > 1 and sum(t.nbytes for t in self._encodings.values()) > ENCODINGS_BYTES:
            self._encodings.popitem(last=False)

    @property
    def is_long(self) -> bool:
        return self.song.duration_ms > HALF_PRECISION_MS

    @cached_property
    def samples(self) -> Tensor:
        """The song on the model's device, (n,) float32."""
        return torch.from_numpy(self.song.samples).to(self.model.device)

    # ---- what is known of the rhythm

    def onsets(
        self, plan: audio.WindowPlan, window: int, conditions: EncoderConditions, prompt_ids: Sequence[int]
    ) -> OnsetLogits | None:
        """Onsets that the encoder's head expects for the map of this prompt; None from a model without such a head."""
        if not self.model.config.onset_marks:
            return None
        ids = torch.tensor([list(prompt_ids)], device=self.model.device)
        logits = self.model.onset_logits(self.encoding(plan, window, conditions), ids)
        return OnsetLogits(logits[0].cpu().numpy(), self.model.onset_slice_ms)

    @cached_property
    def salience(self) -> AudioSalience:
        """How strongly the song sounds at given times."""
        return audio_salience(self.song)

    @cached_property
    def grid_timing(self) -> list[TimingPoint]:
        """Red lines found in the signal."""
        return find_timing(self.song, provider="grid").points

    @cached_property
    def decoder(self) -> Decoder:
        return Decoder(self.model)

    def measure_threads(self) -> None:
        """Decides how many threads encoder and decoder use from now on, by a short measurement; see `threads`."""
        self.threads = measure_threads(self.model)
        self.decoder.threads = self.threads.decoder


def settings_key(conditions: EncoderConditions) -> tuple:
    """Equal for equal conditions."""
    return tuple((name, tuple(value.flatten().tolist())) for name, value in sorted(conditions.items()))


def encoder_conditions(options: ResolvedOptions, model: Mapperatorinator) -> EncoderConditions:
    """What the encoder of this model takes besides the sound (song position is per window); rows of one."""
    conditions = {}
    if model.config.do_difficulty_embed:
        stars = 5.0 if options.difficulty is None else float(options.difficulty)
        conditions["difficulty"] = torch.tensor([stars], device=model.device)
    if model.config.do_mapper_embed:
        mapper = -1 if options.mapper_id is None else model.vocabulary.mapper_class(options.mapper_id)
        conditions["mapper_idx"] = torch.tensor([mapper], device=model.device)
    return conditions
