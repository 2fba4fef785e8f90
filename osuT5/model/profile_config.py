"""The configuration of a new model: sizes and spectrogram from its profile, numbers of ids from its vocabulary."""

from __future__ import annotations

from typing import Any

from osuT5.errors import CheckpointError
from osuT5.events.profile import Profile
from osuT5.events.types import ContextType, EventType
from osuT5.events.vocabulary import Vocabulary
from osuT5.model.config import MapperatorinatorConfig

# fields that profile and config.json call by the same name
_SOUND_FIELDS = ("sample_rate", "n_fft", "n_mels", "hop_length", "f_min", "f_max", "pad_mode")
_SIZE_FIELDS = (
    "project_encoder_input",
    "do_difficulty_embed",
    "do_mapper_embed",
    "do_song_position_embed",
    "cond_dim",
    "cond_size",
    "label_smoothing",
)


def config_from_profile(profile: Profile, vocabulary: Vocabulary, **overrides: Any) -> MapperatorinatorConfig:
    """`overrides` are fields of the configuration; a `backbone_config` among them replaces single backbone fields.

    Raises CheckpointError when the profile names no sizes.
    """
    sizes, sound = profile.model, profile.spectrogram
    missing = sorted({"backbone_model_name", "d_model", "layers_per_side", "heads", "ffn_dim"} - set(sizes))
    if missing:
        raise CheckpointError(f"profile {profile.name!r} lacks model sizes: {', '.join(missing)}")
    shift = vocabulary.ranges[EventType.TIME_SHIFT]
    start = vocabulary.event_start[EventType.TIME_SHIFT]
    backbone = {
        "model_type": "whisper",
        "activation_function": "gelu",
        "d_model": sizes["d_model"],
        "encoder_layers": sizes["layers_per_side"],
        "decoder_layers": sizes["layers_per_side"],
        "encoder_attention_heads": sizes["heads"],
        "decoder_attention_heads": sizes["heads"],
        "encoder_ffn_dim": sizes["ffn_dim"],
        "decoder_ffn_dim": sizes["ffn_dim"],
        "num_mel_bins": sizes.get("conv1_input_channels"),
        "max_source_positions": profile.src_seq_len // 2,
        "max_target_positions": profile.tgt_seq_len,
        "vocab_size": vocabulary.vocab_size_out,
        "dropout": sizes.get("dropout", 0.0),
        "attention_bias": sizes.get("attention_bias", True),
        "rope_type": sizes.get("rope_type", "default"),
        "global_attn_every_n_layers": sizes.get("global_attn_every_n_layers", 1),
        **overrides.pop("backbone_config", {}),
    }
    values = {
        "backbone_model_name": sizes["backbone_model_name"],
        "backbone_config": backbone,
        "vocab_size": vocabulary.vocab_size_out,
        "vocab_size_in": vocabulary.vocab_size_in,
        "num_mappers": vocabulary.num_mapper_classes,
        "rhythm_token_start": start,
        "rhythm_token_end": start + shift.max_value - shift.min_value + 1,
        "rhythm_weight": sizes.get("rhythm_weight", 1.0),
        "onset_marks": _map_marks(vocabulary) if sizes.get("onset_head") else None,
        "spectrogram_implementation": sound.get("implementation", "torchaudio"),
        "spectrogram_log_scale": sound.get("log_scale", True),
        **{key: sound[key] for key in _SOUND_FIELDS if key in sound},
        **{key: sizes[key] for key in _SIZE_FIELDS if key in sizes},
        **overrides,
    }
    return MapperatorinatorConfig(**values)


def _map_marks(vocabulary: Vocabulary) -> list[int]:
    return [vocabulary.context_sos[ContextType.MAP], vocabulary.context_eos[ContextType.MAP]]
