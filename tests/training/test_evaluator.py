"""The stand-alone evaluation: what it measures is what the model says, and its report can be read."""

import io
import json

import pytest
import torch
from rich.console import Console

from osuT5.events import EventType, Vocabulary, load_profile
from osuT5.model import Mapperatorinator
from osuT5.training.evaluator import evaluate, save_report, tables


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    profile = load_profile("mini").replace(src_seq_len=64, tgt_seq_len=32)
    small = {"d_model": 32, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2}
    small |= {"decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32}
    vocabulary = Vocabulary.from_profile(profile)
    return Mapperatorinator.from_profile(profile, vocabulary, backbone_config=small, rhythm_weight=2.0)


@pytest.fixture(scope="module")
def batches(model):
    """Three batches of windows of two game modes."""
    vocabulary = model.vocabulary
    made = []
    generator = torch.Generator().manual_seed(3)
    for modes in ([0, 3], [3], [0]):
        ids = torch.randint(20, vocabulary.vocab_size_out, (len(modes), 12), generator=generator)
        ids[:, 0] = torch.tensor([vocabulary.gamemode_id(m) for m in modes])
        ids[:, 1] = vocabulary.sos_id
        labels = torch.full_like(ids, -100)
        labels[:, 1:-1] = ids[:, 2:]
        frames = torch.randn(len(modes), model.profile.window_samples, generator=generator)
        made.append({"frames": frames, "decoder_input_ids": ids, "labels": labels, "item": torch.zeros(len(modes))})
    return made


def test_loss_and_accuracy_are_the_models_own(model, batches):
    found = evaluate(model, batches)["metrics"]
    losses, right, count = [], 0, 0
    with torch.no_grad():
        for batch in batches:
            inputs = {k: batch[k] for k in ("frames", "decoder_input_ids", "labels")}
            output = model.eval()(**inputs)
            losses.append(float(output.loss) - float(output.onset_loss or 0))
            known = batch["labels"] != -100
            right += int((output.logits.argmax(-1) == batch["labels"])[known].sum())
            count += int(known.sum())
    assert found["test/loss"] == pytest.approx(sum(losses) / 3, rel=1e-4)
    assert found["test/token_acc"] == pytest.approx(right / count)
    assert {"test/osu/loss", "test/mania/loss"} <= set(found) and "test/taiko/loss" not in found


def test_the_mode_of_the_model_is_restored(model, batches):
    model.train()
    evaluate(model, batches[:1])
    assert model.training
    model.eval()
    evaluate(model, batches[:1])
    assert not model.training


def test_report_holds_both_passes_and_histograms(model, batches, tmp_path):
    report = {"metrics": {}, "histograms": {}}
    for prefix in ("test_noise", "test"):
        part = evaluate(model, batches, prefix, histograms=True)
        for section in report:
            report[section].update(part[section])
    save_report(report, tmp_path / "deep" / "evaluation.json")
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["evaluation.json"]
    read = json.loads((tmp_path / "deep" / "evaluation.json").read_text())
    assert read == report
    assert read["metrics"]["test/token_acc"] == read["metrics"]["test_noise/token_acc"]
    assert read["metrics"]["test/time"] > 0
    first, end = (table[EventType.TIME_SHIFT] for table in (model.vocabulary.event_start, model.vocabulary.event_end))
    timed = sum(int(((b["labels"] >= first) & (b["labels"] < end)).sum()) for b in batches)
    assert read["histograms"]["test/timing_precision"]["counts"] == [timed] * 7
    assert sum(read["histograms"]["test/acc_over_time"]["counts"]) == sum(
        int((b["labels"] >= 0).sum()) for b in batches
    )


def test_a_table_for_each_template_with_a_column_for_each_mode():
    values = {"test/none/loss": 1.25, "test/none/mania/loss": 2.5, "test/gd/loss": 3.0, "test/time": 9.0}
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(tables(values))
    text = console.export_text()
    assert "test/none" in text and "test/gd" in text and "9.0" not in text
    (row,) = [line for line in text.splitlines() if "1.2500" in line]
    assert "loss" in row and row.index("1.2500") < row.index("2.5000")
    assert "taiko" not in text
