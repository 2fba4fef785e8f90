"""Model configuration: what `config.json` says, with the values in force where an early file is silent.

Facts: the published `config.json` fields and their defaults. Nothing here touches the network.
"""

from __future__ import annotations

from typing import Any

from transformers import PretrainedConfig

from osuT5.errors import CheckpointError
from osuT5.model.families import BackboneSettings

PUBLISHED_FIELDS = tuple(
    (
        "architectures backbone_config backbone_model_name bos_token_id cond_dim cond_size decoder_start_token_id "
        "disable_compile do_difficulty_embed do_mapper_embed do_song_position_embed do_style_embed "
        "embed_decoder_input eos_token_id f_max f_min hidden_size hop_length init_std input_features input_raw_wave "
        "is_encoder_decoder label_smoothing max_source_positions max_target_positions n_fft n_mels "
        "num_attention_heads num_classes num_hidden_layers num_mappers pad_mode pad_token_id project_encoder_input "
        "rhythm_token_end rhythm_token_start rhythm_weight sample_rate spectrogram_implementation "
        "spectrogram_log_scale vocab_size vocab_size_in"
    ).split()
)


class MapperatorinatorConfig(PretrainedConfig):
    """`config.json`. Absent fields take the values that the early published files mean; unknown keys are ignored."""

    model_type = "mapperatorinator"

    def __init__(
        self,
        backbone_model_name: str = "openai/whisper-base",
        backbone_config: dict[str, Any] | None = None,
        vocab_size_in: int = 9920,
        vocab_size: int = 3988,
        num_classes: int = 0,
        num_mappers: int = 3731,
        input_features: bool = True,
        input_raw_wave: bool = False,
        project_encoder_input: bool = True,
        embed_decoder_input: bool = True,
        do_style_embed: bool = False,
        do_difficulty_embed: bool = False,
        do_mapper_embed: bool = False,
        do_song_position_embed: bool = False,
        cond_dim: int = 128,
        cond_size: int = 0,
        spectrogram_implementation: str = "nnAudio",
        spectrogram_log_scale: bool = False,
        sample_rate: int = 16000,
        n_fft: int = 1024,
        n_mels: int = 388,
        hop_length: int = 128,
        f_min: float = 0,
        f_max: float = 8000,
        pad_mode: str = "constant",
        rhythm_weight: float = 3.0,
        rhythm_token_start: int = 17,
        rhythm_token_end: int = 836,
        label_smoothing: float = 0.0,
        init_std: float = 0.02,
        max_source_positions: int | None = None,
        max_target_positions: int | None = None,
        max_length: int | None = None,
        do_sample: bool = True,
        top_k: int = 0,
        pad_token_id: int = 0,
        bos_token_id: int = 1,
        eos_token_id: int = 2,
        decoder_start_token_id: int = 1,
        onset_marks: list[int] | None = None,
        onset_weight: float = 3.0,
        **ignored: Any,
    ):
        super().__init__()
        self.architectures = ["Mapperatorinator"]
        self.is_encoder_decoder = True
        self.backbone_model_name = backbone_model_name
        self.vocab_size_in = vocab_size_in
        self.vocab_size = vocab_size
        self.num_classes = num_classes
        self.num_mappers = num_mappers
        self.input_features = input_features
        self.input_raw_wave = input_raw_wave
        self.project_encoder_input = project_encoder_input
        self.embed_decoder_input = embed_decoder_input
        self.do_style_embed = do_style_embed
        self.do_difficulty_embed = do_difficulty_embed
        self.do_mapper_embed = do_mapper_embed
        self.do_song_position_embed = do_song_position_embed
        self.cond_dim = cond_dim
        self.cond_size = cond_size
        self.spectrogram_implementation = spectrogram_implementation
        self.spectrogram_log_scale = spectrogram_log_scale
        self.sample_rate = sample_rate
        self.n_fft = n_fft
        self.n_mels = n_mels
        self.hop_length = hop_length
        self.f_min = f_min
        self.f_max = f_max
        self.pad_mode = pad_mode
        self.rhythm_weight = rhythm_weight
        self.rhythm_token_start = rhythm_token_start
        self.rhythm_token_end = rhythm_token_end
        self.label_smoothing = label_smoothing
        self.init_std = init_std
        self.pad_token_id = pad_token_id
        self.bos_token_id = bos_token_id
        self.eos_token_id = eos_token_id
        self.decoder_start_token_id = decoder_start_token_id
        # ids around the map context, where the encoder has a head that hears onsets; its weight in the loss
        self.onset_marks = onset_marks
        self.onset_weight = onset_weight
        self.disable_compile = True
        # without these, an early or hand-written `backbone_config` would fall back to the stock speech model's sizes
        values = dict(backbone_config or {})
        for key, value in (
            ("vocab_size", vocab_size),
            ("max_source_positions", max_source_positions),
            ("max_target_positions", max_target_positions),
        ):
            if values.get(key) is None and value is not None:
                values[key] = value
        d_model = BackboneSettings.from_dict(backbone_model_name, values).d_model
        if values.get("num_mel_bins") is None:
            values["num_mel_bins"] = d_model if project_encoder_input else n_mels + cond_size
        self.backbone_config = values
        backbone = self.backbone
        self.hidden_size = backbone.d_model
        self.num_attention_heads = backbone.decoder_heads
        self.num_hidden_layers = backbone.decoder_layers
        self.max_source_positions = backbone.max_source_positions
        self.max_target_positions = backbone.max_target_positions
        # generation settings are no attributes: the library refuses to save a config that has them
        length = max_length or backbone.max_target_positions
        self._generation = {"do_sample": do_sample, "top_k": top_k, "max_length": length}
        self._check()

    @property
    def backbone(self) -> BackboneSettings:
        return BackboneSettings.from_dict(self.backbone_model_name, self.backbone_config)

    @property
    def conditions(self) -> tuple[str, ...]:
        """Names of the conditioning vectors on the encoder input, in channel order."""
        flags = {
            "difficulty": self.do_difficulty_embed,
            "mapper_idx": self.do_mapper_embed,
            "song_position": self.do_song_position_embed,
        }
        return tuple(name for name, active in flags.items() if active)

    @property
    def window_samples(self) -> int:
        """Samples of one full window: (frames - 1) * hop."""
        return (2 * self.max_source_positions - 1) * self.hop_length

    def published(self) -> dict[str, Any]:
        """The content of `config.json`, as published files have it."""
        values = {key: getattr(self, key) for key in PUBLISHED_FIELDS}
        if self.onset_marks:
            values |= {"onset_marks": self.onset_marks, "onset_weight": self.onset_weight}
        return {**values, **self._generation, "model_type": self.model_type, "max_length": None}

    def to_dict(self) -> dict[str, Any]:
        values = super().to_dict()
        values.pop("_generation", None)
        return values

    def generation_defaults(self) -> dict[str, Any]:
        """The content of `generation_config.json`."""
        return {
            "bos_token_id": self.bos_token_id,
            "decoder_start_token_id": self.decoder_start_token_id,
            "disable_compile": True,
            "eos_token_id": self.eos_token_id,
            "pad_token_id": self.pad_token_id,
            **self._generation,
        }

    def _check(self) -> None:
        problems = []
        if self.do_style_embed or not self.input_features or self.input_raw_wave:
            problems.append("style embeddings, raw-wave and T5 inputs are of unpublished models and not supported")
        expected = len(self.conditions) * self.cond_dim
        if self.cond_size != expected:
            problems.append(f"cond_size is {self.cond_size}, but {len(self.conditions)} conditions need {expected}")
        backbone = self.backbone
        channels = backbone.d_model if self.project_encoder_input else self.n_mels + self.cond_size
        if backbone.input_channels != channels:
            problems.append(f"num_mel_bins is {backbone.input_channels}, but the encoder input has {channels} channels")
        if backbone.vocab_size != self.vocab_size:
            problems.append(f"vocab_size is {self.vocab_size}, but backbone_config says {backbone.vocab_size}")
        if not 0 <= self.rhythm_token_start <= self.rhythm_token_end:
            problems.append(f"rhythm tokens {self.rhythm_token_start}..{self.rhythm_token_end} are no range")
        if problems:
            raise CheckpointError("config.json: " + "; ".join(problems))
