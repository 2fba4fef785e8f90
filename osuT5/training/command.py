"""`python osuT5/train.py`: configuration → data → model → loop. Started again with the same output_dir, it resumes."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from osuT5 import cli
from osuT5.data.corpora import Corpora, find_index, read_corpora, read_maps
from osuT5.data.mixture import Mixture, MixtureSettings
from osuT5.data.samples import SampleMaker, SampleRecipe
from osuT5.data.stream import StreamDataset, StreamSettings, stream
from osuT5.errors import InputError
from osuT5.events import Profile, Vocabulary, load_profile
from osuT5.model import Mapperatorinator
from osuT5.training.loop import LoopSettings, Trainer

ABOUT = """python osuT5/train.py [-cn NAME] data.path=FOLDER [output_dir=...] [section.key=value ...]

Trains a model. A key may be written without its section where it names exactly one."""
EVALUATION_SEED = 7


def main(arguments: Sequence[str] | None = None) -> int:
    return cli.run(work, "train", "mini", ("path", "output_dir"), arguments, ABOUT)


def work(config: dict[str, Any]) -> int:
    """One run. Raises InputError for data that is not there."""
    say = lambda text: print(text, file=sys.stderr, flush=True)  # noqa: E731
    torch.set_num_threads(int(config["threads"]))
    torch.manual_seed(int(config["seed"]))
    profile = load_profile(config["profile"])
    vocabulary = Vocabulary.from_profile(profile)
    corpora = training_corpora(config["data"])
    maker = SampleMaker(profile, vocabulary, SampleRecipe(**config["recipe"]))
    model = Mapperatorinator.from_profile(profile, vocabulary)
    model.config.rhythm_weight = float(config["model"]["rhythm_weight"])
    size = sum(p.numel() for p in model.parameters()) / 1e6
    say(f"{size:.1f} M parameters, {len(corpora.maps)} maps, {len(corpora.songs)} songs")
    trainer = Trainer(model, loop_settings(config), Path(config["output_dir"]), training_device(config["device"]), say)
    if trainer.resume():
        say(f"resumed at step {trainer.step}")
    mixture = Mixture(corpora.maps, corpora.songs, profile, vocabulary, mixture_settings(config["data"]))
    settings = StreamSettings(
        seed=int(config["seed"]),
        batch_size=config["data"]["batch_size"],
        pool=config["data"]["pool"],
        first_item=trainer.items_used + 1 if trainer.step else 0,
    )
    loader = DataLoader(StreamDataset(mixture, maker, settings), batch_size=None, num_workers=config["data"]["workers"])
    evaluate = evaluation_batches(config, profile, vocabulary, maker)
    trainer.fit(iter(loader), evaluate)
    say(f"the model lies in {trainer.folder / 'model'}")
    return 0


def training_corpora(data: dict[str, Any]) -> Corpora:
    """The training split of a prepared folder, without the songs that are left out for tuning."""
    if not data["path"]:
        raise InputError("data.path is missing: the folder made by python -m osuT5.data.corpora")
    corpora = read_corpora(Path(data["path"]).expanduser())
    left_out = tuple(data["leave_out"])
    songs = [s for s in corpora.songs if not any(part in str(s.audio_path) for part in left_out)]
    return Corpora(corpora.maps, songs, corpora.timed)


def evaluation_batches(config: dict[str, Any], profile: Profile, vocabulary: Vocabulary, maker: SampleMaker) -> Any:
    """A function that gives the same few batches of the validation maps each time, or None if there are none."""
    folder = Path(config["data"]["path"]).expanduser()
    index = find_index(folder)
    maps = list(read_maps(index, folder, split="valid")) if index else []
    if not maps:
        return None
    mixture = Mixture(maps, [], profile, vocabulary, mixture_settings(config["data"]))
    settings = StreamSettings(seed=EVALUATION_SEED, batch_size=config["data"]["batch_size"], pool=128)
    kept: list[dict[str, Tensor]] = []

    def batches() -> Iterable[dict[str, Tensor]]:
        if not kept:
            source: Iterator[dict[str, Tensor]] = stream(mixture, maker, settings)
            kept.extend(itertools.islice(source, int(config["eval"]["batches"])))
        return [dict(batch) for batch in kept]

    return batches


def mixture_settings(data: dict[str, Any]) -> MixtureSettings:
    shares = {int(mode): float(share) for mode, share in data["mode_shares"].items()}
    return MixtureSettings(shares, float(data["song_share"]), float(data["rhythm_share"]))


def loop_settings(config: dict[str, Any]) -> LoopSettings:
    return LoopSettings(
        **config["optim"],
        log_every=config["logging"]["every_steps"],
        eval_every=config["eval"]["every_steps"],
        checkpoint_every=config["checkpoint"]["every_steps"],
        keep_checkpoints=config["checkpoint"]["keep"],
    )


def training_device(wanted: str) -> torch.device:
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(wanted)
