"""Every kind of data set that the options name can be opened for a run."""

import io
import json
import tarfile

import numpy as np
import pytest
import soundfile
from golden_samples import MMRS, WEB

from osuT5.data.catalogue import MapFacts, MapFilter
from osuT5.data.compile import CompileOptions, compile_data
from osuT5.errors import InputError
from osuT5.options.compose import compose, find_preset
from osuT5.options.model import annotation_of
from osuT5.options.types import words_of
from osuT5.training.open_data import OPENERS, open_data
from osuT5.training.options import TrainOptions
from osuT5.training.run import OWN_SPLITS, open_run

# of sets that nobody looked up on the web site
UNKNOWN = ("data.ranked_statuses=null", "data.min_year=null", "data.max_year=null", "data.descriptors_path=null")


def opened(*overrides):
    """The source and vocabulary of the training split of v32."""
    found = compose(TrainOptions, find_preset("train", "v32"), overrides)
    run = open_run(TrainOptions.read(found.values, found.layers, found.problems))
    return open_data(run, run.train, run.recipe)


@pytest.fixture(scope="module")
def web_folder(tmp_path_factory):
    """One archive with the recorded rows."""
    folder = tmp_path_factory.mktemp("web")
    (folder / "compressed").mkdir()
    with (
        np.load(MMRS.parent / "web_audio.npz") as sounds,
        tarfile.open(folder / "compressed" / "train-0.tar", "w") as tar,
    ):
        for row in WEB["rows"]:
            members = {"json": json.dumps(row["json"]).encode()}
            if row["__key__"] in sounds:
                file = io.BytesIO()
                soundfile.write(file, sounds[row["__key__"]], 16000, format="FLAC")
                members["flac"] = file.getvalue()
            for ending, content in members.items():
                info = tarfile.TarInfo(f"{row['__key__']}.{ending}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return folder


def assert_gives_windows(source):
    windows = [w for unit in range(len(source)) for w in source.windows(0, unit)]
    assert windows and any((w.sample.labels >= 0).any() for w in windows)


def test_every_type_of_the_options_has_an_opener():
    assert {*OPENERS, *OWN_SPLITS} == set(words_of(annotation_of(TrainOptions.keys()["data.dataset_type"])))


def test_archives_of_the_web_data_set_can_be_trained_on(web_folder):
    source, vocabulary = opened(f"data.path={web_folder}", "data.train_dataset_end=1", *UNKNOWN)
    assert_gives_windows(source)
    assert vocabulary.mapper_idx


def test_tags_are_numbered_by_the_built_in_list_unless_a_file_is_named():
    common = (f"data.path={MMRS}", "data.dataset_type=mmrs", "data.train_dataset_end=3", *UNKNOWN)
    _, own = opened(*common)
    _, given = opened(*common, f"data.tags_path={MMRS / 'tags.json'}")
    assert own.descriptor_idx["style/messy"] == 1 and "aa/one" not in own.descriptor_idx
    assert given.descriptor_idx["aa/one"] == 1 and "style/messy" not in given.descriptor_idx


def test_local_descriptors_need_a_file():
    with pytest.raises(InputError, match="data.descriptors_path"):
        opened(f"data.path={MMRS}", "data.dataset_type=mmrs", "data.train_dataset_end=3", *UNKNOWN,
               "data.descriptor_source=local")  # fmt: skip


def test_shards_give_the_sets_of_the_folder_they_were_made_from(tmp_path):
    compile_data(CompileOptions(dataset=str(MMRS), out=tmp_path / "shards"))
    common = ("data.train_dataset_end=3", *UNKNOWN)
    folder, _ = opened(f"data.path={MMRS}", "data.dataset_type=mmrs", *common)
    shards, _ = opened(f"data.path={tmp_path / 'shards'}", "data.dataset_type=shards", *common)
    assert len(folder) == len(shards)
    assert_gives_windows(shards)


def test_a_tilde_is_the_home_folder(monkeypatch):
    monkeypatch.setenv("HOME", str(MMRS.parent))
    monkeypatch.setenv("USERPROFILE", str(MMRS.parent))
    source, _ = opened("data.path=~/mmrs", "data.dataset_type=mmrs", "data.train_dataset_end=3", *UNKNOWN)
    assert len(source)


def test_a_range_beyond_the_data_set_is_refused_with_its_size():
    with pytest.raises(InputError, match="the data set has 3"):
        opened(f"data.path={MMRS}", "data.dataset_type=mmrs", "data.train_dataset_end=90", *UNKNOWN)


@pytest.mark.parametrize("count", [1, 2, 3, 10, 25])
@pytest.mark.parametrize("share", [0.04, 0.1, 0.5, 0.9])
def test_shares_of_a_data_set_part_it(count, share):
    """Every set is in one part; from two sets on, each part has one; what does not pass counts nowhere."""
    maps = [MapFacts(set_id=n, beatmap_id=10 * n + m, mode=0, style=0) for n in range(count) for m in range(2)]
    maps += [MapFacts(set_id=100 + n, beatmap_id=n, mode=3, style=0) for n in range(7)]
    parts = [
        {m.set_id for m in MapFilter(gamemodes=(0,), shares=ends).select(maps)}
        for ends in ((0, 1 - share), (1 - share, 1))
    ]
    assert parts[0] | parts[1] == set(range(count)) and not parts[0] & parts[1]
    assert parts[0] and (parts[1] or count == 1)
    assert abs(len(parts[1]) - share * count) <= 1
