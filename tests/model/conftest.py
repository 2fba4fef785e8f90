"""Golden checkpoints and vectors for the model tests."""

import gzip
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from osuT5.events.profile import Profile, Template, load_profile
from osuT5.events.types import ContextType
from osuT5.model import load_model

GOLDEN = Path(__file__).parents[1] / "golden"
FAMILIES = ("tiny-whisper", "tiny-ropewhisper", "tiny-varwhisper")


@pytest.fixture(autouse=True)
def one_thread():
    """The golden numbers were recorded on one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def golden():
    return GOLDEN


def tiny_profile() -> Profile:
    """The geometry that the tiny checkpoints share; their vocabularies hold at least these types."""
    return Profile(
        name="tiny",
        src_seq_len=64,
        tgt_seq_len=96,
        templates=(),
        add_out_context_types=False,
        add_distances=False,
        add_positions=False,
        add_sv=False,
        add_hitsounded_token=False,
        add_song_length_token=False,
        add_song_position_token=False,
        add_timing_points=False,
        add_mapper_token=False,
        add_diff_token=False,
        add_year_token=False,
        add_cs_token=False,
        add_descriptors=False,
        add_kiai_special_token=False,
        add_volumes=False,
        gamemodes=(0,),
        spectrogram={"sample_rate": 16000, "hop_length": 128},
    )


@pytest.fixture(scope="session")
def profile():
    return tiny_profile()


def read_vectors(path) -> dict[str, torch.Tensor]:
    with np.load(path) as arrays:
        return {key: torch.from_numpy(np.array(value)) for key, value in arrays.items()}


@pytest.fixture(scope="session", params=FAMILIES)
def family(request):
    """One tiny checkpoint: `.name`, `.folder`, `.model`, `.vectors`, `.conditions`, `.encoded` (of both windows)."""
    folder = GOLDEN / "model" / request.param
    model = load_model(folder, profile=tiny_profile())
    vectors = read_vectors(folder / "vectors.npz")
    conditions = {key[5:]: value for key, value in vectors.items() if key.startswith("cond_")}
    encoded = model.encode(vectors["frames"], **conditions)
    return SimpleNamespace(
        name=request.param, folder=folder, model=model, vectors=vectors, conditions=conditions, encoded=encoded
    )


WINDOWS = {"v28": (1024, 224), "v30": (512, 192), "v31": (1024, 224), "v32": (768, 224)}


@pytest.fixture
def published_form(tmp_path):
    """Makes the folder of a tiny checkpoint that has a published version's layout; returns (folder, profile)."""

    def make(version: str):
        source, folder = GOLDEN / "inference" / f"checkpoint_{version}", tmp_path / version
        folder.mkdir()
        for name in ("config.json", "generation_config.json", "tokenizer.json"):
            shutil.copyfile(source / name, folder / name)
        (folder / "model.safetensors").write_bytes(gzip.decompress((source / "model.safetensors.gz").read_bytes()))
        frames, tokens = WINDOWS[version]
        return folder, load_profile(version).replace(src_seq_len=frames, tgt_seq_len=tokens)

    return make


@pytest.fixture
def edit_json():
    def edit(path, **changes):
        values = json.loads(path.read_text())
        for key, value in changes.items():
            if value is None:
                values.pop(key)
            else:
                values[key] = value
        path.write_text(json.dumps(values))

    return edit


@pytest.fixture
def small_profile():
    """A profile of the embedded model's kind, small enough to make models in milliseconds."""
    sizes = dict(load_profile("mini").model, d_model=32, layers_per_side=2, heads=2, ffn_dim=48)
    return load_profile("mini").replace(
        name="small", model=sizes, src_seq_len=64, tgt_seq_len=600, templates=(Template((), (ContextType.MAP,)),)
    )
