"""Incremental decoding: the mathematics of `backbone.Decoder`, one token at a time with a key/value cache.

Everything that a step reads or writes has a fixed shape and lives on the device: positions, the column to write and an
attention bias are tensors, keys and values are written with `index_copy_`. So a step of given (rows, capacity) is one
graph: `torch.compile` traces it once, and a CUDA graph can replay it. Prompts go through `prefill`, which runs eagerly.
The weights are gathered once into plain tuples, with q, k and v as one product. `tests/model` holds both forms of the
decoder to equal numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from osuT5.errors import InputError
from osuT5.model.backbone import LAYER_NORM_EPS, RMS_EPS, Decoder
from osuT5.model.rotary import RotaryTable

# Capacities of a cache in columns. A CPU pays for every column it attends over, so its steps are small; each capacity
# is a graph of its own on CUDA, so there they double.
CPU_COLUMNS = 64
CUDA_COLUMNS = 256
PACK_ROWS = 2  # oneDNN's packed products win from here on; one row is a matrix-vector product


class KVCache:
    """Keys and values of `rows` decoder rows; made by `Mapperatorinator.new_cache`.

    Rows are left-padded, so all of them write the same column. A cache outlives its window: `set_encoder` (or `reset`)
    starts the next one in the same memory.

    Attributes:
        length: columns written so far, pads included.
        capacity: columns that fit; grows in steps up to `max_length`.
        keys: per layer (R * H, d, capacity), rotated; in this layout the scores of one query are fastest.
        values: per layer (R * H, capacity, d).
        cross_keys, cross_values: per layer (E * H, S, d) with E = 1 (all rows attend to one window) or E = R.
        column: (1,) the next column, on the device. positions: (R,) tokens without pads so far, on the device.
        bias: (R, 1, 1, capacity) added to attention scores: 0 where a row may look, hugely negative elsewhere.
    """

    def __init__(self, decoder: CachedDecoder, rows: int, max_length: int):
        self.decoder = decoder
        self.rows = rows
        self.max_length = max_length
        self.length = 0
        self.capacity = 0
        self.keys: list[Tensor] = []
        self.values: list[Tensor] = []
        self.cross_keys: list[Tensor] = []
        self.cross_values: list[Tensor] = []
        device = decoder.device
        self.column = self._in_place(torch.zeros(1, dtype=torch.long, device=device))
        self.positions = self._in_place(torch.zeros(rows, dtype=torch.long, device=device))
        self.bias = torch.empty(rows, 1, 1, 0, dtype=decoder.compute_dtype, device=device)
        self.lowest = torch.finfo(decoder.compute_dtype).min

    @torch.inference_mode()
    def set_encoder(self, encoder_hidden: Tensor) -> None:
        """Starts a window: computes cross-attention keys and values and forgets all tokens.

        Args:
            encoder_hidden: (E, S, D), where E divides the rows: 1 (shared by all rows), R, or, for guidance on B
                rows, B (row B + i takes that of row i).
        """
        if encoder_hidden.dim() != 3 or self.rows % encoder_hidden.shape[0]:
            raise InputError(
                f"encoder output of shape {tuple(encoder_hidden.shape)} does not fit a cache of {self.rows} rows: "
                "its first size must divide the rows"
            )
        pairs = self.decoder.cross_keys_values(encoder_hidden)
        copies = 1 if encoder_hidden.shape[0] == 1 else self.rows // encoder_hidden.shape[0]
        pairs = [(k.repeat(copies, 1, 1), v.repeat(copies, 1, 1)) for k, v in pairs] if copies > 1 else pairs
        keys, values = [list(side) for side in zip(*pairs, strict=True)]
        if self.cross_keys and self.cross_keys[0].shape == keys[0].shape:  # into place: graphs keep their addresses
            for old, new in zip(self.cross_keys + self.cross_values, keys + values, strict=True):
                old.copy_(new)
        else:
            keys, values = [[self._in_place(t.contiguous()) for t in side] for side in (keys, values)]
            self.cross_keys, self.cross_values = keys, values
        self.reset()

    @torch.inference_mode()
    def reset(self) -> None:
        """Forgets all tokens; keeps the memory and the encoder's keys and values."""
        for keys, values in zip(self.keys, self.values, strict=True):  # 0 times NaN would outlive its window
            keys[..., : self.length] = 0
            values[:, : self.length] = 0
        self.length = 0
        self.column.zero_()
        self.positions.zero_()
        self.bias.fill_(self.lowest)

    @torch.inference_mode()
    def reserve(self, length: int) -> None:
        """Grows to hold `length` columns. Raises InputError beyond `max_length`."""
        if length <= self.capacity:
            return
        if length > self.max_length:
            raise InputError(f"{length} tokens do not fit a cache of {self.max_length}; make it longer")
        capacity = min(columns_for(length, self.bias.device), self.max_length)
        old_keys, old_values, old = self.keys, self.values, self.capacity
        # zeros, not garbage: a column that nobody may see still takes part in the product, with weight 0
        decoder, layers = self.decoder, range(self.decoder.layer_count)
        heads, d = self.rows * decoder.heads, decoder.head_dim
        zeros = partial(torch.zeros, dtype=decoder.compute_dtype, device=decoder.device)
        self.keys = [self._in_place(zeros(heads, d, capacity)) for _ in layers]
        self.values = [self._in_place(zeros(heads, capacity, d)) for _ in layers]
        for layer in layers if old else ():
            self.keys[layer][..., :old] = old_keys[layer]
            self.values[layer][:, :old] = old_values[layer]
        bias = torch.full((self.rows, 1, 1, capacity), self.lowest, dtype=self.bias.dtype, device=self.bias.device)
        bias[..., :old] = self.bias
        self.bias, self.capacity = self._in_place(bias), capacity

    @torch.inference_mode()
    def copy_rows(self, source: KVCache, index: Tensor) -> None:
        """Row i continues what row `index[i]` of `source` was; `source` may be this cache itself (beams).

        Args:
            index: (R,) long.
        """
        self.reserve(source.capacity)
        used = source.length
        heads = self.decoder.heads
        lines = (index[:, None] * heads + torch.arange(heads, device=index.device)).flatten()  # of (R * H, …)
        for layer in range(self.decoder.layer_count):
            self.keys[layer][..., :used] = source.keys[layer][..., :used].index_select(0, lines)
            self.values[layer][:, :used] = source.values[layer][:, :used].index_select(0, lines)
        bias = source.bias[..., :used].index_select(0, index)
        self.bias.fill_(self.lowest)
        self.bias[..., :used] = bias
        self.positions.copy_(source.positions.index_select(0, index))
        self.column.copy_(source.column)
        self.length = used
        shared = source.cross_keys[0].shape[0] == heads
        if self is source and shared:
            return
        cross = source.cross_keys + source.cross_values
        taken = cross if shared else [t.index_select(0, lines) for t in cross]
        if self.cross_keys and self.cross_keys[0].shape == taken[0].shape:
            for old, new in zip(self.cross_keys + self.cross_values, taken, strict=True):
                old.copy_(new)
        else:
            taken = [self._in_place(t.clone()) for t in taken]
            self.cross_keys, self.cross_values = (
                taken[: self.decoder.layer_count],
                taken[self.decoder.layer_count :],
            )

    def _in_place(self, tensor: Tensor) -> Tensor:
        """The tensor, marked for CUDA graphs as one that keeps its address: they may write to no other."""
        if self.decoder.is_compiled and tensor.is_cuda:
            torch._dynamo.mark_static_address(tensor)
        return tensor


def columns_for(length: int, device: torch.device) -> int:
    """Capacity of a cache that holds `length` columns."""
    if device.type == "cpu":
        return -(-length // CPU_COLUMNS) * CPU_COLUMNS
    capacity = CUDA_COLUMNS
    while capacity < length:
        capacity *= 2
    return capacity


class _Affine(NamedTuple):
    """A linear layer (weight transposed: in x out) or a norm (weight as its function wants it)."""

    weight: Tensor
    bias: Tensor | None
    packed: Tensor | None = None  # the weight as oneDNN wants it


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
    rotary: int | None  # number of the rotary table
    window: int | None


def _linear(x: Tensor, w: _Affine) -> Tensor:
    """(N, in) -> (N, out)."""
    return torch.mm(x, w.weight) if w.bias is None else torch.addmm(w.bias, x, w.weight)


def _packed_linear(x: Tensor, w: _Affine) -> Tensor:
    """The same through oneDNN with a prepacked weight: about twice as fast as MKL for 4 to 32 rows of float32."""
    return torch.ops.mkldnn._linear_pointwise(x, w.packed, w.bias, "none", [], "")


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


class CachedDecoder:
    """Gathered decoder weights with `prefill` and `step`. Made anew after training or a change of device or dtype."""

    def __init__(self, decoder: Decoder, embedding: nn.Embedding, proj_out: nn.Linear, autocast: torch.dtype | None):
        settings = decoder.settings
        self.decoder = decoder
        self.embedding = embedding.weight.detach()
        self.device = self.embedding.device
        self.autocast = autocast
        self.compute_dtype = autocast or self.embedding.dtype
        self.norm, gather_norm = _norms(settings.family.norm, self.device)
        self.final_norm = gather_norm(decoder.layer_norm)
        self.position_table = None if settings.family.rotary else decoder.embed_positions.weight.detach()
        self.heads = settings.decoder_heads
        self.head_dim = settings.d_model // settings.decoder_heads
        self.scale = self.head_dim**-0.5
        self.no_bias = torch.zeros(1, 1, 1, dtype=self.compute_dtype, device=self.device)
        self.layer_count = settings.decoder_layers
        self.max_positions = settings.max_target_positions
        tables: list[RotaryTable] = []
        self.layers: list[_LayerWeights] = []
        for layer, table in zip(decoder.layers, decoder.rotary_tables, strict=True):
            if table is not None and table not in tables:
                tables.append(table)
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
                    None if table is None else tables.index(table),
                    layer.window,
                )
            )
        self.proj_out = _gather_linear(proj_out)
        self.rotary = [t.lookup(self.max_positions, self.device, self.compute_dtype) for t in tables]
        self._packed: tuple[list[_LayerWeights], _Affine] | None = None
        self._run: Callable[..., Tensor] = self._step
        self.is_compiled = False

    def compile(self, **options: Any) -> None:
        """Has `torch.compile` trace the step, once for every (rows, capacity, one window or a window for each row).

        Args:
            options: of `torch.compile`, e.g. `mode="reduce-overhead"` for CUDA graphs or `backend="eager"`.

        Caches made before are not part of it.
        """
        self._run = torch.compile(self._step, fullgraph=True, dynamic=False, **options)
        self.is_compiled = True

    def cross_keys_values(self, encoder_hidden: Tensor) -> list[tuple[Tensor, Tensor]]:
        """(E, S, D) -> per layer keys and values (E * H, S, d)."""
        with torch.autocast(encoder_hidden.device.type, self.autocast, enabled=self.autocast is not None):
            pairs = [layer.keys_values(encoder_hidden) for layer in self.decoder.layers]
        return [(k.flatten(0, 1), v.flatten(0, 1)) for k, v in pairs]

    def step(self, ids: Tensor, cache: KVCache) -> Tensor:
        """One token for every row, (R,) -> logits (R, V_out) float32; advances the cache by a column."""
        cache.reserve(cache.length + 1)
        layers, proj_out = self._weights(cache.rows)
        state = (cache.column, cache.positions, cache.bias)
        memory = (cache.keys, cache.values, cache.cross_keys, cache.cross_values)
        if self.is_compiled and self.device.type == "cuda":
            torch.compiler.cudagraph_mark_step_begin()
        with torch.autocast(ids.device.type, self.autocast, enabled=self.autocast is not None):
            logits = self._run(ids, *state, *memory, layers, proj_out)
        cache.length += 1
        return logits

    def prefill(self, ids: Tensor, cache: KVCache, key_mask: Tensor | None = None, logits_all: bool = False) -> Tensor:
        """A chunk of tokens for every row; see `Mapperatorinator.step`."""
        with torch.autocast(ids.device.type, self.autocast, enabled=self.autocast is not None):
            return self._prefill(ids, cache, key_mask, logits_all)

    # ---- one token, fixed shapes

    def _step(
        self,
        ids: Tensor,
        column: Tensor,
        positions: Tensor,
        bias: Tensor,
        keys: Sequence[Tensor],
        values: Sequence[Tensor],
        cross_keys: Sequence[Tensor],
        cross_values: Sequence[Tensor],
        layers: Sequence[_LayerWeights],
        proj_out: _Affine,
    ) -> Tensor:
        rows, heads, d = ids.shape[0], self.heads, self.head_dim
        norm = self.norm
        linear = _linear if proj_out.packed is None else _packed_linear
        at = positions.clamp_max(self.max_positions - 1)  # of rows that have ended and are only carried along
        x = F.embedding(ids, self.embedding)
        if self.position_table is not None:
            x = x + self.position_table.index_select(0, at)
        rotary = [table.index_select(1, at).unflatten(1, (-1, 1, 1)).unbind(0) for table in self.rotary]
        bias.index_fill_(3, column, 0.0)
        seen: dict[int | None, Tensor] = {}
        for w, k, v, cross_k, cross_v in zip(layers, keys, values, cross_keys, cross_values, strict=True):
            qkv = linear(norm(x, w.self_norm), w.qkv).view(rows, 3, heads, d)
            if w.rotary is not None:
                cos, sin = rotary[w.rotary]
                qk = qkv[:, :2]
                rolled = qk.roll(d // 2, -1)
                qk.mul_(cos).addcmul_(rolled, sin)
            q, new_k, new_v = qkv.transpose(0, 1).reshape(3, rows * heads, 1, d).unbind(0)
            k.index_copy_(2, column, new_k.transpose(1, 2))
            v.index_copy_(1, column, new_v)
            if w.window not in seen:
                seen[w.window] = _score_bias(bias, column, w.window, heads)
            attended = _attend_one(q, k, v, seen[w.window], self.scale)
            x = x + linear(attended.view(rows, heads * d), w.self_out)
            q = linear(norm(x, w.cross_norm), w.query)
            if cross_k.shape[0] > heads or rows == 1:  # a window of its own for each row
                q = q.view(rows * heads, 1, d)
                attended = _attend_one(q, cross_k.transpose(1, 2), cross_v, self.no_bias, self.scale)
            else:  # the rows are queries of one product
                q = q.view(rows, heads, d).transpose(0, 1)
                attended = _attend_one(q, cross_k.transpose(1, 2), cross_v, self.no_bias, self.scale)
                attended = attended.transpose(0, 1).reshape(rows, heads * d)
            x = x + linear(attended.view(rows, heads * d), w.cross_out)
            x = x + linear(F.gelu(linear(norm(x, w.ffn_norm), w.fc1)), w.fc2)
        column += 1
        positions += 1
        return linear(norm(x, self.final_norm), proj_out).float()

    # ---- prompts, any shape

    def _prefill(self, ids: Tensor, cache: KVCache, key_mask: Tensor | None, logits_all: bool) -> Tensor:
        rows, tokens = ids.shape
        heads, d = self.heads, self.head_dim
        start, end = cache.length, cache.length + tokens
        cache.reserve(end)
        if key_mask is None:
            real = torch.ones(rows, tokens, dtype=torch.bool, device=ids.device)
        else:
            real = key_mask.to(ids.device).bool()
        positions = (cache.positions[:, None] + real.cumsum(1) - 1).clamp_min_(0)  # (R, T)
        cache.bias[:, 0, 0, start:end] = torch.where(real, 0.0, cache.lowest)
        x = F.embedding(ids, self.embedding)
        if self.position_table is not None:
            x = x + self.position_table[positions]
        x = x.view(rows * tokens, heads * d)
        rotary = [table[:, positions][:, :, :, None, None].unbind(0) for table in self.rotary]
        padded = start > 0 or key_mask is not None
        masks = {}
        for window in {w.window for w in self.layers}:
            masks[window] = _causal_bias(cache.bias, start, end, window) if padded or window is not None else None
        for w, k, v, cross_k, cross_v in zip(
            self.layers, cache.keys, cache.values, cache.cross_keys, cache.cross_values, strict=True
        ):
            qkv = _linear(self.norm(x, w.self_norm), w.qkv).view(rows, tokens, 3, heads, d)
            if w.rotary is not None:
                cos, sin = rotary[w.rotary]
                qk = qkv[:, :, :2]
                rolled = qk.roll(d // 2, -1)
                qk.mul_(cos).addcmul_(rolled, sin)
            q, new_k, new_v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
            k, v = k.view(rows, heads, d, -1), v.view(rows, heads, -1, d)
            k[..., start:end] = new_k.transpose(2, 3)
            v[:, :, start:end] = new_v
            mask = masks[w.window]
            attended = F.scaled_dot_product_attention(
                q, k[..., :end].transpose(2, 3), v[:, :, :end], attn_mask=mask, is_causal=mask is None
            )
            x = x + _linear(attended.transpose(1, 2).reshape(rows * tokens, heads * d), w.self_out)
            q = _linear(self.norm(x, w.cross_norm), w.query).view(rows, tokens, heads, d).transpose(1, 2)
            attended = _cross_attention(q, cross_k, cross_v)
            x = x + _linear(attended.reshape(rows * tokens, heads * d), w.cross_out)
            x = x + _linear(F.gelu(_linear(self.norm(x, w.ffn_norm), w.fc1)), w.fc2)
        cache.length = end
        cache.column += tokens
        cache.positions += real.sum(1)
        if not logits_all and tokens > 1:
            x = x.view(rows, tokens, -1)[:, -1]
        logits = _linear(self.norm(x, self.final_norm), self.proj_out).float()
        return logits.view(rows, tokens, -1) if logits_all else logits

    def _weights(self, rows: int) -> tuple[list[_LayerWeights], _Affine]:
        """The weights in the form that steps of so many rows want; packed ones are made when first needed."""
        if rows < PACK_ROWS or self.compute_dtype != torch.float32 or self.device.type != "cpu":
            return self.layers, self.proj_out
        if self._packed is None:
            self._packed = self._pack(rows)
        return self._packed

    @torch.inference_mode()
    def _pack(self, rows: int) -> tuple[list[_LayerWeights], _Affine]:
        """Copies of the weights in oneDNN's layout, or the plain ones where this build of torch has no such product."""

        def pack(w: _Affine) -> _Affine:
            return w._replace(packed=torch.ops.mkldnn._reorder_linear_weight(w.weight.t(), rows))

        try:
            proj_out = pack(self.proj_out)
            x = self.embedding[:rows]
            torch.testing.assert_close(_packed_linear(x, proj_out), _linear(x, proj_out), atol=1e-4, rtol=1e-4)
            names = ("qkv", "self_out", "query", "cross_out", "fc1", "fc2")
            return [w._replace(**{n: pack(getattr(w, n)) for n in names}) for w in self.layers], proj_out
        except (AttributeError, RuntimeError, AssertionError):
            return self.layers, self.proj_out


def _gather_linear(module: nn.Linear) -> _Affine:
    return _Affine(module.weight.detach().t(), None if module.bias is None else module.bias.detach())


def _cross_attention(q: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """(R, H, T, d) over (E * H, S, d) -> (R, T, H, d); rows of one window are queries of one product."""
    rows, heads, tokens, d = q.shape
    if keys.shape[0] == rows * heads:
        out = F.scaled_dot_product_attention(q, keys.view(rows, heads, -1, d), values.view(rows, heads, -1, d))
        return out.transpose(1, 2)
    q = q.transpose(0, 1).reshape(1, heads, rows * tokens, d)
    return F.scaled_dot_product_attention(q, keys[None], values[None]).view(heads, rows, tokens, d).permute(1, 2, 0, 3)


def _attend_one(q: Tensor, keys: Tensor, values: Tensor, bias: Tensor, scale: float) -> Tensor:
    """Attention of few queries: (N, Q, d) over (N, d, S) and (N, S, d) -> (N, Q, d); `bias` broadcasts to (N, Q, S).

    Two batched products: on a CPU faster than the fused kernel, which is made for many queries and, for a single one,
    splits its sums by the number of threads.
    """
    scores = torch.baddbmm(bias, q, keys, alpha=scale)
    return torch.bmm(scores.softmax(-1, dtype=torch.float32).to(values.dtype), values)


def _score_bias(bias: Tensor, column: Tensor, window: int | None, heads: int) -> Tensor:
    """(R, 1, 1, C) -> (R * H, 1, C); a local layer sees only `window` columns back from the one just written."""
    if window is not None:
        columns = torch.arange(bias.shape[3], device=bias.device)
        bias = bias.masked_fill(columns < column - window, torch.finfo(bias.dtype).min)
    return bias.expand(-1, heads, -1, -1).reshape(bias.shape[0] * heads, 1, -1)


def _causal_bias(bias: Tensor, start: int, end: int, window: int | None) -> Tensor:
    """(R, 1, end - start, end): what the columns start..end-1 may see of the columns 0..end-1."""
    key = torch.arange(end, device=bias.device)
    back = key[start:, None] - key
    hidden = back < 0 if window is None else (back < 0) | (back > window)
    return bias[..., :end].expand(-1, -1, end - start, -1).masked_fill(hidden, torch.finfo(bias.dtype).min)
