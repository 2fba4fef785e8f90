"""Conditioning vectors on the encoder input: star rating, mapper, position of the window in the song.

Facts: the published v30 and v31 models. Each vector has `cond_dim` channels and is repeated over all frames. The
inputs are a few numbers per row, so this part always runs in float32.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

DEFAULT_DIFFICULTY = 5.0
DEFAULT_MAPPER = -1
DROPOUT = 0.1


class _RadialBasis(nn.Module):
    """Learnable Gaussian bumps on [0, 1]."""

    def __init__(self, size: int):
        super().__init__()
        self.basis_centers = nn.Parameter(torch.linspace(0, 1, size))
        self.basis_widths = nn.Parameter(torch.full((size,), 0.1))

    def expand(self, values: Tensor) -> Tensor:
        """(B,) to (B, size)."""
        distance = values.float().unsqueeze(-1) - self.basis_centers
        return torch.exp(-distance.square() / (2 * self.basis_widths.square()))


def _projection(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    layers = nn.Sequential(
        nn.Linear(inputs, hidden),
        nn.LayerNorm(hidden),
        nn.ReLU(),
        nn.Dropout(DROPOUT),
        nn.Linear(hidden, outputs),
        nn.LayerNorm(outputs),
    )
    for layer in (layers[0], layers[4]):
        nn.init.xavier_uniform_(layer.weight, gain=0.1)
        nn.init.zeros_(layer.bias)
    return layers


class DifficultyEmbedder(_RadialBasis):
    def __init__(self, cond_dim: int):
        super().__init__(8)
        self.difficulty_proj = _projection(8, cond_dim, cond_dim)

    def forward(self, difficulty: Tensor) -> Tensor:
        """(B,) star ratings to (B, cond_dim)."""
        return self.difficulty_proj(self.expand(difficulty.float() / 10))


class MapperEmbedder(nn.Module):
    """Row `num_mappers` stands for "any mapper"; rows of mappers who asked to be removed are zero."""

    def __init__(self, num_mappers: int, cond_dim: int):
        super().__init__()
        self.num_mappers = num_mappers
        self.embedding = nn.Embedding(num_mappers + 1, cond_dim)
        nn.init.normal_(self.embedding.weight, std=0.02)
        self.dropout = nn.Dropout(DROPOUT)
        self.layer_norm = nn.LayerNorm(cond_dim)

    def forward(self, mapper_idx: Tensor) -> Tensor:
        """(B,) indices, -1 = any, too large ones are clamped; to (B, cond_dim)."""
        rows = torch.where(mapper_idx == DEFAULT_MAPPER, self.num_mappers, mapper_idx).clamp(0, self.num_mappers)
        return self.layer_norm(self.dropout(self.embedding(rows)))


class SongPositionEmbedder(_RadialBasis):
    def __init__(self, cond_dim: int):
        super().__init__(10)
        self.position_proj = _projection(20, 2 * cond_dim, cond_dim)

    def forward(self, song_position: Tensor) -> Tensor:
        """(B, 2) start and end of the window as shares of the song, to (B, cond_dim)."""
        return self.position_proj(self.expand(song_position).flatten(-2))
