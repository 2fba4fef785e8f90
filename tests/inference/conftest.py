"""For the tests of generation: tiny checkpoints in the published form, a small random model, a song of clicks."""

import gzip
import shutil

import pytest
import torch
from golden_inference import find, tiny_profile

from osuT5 import Request, audio, generate
from osuT5.events import ContextType, Vocabulary, load_profile
from osuT5.events.profile import Template
from osuT5.inference.inputs import read_inputs
from osuT5.inference.progress import Objects, Restart
from osuT5.inference.resolve import resolve_options
from osuT5.inference.session import SongSession
from osuT5.inference.templates import choose_task
from osuT5.inference.track import MapTask
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


@pytest.fixture
def map_task(tmp_path):
    """A request for the recorded song of clicks (11 s), resolved for a model; nothing is verified or measured."""

    def make(model, **options):
        inputs = read_inputs(click_request(tmp_path, **options))
        resolved = resolve_options(inputs.request, model.profile, inputs.reference)
        task = choose_task(model.profile, resolved.contexts, resolved.outputs, resolved.gamemode)
        return MapTask(inputs, resolved, task)

    return make


def click_request(folder, **options):
    options = {"seed": 1, "difficulty": 4.0, "verify": "off", "timing": "constant", "bpm": 120, **options}
    return Request(audio_path=str(find("click.flac")), output_path=str(folder / "out"), **options)


@pytest.fixture
def click(tmp_path):
    """Generates from the recorded song of clicks into `tmp_path/out`: `click(model, on_progress, **options)`."""

    def make(model, on_progress=None, *, session=None, save=False, cancel=None, **options):
        request = click_request(tmp_path, **options)
        return generate(request, on_progress, model, session=session, save=save, cancel=cancel)

    return make


@pytest.fixture
def open_click():
    """A new session of the recorded song of clicks."""
    path = find("click.flac")
    return lambda model: SongSession(audio.load(path), model, encoder_batch=4, audio_path=path)


@pytest.fixture
def encoded(monkeypatch):
    """Counts windows that a model encodes: `encoded(model)` is a list of batch sizes."""

    def watch(model):
        sizes, encode = [], model.encode

        def spy(frames, **conditions):
            sizes.append(len(frames))
            return encode(frames, **conditions)

        monkeypatch.setattr(model, "encode", spy)
        return sizes

    return watch


@pytest.fixture
def objects_of():
    """What a listener has of a track: the sum of its `Objects`, begun anew where the events say so."""

    def listen(events, track=0):
        found = []
        for event in events:
            if isinstance(event, Restart) and event.track == track:
                found = []
            elif isinstance(event, Objects) and event.track == track:
                found = list(event.objects) if event.replaces else found + list(event.objects)
        return found

    return listen
