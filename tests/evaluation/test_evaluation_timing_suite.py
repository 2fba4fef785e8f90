"""The suite `timing` promises: clicks whose tempo is known come back right, alone or over processes."""

import json

import numpy as np
import pytest
import soundfile

from osuT5.evaluation.command import main

BPM, FIRST_MS, SECONDS, RATE = 140.0, 300.0, 24, 16000


@pytest.fixture
def songs(tmp_path):
    for name in ("one", "two"):
        folder = tmp_path / "songs" / name
        folder.mkdir(parents=True)
        samples = np.random.default_rng(0).normal(0, 1e-3, SECONDS * RATE)
        click = np.exp(-np.arange(800) / 120) * np.sin(np.arange(800) * 0.6)
        for beat_ms in np.arange(FIRST_MS, SECONDS * 1000 - 100, 60000 / BPM):
            at = round(beat_ms / 1000 * RATE)
            samples[at : at + 800] += 0.6 * click
        soundfile.write(folder / "audio.ogg", samples, RATE, format="OGG", subtype="VORBIS")
        meta = {
            "id": name, "title": name, "artist": "metronome", "duration_ms": SECONDS * 1000.0, "split": "eval",
            "timing": [[FIRST_MS, 60000 / BPM, 4]], "charts": [],
        }  # fmt: skip
        (folder / "meta.json").write_text(json.dumps(meta))
    return tmp_path / "songs"


@pytest.mark.parametrize("processes", [1, 2])
def test_a_metronome_is_timed_right(songs, tmp_path, processes):
    out = tmp_path / "out"
    assert main(["suite=timing", f"songs={songs}", f"out={out}", f"processes={processes}"]) == 0
    report = json.loads((out / "timing.json").read_text())
    assert [row["song"] for row in report["rows"]] == ["one", "two"]
    for row in report["rows"]:
        assert abs(row["timing"]["bpm_error_folded"]) < 1e-3
        assert abs(row["timing"]["offset_ms"]) < 8
    assert report["summary"]["tempo_right"] == 1.0
    assert "| one |" in (out / "timing.md").read_text()
