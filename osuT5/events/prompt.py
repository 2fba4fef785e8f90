"""The one builder of decoder inputs and their labels, for generation, training samples and map review.

A prompt is: input contexts (start mark, own conditions, events, end mark), the conditions of the map to write,
the state at the window start (last kiai, last speed, song position), id 1, then the output contexts with their marks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from osuT5.errors import InputError
from osuT5.events.conditions import Conditions, class_prefix
from osuT5.events.profile import Profile, Template
from osuT5.events.sequence import last_value_before, window_slice
from osuT5.events.types import ContextType, Event, EventSequence, EventType
from osuT5.events.vocabulary import Vocabulary

IGNORED = -100  # label of what the loss leaves out
DEFAULT_SPEED = 100
# The state tokens in the order in which they stand in a prompt.
STATE_TYPES = (EventType.KIAI, EventType.SCROLL_SPEED, EventType.SONG_POSITION)
STATE_DEFAULTS = {EventType.KIAI: 0, EventType.SCROLL_SPEED: DEFAULT_SPEED}
MAX_HALVINGS = 10


@dataclass(frozen=True)
class PromptContext:
    """One context as it stands in a prompt: its event ids and, for inputs that bring them, its own conditions.

    Attributes:
        marked: False leaves out the start and the end mark.
        first_event: index of the first id in the context's event sequence.
    """

    context: ContextType
    ids: Sequence[int]
    prefix: Sequence[int] = ()
    marked: bool = True
    first_event: int = 0


@dataclass(frozen=True)
class ContextSpan:
    """Where the events of a context lie: ids[first:end], without its conditions and marks.

    Attributes:
        first_event: index of ids[first] in the context's event sequence (an id is an event); 0 where not known.
    """

    context: ContextType
    is_output: bool
    first: int
    end: int
    first_event: int


@dataclass(frozen=True)
class DecoderInput:
    """Ids of a decoder input.

    Attributes:
        start_index: index of id 1.
        spans: of the inputs, then of the outputs, in order.
    """

    ids: list[int]
    start_index: int
    spans: tuple[ContextSpan, ...]

    def labels(
        self,
        vocabulary: Vocabulary,
        following: int | None,
        offsets: Sequence[int] | None = None,
        ended: Sequence[bool] | None = None,
    ) -> list[int]:
        """Next-token labels: labels[t] is the id after ids[t], `IGNORED` outside of the output contexts.

        Labels are start marks, events and end marks.

        Args:
            following: the id after the last one; None where it is not known.
            offsets: per output, how many of its first events are no labels; None: 0 for all.
            ended: per output, whether its events are there up to its end in the window; what follows the last event
                of one that was cut is not known. None: all are.
        """
        ids = self.ids
        labels = [IGNORED] * len(ids)
        outputs = [span for span in self.spans if span.is_output]
        offsets = [0] * len(outputs) if offsets is None else offsets
        ended = [True] * len(outputs) if ended is None else ended
        for span, offset, has_end in zip(outputs, offsets, ended, strict=True):
            marked = span.context in vocabulary.context_sos
            if marked:
                labels[span.first - 2] = ids[span.first - 1]
            begin, stop = span.first - 1 + offset, min(span.end - 1 + (marked and has_end), len(ids) - 1)
            labels[begin:stop] = ids[begin + 1 : stop + 1]
        if following is not None:
            labels[-1] = following
        return labels


def build_decoder_input(
    vocabulary: Vocabulary,
    inputs: Sequence[PromptContext],
    prefix: Sequence[int],
    outputs: Sequence[PromptContext],
    *,
    previous: Sequence[int] = (),
    close_last: bool = False,
) -> DecoderInput:
    """Puts the parts in order.

    Args:
        prefix: conditions and state of the map to write.
        previous: events of the window before.
        close_last: write the end mark of the last output (teacher forcing); else it stays open (generation).
    """
    ids: list[int] = []
    spans: list[ContextSpan] = []
    for part in inputs:
        _mark(ids, vocabulary.context_sos, part)
        ids.extend(part.prefix)
        _add_events(ids, spans, part, is_output=False)
        _mark(ids, vocabulary.context_eos, part)
    ids.extend(prefix)
    ids.extend(previous)
    start_index = len(ids)
    ids.append(vocabulary.sos_id)
    for number, part in enumerate(outputs):
        _mark(ids, vocabulary.context_sos, part)
        _add_events(ids, spans, part, is_output=True)
        if close_last or number < len(outputs) - 1:
            _mark(ids, vocabulary.context_eos, part)
    return DecoderInput(ids, start_index, tuple(spans))


def _mark(ids: list[int], marks: Mapping[ContextType, int], part: PromptContext) -> None:
    if part.marked and part.context in marks:
        ids.append(marks[part.context])


def _add_events(ids: list[int], spans: list[ContextSpan], part: PromptContext, is_output: bool) -> None:
    first = len(ids)
    ids.extend(part.ids)
    spans.append(ContextSpan(part.context, is_output, first, len(ids), part.first_event))


def carries_kiai(profile: Profile, context: ContextType) -> bool:
    """Whether a context's events say where kiai is on."""
    return context is ContextType.KIAI or (profile.add_kiai and context in (ContextType.MAP, ContextType.GD))


def carries_speed(profile: Profile, context: ContextType) -> bool:
    """Whether a context's events hold slider or scroll speeds."""
    in_map = (profile.add_sv or profile.add_mania_sv) and context in (ContextType.MAP, ContextType.GD)
    return context is ContextType.SV or in_map


def state_at(profile: Profile, context: ContextType, sequence: EventSequence, time_ms: float) -> dict[EventType, int]:
    """What one context says about the moment before `time_ms`: kiai on or off, the last speed x 100."""
    state: dict[EventType, int] = {}
    if profile.add_kiai_special_token and carries_kiai(profile, context):
        state[EventType.KIAI] = last_value_before(sequence, EventType.KIAI, time_ms, 0)
    if profile.add_sv_special_token and carries_speed(profile, context):
        state[EventType.SCROLL_SPEED] = last_value_before(sequence, EventType.SCROLL_SPEED, time_ms, DEFAULT_SPEED)
    return state


def required_state(profile: Profile, template: Template) -> set[EventType]:
    """State tokens that a template's prompts always hold, whether or not a context of the prompt knows them."""
    required = set()
    if any(carries_kiai(profile, c) for c in template.outputs):
        required.add(EventType.KIAI)
    if any(carries_speed(profile, c) for c in template.outputs):
        required.add(EventType.SCROLL_SPEED)
    if profile.add_song_position_token:
        required.add(EventType.SONG_POSITION)
    return required


def state_ids(
    profile: Profile,
    vocabulary: Vocabulary,
    state: Mapping[EventType, int],
    time_ms: float,
    song_length_ms: float | None,
) -> list[int]:
    """Ids of the state tokens in prompt order; the song position is added when the profile has it.

    Args:
        song_length_ms: None leaves the position out (contexts that bring no conditions).
    """
    ids = [vocabulary.encode(Event(t, state[t])) for t in STATE_TYPES if t in state]
    if profile.add_song_position_token and song_length_ms is not None:
        ids.append(vocabulary.song_position_id(time_ms / song_length_ms if song_length_ms > 0 else 0.0))
    return ids


@dataclass(frozen=True)
class InputContext:
    """A given context: its events, and the conditions it brings if it is another difficulty."""

    context: ContextType
    sequence: EventSequence = field(default_factory=EventSequence)
    conditions: Conditions | None = None


@dataclass(frozen=True)
class Prompt:
    """Decoder input of one window.

    Attributes:
        negative: ids of the negative prompt; None without guidance.
        spans: where the events of each context lie in `ids`; inputs first.
        labels: what follows each id, as many as ids; `IGNORED` outside of the output contexts and where it is not
            known. () in a prompt that was made of ids alone.
    """

    ids: list[int]
    negative: list[int] | None = None
    spans: tuple[ContextSpan, ...] = ()
    labels: Sequence[int] = ()


@dataclass
class PromptBuilder:
    """Builds the prompts of one song for one template.

    Args:
        inputs: in template order.
        conditions: of the map to write.
        negative: conditions of the negative branch; None without guidance.
    """

    profile: Profile
    vocabulary: Vocabulary
    template: Template
    conditions: Conditions
    song_length_ms: float
    inputs: Sequence[InputContext] = ()
    negative: Conditions | None = None

    def __post_init__(self) -> None:
        self._required = required_state(self.profile, self.template)
        self._prefix = class_prefix(self.conditions, self.profile, self.vocabulary)
        self._negative_prefix = (
            None if self.negative is None else class_prefix(self.negative, self.profile, self.vocabulary)
        )
        self._input_prefixes = [
            class_prefix(c.conditions, self.profile, self.vocabulary) if c.conditions is not None else []
            for c in self.inputs
        ]

    def build(
        self,
        stage: int,
        sequences: Mapping[ContextType, EventSequence],
        window_start_ms: float,
        complete: bool = False,
    ) -> Prompt:
        """Prompt for writing output context number `stage` of the template in the window at `window_start_ms`.

        Both branches hold the same contexts; these keep fewer and fewer of their last events until both are shorter
        than the decoder's limit, tgt_seq_len.

        Args:
            sequences: what is known of each output context up to `stage`; the last one is continued.
            complete: the last one is whole too: it is closed by its end mark, and the labels say what follows that
                (teacher forcing over a window of a finished map).
        Raises:
            InputError: the conditions of either branch alone do not fit the decoder.
        """
        names = self.template.outputs[: stage + 1]
        outputs = [self._window(c, sequences.get(c, EventSequence()), window_start_ms) for c in names]
        inputs = [
            self._window(c.context, c.sequence, window_start_ms, p + self._own_state(c, window_start_ms))
            for c, p in zip(self.inputs, self._input_prefixes, strict=True)
        ]
        state: dict[EventType, int] = {}
        for context in names:
            sequence = sequences.get(context, EventSequence())
            state.update(state_at(self.profile, context, sequence, window_start_ms))
        for kind in self._required & STATE_DEFAULTS.keys():
            state.setdefault(kind, STATE_DEFAULTS[kind])
        state_part = state_ids(self.profile, self.vocabulary, state, window_start_ms, self.song_length_ms)

        limit = self.profile.tgt_seq_len

        def assemble(prefix: list[int]) -> DecoderInput:
            return build_decoder_input(self.vocabulary, inputs, prefix + state_part, outputs, close_last=complete)

        # contexts do not depend on the branch, so the one with the longer conditions says what fits
        longest = max(self._prefix, self._negative_prefix or [], key=len)
        for halving in range(1, MAX_HALVINGS + 1):
            if len(assemble(longest).ids) < limit:
                break
            keep = limit // 2**halving
            inputs = [_keep_last(c, keep) for c in inputs]
            outputs = [_keep_last(c, keep) for c in outputs]
        positive = assemble(self._prefix)
        negative = None if self._negative_prefix is None else assemble(self._negative_prefix)
        self._check_length("Prompt", positive, "descriptors")
        if negative is not None:
            self._check_length("Negative prompt", negative, "negative descriptors")
        labels = positive.labels(self.vocabulary, self._after_stage(stage) if complete else None)
        return Prompt(positive.ids, None if negative is None else negative.ids, positive.spans, labels)

    def _check_length(self, name: str, made: DecoderInput, reducible: str) -> None:
        limit = self.profile.tgt_seq_len
        if len(made.ids) >= limit:
            raise InputError(
                f"{name} is too long: {len(made.ids)} ids where the model takes {limit}; use fewer {reducible}"
            )

    def _window(
        self, context: ContextType, sequence: EventSequence, start_ms: float, prefix: Sequence[int] = ()
    ) -> PromptContext:
        """A context's events in the window at `start_ms`."""
        first, end = window_slice(sequence.times, start_ms, start_ms + self.profile.window_ms)
        ids = self.vocabulary.encode_window(sequence.events[first:end], start_ms)
        return PromptContext(context, ids, prefix, first_event=first)

    def _after_stage(self, stage: int) -> int | None:
        """The id after a finished stage: the start mark of the next one (None without marks), or the end id."""
        following = self.template.outputs[stage + 1 : stage + 2]
        return self.vocabulary.context_sos.get(following[0]) if following else self.vocabulary.eos_id

    def _own_state(self, given: InputContext, time_ms: float) -> list[int]:
        """State tokens that an input context states for itself; its song position only beside a class prefix."""
        state = state_at(self.profile, given.context, given.sequence, time_ms)
        length = self.song_length_ms if given.conditions is not None else None
        return state_ids(self.profile, self.vocabulary, state, time_ms, length)


def _keep_last(part: PromptContext, count: int) -> PromptContext:
    dropped = max(len(part.ids) - count, 0)
    return replace(part, ids=part.ids[dropped:], first_event=part.first_event + dropped)


def negative_conditions(conditions: Conditions, negative_descriptors: Sequence[str | int] | None) -> Conditions:
    """Of the negative branch: other descriptors if any are named, else an unknown mapper; all else as asked."""
    by_descriptor = bool(conditions.descriptors or negative_descriptors)
    return replace(
        conditions,
        beatmap_id=None,
        descriptors=list(negative_descriptors or []) or None,
        mapper_id=conditions.mapper_id if by_descriptor else None,
    )
