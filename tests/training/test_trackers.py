"""Trackers are extras: asked for and missing is one message before training, failing later never stops a run."""

import logging
import sys
from types import SimpleNamespace

import pytest
from PIL import Image

from osuT5.errors import InputError
from osuT5.training.trackers import open_tracker


def use(tracker, tmp_path):
    picture = tmp_path / "picture.png"
    Image.new("RGB", (4, 3)).save(picture)
    tracker.log({"train/loss": 2.5}, 10)
    tracker.image("map", picture, 10)
    tracker.close()
    return picture


def test_no_tracker_writes_nothing(tmp_path):
    folder = tmp_path / "run"
    use(open_tracker(None, folder, "mini"), tmp_path)
    assert not folder.exists()


def test_an_unknown_tracker_is_refused_with_the_nearest_name(tmp_path):
    with pytest.raises(InputError, match="did you mean 'tensorboard'"):
        open_tracker("tensorbord", tmp_path, "mini")


@pytest.mark.parametrize("kind, package", [("tensorboard", "torch.utils.tensorboard"), ("wandb", "wandb")])
def test_a_missing_package_is_named_with_the_remedy(monkeypatch, tmp_path, kind, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=f"pip install {kind}"):
        open_tracker(kind, tmp_path, "mini")


def test_tensorboard_gets_scalars_pictures_and_the_configuration(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    use(open_tracker("tensorboard", tmp_path, "mini", config={"seed": 42, "data": {"path": "x"}}), tmp_path)
    found = EventAccumulator(str(tmp_path / "tensorboard" / "mini"))
    found.Reload()
    assert [(e.step, e.value) for e in found.Scalars("train/loss")] == [(10, 2.5)]
    assert [(e.step, e.width, e.height) for e in found.Images("map")] == [(10, 4, 3)]
    assert b'"seed": 42' in found.Tensors("config/text_summary")[0].tensor_proto.string_val[0]


class FakeRun:
    def __init__(self, fails=False):
        self.rows, self.finished, self.tries, self.fails = [], False, 0, fails

    def log(self, values, step):
        self.tries += 1
        if self.fails:
            raise OSError("disk quota exceeded")
        self.rows.append((values, step))

    def finish(self):
        self.finished = True


@pytest.fixture
def wandb(monkeypatch):
    def make(**options):
        fake = SimpleNamespace(run=FakeRun(**options), started={}, Image=lambda path: ("image", path))

        def init(**settings):
            fake.started = settings
            return fake.run

        fake.init = init
        monkeypatch.setitem(sys.modules, "wandb", fake)
        return fake

    return make


def test_wandb_gets_the_run_under_the_published_project_and_job_type(wandb, tmp_path):
    fake = wandb()
    picture = use(open_tracker("wandb", tmp_path, "mini", mode="offline", config={"seed": 42}), tmp_path)
    expected = {"project": "osuT5", "job_type": "training", "name": "mini", "mode": "offline", "config": {"seed": 42}}
    assert expected.items() <= fake.started.items()
    assert fake.started["dir"] == str(tmp_path)
    assert fake.run.rows == [({"train/loss": 2.5}, 10), ({"map": ("image", str(picture))}, 10)]
    assert fake.run.finished


def test_a_tracker_that_fails_is_reported_once_and_left_alone(wandb, tmp_path, caplog):
    fake = wandb(fails=True)
    tracker = open_tracker("wandb", tmp_path, "mini")
    with caplog.at_level(logging.WARNING):
        for step in range(5):
            tracker.log({"train/loss": 1.0}, step)
    tracker.close()
    assert fake.run.tries == 1
    assert [record.message for record in caplog.records if "disk quota exceeded" in record.message] == [
        "the tracker failed and is left out from here on: disk quota exceeded"
    ]


def test_a_tracker_that_cannot_start_is_an_error_before_training(wandb, monkeypatch, tmp_path):
    def refuse(**settings):
        raise RuntimeError("no account")

    monkeypatch.setattr(wandb(), "init", refuse)
    with pytest.raises(InputError, match="wandb cannot start: no account"):
        open_tracker("wandb", tmp_path, "mini")
