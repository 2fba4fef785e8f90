"""From logits to tokens: the fused sampler draws what the whole row gives, and every window has its own numbers."""

import itertools

import numpy as np
import pytest
import torch

from osuT5.inference.sampling import (
    CANDIDATES,
    NOT_SAMPLED,
    FusedSampler,
    keyed_generator,
    multinomial,
    sample_candidates,
)

V = 600
ROUNDING = 1e-5  # closer than this, the last bit of a sum decides


def logits_of(rows, spread, seed=0):
    """Logits without ties."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.stack([torch.randperm(V, generator=generator) for _ in range(rows)]).float() / V
    return order * spread + torch.rand(rows, V, generator=generator) * spread / V / 4


def exact(row, k, p, u):
    """The whole row sorted, in double precision: (the id drawn, cumulative shares, what is better than each id).

    Top-k first, then top-p of what it left: an id stays while those that are better have less than p.
    """
    order = np.argsort(-row, kind="stable")
    mass = np.exp(row[order].astype(np.float64) - row.max())
    if k:
        mass[k:] = 0
    mass /= mass.sum()
    better = np.cumsum(mass) - mass
    chosen = (better < p) & (mass > 0)
    chosen[0] = True  # at least one
    ids, share = order[chosen], mass[chosen]
    cumulative = np.cumsum(share) / share.sum()
    return ids[min(int((cumulative <= u).sum()), len(ids) - 1)], cumulative, better


def column(*values):
    return torch.tensor(values, dtype=torch.float32)[:, None]


KS, PS, US = (0, 1, 2, 7, 64, 256, 257, V), (0.0, 0.3, 0.9, 0.999, 1.0), (0.0, 0.11, 0.5, 0.77, 0.999)


@pytest.mark.parametrize("spread", [2.0, 9.0, 40.0])
def test_a_draw_is_that_of_the_whole_sorted_row(spread):
    combinations = list(itertools.product(KS, PS, US))
    logits = logits_of(len(combinations), spread)
    k, p, u = (column(*values) for values in zip(*combinations, strict=True))
    narrow = sample_candidates(logits, k, p, u, CANDIDATES).tolist()
    whole = sample_candidates(logits, k, p, u, V).tolist()
    flagged = compared = 0
    for number, (row_k, row_p, row_u) in enumerate(combinations):
        row_p = float(np.float32(row_p))
        token, cumulative, better = exact(logits[number].numpy(), row_k, row_p, float(np.float32(row_u)))
        is_clear = np.abs(cumulative - row_u).min() > ROUNDING
        if is_clear:
            assert whole[number] == token
        if narrow[number] == NOT_SAMPLED:
            flagged += 1
        elif is_clear:
            assert narrow[number] == token
        compared += is_clear
        # a top-k within the candidates is settled there; else flagged as soon as the last candidate may be chosen
        if CANDIDATES < row_k < V:
            assert narrow[number] == NOT_SAMPLED
        elif abs(better[CANDIDATES - 1] - row_p) > ROUNDING:
            may = better[CANDIDATES - 1] < row_p and not 0 < row_k <= CANDIDATES
            assert (narrow[number] == NOT_SAMPLED) == may
    assert compared > 0.7 * len(combinations)
    assert 0 < flagged < len(combinations)


def test_frequencies_are_the_probabilities():
    logits = torch.tensor([[1.0, 3.0, 2.0, -torch.inf, 0.5]])
    u = (torch.arange(10_000)[:, None] + 0.5) / 10_000
    drawn = sample_candidates(logits.expand(len(u), -1), column(0), column(1.0), u, 5)
    torch.testing.assert_close(drawn.bincount(minlength=5) / 10_000, logits[0].softmax(0), atol=2e-4, rtol=0)


def test_rows_that_may_choose_among_too_many_are_drawn_again_exactly():
    """The step of the decoder: fast where it can be, the whole vocabulary with the same number where it cannot."""
    flat, steep = torch.arange(V) * 1e-4, torch.arange(V) * 0.5
    generators = [torch.Generator().manual_seed(seed) for seed in (1, 2)]
    sampler = FusedSampler([0, 0], [1.0, 0.9], generators, 3, torch.device("cpu"))
    uniform = [torch.rand(3, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2)]
    for step in range(3):
        logits = torch.stack((flat, steep))
        first = sampler(logits)
        assert first[0] == NOT_SAMPLED and first[1] != NOT_SAMPLED
        again = sampler.resample(logits)
        assert again[1] == first[1]
        expected = [exact(row.numpy(), 0, p, float(u[step]))[0] for row, p, u in zip(logits, (1, 0.9), uniform)]  # noqa: B905
        assert again.tolist() == expected


def test_a_greedy_row_takes_the_best_id_whatever_the_others_do():
    logits = logits_of(3, 2.0)
    generators = [torch.Generator().manual_seed(1), None, torch.Generator().manual_seed(2)]
    fused = FusedSampler([5, 0, 40], [1.0, 1.0, 0.5], generators, 4, torch.device("cpu"))
    for _ in range(4):
        tokens = fused(logits)
        assert tokens[1] == logits[1].argmax()
        for row, k in ((0, 5), (2, 40)):
            assert tokens[row] in logits[row].topk(k).indices
    assert multinomial(logits, [None] * 3).tolist() == logits.argmax(1).tolist()


def test_rows_that_go_on_keep_their_settings_and_their_numbers():
    """As after a row has ended: row 1 becomes row 0 and draws what it would have drawn."""
    logits = logits_of(3, 9.0)

    def sampler():
        generators = [torch.Generator().manual_seed(seed) for seed in range(3)]
        return FusedSampler([4, 50, 0], [1.0, 0.7, 0.4], generators, 6, torch.device("cpu"))

    straight, shrunk = sampler(), sampler()
    for _ in range(3):
        assert torch.equal(straight(logits), shrunk(logits))
    shrunk.select(torch.tensor([2, 1]))
    for _ in range(3):
        assert torch.equal(straight(logits)[[2, 1]], shrunk(logits[[2, 1]]))


def test_a_row_that_is_not_drawn_for_does_not_use_up_its_numbers():
    logits = logits_of(2, 9.0)
    one, other = (torch.Generator().manual_seed(3) for _ in range(2))
    multinomial(logits, [None, one], alive=[0])
    assert torch.equal(one.get_state(), other.get_state())
    multinomial(logits, [one, one], alive=[])
    assert torch.equal(one.get_state(), other.get_state())


def first_numbers(seed, *key):
    return tuple(torch.rand(4, generator=keyed_generator(seed, *key)).tolist())


def test_every_window_has_numbers_of_its_own():
    """Of attempt, track, stage and window; and a neighbour's key is never the neighbouring seed."""
    keys = list(itertools.product(range(4, 7), range(3), range(3), range(4), range(5)))
    drawn = {first_numbers(*key) for key in keys}
    assert len(drawn) == len(keys)
    assert first_numbers(4, 0, 0, 1, 0) != first_numbers(5, 0, 0, 0, 0)
    assert first_numbers(4, 1, 0, 0, 0) != first_numbers(5, 0, 0, 0, 0)


def test_the_same_key_gives_the_same_numbers():
    assert first_numbers(2**32 - 1, 2, 0, 1, 77) == first_numbers(2**32 - 1, 2, 0, 1, 77)


def test_numbers_of_neighbouring_windows_are_not_correlated():
    rows = np.array([torch.rand(2000, generator=keyed_generator(1, 0, 0, 0, window)).numpy() for window in range(8)])
    assert np.abs(np.corrcoef(rows) - np.eye(8)).max() < 0.1
