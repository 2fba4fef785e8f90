"""`python osuT5/train.py` as people type it: it trains, goes on, and says in one message what is wrong."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from osuT5.data.mmrs import FileSound
from osuT5.model import load_model
from osuT5.training import sample_map
from osuT5.training.command import main

pytest.importorskip("pyarrow")
ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden"
NETWORK = (
    "{d_model: 32, encoder_layers: 1, decoder_layers: 1, encoder_attention_heads: 2, decoder_attention_heads: 2, "
    "encoder_ffn_dim: 32, decoder_ffn_dim: 32, dropout: 0.0}"
)
WINDOWS = ("data.src_seq_len=128", "data.tgt_seq_len=256")
# so small that a step takes milliseconds
SMALL = (
    *WINDOWS, "batch_size=4", "grad_acc=1", "total_steps=4", "warmup_steps=0", "mixed_precision=no", "device=cpu",
    "threads=1", "num_workers=0", "ranked_statuses=null", "logging.every_steps=1", "eval.every_steps=2",
    "eval.steps=1", "checkpoint.every_steps=2",
)  # fmt: skip


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data set of three sets, in a folder as people name them."""
    return shutil.copytree(GOLDEN / "training" / "mmrs", tmp_path_factory.mktemp("data") / "my maps (old) [1]")


def old_command(data):
    """The command of the older README, word for word but for the numbers."""
    return [
        "-cn", "train_v29", f"train_dataset_path={data}", f"test_dataset_path={data}", "train_dataset_start=0",
        "train_dataset_end=2", "test_dataset_start=2", "test_dataset_end=3",
    ]  # fmt: skip


def small_run(data, out, *more):
    return [*old_command(data), *SMALL, f"model.overwrite={NETWORK}", f"output_dir={out}", *more]


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """A finished run."""
    out = tmp_path_factory.mktemp("run") / "out"
    assert main(small_run(data, out)) == 0
    return out


@pytest.fixture
def finished(trained, tmp_path):
    """A copy of it, to be spoiled."""
    return shutil.copytree(trained, tmp_path / "run")


def log(folder, key="loss"):
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [(row["step"], row[key]) for row in rows if key in row]


def files(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def refusal(capsys, arguments):
    """What is said, after "error:", by a command that must end with 2."""
    capsys.readouterr()
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said and said.count("error: ") == 1, said
    return said.split("error: ")[1]


# ---- a run


def test_an_old_command_trains_evaluates_and_exports_a_model_that_loads(trained):
    assert [step for step, _ in log(trained)] == [1, 2, 3, 4]
    assert all(0 < loss < 20 for _, loss in log(trained))
    assert [step for step, _ in log(trained, "test/none/loss")] == [2, 4]
    assert (trained / "config.yaml").is_file()
    model = load_model(trained / "model")
    assert model.profile.name == "v29" and model.profile.tgt_seq_len == 256
    assert model.config.backbone_config["d_model"] == 32


def test_data_of_ones_own_needs_no_numbers(data, tmp_path, capsys):
    """A share of the sets is evaluated; the first lines and the first step are seen at once."""
    small = [text for text in SMALL if not text.startswith("ranked_statuses")]
    sizes = [*small, f"model.overwrite={NETWORK}", f"output_dir={tmp_path}", "logging.every_steps=2"]
    assert main(["-cn", "v29", f"data.path={data}", *sizes]) == 0
    said = capsys.readouterr().err
    assert "maps of any status are taken" in said and "filling the shuffle buffer (" in said
    assert [step for step, _ in log(tmp_path)] == [1, 2, 4]
    assert log(tmp_path, "test/none/loss")


def test_one_set_of_ones_own_is_trained_on_and_nothing_is_evaluated(data, tmp_path):
    import pyarrow.parquet as parquet

    own = shutil.copytree(data, tmp_path / "data")
    table = parquet.read_table(own / "metadata.parquet")
    ids = table.column("BeatmapSetId").to_pylist()
    parquet.write_table(table.filter([one == ids[0] for one in ids]), own / "metadata.parquet")
    out = tmp_path / "out"
    sizes = [*SMALL, f"model.overwrite={NETWORK}", f"output_dir={out}", "data.pool=8", "total_steps=2"]
    assert main(["-cn", "v29", f"data.path={own}", *sizes]) == 0
    assert [step for step, _ in log(out)] == [1, 2]
    assert not log(out, "test/none/loss")


def test_a_configuration_has_to_be_named(capsys):
    assert "name a configuration with -cn NAME" in refusal(capsys, ["data.path=x"])


def test_started_again_an_interrupted_run_goes_on_as_if_nothing_had_been(data, trained, finished, capsys):
    shutil.rmtree(finished / "checkpoints" / "step_4")
    assert main(small_run(data, finished)) == 0
    assert "resumed after step 2" in capsys.readouterr().err
    assert log(finished) == log(trained)
    assert files(finished / "model") == files(trained / "model")
    weights = "checkpoints/step_4/model.safetensors"
    assert (finished / weights).read_bytes() == (trained / weights).read_bytes()


def test_a_finished_run_ends_at_once_and_says_so(data, finished, capsys):
    assert main(small_run(data, finished)) == 0  # writes the configuration anew, with its new place
    before = files(finished)
    capsys.readouterr()
    assert main(small_run(data, finished)) == 0
    assert "all 4 steps are done; raise optim.total_steps" in capsys.readouterr().err
    assert files(finished) == before


def test_a_run_that_is_longer_than_asked_for_is_finished_too(data, finished, capsys):
    assert main(small_run(data, finished, "total_steps=2")) == 0
    assert "all 2 steps are done" in capsys.readouterr().err
    assert [step for step, _ in log(finished)] == [1, 2, 3, 4]


def test_an_export_that_a_kill_prevented_is_made_up_for(data, trained, finished):
    shutil.rmtree(finished / "model")
    assert main(small_run(data, finished)) == 0
    assert files(finished / "model") == files(trained / "model")


def test_pictures_of_a_map_and_of_a_window_are_drawn(data, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sample_map, "DEMO_SONG", GOLDEN / "inference" / "click.flac")
    sizes = ("data.src_seq_len=1024", "data.tgt_seq_len=160", "total_steps=2", "eval.sample_map=true")
    assert main(small_run(data, tmp_path, *sizes)) == 0
    for name in ("step_2.png", "step_2_window.png"):
        assert (tmp_path / "samples" / name).stat().st_size > 1000
    assert "step_2_window.png" in capsys.readouterr().err


# ---- what is refused


@pytest.mark.parametrize(
    "wrong, message",
    [
        (["optim.base_lrr=1", "total_stepss=4"], "'optim.base_lr'"),
        (["every_steps=4"], "eval.every_steps, checkpoint.every_steps, logging.every_steps"),
        (["train_dataset_path=/no/such/folder"], "/no/such/folder"),
        (["ranked_statuses=[-2]"], "data.ranked_statuses=[-2]"),
        (["train_dataset_end=9"], "the data set has 3"),
        (["test_dataset_end=9"], "the data set has 3"),
        (["gamemodes=[2]"], "no map of the"),
        (["device=gpu9"], "use auto, cpu, cuda or cuda:N"),
        (["batch_size=0"], "optim.batch_size=0 is out of range: it must be at least 1"),
        (["grad_acc=3"], "grad_acc 3"),
        (["base_lr=nan"], "optim.base_lr=nan is not a number"),
        (["total_steps=-5", "num_workers=-1"], "num_workers=-1 is out of range"),
        (["checkpoint_path=/no/checkpoint"], "name a folder <output_dir>/checkpoints/step_N"),
        (["data.tgt_seq_len=15"], "tgt_seq_len=15 is out of range: it must be at least 16"),
        (["model.overwrite={d_model: 33}"], "attention heads"),
    ],
)
def test_a_wrong_option_is_one_message_and_nothing_is_written(data, tmp_path, capsys, wrong, message):
    out = tmp_path / "out"
    assert message in refusal(capsys, small_run(data, out, *wrong))
    assert not out.exists()


def test_maps_of_unknown_status_are_explained(data, tmp_path, capsys, monkeypatch):
    import pyarrow.parquet as parquet

    own = shutil.copytree(data, tmp_path / "data")
    table = parquet.read_table(own / "metadata.parquet")
    place = table.column_names.index("Ranked")
    table = table.set_column(place, "Ranked", [[None] * len(table)])
    parquet.write_table(table, own / "metadata.parquet")
    said = refusal(capsys, small_run(own, tmp_path / "out", "ranked_statuses=[1,2]"))
    assert "status of these maps is unknown" in said and "data.ranked_statuses=null" in said


def test_a_damaged_table_of_maps_is_one_message(data, tmp_path, capsys):
    own = shutil.copytree(data, tmp_path / "data")
    content = (own / "metadata.parquet").read_bytes()
    (own / "metadata.parquet").write_bytes(content[:-200] + bytes(200))
    assert "metadata.parquet" in refusal(capsys, small_run(own, tmp_path / "out"))


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_run_folder_that_cannot_be_is_refused_before_anything_is_read(data, tmp_path, capsys, place):
    (tmp_path / "file").write_text("mine")
    assert "is not a folder" in refusal(capsys, small_run(data, tmp_path / place))
    assert (tmp_path / "file").read_text() == "mine"


def test_other_data_or_another_optimiser_do_not_continue_a_run(data, finished, capsys):
    before = files(finished)
    said = refusal(capsys, small_run(data, finished, "total_steps=6", "max_difficulty=2"))
    assert "data.maps: this run has" in said and "start another output_dir" in said
    assert "optim.name" in refusal(capsys, small_run(data, finished, "total_steps=6", "optim.name=muon"))
    assert files(finished) == before


def test_a_missing_tracker_is_one_message(data, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    said = refusal(capsys, small_run(data, tmp_path / "out", "log_with=tensorboard"))
    assert "pip install tensorboard" in said and not (tmp_path / "out").exists()


# ---- what goes wrong later


@pytest.mark.parametrize("workers", [0, 1])
def test_songs_that_are_gone_cost_their_sets_until_none_is_left(data, tmp_path, capsys, workers):
    own = shutil.copytree(data, tmp_path / "data")
    next(own.glob("data/1002*/song.mp3")).unlink()
    assert main(small_run(own, tmp_path / "one", f"num_workers={workers}", "total_steps=2")) == 0
    next(own.glob("data/1001*/audio.flac")).unlink()
    said = refusal(capsys, small_run(own, tmp_path / "none", f"num_workers={workers}", "total_steps=2"))
    assert "no map could be used" in said and len(said.splitlines()) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="workers inherit the trap by fork")
def test_a_worker_that_is_killed_is_one_message(data, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(FileSound, "__call__", lambda self, speed: os.kill(os.getpid(), signal.SIGKILL))
    assert "num_workers" in refusal(capsys, small_run(data, tmp_path, "num_workers=1"))


def test_a_run_that_has_become_nonsense_stops_and_keeps_what_it_had(data, tmp_path, capsys):
    said = refusal(capsys, small_run(data, tmp_path, "base_lr=1e30", "grad_clip=0"))
    assert "the loss of step 2 is nan" in said and "base_lr" in said
    assert not (tmp_path / "model").exists() and not (tmp_path / "checkpoints").exists()


# ---- LoRA


def lora_run(data, base, out, *more):
    return [
        "-cn", "lora", f"pretrained_path={base}", "data.profile=v29", f"data.path={data}", "train_dataset_end=2",
        "test_dataset_start=2", "test_dataset_end=3", *SMALL, "lora.r=4", f"output_dir={out}", *more,
    ]  # fmt: skip


def test_a_lora_trains_goes_on_bit_for_bit_and_merges(data, trained, tmp_path, capsys):
    base, whole, parts = trained / "model", tmp_path / "whole", tmp_path / "parts"
    assert main(lora_run(data, base, whole)) == 0
    shutil.copytree(whole, parts)
    shutil.rmtree(parts / "checkpoints" / "step_4")
    shutil.rmtree(parts / "lora")
    assert main(lora_run(data, base, parts)) == 0
    assert "resumed after step 2" in capsys.readouterr().err
    assert log(parts) == log(whole)
    assert files(parts / "lora") == files(whole / "lora")

    plain, merged = load_model(base), load_model(base, lora_path=whole / "lora")
    changed = {
        name for name, weight in merged.state_dict().items() if not torch.equal(weight, plain.state_dict()[name])
    }
    assert changed and all("attn" in name for name in changed)


def test_a_lora_needs_a_model_that_fits(data, trained, tmp_path, capsys):
    out = tmp_path / "out"
    said = refusal(capsys, lora_run(data, trained / "model", out, "data.profile=v28"))
    assert "the checkpoint" in said
    assert "/no/such/model" in refusal(capsys, lora_run(data, "/no/such/model", out))
    assert not out.exists()
    assert "at most 32" in refusal(capsys, lora_run(data, trained / "model", out, "lora.r=99"))


# ---- several processes


def torchrun(processes, *arguments):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
    done = subprocess.run(
        [*command, str(ROOT / "osuT5" / "train.py"), *arguments], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"}, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow
def test_two_processes_train_as_one_with_twice_the_batch_and_each_goes_on_for_the_other(data, tmp_path):
    """The same losses to 1e-4, also where a run of two is gone on with by one, and of one by two."""
    one, two, back = (tmp_path / name for name in ("one", "two", "back"))
    assert main(small_run(data, one, "batch_size=8")) == 0
    torchrun(2, *small_run(data, two))
    wanted = pytest.approx([loss for _, loss in log(one)], rel=1e-4)
    assert [loss for _, loss in log(two)] == wanted
    for start, way in ((two, lambda out: main(small_run(data, out, "batch_size=8"))),
                       (one, lambda out: torchrun(2, *small_run(data, out)))):  # fmt: skip
        shutil.rmtree(back, ignore_errors=True)
        shutil.copytree(start, back)
        shutil.rmtree(back / "checkpoints" / "step_4")
        way(back)
        assert [loss for _, loss in log(back)] == wanted
    ours, theirs = (load_file(f / "checkpoints" / "step_4" / "model.safetensors") for f in (one, two))
    assert all(torch.allclose(ours[name], theirs[name], rtol=1e-3, atol=1e-5) for name in ours)
