"""From a folder of .osz to a trained model: a small model learns two songs by heart and writes their rhythm back.

Everything goes the way a user goes: mapsets on disk, the builder, the training command, its exported model, generation.
The beat grid does not help: times are what the model says, and a model that has not learned fails.
"""

import io
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from mapsets import map_text, osz

from osuT5 import Request, generate
from osuT5.beatmap import read, stars
from osuT5.data.synthesise import render_audio
from osuT5.evaluation.rhythm import onsets, score
from osuT5.model import Mapperatorinator, load_model

pytest.importorskip("pyarrow")
pytest.importorskip("accelerate")
pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SONG_MS, FIRST_MS = 20_000, 600
BEATS_MS = (400, 480)
GAPS = (1, 2, 2, 3, 4, 5)  # quarters of a beat between two objects, drawn at random
WANTED_F1 = 0.9
CORES, MINUTES = 2, 3
NETWORK = (
    "{d_model: 128, encoder_layers: 2, decoder_layers: 2, encoder_attention_heads: 2, decoder_attention_heads: 2, "
    "encoder_ffn_dim: 256, decoder_ffn_dim: 256, dropout: 0.0}"
)
# Windows lie at the same places in training and generation, so that there are six of them to learn by heart.
TRAINING = (
    "data.dataset_type=mmrs", "data.ranked_statuses=null", "data.test_dataset_start=0", "data.test_dataset_end=0",
    "data.tgt_seq_len=512", "data.frame_offset_augment_prob=0", "data.diff_dropout_prob=0", "data.cs_dropout_prob=0",
    "data.timing_random_offset_prob=0", "data.snapping_random_prob=0", "data.pool=6", "dataloader.num_workers=0",
    f"model.overwrite={NETWORK}", "optim.batch_size=6", "optim.total_steps=160", "optim.warmup_steps=10",
    "optim.decay_steps=80", "optim.base_lr_2=0.003", "optim.ema_decay=0", "mixed_precision=no", "device=cpu",
    "threads=1",
)  # fmt: skip
GENERATION = {
    "gamemode": 0, "timing": "constant", "offset": FIRST_MS, "do_sample": False, "lookback": 0.0, "lookahead": 0.0,
    "grid_times": False, "resnap_events": False, "prior_weight": 0, "audio_weight": 0, "onset_weight": 0,
    "end_penalty": 0, "verify": "off", "export_osz": False, "device": "cpu", "seed": 1,
}  # fmt: skip


def irregular_map(number):
    """Circles on quarters of the beat of the song, in no pattern."""
    rng, time, lines = np.random.default_rng(number), FIRST_MS, []
    while time < SONG_MS - 1000:
        lines.append(f"{rng.integers(60, 450)},{rng.integers(60, 320)},{time},1,0,0:0:0:0:")
        time += BEATS_MS[number] // 4 * int(rng.choice(GAPS))
    text = map_text("Hard", 100 + number, 1000 + number, audio="song.ogg", objects="\n".join(lines))
    return text.replace(b"\n500,500,", f"\n{FIRST_MS},{BEATS_MS[number]},".encode())


def write_songs(folder):
    """Two .osz, and beside them the songs for the generation. Returns the maps."""
    maps = []
    for number in range(len(BEATS_MS)):
        text, packed = irregular_map(number), io.BytesIO()
        maps.append(read(text))
        sound = render_audio(maps[-1], seed=number, duration_ms=SONG_MS)
        soundfile.write(packed, sound, 16000, format="OGG", subtype="VORBIS")
        osz(folder / "songs" / f"{number}.osz", {"map.osu": text, "song.ogg": packed.getvalue()})
        (folder / f"{number}.ogg").write_bytes(packed.getvalue())
    return maps


def command(*arguments):
    """CPU seconds that it took, on one or many cores."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def written(model, folder, number, truth):
    """Onsets of the map that the model writes for a song."""
    request = Request(
        audio_path=str(folder / f"{number}.ogg"), output_path=str(folder / "out"), difficulty=stars(truth),
        bpm=60_000 / BEATS_MS[number], circle_size=truth.cs, slider_multiplier=truth.slider_multiplier, **GENERATION,
    )  # fmt: skip
    return onsets(generate(request, model=model).beatmaps[0])


def test_two_songs_are_learned_by_heart_in_three_minutes(tmp_path):
    truths = write_songs(tmp_path)
    data, run = tmp_path / "data", tmp_path / "run"
    spent = command("-m", "osuT5.data.build", f"osz_dir={tmp_path / 'songs'}", f"out={data}", "workers=1")
    spent += command("osuT5/train.py", "-cn", "mini", f"data.path={data}", f"output_dir={run}", *TRAINING)

    model = load_model(run / "model", device="cpu")
    heard = [written(model, tmp_path, number, truth) for number, truth in enumerate(truths)]
    rhythms = [onsets(truth) for truth in truths]
    found = [score(ours, theirs).f1 for ours, theirs in zip(heard, rhythms, strict=True)]
    assert min(found) >= WANTED_F1, found
    assert spent <= CORES * MINUTES * 60

    # so much is neither chance nor one rhythm for both
    exchanged = [score(ours, theirs).f1 for ours, theirs in zip(heard, reversed(rhythms), strict=True)]
    sizes = dict(model.config.backbone_config)
    untrained = Mapperatorinator.from_profile(model.profile, model.vocabulary, backbone_config=sizes).eval()
    guessed = score(written(untrained, tmp_path, 0, truths[0]), rhythms[0]).f1
    assert max(*exchanged, guessed) < WANTED_F1 - 0.2, (exchanged, guessed)
