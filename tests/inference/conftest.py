"""Models for the tests of generation: tiny checkpoints in the published form, and a small one with random weights."""

import gzip
import shutil

import pytest
import torch
from golden_inference import find, tiny_profile

from osuT5.events import ContextType, Vocabulary, load_profile
from osuT5.events.profile import Template
from osuT5.model import Mapperatorinator, load_model


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Opens a tiny checkpoint, `models(version, checkpoint)`, once."""
    opened = {}

    def get(version, checkpoint=None):
        checkpoint = checkpoint or version
        if (version, checkpoint) not in opened:
            folder = tmp_path_factory.mktemp(f"{version}_{checkpoint}")
            for path in find(f"checkpoint_{checkpoint}").iterdir():
                if path.suffix == ".gz":
                    (folder / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
                else:
                    shutil.copy(path, folder / path.name)
            opened[version, checkpoint] = load_model(folder, profile=tiny_profile(version))
        return opened[version, checkpoint]

    return get


@pytest.fixture(scope="session")
def small_model():
    """Random weights, windows of about a second, 160 tokens; sure enough of its choices that rounding decides none."""
    profile = load_profile("mini")
    sizes = dict(profile.model, d_model=32, layers_per_side=2, heads=2, ffn_dim=48)
    profile = profile.replace(
        name="small", model=sizes, src_seq_len=64, tgt_seq_len=160, templates=(Template((), (ContextType.MAP,)),)
    )
    torch.manual_seed(0)
    model = Mapperatorinator.from_profile(profile, Vocabulary.from_profile(profile)).eval()
    with torch.no_grad():
        model.transformer.proj_out.weight.mul_(8)
    return model
