"""`osuT5/test.py` measures a saved checkpoint on a test split, and says what is missing."""

import json

import pytest
import torch
from accelerate.state import AcceleratorState

from osuT5.data.recipes import SampleRecipe
from osuT5.events import Vocabulary, load_profile
from osuT5.model import Mapperatorinator, save_checkpoint
from osuT5.training.evaluation_command import main, passes


@pytest.fixture(autouse=True)
def fresh_accelerator():
    """Its state belongs to the process, and other tests want other precisions."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    torch.manual_seed(0)
    profile = load_profile("v31").replace(src_seq_len=256, tgt_seq_len=512)
    small = {"d_model": 32, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2}
    small |= {"decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32}
    model = Mapperatorinator.from_profile(profile, Vocabulary.from_profile(profile), backbone_config=small)
    folder = tmp_path_factory.mktemp("model")
    save_checkpoint(model, folder)
    return folder


def test_both_passes_land_in_the_report(checkpoint, golden, tmp_path, capsys):
    code = main(
        [
            f"model_path={checkpoint}",
            "-cn",
            "v31",
            f"data.test_dataset_path={golden / 'training' / 'mmrs'}",
            "data.test_dataset_start=0",
            "data.test_dataset_end=3",
            f"output_dir={tmp_path}",
            "device=cpu",
            "mixed_precision=no",
            "optim.batch_size=4",
            "optim.grad_acc=1",
        ]
    )
    shown = capsys.readouterr()
    assert code == 0, shown.err
    report = json.loads((tmp_path / "evaluation.json").read_text())
    losses = {name for name in report["metrics"] if name.endswith("/loss")}
    for prefix in ("test", "test_noise"):
        modes = {name.split("/")[2] for name in losses if name.startswith(f"{prefix}/") and name.count("/") == 3}
        assert modes == {"osu", "taiko", "catch", "mania"}
        assert report["metrics"][f"{prefix}/time"] > 0
    timed = {
        prefix: [
            h["counts"][0] for n, h in report["histograms"].items() if n.startswith(f"{prefix}/") and "precision" in n
        ]
        for prefix in ("test", "test_noise")
    }
    assert timed["test"] == timed["test_noise"] and min(timed["test"]) > 0
    assert "fuzzy_timing_acc" in shown.out


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["data.test_dataset_path=x", "data.test_dataset_end=3"], "model_path is missing"),
        (["model_path=nowhere", "data.test_dataset_path=x", "data.test_dataset_end=0"], "no test split"),
        (["model_path=./no_such_folder", "data.test_dataset_path=x", "data.test_dataset_end=3"], "./no_such_folder"),
    ],
)
def test_what_is_missing_is_said(arguments, word, capsys):
    assert main(["-cn", "v31", "device=cpu", "data.test_dataset_start=0", *arguments]) == 2
    assert word in capsys.readouterr().err


def test_published_recipe_keeps_its_snapping_noise_in_both_passes():
    recipe = SampleRecipe(time_jitter=2, common_time_jitter=3, snapping_noise=0.1, disturb_evaluation=True)
    made = passes(recipe)
    assert (made["test_noise"].time_jitter, made["test_noise"].common_time_jitter) == (2, 3)
    assert (made["test"].time_jitter, made["test"].common_time_jitter) == (0, 0)
    assert made["test"].snapping_noise == made["test_noise"].snapping_noise == 0.1


def test_our_recipe_measures_clean_inputs_beside_disturbed_ones():
    made = passes(SampleRecipe(time_jitter=2, snapping_noise=0.1))
    assert (made["test_noise"].time_jitter, made["test_noise"].snapping_noise) == (2, 0.1)
    assert (made["test"].time_jitter, made["test"].snapping_noise) == (0, 0.0)
