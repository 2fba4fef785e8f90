"""The model: audio window and token ids in, logits out.

It sees samples and ids, never events. `forward` is the whole-sequence form for training and teacher forcing;
`encode`, `new_cache` and `step` are what generation uses. Facts: the published models' call contract.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.utils import ModelOutput as _BaseOutput

from osuT5.errors import InputError, TokenError
from osuT5.model.backbone import Backbone, causal_mask
from osuT5.model.cached_decoder import CachedDecoder, KVCache
from osuT5.model.conditioning import (
    DEFAULT_DIFFICULTY,
    DEFAULT_MAPPER,
    DifficultyEmbedder,
    MapperEmbedder,
    SongPositionEmbedder,
)
from osuT5.model.config import MapperatorinatorConfig
from osuT5.model.loss import IGNORED, mean_loss, rhythm_weights, token_loss
from osuT5.model.onsets import SLICES, OnsetHead, conditions_mean, onset_loss, onset_targets
from osuT5.model.profile_config import config_from_profile
from osuT5.model.spectrogram import MelSpectrogram

if TYPE_CHECKING:
    from osuT5.events.profile import Profile
    from osuT5.events.vocabulary import Vocabulary

# keys in published files that are functions of the config, or never read
DEAD_KEYS = (r"^spectrogram\.", r"^loss_fn\.weight$", r"^transformer\.model\.decoder\.embed_tokens\.weight$")


@dataclass
class ModelOutput(_BaseOutput):
    """loss: scalar or None; logits: (B, T, V_out), or None when they were not asked for.

    Where the encoder has a head for onsets, the loss is `token_loss` (a mean over labels) + `onset_loss` (over rows).
    """

    loss: Tensor | None = None
    logits: Tensor | None = None
    token_loss: Tensor | None = None
    onset_loss: Tensor | None = None


class Mapperatorinator(PreTrainedModel):
    """See the module. `profile` and `vocabulary` are set by `from_profile` and `load_model`."""

    config_class = MapperatorinatorConfig
    base_model_prefix = "transformer"
    main_input_name = "frames"
    _supports_sdpa = True
    _supports_flash_attn = True
    _keys_to_ignore_on_load_unexpected = list(DEAD_KEYS)

    def __init__(self, config: MapperatorinatorConfig):
        super().__init__(config)
        settings = config.backbone
        self.profile: Profile | None = None
        self.vocabulary: Vocabulary | None = None
        self.precision = "fp32"
        self.adapter: Any = None  # a LoRA in training (osuT5.training.adapters)
        self.spectrogram = MelSpectrogram(
            config.spectrogram_implementation,
            config.spectrogram_log_scale,
            config.sample_rate,
            config.n_fft,
            config.n_mels,
            config.hop_length,
            config.f_min,
            config.f_max,
            config.pad_mode,
        )
        self.transformer = Backbone(settings, own_embedding=not config.embed_decoder_input)
        if config.do_difficulty_embed:
            self.difficulty_embedder = DifficultyEmbedder(config.cond_dim)
        if config.do_mapper_embed:
            self.mapper_embedder = MapperEmbedder(config.num_mappers, config.cond_dim)
        if config.do_song_position_embed:
            self.song_pos_embedder = SongPositionEmbedder(config.cond_dim)
        if config.project_encoder_input:
            self.encoder_embedder = nn.Linear(config.n_mels + config.cond_size, settings.d_model)
        if config.embed_decoder_input:
            self.decoder_embedder = nn.Embedding(config.vocab_size_in, settings.d_model)
            nn.init.normal_(self.decoder_embedder.weight, std=config.init_std)
        if config.onset_marks:
            self.onset_head = OnsetHead(settings.d_model)
        self._cached_decoder: CachedDecoder | None = None
        self.post_init()

    @classmethod
    def from_profile(cls, profile: Profile, vocabulary: Vocabulary, **overrides: Any) -> Mapperatorinator:
        """A freshly initialised model of the profile's size for this vocabulary.

        `overrides` are fields of `MapperatorinatorConfig`; those of `backbone_config` may be given there as a dict,
        which replaces single backbone fields.
        """
        model = cls(config_from_profile(profile, vocabulary, **overrides))
        model.profile = profile
        model.vocabulary = vocabulary
        return model

    def _init_weights(self, module: nn.Module) -> None:
        """Every part initialises itself when made; a global pass would undo it."""

    def train(self, mode: bool = True) -> Mapperatorinator:
        self._cached_decoder = None
        return super().train(mode)

    def _apply(self, *args: Any, **kwargs: Any) -> Mapperatorinator:
        self._cached_decoder = None
        return super()._apply(*args, **kwargs)

    def load_state_dict(self, *args: Any, **kwargs: Any) -> Any:
        self._cached_decoder = None
        return super().load_state_dict(*args, **kwargs)

    @property
    def compute_dtype(self) -> torch.dtype:
        """dtype of the weights of the backbone."""
        return self.transformer.proj_out.weight.dtype

    @property
    def _embedding(self) -> nn.Embedding:
        if self.config.embed_decoder_input:
            return self.decoder_embedder
        return self.transformer.model.decoder.embed_tokens

    # ---- encoder

    def condition_vectors(self, rows: int, conditions: dict[str, Any]) -> list[Tensor]:
        """The active conditioning vectors, each (B, cond_dim) float32.

        Raises InputError for conditions this model has no use for, and for a missing song position.
        """
        active = self.config.conditions
        unexpected = sorted(name for name, value in conditions.items() if value is not None and name not in active)
        if unexpected:
            raise InputError(
                f"this model takes no {', '.join(unexpected)} beside the audio; "
                "such models take it from prompt tokens, so leave it out"
            )
        device = self.transformer.proj_out.weight.device
        vectors = []
        with torch.autocast(device.type, enabled=False):
            for name in active:
                attribute, default, width = _CONDITIONS[name]
                value = conditions.get(name)
                if value is None:
                    if default is None:
                        raise InputError(f"this model needs {name} for every window: pass a ({rows}, {width}) tensor")
                    value = torch.full((rows,), default)
                value = torch.as_tensor(value).to(device)
                if value.shape != (rows,) + ((width,) if width > 1 else ()):
                    raise InputError(f"{name} has shape {tuple(value.shape)}, but there are {rows} windows")
                vectors.append(getattr(self, attribute)(value))
        return vectors

    def encoder_features(self, frames: Tensor, **conditions: Any) -> Tensor:
        """(B, N) samples -> (B, channels, L), the input of the convolutional stem."""
        if frames.dim() != 2:
            raise InputError(f"audio windows must be (rows, samples), not {tuple(frames.shape)}")
        mel = self.spectrogram(frames).to(self.compute_dtype)
        vectors = self.condition_vectors(frames.shape[0], conditions)
        repeated = [v.to(mel.dtype).unsqueeze(1).expand(-1, mel.shape[1], -1) for v in vectors]
        features = torch.cat([mel, *repeated], -1)
        if self.config.project_encoder_input:
            features = self.encoder_embedder(features)
        return features.transpose(1, 2)

    def _encode(self, frames: Tensor, **conditions: Any) -> Tensor:
        return self.transformer.model.encoder(self.encoder_features(frames, **conditions))

    @torch.inference_mode()
    def encode(
        self,
        frames: Tensor,
        difficulty: Tensor | None = None,
        mapper_idx: Tensor | None = None,
        song_position: Tensor | None = None,
    ) -> Tensor:
        """Encodes audio windows.

        Args:
            frames: (B, N) float32 mono samples at `config.sample_rate`.
            difficulty: (B,) star ratings; None = 5.0. Only models with such an input.
            mapper_idx: (B,) mapper classes; None or -1 = any.
            song_position: (B, 2) start and end of the window as shares of the song.

        Returns:
            (B, S, D) in the dtype of the weights.
        """
        with self._autocast():
            return self._encode(
                frames.to(self.transformer.proj_out.weight.device),
                difficulty=difficulty,
                mapper_idx=mapper_idx,
                song_position=song_position,
            )

    @torch.inference_mode()
    def onset_logits(self, encoder_hidden: Tensor, ids: Tensor) -> Tensor:
        """A logit for an onset in each slice of `onset_slice_ms`, (B, slices) float32.

        Args:
            encoder_hidden: (B, S, D). ids: (B, T) a prompt, whose conditions before id 1 are heeded.
        Raises InputError: the model has no head for onsets.
        """
        if not self.config.onset_marks:
            raise InputError("this model has no onset head")
        with self._autocast():
            return self._onset_logits(encoder_hidden, ids, self._embedding(ids)).float()

    @property
    def onset_slice_ms(self) -> float:
        return 2000 * self.config.hop_length / self.config.sample_rate / SLICES

    def _onset_logits(self, encoder_hidden: Tensor, ids: Tensor, embedded: Tensor) -> Tensor:
        conditioning = conditions_mean(embedded, ids, self.config.bos_token_id, self.config.pad_token_id)
        return self.onset_head(encoder_hidden, conditioning)

    # ---- whole sequences

    def forward(
        self,
        frames: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        decoder_attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        sample_weights: Tensor | None = None,
        encoder_outputs: Tensor | None = None,
        difficulty: Tensor | None = None,
        mapper_idx: Tensor | None = None,
        song_position: Tensor | None = None,
        return_logits: bool = True,
    ) -> ModelOutput:
        """Whole-sequence pass, always causal.

        Args:
            frames: (B, N) samples; or give `encoder_outputs` (B, S, D) instead.
            decoder_input_ids: (B, T) in [0, V_in).
            decoder_attention_mask: (B, T) true = real token. Right padding needs none: nothing real looks at it.
            labels: (B, T) in [0, V_out) or -100, labels[t] follows input t.
            sample_weights: (B,) factors on the rows' losses.
            difficulty, mapper_idx, song_position: see `encode`.
            return_logits: False with labels computes logits only where there are labels, which saves time and
                memory in training; `logits` is then None.

        Raises:
            InputError: audio and conditions do not fit the model. TokenError: labels and ids differ in shape.
        """
        if self.precision == "amp" and not torch.is_autocast_enabled(self.device.type):
            with self._autocast():  # as `encode` and `step` do, so that teacher-forced and stepped logits agree
                return self.forward(
                    frames, decoder_input_ids, decoder_attention_mask, labels, sample_weights, encoder_outputs,
                    difficulty, mapper_idx, song_position, return_logits,
                )  # fmt: skip
        if (frames is None) == (encoder_outputs is None) or decoder_input_ids is None:
            raise InputError("the model needs decoder_input_ids and either frames or encoder_outputs")
        if labels is not None and labels.shape != decoder_input_ids.shape:
            raise TokenError(f"labels {tuple(labels.shape)} do not match ids {tuple(decoder_input_ids.shape)}")
        conditions = {"difficulty": difficulty, "mapper_idx": mapper_idx, "song_position": song_position}
        if encoder_outputs is None:
            encoder_outputs = self._encode(frames, **conditions)
        mask, positions = self._mask_and_positions(decoder_attention_mask)
        embedded = self._embedding(decoder_input_ids)
        hidden = self.transformer.model.decoder(embedded, encoder_outputs, positions, mask)
        if labels is None:
            return ModelOutput(logits=self.transformer.proj_out(hidden))
        config = self.config
        weights = rhythm_weights(
            config.vocab_size, config.rhythm_token_start, config.rhythm_token_end, config.rhythm_weight, hidden.device
        )
        if return_logits:
            logits = self.transformer.proj_out(hidden)
            losses = token_loss(logits, labels, weights, config.label_smoothing)
        else:
            logits = None
            counted = labels != IGNORED
            found = token_loss(
                self.transformer.proj_out(hidden[counted]), labels[counted], weights, config.label_smoothing
            )
            losses = torch.zeros(labels.shape, dtype=found.dtype, device=found.device).masked_scatter(counted, found)
        tokens, onsets = mean_loss(losses, labels, sample_weights), None
        loss = tokens
        if config.onset_marks:
            onset_logits = self._onset_logits(encoder_outputs, decoder_input_ids, embedded)
            times = (config.rhythm_token_start, config.rhythm_token_end)
            marks, slices = tuple(config.onset_marks), onset_logits.shape[1]
            targets = onset_targets(labels, marks, times, slices, self.onset_slice_ms)
            onsets = config.onset_weight * onset_loss(onset_logits, targets)
            loss = tokens + onsets
        return ModelOutput(loss=loss, logits=logits, token_loss=tokens, onset_loss=onsets)

    @staticmethod
    def _mask_and_positions(attention_mask: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
        """Attention mask and positions, both None where plain causal attention and 0.. give the same."""
        if attention_mask is None:
            return None, None
        real = attention_mask.bool()
        if not bool((real[:, 1:] & ~real[:, :-1]).any()):  # right padding only
            return None, None
        return causal_mask(real), (real.cumsum(1) - 1).clamp_min(0)

    # ---- stepping

    @property
    def cached_decoder(self) -> CachedDecoder:
        """The decoder's weights gathered for stepping; made on first use. Raises InputError during LoRA training."""
        if self.adapter is not None:
            raise InputError("this model has a LoRA in training, which stepping would not hear: merge it first")
        if self._cached_decoder is None:
            backbone = self.transformer
            autocast = torch.bfloat16 if self.precision == "amp" else None
            self._cached_decoder = CachedDecoder(backbone.model.decoder, self._embedding, backbone.proj_out, autocast)
        return self._cached_decoder

    def new_cache(
        self, rows: int, max_length: int | None = None, encoder_hidden: Tensor | None = None, *, max_pads: int = 0
    ) -> KVCache:
        """A cache for `rows` decoder rows of up to `max_length` tokens, prompts included (default: the model's limit).

        Args:
            max_pads: columns of left padding that may come on top, for rows with prompts of different lengths.
            encoder_hidden: (E, S, D), E divides the rows, row r takes r % E; or call `cache.set_encoder` later.
        """
        limit = self.config.max_target_positions
        max_length = limit if max_length is None else max_length
        if not 0 < max_length <= limit:
            raise InputError(f"this model decodes up to {limit} tokens a window, not {max_length}")
        cache = KVCache(self.cached_decoder, rows, max_length + max_pads)
        if encoder_hidden is not None:
            cache.set_encoder(encoder_hidden)
        return cache

    @torch.inference_mode()
    def step(self, ids: Tensor, cache: KVCache, key_mask: Tensor | None = None, logits_all: bool = False) -> Tensor:
        """Feeds tokens and returns what may follow.

        Args:
            ids: (R, T) in [0, V_in); T > 1 for prompts, later chunks included.
            cache: is advanced by T columns.
            key_mask: (R, T) true = real token, false = padding (left or inner); None = all real. Positions count
                real tokens only, so a left-padded row gives what it gives alone.
            logits_all: logits after every token instead of the last one.

        Returns:
            (R, V_out) float32, or (R, T, V_out) with `logits_all`. Logits after pads are meaningless.
        """
        if ids.shape[0] != cache.rows or not cache.cross_keys:
            raise InputError(
                f"{ids.shape[0]} rows of ids for a cache of {cache.rows} rows"
                if cache.cross_keys
                else "the cache has no audio yet: call cache.set_encoder first"
            )
        decoder = cache.decoder
        if ids.shape[1] == 1 and key_mask is None:
            logits = decoder.step(ids[:, 0], cache)
            return logits[:, None] if logits_all else logits
        return decoder.prefill(ids, cache, key_mask, logits_all)

    def _autocast(self) -> torch.autocast:
        device = self.transformer.proj_out.weight.device.type
        return torch.autocast(device, torch.bfloat16, enabled=self.precision == "amp")


# condition: module that embeds it, default value, numbers per row
_CONDITIONS = {
    "difficulty": ("difficulty_embedder", DEFAULT_DIFFICULTY, 1),
    "mapper_idx": ("mapper_embedder", DEFAULT_MAPPER, 1),
    "song_position": ("song_pos_embedder", None, 2),
}
CONDITION_MODULES = tuple(module for module, _, _ in _CONDITIONS.values())
