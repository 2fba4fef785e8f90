"""The loss of the published training runs."""

import json

import numpy as np
import pytest
import torch

from osuT5.model.loss import mean_loss, rhythm_weights, token_loss


@pytest.fixture(scope="module")
def recorded(golden):
    folder = golden / "training" / "metrics"
    with np.load(folder / "metrics.npz") as arrays:
        vectors = {key: torch.from_numpy(np.array(arrays[key])) for key in arrays.files}
    return json.loads((folder / "metrics.json").read_text()), vectors


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_values_and_gradients(recorded, smoothing):
    _, vectors = recorded
    logits = vectors["tiny/logits"].clone().requires_grad_()
    labels = vectors["tiny/labels"]
    losses = token_loss(logits, labels, vectors["tiny/class_weights"], smoothing)
    torch.testing.assert_close(losses.detach(), vectors[f"tiny/ls{smoothing}/unreduced"], atol=1e-5, rtol=1e-5)
    loss = mean_loss(losses, labels)
    assert loss.item() == pytest.approx(vectors[f"tiny/ls{smoothing}/loss"].item(), rel=1e-5)
    loss.backward()
    torch.testing.assert_close(logits.grad, vectors[f"tiny/ls{smoothing}/grad"], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("version", ["v28", "v30", "v31", "v32"])
def test_losses_of_each_version(recorded, version):
    values, vectors = recorded
    values = values[version]
    labels, predictions = vectors[f"{version}/labels"], vectors[f"{version}/preds"]
    size = values["vocab_size_out"]
    logits = torch.zeros(*labels.shape, size)
    logits[:, :, values["idx"]] = vectors[f"{version}/small"]
    logits.scatter_(2, predictions.unsqueeze(-1), 6.0)
    weights = rhythm_weights(size, *values["class_weight_range"], values["rhythm_weight"], logits.device)
    rows = torch.tensor(values["sample_weights"])
    for name, expected in values["losses"].items():
        smoothing = float(name.removeprefix("model_loss_ls").removesuffix("_weighted"))
        found = mean_loss(token_loss(logits, labels, weights, smoothing), labels, rows if "weighted" in name else None)
        assert found.item() == pytest.approx(expected, rel=1e-5), name


def test_a_batch_without_labels_has_loss_zero():
    labels = torch.full((2, 3), -100)
    assert mean_loss(token_loss(torch.randn(2, 3, 5), labels), labels).item() == 0
