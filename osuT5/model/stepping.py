"""Stepping the decoder with a cache: the same mathematics as `backbone.Decoder`, arranged for one token at a time.

A single-token step is bound by reading the weights and by Python; so the weights are gathered once into plain
tuples, q, k and v are one product, rotation and cache writes are in place, attention runs over the used part of the
cache, and nothing is allocated for masks unless rows are padded. `tests/model` holds both forms to equal numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from osuT5.model.backbone import LAYER_NORM_EPS, RMS_EPS, Decoder
from osuT5.model.cache import StaticCache
from osuT5.model.rotary import RotaryTable

NARROW_ROWS = range(2, 9)  # measured; one row is a matrix-vector product either way


class _Affine(NamedTuple):
    """A linear layer (weight transposed: in x out) or a norm (weight as its function wants it)."""

    weight: Tensor
    bias: Tensor | None


class _LayerWeights(NamedTuple):
    self_norm: _Affine
    qkv: _Affine
    self_out: _Affine
    cross_norm: _Affine
    query: _Affine
    cross_out: _Affine
    ffn_norm: _Affine
    fc1: _Affine
    fc2: _Affine
    rotary: RotaryTable | None
    window: int | None


def _linear(x: Tensor, w: _Affine) -> Tensor:
    """(N, in) -> (N, out)."""
    return torch.mm(x, w.weight) if w.bias is None else torch.addmm(w.bias, x, w.weight)


def _narrow_linear(x: Tensor, w: _Affine) -> Tensor:
    """The same for a few rows on a CPU, where weights times column vectors is the faster product (up to twice)."""
    weight, columns = w.weight.t(), x.t()
    out = torch.mm(weight, columns) if w.bias is None else torch.addmm(w.bias.unsqueeze(1), weight, columns)
    return out.t().contiguous()


def _gather_linear(module: nn.Linear) -> _Affine:
    return _Affine(module.weight.detach().t(), None if module.bias is None else module.bias.detach())


def _layer_norm(x: Tensor, w: _Affine) -> Tensor:
    return torch.layer_norm(x, w.weight.shape, w.weight, w.bias, LAYER_NORM_EPS)


def _rms_norm(x: Tensor, w: _Affine) -> Tensor:
    return torch.rms_norm(x, w.weight.shape, w.weight, RMS_EPS)


def _paired_rms_norm(x: Tensor, w: _Affine) -> Tensor:
    """RMS norm as the layer norm of (x, -x), whose mean is 0 and whose variance is the mean square of x.

    On a CPU torch composes RMS norm of a dozen small operations, but has one kernel for layer norm.
    """
    return torch.layer_norm(torch.cat((x, -x), 1), w.weight.shape, w.weight, None, RMS_EPS)[:, : x.shape[1]]


def _norms(kind: str, device: torch.device) -> tuple[Callable, Callable]:
    """The norm function and how it wants the weights of a norm module."""
    if kind == "layer":
        return _layer_norm, lambda module: _Affine(module.weight.detach(), module.bias.detach())
    if device.type == "cpu":
        return _paired_rms_norm, lambda module: _Affine(module.weight.detach().repeat(2), None)
    return _rms_norm, lambda module: _Affine(module.weight.detach(), None)


class Stepper:
    """Gathered decoder weights and the step function. Made anew after training or a change of device or dtype."""

    def __init__(self, decoder: Decoder, embedding: nn.Embedding, proj_out: nn.Linear, autocast: torch.dtype | None):
        settings = decoder.settings
        self.decoder = decoder
        self.embedding = embedding.weight.detach()
        self.proj_out = _gather_linear(proj_out)
        self.autocast = autocast
        self.compute_dtype = autocast or self.embedding.dtype
        self.norm, gather_norm = _norms(settings.family.norm, self.embedding.device)
        self.final_norm = gather_norm(decoder.layer_norm)
        self.positions = None if settings.family.rotary else decoder.embed_positions.weight.detach()
        self.heads = settings.decoder_heads
        self.head_dim = settings.d_model // settings.decoder_heads
        self.layer_count = settings.decoder_layers
        self.tables = {id(t): t for t in decoder.rotary_tables if t is not None}
        self.layers = []
        for layer, table in zip(decoder.layers, decoder.rotary_tables, strict=True):
            weight, bias, out = layer.self_attn.fused()
            query, cross_out = layer.cross.layers()
            self.layers.append(
                _LayerWeights(
                    gather_norm(layer.self_attn_layer_norm),
                    _Affine(weight.detach().t(), None if bias is None else bias.detach()),
                    _gather_linear(out),
                    gather_norm(layer.cross_norm),
                    _gather_linear(query),
                    _gather_linear(cross_out),
                    gather_norm(layer.final_layer_norm),
                    _gather_linear(layer.fc1),
                    _gather_linear(layer.fc2),
                    table,
                    layer.window,
                )
            )

    def new_buffer(self, rows: int, capacity: int) -> Tensor:
        """(2, R, H, capacity, d): keys, values."""
        return torch.empty(
            2, rows, self.heads, capacity, self.head_dim, dtype=self.compute_dtype, device=self.embedding.device
        )

    def cross_keys_values(self, encoder_hidden: Tensor) -> list[tuple[Tensor, Tensor]]:
        """(E, S, D) -> per layer keys and values (E, H, S, d)."""
        with torch.autocast(encoder_hidden.device.type, self.autocast, enabled=self.autocast is not None):
            pairs = [layer.keys_values(encoder_hidden) for layer in self.decoder.layers]
        return [(k.contiguous(), v.contiguous()) for k, v in pairs]

    def linear_for(self, rows: int) -> Callable[[Tensor, _Affine], Tensor]:
        narrow = rows in NARROW_ROWS and self.embedding.device.type == "cpu" and self.compute_dtype == torch.float32
        return _narrow_linear if narrow else _linear

    def step(self, ids: Tensor, cache: StaticCache, key_mask: Tensor | None, logits_all: bool) -> Tensor:
        """See `Mapperatorinator.step`."""
        if self.autocast is None:
            return self._step(ids, cache, key_mask, logits_all)
        with torch.autocast(ids.device.type, self.autocast):
            return self._step(ids, cache, key_mask, logits_all)

    def _step(self, ids: Tensor, cache: StaticCache, key_mask: Tensor | None, logits_all: bool) -> Tensor:
        rows, tokens = ids.shape
        heads, d = self.heads, self.head_dim
        start = cache.length
        positions = cache.advance(tokens, key_mask)
        end = cache.length
        norm, linear = self.norm, self.linear_for(rows * tokens)
        x = F.embedding(ids, self.embedding).view(rows * tokens, heads * d)
        if self.positions is not None:
            at = self.positions[start:end] if positions is None else self.positions[positions]
            x = (x.view(rows, tokens, -1) + at).view(rows * tokens, -1)
        rotary = self._rotary(start, end, positions)
        causal = tokens > 1 and start == 0 and cache.pad_bias is None
        mask = None if causal else cache.mask(tokens)
        encoder_rows = cache.cross[0][0].shape[0]
        copies = rows // encoder_rows
        for w, buffer, (cross_keys, cross_values) in zip(self.layers, cache.buffers, cache.cross, strict=True):
            qkv = linear(norm(x, w.self_norm), w.qkv).view(rows, tokens, 3, heads, d)
            if w.rotary is not None:
                cos, sin = rotary[id(w.rotary)]
                qk = qkv[:, :, :2]
                rolled = qk.roll(d // 2, -1)
                qk.mul_(cos).addcmul_(rolled, sin)
            qkv = qkv.permute(2, 0, 3, 1, 4)
            buffer.narrow(3, start, tokens).copy_(qkv[1:])
            keys, values = buffer.narrow(3, 0, end).unbind(0)
            local = w.window is not None
            attended = F.scaled_dot_product_attention(
                qkv[0],
                keys,
                values,
                cache.mask(tokens, w.window) if local else mask,
                is_causal=causal and not local,
            )
            x = x + linear(attended.transpose(1, 2).reshape(rows * tokens, heads * d), w.self_out)
            q = linear(norm(x, w.cross_norm), w.query)
            if copies == 1:
                q = q.view(rows, tokens, heads, d).transpose(1, 2)
                attended = F.scaled_dot_product_attention(q, cross_keys, cross_values).transpose(1, 2)
            else:  # rows that hear the same window are queries of one product
                q = q.view(copies, encoder_rows, tokens, heads, d).permute(1, 3, 0, 2, 4)
                q = q.reshape(encoder_rows, heads, copies * tokens, d)
                attended = F.scaled_dot_product_attention(q, cross_keys, cross_values)
                attended = attended.view(encoder_rows, heads, copies, tokens, d).permute(2, 0, 3, 1, 4)
            x = x + linear(attended.reshape(rows * tokens, heads * d), w.cross_out)
            x = x + linear(F.gelu(linear(norm(x, w.ffn_norm), w.fc1)), w.fc2)
        if not logits_all and tokens > 1:
            x = x.view(rows, tokens, -1)[:, -1]
        logits = linear(norm(x, self.final_norm), self.proj_out).float()
        return logits.view(rows, tokens, -1) if logits_all else logits

    def _rotary(self, start: int, end: int, positions: Tensor | None) -> dict[int, tuple[Tensor, Tensor]]:
        """Per table: cos and signed sin, (R or 1, T, 1, 1, d), of the new columns."""
        found = {}
        for key, table in self.tables.items():
            rows = table.lookup(end, self.embedding.device, self.compute_dtype)
            rows = rows[:, None, start:end] if positions is None else rows[:, positions]
            cos, sin = rows[:, :, :, None, None].unbind(0)
            found[key] = cos, sin
        return found
