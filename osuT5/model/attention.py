"""Attention: the projections of each family under their published names, and one exact kernel for all of them.

Facts: heads are contiguous blocks of d = D / H; the softmax scale is d^-1/2; Wqkv rows are all q, all k, all v; the
split families have no bias on k. Whatever `attn_implementation` a user asks for, the numbers are those of exact
attention; torch picks the kernel.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, causal: bool = False) -> Tensor:
    """Softmax attention, (B, H, T, d) x (B, H, S, d) -> (B, T, H * d). `mask` is bool (true = see) or additive."""
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal)
    return out.transpose(1, 2).flatten(2)


class FusedSelfAttention(nn.Module):
    """Var Whisper: one matrix for q, k and v."""

    def __init__(self, d_model: int, bias: bool):
        super().__init__()
        self.Wqkv = nn.Linear(d_model, 3 * d_model, bias=bias)
        self.Wo = nn.Linear(d_model, d_model, bias=bias)

    def qkv(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, 3D)."""
        return self.Wqkv(x)

    def out(self, x: Tensor) -> Tensor:
        return self.Wo(x)

    def fused(self) -> tuple[Tensor, Tensor | None, nn.Linear]:
        """Weight and bias of q, k, v together, and the output layer: what the decoder steps with."""
        return self.Wqkv.weight, self.Wqkv.bias, self.Wo


class FusedCrossAttention(nn.Module):
    """Var Whisper: queries from the decoder, one matrix for keys and values from the encoder."""

    def __init__(self, d_model: int, bias: bool):
        super().__init__()
        self.Wq = nn.Linear(d_model, d_model, bias=bias)
        self.Wkv = nn.Linear(d_model, 2 * d_model, bias=bias)
        self.Wo = nn.Linear(d_model, d_model, bias=bias)

    def query(self, x: Tensor) -> Tensor:
        return self.Wq(x)

    def key_value(self, encoder_hidden: Tensor) -> Tensor:
        """(B, S, D) -> (B, S, 2D)."""
        return self.Wkv(encoder_hidden)

    def out(self, x: Tensor) -> Tensor:
        return self.Wo(x)

    def layers(self) -> tuple[nn.Linear, nn.Linear]:
        """Query and output layer."""
        return self.Wq, self.Wo


class SplitAttention(nn.Module):
    """Whisper and RoPE Whisper: four matrices, k without bias. Serves self- and cross-attention."""

    def __init__(self, d_model: int, bias: bool = True):
        super().__init__()
        self.k_proj = nn.Linear(d_model, d_model, bias=False)
        self.v_proj = nn.Linear(d_model, d_model, bias=bias)
        self.q_proj = nn.Linear(d_model, d_model, bias=bias)
        self.out_proj = nn.Linear(d_model, d_model, bias=bias)

    def qkv(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, 3D)."""
        return torch.cat((self.q_proj(x), self.k_proj(x), self.v_proj(x)), -1)

    def query(self, x: Tensor) -> Tensor:
        return self.q_proj(x)

    def key_value(self, encoder_hidden: Tensor) -> Tensor:
        """(B, S, D) -> (B, S, 2D)."""
        return torch.cat((self.k_proj(encoder_hidden), self.v_proj(encoder_hidden)), -1)

    def out(self, x: Tensor) -> Tensor:
        return self.out_proj(x)

    def fused(self) -> tuple[Tensor, Tensor, nn.Linear]:
        """Weight and bias of q, k, v together, and the output layer.

        The three weights become views of the one matrix, so nothing is held twice and later changes in place,
        such as an optimiser's, reach both.
        """
        layers = (self.q_proj, self.k_proj, self.v_proj)
        with torch.inference_mode(False), torch.no_grad():
            weight = torch.cat([layer.weight for layer in layers])
            zeros = torch.zeros_like(self.q_proj.bias)
            bias = torch.cat((self.q_proj.bias, zeros, self.v_proj.bias))
            size = len(zeros)
            for i, layer in enumerate(layers):
                layer.weight.data = weight[i * size : (i + 1) * size]
                if layer.bias is not None:
                    layer.bias.data = bias[i * size : (i + 1) * size]
        return weight, bias, self.out_proj

    def layers(self) -> tuple[nn.Linear, nn.Linear]:
        """Query and output layer."""
        return self.q_proj, self.out_proj
