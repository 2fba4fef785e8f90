"""Where the beats of a generation come from: given red lines, the signal, or the model itself.

`auto` lets the signal find tempo and phase and the model choose between octaves and half beats. Times are on the
game clock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from osuT5.audio import Song
from osuT5.beatmap import Beatmap, TimingPoint
from osuT5.errors import InputError
from osuT5.events import ContextType, EventSequence, Profile, Vocabulary, encode_timing
from osuT5.events.prompt import PromptBuilder
from osuT5.inference.encoded import EncodedWindows
from osuT5.inference.resolve import Settled
from osuT5.inference.song_loop import SongLoop, beats_only
from osuT5.model import Mapperatorinator
from osuT5.timing import Candidate, constant_timing, find_timing, fit_timing, timing_of

SCORED_WINDOWS = 6


def find_red_lines(
    settled: Settled,
    reference: Beatmap | None,
    song: Song,
    loop: SongLoop,
    model: Mapperatorinator,
    notice: Callable[[str], None],
) -> list[TimingPoint] | None:
    """Red lines for the map, or None when the model writes its beats into the map itself (read from there later).

    Raises: InputError when the asked-for provider has nothing to read.
    """
    profile = loop.profile
    provider = settled.timing
    if ContextType.TIMING in settled.contexts or provider == "file":
        lines = timing_of(reference) if reference is not None else []
        if not lines:
            raise InputError("timing: the reference beatmap has no red line; use timing=auto")
        return lines
    if provider == "constant":
        return constant_timing(settled.bpm, settled.offset)
    if provider == "model" and profile.add_timing:
        return None
    writes_timing = ContextType.TIMING in profile.output_contexts
    if provider == "model" and writes_timing:
        found = fit_timing(beats_only(loop.run([ContextType.TIMING])[ContextType.TIMING]), profile.types_first)
        if found:
            return found
        notice("the model wrote no beats: timing is taken from the signal instead")
    scorer = None
    if provider == "auto" and writes_timing:
        scorer = TimingScorer(model, loop.builder, loop.encoded)
    return find_timing(song, provider="grid", score=scorer).points


class TimingScorer:
    """How likely the model finds each grid, in natural log: the judge between octaves and half beats."""

    def __init__(self, model: Mapperatorinator, builder: PromptBuilder, encoded: EncodedWindows):
        self.model, self.builder, self.encoded = model, builder, encoded
        count = len(encoded.plan)
        # the middle of the song, where music plays
        self.windows = sorted({int(count * (0.15 + 0.7 * i / SCORED_WINDOWS)) for i in range(SCORED_WINDOWS)})

    def __call__(self, candidates: Sequence[Candidate]) -> list[float]:
        return [self.likelihood(constant_timing(c.bpm, c.offset_ms)) for c in candidates]

    @torch.inference_mode()
    def likelihood(self, points: list[TimingPoint]) -> float:
        """Mean log probability of the beats of a window."""
        profile, vocabulary = self.builder.profile, self.builder.vocabulary
        stage = self.builder.template.outputs.index(ContextType.TIMING)
        end = vocabulary.context_eos.get(ContextType.TIMING, vocabulary.eos_id)
        beats = timing_sequence(points, profile, self.encoded.plan.song_length_ms)
        empty = EventSequence()
        total = 0.0
        for number in self.windows:
            start = int(self.encoded.plan.times_ms[number])
            bare = self.builder.build(stage, {ContextType.TIMING: empty}, start).ids
            full = self.builder.build(stage, {ContextType.TIMING: beats}, start).ids + [end]
            ids = torch.tensor([full], device=self.model.device)
            cache = self.model.new_cache(1, len(full), self.encoded[number])
            scores = self.model.step(ids[:, :-1], cache, logits_all=True)[0].log_softmax(-1)
            targets = ids[0, len(bare) :]
            total += float(scores[len(bare) - 1 :].gather(1, targets[:, None]).sum())
        return total / len(self.windows)


def timing_sequence(
    points: list[TimingPoint], profile: Profile, song_length_ms: float, vocabulary: Vocabulary | None = None
) -> EventSequence:
    """The beats of red lines up to the end of the song, as the model reads them."""
    return encode_timing(points, profile, song_length_ms)
