"""From logits to tokens: multinomial or greedy for each row, and one fused step for accelerators.

On a CPU the filters sort the whole vocabulary and `torch.multinomial` draws; the published models' recorded runs depend
on both. On an accelerator `FusedSampler` does top-k, top-p and the draw on the best `CANDIDATES` ids without asking the
host; a row that may choose among more ids comes back as `NOT_SAMPLED` and is drawn again, exactly.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

CANDIDATES = 256
NOT_SAMPLED = -1


def keyed_generator(seed: int, *key: int) -> torch.Generator:
    """A CPU generator for one window: independent of those of all other seeds and keys.

    Args:
        key: attempt, track, stage, window.
    """
    state = np.random.SeedSequence(seed, spawn_key=key).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0]))


def multinomial(
    logits: Tensor, generators: Sequence[torch.Generator | None], alive: Sequence[int] | None = None
) -> Tensor:
    """Draws by probability with a CPU generator for each row; None takes the best id. (R, V) -> (R,).

    Args:
        alive: rows to draw for, the others get any id; None = all.
    """
    best = logits.argmax(dim=1)
    if all(generator is None for generator in generators):
        return best
    p = logits.softmax(dim=1)
    for row in range(len(p)) if alive is None else alive:
        if generators[row] is not None:
            best[row] = torch.multinomial(p[row], 1, generator=generators[row])
    return best


class FusedSampler:
    """Top-k, top-p and the draw in one pass without the host.

    Args:
        k, p: of every row; 0 and 1 keep all.
        generators: CPU generators; None takes the best id.
        max_tokens: how many tokens may come; their uniform numbers are drawn at once, (R, max_tokens).
    """

    def __init__(
        self,
        k: Sequence[int],
        p: Sequence[float],
        generators: Sequence[torch.Generator | None],
        max_tokens: int,
        device: torch.device,
    ):
        greedy_rows = [generator is None for generator in generators]
        self.k = torch.tensor([1 if g else k for g, k in zip(greedy_rows, k, strict=True)], device=device)[:, None]
        self.p = torch.tensor(p, dtype=torch.float32, device=device)[:, None]
        numbers = [torch.zeros(max_tokens) if g is None else torch.rand(max_tokens, generator=g) for g in generators]
        self.uniform = torch.stack(numbers).to(device)
        self.step = 0

    def __call__(self, logits: Tensor) -> Tensor:
        """(R, V) -> (R,); `NOT_SAMPLED` in rows that `resample` must draw."""
        self.number = self.uniform[:, self.step, None]
        self.step += 1
        return sample_candidates(logits, self.k, self.p, self.number, CANDIDATES)

    def resample(self, logits: Tensor) -> Tensor:
        """The last call again over the whole vocabulary."""
        return sample_candidates(logits, self.k, self.p, self.number, logits.shape[1])

    def select(self, index: Tensor) -> None:
        """Row i goes on as row `index[i]`."""
        self.k, self.p, self.uniform = (t.index_select(0, index) for t in (self.k, self.p, self.uniform))


def sample_candidates(logits: Tensor, k: Tensor, p: Tensor, uniform: Tensor, candidates: int) -> Tensor:
    """Inverse-transform sampling among the best ids.

    Args:
        logits: (R, V). k, p: (R, 1), 0 and 1 keep all. uniform: (R, 1) in [0, 1).
    Returns:
        (R,) ids; `NOT_SAMPLED` where more than `candidates` ids may be chosen, or k is larger than that.
    """
    count = min(candidates, logits.shape[1])
    values, ids = logits.topk(count, dim=1)
    place = torch.arange(count, device=logits.device)
    in_top_k = (place < k) | (k == 0)
    kept = values.masked_fill(~in_top_k, -torch.inf)
    whole_top_k = (k > 0) & (k <= count)
    total = torch.where(whole_top_k, kept.logsumexp(1, keepdim=True), logits.logsumexp(1, keepdim=True))
    mass = (kept - total).exp()
    above = mass.cumsum(1) - mass  # of the ids that are better
    keep = ((above < p) | (place == 0)) & in_top_k  # the best id always, also at p = 0
    chosen = mass * keep
    cumulative = chosen.cumsum(1)
    drawn = (cumulative <= uniform * cumulative[:, -1:]).sum(1, keepdim=True)
    last = keep.sum(1, keepdim=True) - 1
    token = ids.gather(1, torch.minimum(drawn, last))[:, 0]
    if count == logits.shape[1]:
        return token
    # the total that top-p goes by is not known from here where the last of the top-k is not in sight
    cut_top_k = (k > count) & (k < logits.shape[1])
    is_open = (keep[:, -1:] & ~whole_top_k) | cut_top_k
    return token.masked_fill(is_open[:, 0], NOT_SAMPLED)
