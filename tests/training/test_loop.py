"""A run: steps, log, checkpoints; stopping and going on changes nothing, and neither do processes or micro-batches."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from tiny_training import tiny_trainer

from osuT5.errors import CheckpointError
from osuT5.model import load_model
from osuT5.training.checkpoints import read_state

SUPPORT = Path(__file__).resolve().parents[1] / "support"
ROOT = SUPPORT.parents[1]


def lines(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def losses(folder):
    return [(row["step"], row["loss"]) for row in lines(folder) if "loss" in row]


def run(folder, **options):
    trainer, loader, said = tiny_trainer(folder, **options)
    trainer.resume()
    trainer.fit(loader())
    return trainer, said


def test_a_run_learns_logs_and_exports_a_model_that_loads(tmp_path):
    trainer, said = run(tmp_path, steps=40, dropout=0.0)
    found = losses(tmp_path)
    assert [step for step, _ in found] == list(range(1, 41))
    first, last = (sum(loss for _, loss in part) / 5 for part in (found[:5], found[-5:]))
    assert last < 0.7 * first
    assert {"lr", "epoch", "grad_l2", "weights_l2", "windows_per_second", "labels"} <= set(lines(tmp_path)[0])
    assert "left" in said[-1]
    model = load_model(tmp_path / "model")
    kept = trainer.average.weights["transformer.proj_out.weight"]
    assert torch.allclose(model.transformer.proj_out.weight, kept, atol=2e-3)


@pytest.mark.parametrize("stop", [1, 2, 4])
def test_going_on_gives_the_same_losses_and_weights_bit_for_bit(tmp_path, stop):
    whole, _ = run(tmp_path / "whole", steps=6)
    parts = tmp_path / "parts"
    trainer, loader, _ = tiny_trainer(parts, steps=6, checkpoint_every=stop, log_every=1)

    class Killed(Exception):
        pass

    def kill_after(step):
        inner = trainer._step

        def counted(batches):
            if trainer.step == step:
                raise Killed
            return inner(batches)

        return counted

    trainer._step = kill_after(5)
    with pytest.raises(Killed):
        trainer.fit(loader())
    resumed, _ = run(parts, steps=6, seed=99)  # other weights and random numbers, until the checkpoint is read
    assert losses(parts) == losses(tmp_path / "whole")
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name
    for name, value in whole.average.weights.items():
        assert torch.equal(value, resumed.average.weights[name]), name


def test_a_log_line_of_several_steps_survives_a_stop_between_them(tmp_path):
    run(tmp_path / "whole", steps=6, log_every=3)
    run(tmp_path / "parts", steps=6, log_every=3, checkpoint_every=2)
    newest = tmp_path / "parts" / "checkpoints" / "step_6"
    os.rename(newest, tmp_path / "step_6")
    assert read_state(tmp_path / "parts" / "checkpoints" / "step_4").step == 4
    run(tmp_path / "parts", steps=6, log_every=3, checkpoint_every=2)
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole")


def test_micro_batches_give_what_one_batch_gives(tmp_path):
    """Also when one has many labels and the other few."""
    whole, loader, _ = tiny_trainer(tmp_path / "one", dropout=0.0)
    batch = next(iter(loader()))
    order = (batch["labels"] != -100).sum(1).argsort()
    halves = [{k: v[rows] for k, v in batch.items()} for rows in (order[:2], order[2:])]
    parts, _, _ = tiny_trainer(tmp_path / "two", dropout=0.0, grad_acc=2)
    one, two = whole._step(iter([batch])), parts._step(iter(halves))
    assert two.loss == pytest.approx(one.loss, rel=1e-6)
    assert two.norm == pytest.approx(one.norm, rel=1e-5)
    assert (two.labels, two.windows) == (one.labels, one.windows)


def test_old_checkpoints_go_and_the_newest_stay(tmp_path):
    run(tmp_path, steps=5, checkpoint_every=1, keep=2)
    assert sorted(p.name for p in (tmp_path / "checkpoints").iterdir()) == ["step_4", "step_5"]


def test_a_checkpoint_holds_no_pickle(tmp_path):
    run(tmp_path, steps=1)
    assert {p.suffix for p in (tmp_path / "checkpoints" / "step_1").iterdir()} == {".safetensors", ".json"}


def test_what_a_killed_process_left_is_swept_and_never_read(tmp_path):
    run(tmp_path, steps=2)
    half = tmp_path / "checkpoints" / "step_9.partial"
    half.mkdir()
    (half / "state.json").write_text("{")
    trainer, _ = run(tmp_path, steps=3)
    assert trainer.step == 3 and not half.exists()


def test_other_data_is_refused_by_name(tmp_path):
    run(tmp_path, steps=1)
    trainer, _, _ = tiny_trainer(tmp_path, scheme={"data": {"source": "clicks", "units": 7}})
    with pytest.raises(CheckpointError, match=r"data\.units: this run has 7, the checkpoint 6"):
        trainer.resume()


def test_a_damaged_checkpoint_is_one_message(tmp_path):
    run(tmp_path, steps=1)
    (tmp_path / "checkpoints" / "step_1" / "optimizer.safetensors").write_bytes(b"nonsense")
    trainer, _, _ = tiny_trainer(tmp_path)
    with pytest.raises(CheckpointError, match="optimizer.safetensors"):
        trainer.resume()


SCRIPT = """
import sys, os
from pathlib import Path
sys.path[:0] = [{support!r}, {root!r}]
from tiny_training import tiny_trainer
trainer, loader, _ = tiny_trainer(Path(sys.argv[1]), steps=int(sys.argv[2]), batch=int(sys.argv[3]),
                                  checkpoint_every=int(sys.argv[4]), dropout=float(sys.argv[5]),
                                  optim={{"name": sys.argv[6]}})
trainer.resume()
trainer.fit(loader())
trainer.leave()
"""


def script(tmp_path):
    path = tmp_path / "run.py"
    path.write_text(SCRIPT.format(support=str(SUPPORT), root=str(ROOT)))
    return str(path)


ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def test_kill_9_at_any_moment_loses_at_most_the_steps_since_the_last_checkpoint(tmp_path):
    run(tmp_path / "whole", steps=30)
    target = tmp_path / "killed"
    command = [sys.executable, script(tmp_path), str(target), "30", "8", "2", "0.1", "muon"]
    child = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (target / "log.jsonl").exists() or len((target / "log.jsonl").read_text().splitlines()) < 5:
        assert child.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert len(losses_of_whole_lines(target)) < 30
    trainer, _, _ = tiny_trainer(target, steps=30, checkpoint_every=2)
    assert trainer.resume() and trainer.step >= 4
    run(target, steps=30, checkpoint_every=2)
    assert [step for step, _ in losses(target)] == list(range(1, 31))
    assert [loss for _, loss in losses(target)] == pytest.approx(
        [loss for _, loss in losses(tmp_path / "whole")], rel=1e-5
    )


def losses_of_whole_lines(folder):
    return [line for line in (folder / "log.jsonl").read_text().splitlines() if line.endswith("}")]


def test_two_processes_are_one_with_twice_the_batch_and_save_together(tmp_path):
    run(tmp_path / "one", steps=6, batch=8, dropout=0.0, checkpoint_every=3)
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2",
        script(tmp_path), str(tmp_path / "two"), "6", "4", "3", "0.0", "muon",
    ]  # fmt: skip
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
    assert [loss for _, loss in losses(tmp_path / "two")] == pytest.approx(
        [loss for _, loss in losses(tmp_path / "one")], rel=1e-4
    )
    state = read_state(tmp_path / "two" / "checkpoints" / "step_6")
    assert len(state.random) == 2 and sorted(state.cursors) == [0, 1, 2, 3]
