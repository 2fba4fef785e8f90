"""What the model learned, to look at: a map of the demo song, and a window with true and generated times.

The picture shows a window of the evaluation data: its spectrogram, above it the times of the human map, below it
those that the model writes when it is given the same prompt and nothing after it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from osuT5.bundled import bundled
from osuT5.data.batches import Batch, sound_of
from osuT5.data.samples import IGNORED
from osuT5.errors import MapperatorinatorError
from osuT5.events import TIME_STEP_MS, ContextType, EventType, Vocabulary
from osuT5.events.prompt import Prompt
from osuT5.inference import Request, generate
from osuT5.inference.decoder import Decoder, Row, collect
from osuT5.inference.logits_processors import MonotonicTime
from osuT5.model import Mapperatorinator
from osuT5.render import render_map

LOG = logging.getLogger(__name__)
DEMO_SONG = bundled("demo/song.ogg")
DIFFICULTY = 4.0
SAMPLE_MS = 30_000  # of the demo song: into its first verse and build
BAND, MARK = 28, 20  # heights in pixels
BACKGROUND, TRUE_COLOUR, OWN_COLOUR, TEXT = (18, 18, 24), (120, 220, 140), (250, 170, 90), (200, 200, 210)


def draw_sample(model: Mapperatorinator, batch: Batch | None, step: int, folder: Path, seed: int) -> dict[str, Path]:
    """Pictures by name: `sample` of a generated map, `window` of an evaluation window.

    What a young model cannot do yet is left out with a line in the log; it never ends the training.

    Args:
        model: plain, in evaluation mode. batch: of the evaluation data.
        folder: gets `step_<N>.png`, `step_<N>_window.png` and the map itself.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {}
    try:
        if batch is not None:
            drawn["window"] = draw_window(model, batch, folder / f"step_{step}_window.png")
        drawn["sample"] = _draw_map(model, step, folder, seed)
    except (MapperatorinatorError, RuntimeError, ValueError) as error:
        LOG.warning("step %d: no sample map: %s", step, error)
    return drawn


def _draw_map(model: Mapperatorinator, step: int, folder: Path, seed: int) -> Path:
    request = Request(
        audio_path=str(DEMO_SONG),
        output_path=str(folder / f"step_{step}"),
        difficulty=DIFFICULTY,
        gamemode=min(model.profile.gamemodes),
        seed=seed,
        end_time=SAMPLE_MS,
    )
    result = generate(request, model=model)
    return render_map(result.beatmaps[0], folder / f"step_{step}.png")


def draw_window(model: Mapperatorinator, batch: Batch, path: Path) -> Path:
    """A picture of the window of the batch with the most labels."""
    row = int((batch["labels"] != IGNORED).sum(1).argmax())
    frames = sound_of(batch["frames"][row : row + 1]).to(model.device)
    ids, labels = batch["decoder_input_ids"][row].cpu(), batch["labels"][row].cpu()
    given = ids[: int((labels != IGNORED).nonzero()[0]) + 1].tolist()
    conditions = {
        name: batch[name][row : row + 1].to(model.device)
        for name in ("difficulty", "mapper_idx", "song_position")
        if name in batch
    }
    vocabulary = model.vocabulary
    row = Row(Prompt(given), [vocabulary.eos_id], model.profile.tgt_seq_len, [MonotonicTime(vocabulary)])
    written = collect(Decoder(model).generate([row], model.encode(frames, **conditions)), 1)[0]
    with torch.no_grad():
        mel = model.spectrogram(frames)[0].float().cpu().numpy().T[::-1]
    true = map_times([i for i in labels.tolist() if i != IGNORED], vocabulary)
    picture = window_picture(mel, true, map_times(written, vocabulary), model.profile.window_ms)
    picture.save(path)
    return path


def map_times(ids: Sequence[int], vocabulary: Vocabulary) -> list[float]:
    """Times in ms since the window's start that these ids say of the map, or of all where contexts have no marks."""
    start, end = (table.get(ContextType.MAP) for table in (vocabulary.context_sos, vocabulary.context_eos))
    ids = list(ids)
    if start in ids:
        ids = ids[ids.index(start) + 1 :]
    if end in ids:
        ids = ids[: ids.index(end)]
    low, high = vocabulary.event_start[EventType.TIME_SHIFT], vocabulary.event_end[EventType.TIME_SHIFT]
    least = vocabulary.ranges[EventType.TIME_SHIFT].min_value
    return [float((i - low + least) * TIME_STEP_MS) for i in ids if low <= i < high]


def window_picture(mel: np.ndarray, true: Sequence[float], own: Sequence[float], window_ms: float) -> Image.Image:
    """Spectrogram (channels, frames), highest channel first, between two bands of marks."""
    width, height = max(mel.shape[1], 400), mel.shape[0] * 2
    low, high = np.percentile(mel, 5), np.percentile(mel, 99.5)
    shade = np.clip((mel - low) / max(high - low, 1e-9), 0, 1)
    colours = np.stack([shade**1.5 * 255, shade * 170 + 10, np.sqrt(shade) * 150 + 30], axis=-1).astype(np.uint8)
    picture = Image.new("RGB", (width, height + 2 * BAND), BACKGROUND)
    picture.paste(Image.fromarray(colours).resize((width, height)), (0, BAND))
    pen = ImageDraw.Draw(picture)
    for times, top, colour, name in (
        (true, 4, TRUE_COLOUR, "human"),
        (own, BAND + height + 4, OWN_COLOUR, "model"),
    ):
        for time_ms in times:
            x = time_ms / window_ms * width
            pen.line((x, top, x, top + MARK), fill=colour, width=2)
        caption, place = f"{name} {len(times)}", (4, top + 4)
        pen.rectangle(pen.textbbox(place, caption), fill=BACKGROUND)
        pen.text(place, caption, fill=TEXT)
    return picture
