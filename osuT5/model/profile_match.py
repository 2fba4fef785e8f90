"""Which profile a checkpoint has, and whether a profile fits it.

Facts: checkpoints of this project carry `profile.json`; the six published ones are told apart by four fields of
`config.json`; `tokenizer.json` then has to have the window and the event types that the profile needs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from osuT5.errors import CheckpointError
from osuT5.events.profile import Profile, load_profile, profile_names, read_profile
from osuT5.events.types import EventType
from osuT5.events.vocabulary import Vocabulary
from osuT5.model.families import family_of

if TYPE_CHECKING:
    from osuT5.model.config import MapperatorinatorConfig

# a sub-checkpoint for one mode lacks the types of the others
_MODE_TYPES = frozenset(
    EventType(name)
    for name in (
        "column hold_note hold_note_end hold_note_sustain scroll_speed_change drumroll drumroll_end drumroll_sustain "
        "denden denden_end denden_sustain gamemode keycount hold_note_ratio scroll_speed_ratio scroll_speed"
    ).split()
)


def _signature(family: str, source_positions: int, target_positions: int, d_model: int) -> tuple:
    return family, 2 * source_positions, target_positions, d_model


def detect_profile(config: MapperatorinatorConfig) -> Profile | None:
    """The built-in profile that the family and sizes of `config.json` point to; None if there is none."""
    found = _signature(
        family_of(config.backbone_model_name).prefix,
        config.max_source_positions,
        config.max_target_positions,
        config.hidden_size,
    )
    for name in profile_names():
        profile = load_profile(name)
        sizes = profile.model
        family = family_of(sizes["backbone_model_name"]).prefix
        if _signature(family, profile.src_seq_len // 2, profile.tgt_seq_len, sizes["d_model"]) == found:
            return profile
    return None


def find_profile(folder: Path, given: Profile | str | None = None) -> Profile:
    """As `resolve_profile`, before anything of the checkpoint is read."""
    if (folder / "profile.json").is_file() or given is not None:
        return resolve_profile(folder, None, given)
    from osuT5.model.checkpoint import read_config

    return resolve_profile(folder, read_config(folder), None)


def resolve_profile(folder: Path, config: MapperatorinatorConfig | None, given: Profile | str | None) -> Profile:
    """`profile.json` beside the weights, else the given one, else detection. Raises CheckpointError."""
    path = folder / "profile.json"
    if path.is_file():
        return read_profile(path)
    if given is not None:
        return load_profile(given) if isinstance(given, str) else given
    detected = None if config is None else detect_profile(config)
    if detected is None:
        raise CheckpointError(
            f"{folder}: neither a profile.json nor the sizes in config.json say which profile this checkpoint has; "
            f"name one of {', '.join(profile_names())}"
        )
    return detected


def check_profile(profile: Profile, config: MapperatorinatorConfig, vocabulary: Vocabulary, source: str) -> None:
    """Raises CheckpointError, naming profile and file, when window or event types differ. Extra types are fine."""
    problems = []
    shift = vocabulary.ranges.get(EventType.TIME_SHIFT)
    if shift is None or shift.max_value != profile.max_time_step:
        has = "none" if shift is None else f"{shift.min_value}..{shift.max_value}"
        needs = profile.max_time_step
        problems.append(f"time shifts are {has} in tokenizer.json, but the profile's window needs {needs}")
    if 2 * config.max_source_positions != profile.src_seq_len or config.max_target_positions != profile.tgt_seq_len:
        problems.append(
            f"config.json has {2 * config.max_source_positions} frames and {config.max_target_positions} tokens a "
            f"window, the profile {profile.src_seq_len} and {profile.tgt_seq_len}"
        )
    if (config.hop_length, config.sample_rate) != (profile.hop_length, profile.sample_rate):
        problems.append(
            f"config.json has hop {config.hop_length} at {config.sample_rate} Hz, "
            f"the profile {profile.hop_length} at {profile.sample_rate} Hz"
        )
    needed = set(Vocabulary.from_profile(profile).ranges) - _MODE_TYPES
    missing = sorted(t.value for t in needed - set(vocabulary.ranges))
    if missing:
        problems.append(f"tokenizer.json lacks the event types {', '.join(missing)}")
    contexts = set(profile.context_marks) - set(vocabulary.context_sos)
    if contexts:
        problems.append(f"tokenizer.json lacks the contexts {', '.join(sorted(c.value for c in contexts))}")
    if vocabulary.vocab_size_out != config.vocab_size or vocabulary.vocab_size_in != config.vocab_size_in:
        problems.append(
            f"tokenizer.json has {vocabulary.vocab_size_in} ids in and {vocabulary.vocab_size_out} out, "
            f"config.json {config.vocab_size_in} and {config.vocab_size}"
        )
    if problems:
        raise CheckpointError(f"{source} does not fit profile {profile.name!r}: " + "; ".join(problems))
