"""Evaluation of a model on batches: metrics by token class, template and game mode, histograms, and a table of them.

Facts: the published stand-alone evaluator, which runs the test split twice: `test_noise` with jittered inputs, as
in training, and `test` without.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from rich.console import Group
from rich.table import Table

from osuT5.data.batches import Batch, sound_of
from osuT5.model import Mapperatorinator
from osuT5.training.attribution import MODE_NAMES
from osuT5.training.metrics import Metrics

# what the model is told; labels and all else in a batch are for the metrics
INPUTS = ("frames", "decoder_input_ids", "decoder_attention_mask", "difficulty", "mapper_idx", "song_position")
AUTOCAST = {"no": None, "bf16": torch.bfloat16, "fp16": torch.float16}
ALL_MODES = "all"


@torch.no_grad()
def evaluate(
    model: Mapperatorinator,
    batches: Iterable[Batch],
    prefix: str = "test",
    histograms: bool = False,
    mixed_precision: str = "no",
) -> dict[str, Any]:
    """Runs a model over batches, with all dropouts off. With several processes every one gets the whole result.

    Args:
        model: with `.vocabulary` and `.profile`; its mode (training or not) is restored.
        batches: `frames`, `decoder_input_ids`, `labels` and what else the model is told, as the data stream gives
            them; `sample_weights` are the maps' rhythm complexities.
        prefix: first part of the names.
        histograms: whether to count them as well.
        mixed_precision: no, bf16 or fp16.

    Returns:
        JSON-ready {"metrics": {name: mean}, "histograms": {name: axis, totals, counts}}.
    """
    metrics = Metrics(model.vocabulary, model.profile, model.config.rhythm_weight, prefix, histograms)
    device, dtype = next(model.parameters()).device, AUTOCAST[mixed_precision]
    training, began = model.training, time.monotonic()
    model.eval()
    try:
        for batch in batches:
            inputs = {key: batch[key].to(device, non_blocking=True) for key in INPUTS if key in batch}
            inputs["frames"] = sound_of(inputs["frames"])
            with torch.autocast(device.type, dtype or torch.bfloat16, enabled=dtype is not None):
                logits = model(**inputs).logits
            metrics.update(batch, logits)
    finally:
        model.train(training)
    metrics.gather()
    values = metrics.result()
    values[f"{prefix}/time"] = time.monotonic() - began
    described = metrics.histograms.described(metrics.counts()) if metrics.histograms else {}
    return {"metrics": values, "histograms": described}


def save_report(report: Mapping[str, Any], path: Path) -> None:
    """Writes JSON; the file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(report, indent=1), encoding="utf-8")
    os.replace(partial, path)


def tables(values: Mapping[str, float]) -> Group:
    """A table for each prefix and template: a row for each metric, a column for each game mode."""
    cells: dict[str, dict[str, dict[str, float]]] = {}
    for name, value in values.items():
        *group, metric = name.split("/")
        if metric == "time":
            continue
        mode = group.pop() if len(group) > 1 and group[-1] in MODE_NAMES else ALL_MODES
        cells.setdefault("/".join(group), {}).setdefault(metric, {})[mode] = value
    made = []
    for title, rows in cells.items():
        seen = {mode for by_mode in rows.values() for mode in by_mode}
        modes = [m for m in (ALL_MODES, *MODE_NAMES) if m in seen]
        table = Table("metric", *modes, title=title, title_justify="left")
        for metric, by_mode in rows.items():
            table.add_row(metric, *(f"{by_mode[m]:.4f}" if m in by_mode else "" for m in modes))
        made.append(table)
    return Group(*made)
