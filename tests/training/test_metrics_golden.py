"""Losses, metrics and histograms of the published evaluation."""

import json

import numpy as np
import pytest
import torch

from osuT5.data.balance import token_balanced_batches
from osuT5.events import Vocabulary, load_profile
from osuT5.events.profile import Template
from osuT5.events.types import ContextType
from osuT5.training.metrics import Metrics

VERSIONS = ["v28", "v30", "v31", "v32"]


@pytest.fixture(scope="module")
def recorded(golden):
    folder = golden / "training" / "metrics"
    with np.load(folder / "metrics.npz") as arrays:
        vectors = {key: torch.from_numpy(np.array(arrays[key])) for key in arrays.files}
    return json.loads((folder / "metrics.json").read_text()), vectors


def model_of(version):
    """(profile with one template that reads nothing, vocabulary) of a version."""
    profile = load_profile(version)
    vocabulary = Vocabulary.from_profile(profile)
    return profile.replace(templates=(Template((), (ContextType.MAP,)),)), vocabulary


def batch_and_logits(recorded, version, vocabulary):
    values, vectors = recorded
    labels, predictions = vectors[f"{version}/labels"], vectors[f"{version}/preds"]
    logits = torch.zeros(*labels.shape, vocabulary.vocab_size_out)
    logits[:, :, values[version]["idx"]] = vectors[f"{version}/small"]
    logits.scatter_(2, predictions.unsqueeze(-1), 6.0)
    return {"decoder_input_ids": torch.ones_like(labels), "labels": labels}, logits


@pytest.mark.parametrize("version", VERSIONS)
def test_one_update(recorded, version):
    values, _ = recorded
    profile, vocabulary = model_of(version)
    assert vocabulary.vocab_size_out == values[version]["vocab_size_out"]
    metrics = Metrics(vocabulary, profile, values[version]["rhythm_weight"], prefix="map")
    metrics.update(*batch_and_logits(recorded, version, vocabulary))
    found = metrics.result()
    del found["map/token_acc"]
    assert found == pytest.approx(values[version]["averaged_one_update"], rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_row_at_a_time(recorded, version):
    values, _ = recorded
    profile, vocabulary = model_of(version)
    metrics = Metrics(vocabulary, profile, values[version]["rhythm_weight"], prefix="")
    batch, logits = batch_and_logits(recorded, version, vocabulary)
    for row in range(3):
        metrics.update({k: v[row : row + 1] for k, v in batch.items()}, logits[row : row + 1])
    found = metrics.result()
    del found["token_acc"]
    assert found == pytest.approx(values[version]["averaged_three_updates"], rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("version", VERSIONS)
def test_element_counts(recorded, version):
    """Sums and counts of every metric are those of the recorded elements."""
    values, _ = recorded
    profile, vocabulary = model_of(version)
    metrics = Metrics(vocabulary, profile, prefix="")
    metrics.update(*batch_and_logits(recorded, version, vocabulary))
    found = {n: (float(t), float(c)) for n, (t, c) in metrics.counts().items() if n not in ("loss", "token_acc")}
    raw = values[version]["stats_raw"]
    assert found == {n: (sum(r), len(r)) for n, r in raw.items() if n != "loss" and len(r)}


def test_histograms(recorded):
    values, _ = recorded
    profile, vocabulary = model_of("v28")
    metrics = Metrics(vocabulary, profile, prefix="test", histograms=True)
    metrics.update(*batch_and_logits(recorded, "v28", vocabulary))
    found = metrics.histograms.described(metrics.counts())
    expected = values["v28_test_histograms"]
    assert set(found) == {"test/acc_over_time", "test/timing_precision"}
    over_time = expected["acc_over_time"]
    assert found["test/acc_over_time"]["bin_upper_edges_ms"] == pytest.approx(over_time["bin_upper_edges_ms"])
    assert found["test/acc_over_time"]["totals"] == over_time["totals"]
    assert found["test/acc_over_time"]["counts"] == over_time["counts"]
    precision = expected["timing_precision"]
    assert found["test/timing_precision"]["offsets"] == precision["offsets"]
    assert found["test/timing_precision"]["totals"] == precision["totals"]
    assert found["test/timing_precision"]["counts"] == [precision["count"]] * len(precision["offsets"])


def test_token_balanced_batches(recorded):
    for case in recorded[0]["token_balanced_batcher"]:
        found = token_balanced_batches(case["lengths"], case["batch_size"], case["buffer_size"])
        assert found == case["batches"]
