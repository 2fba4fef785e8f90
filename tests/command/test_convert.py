"""`python -m osuT5.convert`: every conversion gives a folder that loads, and every mistake one message."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from osuT5.convert import main
from osuT5.events import ContextType, Template, Vocabulary, load_profile
from osuT5.model import Mapperatorinator, load_model, save_checkpoint
from osuT5.model.lora import read_adapter, read_restriction, write_restriction

MODEL = Path(__file__).parents[1] / "golden" / "model"
SWITCHES = (
    "add_out_context_types add_distances add_positions add_sv add_hitsounded_token add_song_length_token "
    "add_song_position_token add_timing_points add_mapper_token add_diff_token add_year_token add_cs_token "
    "add_descriptors add_kiai_special_token add_volumes"
).split()


@pytest.fixture
def base(tmp_path):
    """The tiny checkpoint with a profile.json, as this project writes them."""
    folder = tmp_path / "base model"
    shutil.copytree(MODEL / "tiny-varwhisper", folder)
    values = {"name": "tiny", "src_seq_len": 64, "tgt_seq_len": 96, "gamemodes": [0], **dict.fromkeys(SWITCHES, False)}
    (folder / "profile.json").write_text(json.dumps(values))
    return folder


def weights(folder, **options):
    return load_model(folder, **options).state_dict()


def close(one, other, atol=1e-5):
    assert one.keys() == other.keys()
    for key in one:
        torch.testing.assert_close(one[key], other[key], atol=atol, rtol=0)


@pytest.mark.parametrize("kind", ["plain", "pissa"])
def test_merge_writes_a_plain_checkpoint(kind, base, tmp_path, capsys):
    out = tmp_path / "merged (1) [x]=y"
    assert main(["merge", f"model={base}", f"lora={MODEL / f'lora-{kind}'}", f"out={out}"]) == 0
    assert str(out) in capsys.readouterr().out
    close(weights(out), weights(base, lora_path=MODEL / f"lora-{kind}"))
    assert load_model(out).profile.name == "tiny"


def test_merge_in_half_precision_and_of_a_game_modes_checkpoint(base, tmp_path):
    shutil.copytree(base, base / "gamemode=3")
    lora, out = f"lora={MODEL / 'lora-pissa'}", tmp_path / "out"
    assert main(["merge", f"model={base}", lora, f"out={out}", "gamemode=3"]) == 2  # the LoRA is for others
    assert not out.exists()
    assert main(["merge", f"model={base}", lora, f"out={out}", "precision=fp16"]) == 0
    assert json.loads((out / "config.json").read_text())["dtype"] == "float16"


def test_lora_makes_a_pissa_adapter_standard(base, tmp_path, capsys):
    given = tmp_path / "given"
    shutil.copytree(MODEL / "lora-pissa", given)
    write_restriction(given, ["", "gamemode=2"])
    out = tmp_path / "standard"
    assert main(["lora", f"model={base}", f"lora={given}", f"out={out}"]) == 0
    adapter = read_adapter(out)
    assert not adapter.principal and adapter.config["r"] == 8
    assert read_restriction(out) == (["", "gamemode=2"], None)
    close(weights(base, lora_path=out), weights(base, lora_path=given))
    assert main(["lora", f"model={base}", f"lora={out}", f"out={tmp_path / 'again'}"]) == 2
    assert "a standard LoRA already" in capsys.readouterr().err


def test_state_makes_a_checkpoint_of_an_old_training_state(tmp_path, capsys):
    sizes = dict(load_profile("mini").model, d_model=32, layers_per_side=2, heads=2, ffn_dim=48)
    profile = load_profile("mini").replace(
        name="small", model=sizes, src_seq_len=64, tgt_seq_len=96, templates=(Template((), (ContextType.MAP,)),)
    )
    model = Mapperatorinator.from_profile(profile, Vocabulary.from_profile(profile))
    save_checkpoint(model, tmp_path / "own")
    state, out = tmp_path / "state", tmp_path / "out"
    state.mkdir()
    torch.save(model.state_dict(), state / "pytorch_model.bin")
    torch.save(model.vocabulary.to_dict(), state / "custom_checkpoint_0.pkl")
    for given in (tmp_path / "own", tmp_path / "own" / "profile.json"):
        assert main([f"state={state}", f"out={out}", f"profile={given}"]) == 0
        close(weights(out), model.state_dict(), atol=0)
        shutil.rmtree(out)
    assert main(["state", f"state={state}", f"out={out}"]) == 2
    assert "no built-in profile fits" in capsys.readouterr().err and not out.exists()
    assert main([f"state={tmp_path / 'own'}", f"out={out}"]) == 2
    assert "this is no training state" in capsys.readouterr().err


def test_mistakes_are_named_all_at_once_and_nothing_is_overwritten(base, tmp_path, capsys):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("mine")
    assert main(["merge", f"out={tmp_path / 'full'}", "precision=fp8", "gamemode=7"]) == 2
    message = capsys.readouterr().err
    for text in ("model is missing", "lora is missing", "exists already", "fp8", "gamemode=7"):
        assert text in message
    assert [p.name for p in (tmp_path / "full").iterdir()] == ["x"]
    assert main(["merge", "modle=x"]) == 2
    assert "did you mean 'model'" in capsys.readouterr().err


@pytest.mark.parametrize(("arguments", "code"), [([], 2), (["merg"], 2), (["--help"], 0), (["lora", "--help"], 0)])
def test_the_command_says_what_it_can_do(arguments, code, capsys):
    assert main(arguments) == code
    printed = capsys.readouterr()
    assert all(word in printed.out + printed.err for word in ("merge", "lora", "state=FOLDER"))
