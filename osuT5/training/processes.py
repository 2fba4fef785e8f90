"""The processes of a run and its device: alone, under torchrun, or as tasks of a cluster job."""

from __future__ import annotations

import os
import sys

import torch
from accelerate import Accelerator

from osuT5.errors import InputError
from osuT5.training.options import TrainOptions

try:
    import resource
except ImportError:  # Windows
    resource = None


def open_accelerator(options: TrainOptions) -> Accelerator:
    """Raises InputError: the device is not there."""
    join_cluster_job()
    device = options.torch_device
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise InputError(f"device={device}: torch sees no GPU here; use device=auto or device=cpu")
    cpu = device == "cpu" or not torch.cuda.is_available()
    return Accelerator(cpu=cpu, mixed_precision=options.mixed_precision)


def peak_memory(device: torch.device) -> int | None:
    """Most memory that this process has held so far in MB: of the GPU, or of the machine; None where nobody says."""
    if device.type == "cuda":
        return round(torch.cuda.max_memory_allocated(device) / 2**20)
    if resource is None:
        return None
    unit = 1 if sys.platform == "darwin" else 2**10  # bytes there, KB elsewhere
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20)


def join_cluster_job() -> None:
    """Tells torch which task of a job this is, as torchrun would, where Hydra's submitit launcher started several."""
    if "SUBMITIT_EXECUTOR" not in os.environ or "RANK" in os.environ:
        return
    from submitit import JobEnvironment
    from submitit.helpers import TorchDistributedEnvironment

    if JobEnvironment().num_tasks > 1:
        TorchDistributedEnvironment().export()
