"""What a machine may do to a run in its middle, told as one message: workers that die, memory or disk that runs out."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from osuT5.errors import MapperatorinatorError

WORKER_DIED = "DataLoader worker"  # torch's words, raised by a signal handler wherever the main process is just then
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def told_as_messages() -> Iterator[None]:
    """Raises MapperatorinatorError for failures of the machine that a user can mend; others pass."""
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        raise MapperatorinatorError(
            "the GPU's memory is full; raise optim.grad_acc, which puts fewer windows through the model at once, "
            f"and start again ({str(error).splitlines()[0]})"
        ) from error
    except RuntimeError as error:
        if not str(error).startswith(WORKER_DIED):
            raise
        raise MapperatorinatorError(
            f"a process that reads the data was ended, perhaps because memory ran out: {str(error).strip()} "
            "Choose fewer dataloader.num_workers or a smaller data.pool, and start again: the run goes on"
        ) from error
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        raise MapperatorinatorError(f"the disk is full: {error}; free some space, and start again") from error
