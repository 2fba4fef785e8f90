"""A model and a data source that are small enough to train in a test, and the parts of a run around them."""

from pathlib import Path

import numpy as np
from accelerate import Accelerator

from osuT5.data.loader import Loader, WorkerSettings
from osuT5.data.samples import IGNORED, Sample
from osuT5.data.source import Window
from osuT5.data.stream import StreamSettings
from osuT5.events import ContextType, EventType, Vocabulary, load_profile
from osuT5.model import Mapperatorinator
from osuT5.training.journal import Journal
from osuT5.training.loop import Trainer
from osuT5.training.options import TrainOptions
from osuT5.training.run import open_run
from osuT5.training.trackers import open_tracker


def tiny_profile(dropout=0.0):
    mini = load_profile("mini")
    sizes = {**mini.model, "d_model": 32, "layers_per_side": 1, "heads": 2, "ffn_dim": 64, "dropout": dropout}
    return mini.replace(model=sizes, src_seq_len=64, tgt_seq_len=128)


class Clicks:
    """Windows of clicks in noise whose times are the map; unit u of epoch e is always the same."""

    def __init__(self, profile, vocabulary, units=6, windows=4):
        self.profile, self.vocabulary, self.units, self.count = profile, vocabulary, units, windows

    def __len__(self):
        return self.units

    def windows(self, epoch, unit):
        rng = np.random.default_rng([epoch, unit])
        return [self._window(rng) for _ in range(self.count)]

    def _window(self, rng):
        v, length = self.vocabulary, self.profile.window_samples
        sound = rng.normal(0, 300, length).astype(np.int16)
        low, size = v.event_start[EventType.TIME_SHIFT], self.profile.max_time_step
        steps = np.sort(rng.choice(size, int(rng.integers(2, 6)), replace=False))
        for step in steps:
            at = int(step * 0.01 * self.profile.sample_rate)
            sound[at : at + 200] = 20000
        circle = v.event_start[EventType.CIRCLE]
        written = [token for step in steps for token in (low + step, circle)]
        marks = v.context_sos[ContextType.MAP], v.context_eos[ContextType.MAP]
        ids = np.array([v.event_start[EventType.DIFFICULTY] + 5, v.sos_id, marks[0], *written, marks[1]])
        labels = np.append(ids[1:], v.eos_id)
        labels[0] = IGNORED
        return Window(sound, Sample(0, 63, ids.astype(np.int64), labels.astype(np.int64), []))

    def scheme(self):
        return {"source": "clicks", "units": self.units}


def tiny_trainer(
    folder: Path,
    *,
    steps=6,
    batch=8,
    grad_acc=1,
    seed=1,
    dropout=0.1,
    checkpoint_every=100,
    optim=None,
    log_every=1,
    keep=2,
    scheme=None,
):
    """(trainer, a function that makes its loader, what was said)."""
    from accelerate.utils import set_seed

    set_seed(seed)
    profile = tiny_profile(dropout)
    vocabulary = Vocabulary.from_profile(profile)
    model = Mapperatorinator.from_profile(profile, vocabulary)
    accelerator = Accelerator(cpu=True)
    values = {
        "name": "muon",
        "base_lr": 0.01,
        "base_lr_2": 0.003,
        "warmup_steps": 0,
        "final_cosine": 0.0,
        "ema_decay": 0.9,
    }
    options = TrainOptions(
        data={"path": str(folder)},
        mixed_precision="no",
        optim={**values, "batch_size": batch, "grad_acc": grad_acc, "total_steps": steps, **(optim or {})},
        logging={"every_steps": log_every},
        checkpoint={"every_steps": checkpoint_every, "local_total_limit": keep},
        eval={"every_steps": 6 * 10**6},
    )
    options = open_run(options).options
    settings = options.optim
    said: list[str] = []
    journal = Journal(folder / "log.jsonl", said.append, open_tracker(None, folder, None, "online", {}), steps)
    source = Clicks(profile, vocabulary)
    trainer = Trainer(model, options, folder, accelerator, journal, scheme or {"data": source.scheme()})
    ranks = accelerator.num_processes
    stream = StreamSettings(7, settings.micro_batch * ranks, 4, 16)

    def loader(workers=0):
        count = WorkerSettings(workers)
        return Loader(source, stream, count, (), accelerator.process_index, ranks, trainer.cursors)

    return trainer, loader, said
