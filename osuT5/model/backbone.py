"""The Whisper-style encoder and decoder, one description for all families.

Facts: pre-norm layers with a final norm, exact GELU, convolutional stem of stride 2; module names are the published
weight names. What differs (norm, positions, projections) comes from the family row in `config.py`. This file is the
whole-sequence form, for training, teacher forcing and the encoder; `stepping.py` steps the same weights with a cache.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from osuT5.errors import InputError
from osuT5.model.attention import FusedCrossAttention, FusedSelfAttention, SplitAttention, attend
from osuT5.model.families import BackboneSettings
from osuT5.model.rotary import RotaryTable, rotate

RMS_EPS = 2.0**-23  # fixed: torch's own default depends on dtype and release
LAYER_NORM_EPS = 1e-5
FP16_CLAMP = torch.finfo(torch.float16).max - 1000


class RMSNorm(nn.Module):
    def __init__(self, size: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x: Tensor) -> Tensor:
        # under autocast x may be bfloat16 beside float32 weights, for which torch has no fused kernel
        return F.rms_norm(x.to(self.weight.dtype), self.weight.shape, self.weight, RMS_EPS)


def _norm(settings: BackboneSettings) -> nn.Module:
    if settings.family.norm == "rms":
        return RMSNorm(settings.d_model)
    return nn.LayerNorm(settings.d_model, eps=LAYER_NORM_EPS)


def _self_attention(settings: BackboneSettings) -> nn.Module:
    if settings.family.fused:
        return FusedSelfAttention(settings.d_model, settings.attention_bias)
    return SplitAttention(settings.d_model)


def _cross_attention(settings: BackboneSettings) -> nn.Module:
    if settings.family.fused:
        return FusedCrossAttention(settings.d_model, settings.attention_bias)
    return SplitAttention(settings.d_model)


class _Layer(nn.Module):
    """What encoder and decoder layers share: self-attention and feed-forward."""

    def __init__(self, settings: BackboneSettings, heads: int, ffn: int, window: int | None):
        super().__init__()
        self.heads = heads
        self.window = window
        self.dropout = settings.dropout
        self.self_attn = _self_attention(settings)
        self.self_attn_layer_norm = _norm(settings)
        self.fc1 = nn.Linear(settings.d_model, ffn)
        self.fc2 = nn.Linear(ffn, settings.d_model)
        self.final_layer_norm = _norm(settings)

    def attend_self(self, x: Tensor, rotary: Tensor | None, mask: Tensor | None, causal: bool) -> Tensor:
        """Residual branch of self-attention. rotary: (2, B or 1, T, 1, 1, d)."""
        qkv = self.self_attn.qkv(self.self_attn_layer_norm(x)).unflatten(-1, (3, self.heads, -1))
        if rotary is None:
            q, k, v = qkv.unbind(2)
        else:
            q, k = rotate(qkv[:, :, :2], rotary[0].to(qkv.dtype), rotary[1].to(qkv.dtype)).unbind(2)
            v = qkv[:, :, 2]
        out = attend(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), mask, causal and mask is None)
        return F.dropout(self.self_attn.out(out), self.dropout, self.training)

    def feed_forward(self, x: Tensor) -> Tensor:
        """Residual branch of the feed-forward block."""
        return F.dropout(self.fc2(F.gelu(self.fc1(self.final_layer_norm(x)))), self.dropout, self.training)


class EncoderLayer(_Layer):
    def forward(self, x: Tensor, rotary: Tensor | None) -> Tensor:
        mask = None if self.window is None else _window_mask(x.shape[1], self.window, x.device)
        x = x + self.attend_self(x, rotary, mask, causal=False)
        x = x + self.feed_forward(x)
        return x.clamp(-FP16_CLAMP, FP16_CLAMP) if x.dtype == torch.float16 else x


class DecoderLayer(_Layer):
    def __init__(self, settings: BackboneSettings, heads: int, ffn: int, window: int | None):
        super().__init__(settings, heads, ffn, window)
        self.cross_name = settings.family.cross_name
        self.add_module(self.cross_name, _cross_attention(settings))
        self.add_module(f"{self.cross_name}_layer_norm", _norm(settings))

    @property
    def cross(self) -> nn.Module:
        return self._modules[self.cross_name]

    @property
    def cross_norm(self) -> nn.Module:
        return self._modules[f"{self.cross_name}_layer_norm"]

    def keys_values(self, encoder_hidden: Tensor) -> tuple[Tensor, Tensor]:
        """(B, S, D) -> keys and values, each (B, H, S, d)."""
        kv = self.cross.key_value(encoder_hidden).unflatten(-1, (2, self.heads, -1))
        return kv[:, :, 0].transpose(1, 2), kv[:, :, 1].transpose(1, 2)

    def forward(self, x: Tensor, encoder_hidden: Tensor, rotary: Tensor | None, mask: Tensor | None) -> Tensor:
        if self.window is not None:
            local = _window_mask(x.shape[1], self.window, x.device).tril()
            mask = local if mask is None else mask & local
        x = x + self.attend_self(x, rotary, mask, causal=True)
        q = self.cross.query(self.cross_norm(x)).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        crossed = self.cross.out(attend(q, *self.keys_values(encoder_hidden)))
        x = x + F.dropout(crossed, self.dropout, self.training)
        return x + self.feed_forward(x)


def _window_mask(length: int, window: int, device: torch.device) -> Tensor:
    """(T, T) bool: true where query and key are at most `window` tokens apart."""
    at = torch.arange(length, device=device)
    return (at[:, None] - at[None, :]).abs() <= window


class _Stack(nn.Module):
    """Layers of one side with their rotary tables."""

    def __init__(self, settings: BackboneSettings, side: str):
        super().__init__()
        self.settings = settings
        heads = {"encoder": settings.encoder_heads, "decoder": settings.decoder_heads}[side]
        count = {"encoder": settings.encoder_layers, "decoder": settings.decoder_layers}[side]
        ffn = {"encoder": settings.encoder_ffn, "decoder": settings.decoder_ffn}[side]
        layer = {"encoder": EncoderLayer, "decoder": DecoderLayer}[side]
        self.layers = nn.ModuleList(layer(settings, heads, ffn, settings.window(i)) for i in range(count))
        self.layer_norm = _norm(settings)
        wanted = [settings.rotary(side, i) for i in range(count)]
        tables = {key: RotaryTable(key, settings.d_model // heads) for key in set(wanted) if key is not None}
        self.rotary_tables = [None if key is None else tables[key] for key in wanted]

    def rotaries(self, length: int, x: Tensor, positions: Tensor | None = None) -> list[Tensor | None]:
        """Per layer (2, B or 1, T, 1, 1, d) float32, of positions 0..length-1 or of `positions` (B, T)."""
        found: dict[int, Tensor] = {}
        for table in self.rotary_tables:
            if table is not None and id(table) not in found:
                rows = table.lookup(length, x.device, torch.float32)
                rows = rows[:, None, :length] if positions is None else rows[:, positions]
                found[id(table)] = rows[:, :, :, None, None]
        return [None if table is None else found[id(table)] for table in self.rotary_tables]


class Encoder(_Stack):
    def __init__(self, settings: BackboneSettings):
        super().__init__(settings, "encoder")
        d = settings.d_model
        self.conv1 = nn.Conv1d(settings.input_channels, d, kernel_size=3, padding=1)
        self.conv2 = nn.Conv1d(d, d, kernel_size=3, stride=2, padding=1)
        if not settings.family.rotary:
            self.embed_positions = nn.Embedding(settings.max_source_positions, d)
            self.embed_positions.weight.requires_grad_(False)

    def forward(self, features: Tensor) -> Tensor:
        """(B, channels, L) -> (B, S, D), S = (L - 1) // 2 + 1. Raises InputError for a wrong window length."""
        settings = self.settings
        if settings.family.fixed_length and features.shape[-1] != 2 * settings.max_source_positions:
            raise InputError(
                f"the window has {features.shape[-1]} spectrogram frames, but this model hears exactly "
                f"{2 * settings.max_source_positions}; pad or cut the audio window"
            )
        x = F.gelu(self.conv2(F.gelu(self.conv1(features)))).transpose(1, 2)
        if not settings.family.rotary:
            x = x + self.embed_positions.weight
        for layer, rotary in zip(self.layers, self.rotaries(x.shape[1], x), strict=True):
            x = layer(x, rotary)
        return self.layer_norm(x)


class Decoder(_Stack):
    def __init__(self, settings: BackboneSettings, own_embedding: bool):
        super().__init__(settings, "decoder")
        if own_embedding:
            self.embed_tokens = nn.Embedding(settings.vocab_size, settings.d_model)
        if not settings.family.rotary:
            self.embed_positions = nn.Embedding(settings.max_target_positions, settings.d_model)

    def forward(self, x: Tensor, encoder_hidden: Tensor, positions: Tensor | None, mask: Tensor | None) -> Tensor:
        """Embedded tokens (B, T, D) to hidden states. positions: (B, T) or None for 0..; mask: bool (B, 1, T, T)."""
        length = x.shape[1]
        if not self.settings.family.rotary:
            x = x + (self.embed_positions.weight[:length] if positions is None else self.embed_positions(positions))
        for layer, rotary in zip(self.layers, self.rotaries(length, x, positions), strict=True):
            x = layer(x, encoder_hidden, rotary, mask)
        return self.layer_norm(x)


class EncoderDecoder(nn.Module):
    def __init__(self, settings: BackboneSettings, own_embedding: bool):
        super().__init__()
        self.encoder = Encoder(settings)
        self.decoder = Decoder(settings, own_embedding)


class Backbone(nn.Module):
    """Encoder, decoder and the untied output matrix, named as in published files."""

    def __init__(self, settings: BackboneSettings, own_embedding: bool = False):
        super().__init__()
        self.model = EncoderDecoder(settings, own_embedding)
        self.proj_out = nn.Linear(settings.d_model, settings.vocab_size, bias=False)
        self._initialise(settings.init_std)

    @torch.no_grad()
    def _initialise(self, std: float) -> None:
        """Matrices N(0, std), biases 0; the frozen encoder positions are sinusoids."""
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Conv1d, nn.Embedding)):
                module.weight.normal_(std=std)
            if isinstance(module, (nn.Linear, nn.Conv1d)) and module.bias is not None:
                module.bias.zero_()
        positions = getattr(self.model.encoder, "embed_positions", None)
        if positions is not None:
            positions.weight.copy_(sinusoids(*positions.weight.shape))


def sinusoids(length: int, channels: int) -> Tensor:
    """(length, channels): sines then cosines over geometrically spaced rates from 1 to 1/10000."""
    rates = torch.exp(-math.log(10000) / (channels // 2 - 1) * torch.arange(channels // 2))
    angles = torch.arange(length).unsqueeze(1) * rates
    return torch.cat((angles.sin(), angles.cos()), 1)


def causal_mask(attention_mask: Tensor) -> Tensor:
    """(B, T) true = real token -> (B, 1, T, T) true = see.

    Every token sees itself, pads too: a row that sees nothing would be NaN and spoil the rows that mask it.
    """
    length = attention_mask.shape[1]
    ones = torch.ones(length, length, dtype=torch.bool, device=attention_mask.device)
    return (ones.tril() & attention_mask.bool()[:, None, None, :]) | ones.triu().tril()
