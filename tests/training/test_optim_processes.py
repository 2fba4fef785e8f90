"""Two processes share Muon's work and end with the same weights as one."""

import pytest
import torch
import torch.multiprocessing as multiprocessing
from torch import nn

from osuT5.training.optimizers import make_optimizer
from osuT5.training.options import OptimOptions

SHAPES = [(8, 12)] * 3 + [(12, 8)] + [(8,)]  # three matrices do not split evenly


def weights_after_two_steps() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    named = [(f"layer{i}.weight", nn.Parameter(torch.randn(s, generator=generator))) for i, s in enumerate(SHAPES)]
    settings = OptimOptions(
        name="muon", warmup_steps=0, base_lr=0.05, second_rate="used", decay="matrices", orthogonalise="float32"
    )
    optimizer = make_optimizer(named, settings)
    for _ in range(2):
        for _, p in named:
            p.grad = torch.randn(p.shape, generator=generator)
        optimizer.step()
    return [p.detach() for _, p in named]


def work(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    torch.save(weights_after_two_steps(), f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes(tmp_path):
    multiprocessing.spawn(work, (str(tmp_path),), nprocs=2)
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    alone = weights_after_two_steps()
    for one, two, expected in zip(first, second, alone, strict=True):
        assert torch.equal(one, two)
        torch.testing.assert_close(one, expected, atol=2e-3, rtol=0)
