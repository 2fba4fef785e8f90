"""Weights on disk: reading every published form, and the published table of keys and shapes.

Facts: published files are safetensors, possibly in shards, or pickled state dicts, which are read by the restricted
unpickler only. Names in memory equal names on disk; dead entries (spectrogram tables, the loss weight, the
decoder's unused embedding) are skipped while reading and absent from what this project writes.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from osuT5.errors import CheckpointError
from osuT5.model.config import MapperatorinatorConfig
from osuT5.model.model import DEAD_KEYS, Mapperatorinator
from osuT5.model.sources import WEIGHT_FILES, shard_names

_DEAD = re.compile("|".join(DEAD_KEYS))
_EMBED_TOKENS = "transformer.model.decoder.embed_tokens.weight"


def is_dead(key: str, config: MapperatorinatorConfig) -> bool:
    """True for stored tensors that nothing reads."""
    if key == _EMBED_TOKENS and not config.embed_decoder_input:
        return False
    return _DEAD.search(key) is not None


def read_weights(folder: Path, config: MapperatorinatorConfig) -> dict[str, Tensor]:
    """All living tensors of a checkpoint folder, on the CPU, in their stored dtype. Raises CheckpointError."""
    for name in WEIGHT_FILES:
        path = folder / name
        if path.is_file():
            state: dict[str, Tensor] = {}
            for shard in shard_names(path):
                state.update(read_tensors(folder / shard, lambda key: not is_dead(key, config)))
            return state
    raise CheckpointError(f"{folder}: no weights found; expected one of {', '.join(WEIGHT_FILES)}")


def read_tensors(path: Path, wanted: Callable[[str], bool] = lambda key: True) -> dict[str, Tensor]:
    """Tensors of one .safetensors or .bin file whose key is wanted. Raises CheckpointError."""
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as file:
                return {key: file.get_tensor(key) for key in file.keys() if wanted(key)}
        values = torch.load(path, map_location="cpu", weights_only=True)
        return {key: value for key, value in values.items() if wanted(key)}
    except pickle.UnpicklingError as error:
        raise CheckpointError(f"{path}: refused, because it holds more than tensors") from error
    except (OSError, SafetensorError, RuntimeError, ValueError, AttributeError, EOFError) as error:
        raise CheckpointError(f"{path}: cannot be read as weights: {error}") from error


def check_weights(state: dict[str, Tensor], model: Mapperatorinator, source: str) -> None:
    """Raises CheckpointError when keys or shapes differ from what the model has."""
    expected = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    missing = sorted(set(expected) - set(state))
    unexpected = sorted(set(state) - set(expected))
    wrong = [
        f"{key} is {tuple(state[key].shape)}, not {shape}"
        for key, shape in expected.items()
        if key in state and tuple(state[key].shape) != shape
    ]
    problems = [
        f"{what}: {', '.join(names[:5])}{f' and {len(names) - 5} more' if len(names) > 5 else ''}"
        for what, names in (("missing", missing), ("unknown", unexpected), ("wrong shape", wrong))
        if names
    ]
    if problems:
        raise CheckpointError(f"{source}: the weights do not fit config.json; " + "; ".join(problems))


def empty_model(config: MapperatorinatorConfig) -> Mapperatorinator:
    """A model whose parameters have shapes but no memory."""
    with torch.device("meta"):
        return Mapperatorinator(config)


def state_dict_keys(config: MapperatorinatorConfig) -> dict[str, tuple[int, ...]]:
    """Key -> shape of every tensor in a published file of this configuration, dead ones included."""
    table = {key: tuple(value.shape) for key, value in empty_model(config).state_dict().items()}
    bins, n_fft, mels = config.n_fft // 2 + 1, config.n_fft, config.n_mels
    spectrogram = {
        "nnAudio": {
            "mel_basis": (mels, bins),
            "stft.wsin": (bins, 1, n_fft),
            "stft.wcos": (bins, 1, n_fft),
            "stft.window_mask": (1, n_fft, 1),
        },
        "torchaudio": {"spectrogram.window": (n_fft,), "mel_scale.fb": (bins, mels)},
    }[config.spectrogram_implementation]
    table.update({f"spectrogram.transform.{key}": shape for key, shape in spectrogram.items()})
    table[_EMBED_TOKENS] = (config.vocab_size, config.hidden_size)
    table["loss_fn.weight"] = (config.vocab_size,)
    return table
