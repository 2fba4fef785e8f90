"""The web data set as archives: in a folder, on a hub, compiled; the recorded samples come out of each."""

import io
import json
import pickle
import shutil
import tarfile

import huggingface_hub
import numpy as np
import pytest
import soundfile
from golden_samples import MMRS, WEB, ForcedDraws, assert_is_recorded, cut_set, web_cutter, web_filter

from osuT5.data.compile import CompileOptions, compile_data
from osuT5.data.shards import open_shards
from osuT5.data.web_archives import borrowed, list_archives, web_sets
from osuT5.data.web_tar import tar_sets
from osuT5.errors import BeatmapError, InputError


def encoded(samples: np.ndarray, rate=16000, **form) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, **form)
    return file.getvalue()


def write_tar(path, members):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def row_members(row):
    with np.load(MMRS.parent / "web_audio.npz") as sounds:
        key = row["__key__"]
        yield f"{key}.json", json.dumps(row["json"]).encode()
        if key in sounds:
            yield f"{key}.flac", encoded(sounds[key], format="FLAC", subtype="PCM_16")


def web_options(dataset, folder, **more):
    kind = {"dataset_type": "web", "resampler": "band_limited"}
    return CompileOptions(dataset=str(dataset), out=folder / "out", **kind, **more)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two archives below `compressed`, the recorded rows in them, their sound without loss."""
    folder = tmp_path_factory.mktemp("web")
    for number, rows in enumerate((WEB["rows"][:1], WEB["rows"][1:])):
        members = [member for row in rows for member in row_members(row)]
        write_tar(folder / "compressed" / f"train-{number}.tar", members)
    return folder


def assert_all_recorded(name, sets, sound=True):
    case, cutter = WEB["cases"][name], web_cutter(name)
    made = [pair for one in sets for pair in cut_set(cutter, one, ForcedDraws(), case.get("forced_frame_offset"))]
    assert len(made) == len(case["samples"])
    for (sample, song), recorded in zip(made, case["samples"], strict=True):
        assert_is_recorded(sample, recorded)
        if sound:
            heard = np.zeros(recorded["frames"]["shape"][0])
            part = song[sample.start_frame * 128 :][: len(heard)]
            heard[: len(part)] = part
            places = [place for place, _ in recorded["frames"]["probe"]]
            assert heard[places] == pytest.approx([value for _, value in recorded["frames"]["probe"]], abs=1e-5)


@pytest.mark.parametrize("name", list(WEB["cases"]))
def test_recorded_samples_come_out_of_archives(folder, name):
    assert_all_recorded(name, web_sets(folder, web_filter(name)))


@pytest.mark.parametrize("name", list(WEB["cases"]))
def test_recorded_samples_come_out_of_compiled_archives(folder, tmp_path, name):
    """The speed of the augmented case is made by another resampler there: ids are the same, sound nearly."""
    index = compile_data(web_options(folder, tmp_path))
    assert [row["file"] for row in index["shards"]] == ["00000-000.safetensors", "00001-000.safetensors"]
    shards = open_shards(tmp_path / "out")
    sets = shards.sets(web_filter(name).select(shards.facts))
    assert_all_recorded(name, sets, sound=False)


def test_sets_of_archives_can_be_sent_to_workers(folder):
    one = pickle.loads(pickle.dumps(web_sets(folder)))[0]
    assert one.maps[0]().hit_objects and one.sound(1.0).dtype == np.float32
    assert not any(m.content for m in one.facts)


def test_opus_is_decoded_band_limited_to_the_rate_of_the_model(tmp_path):
    time = np.arange(48000 * 2) / 48000
    tone = 0.4 * np.sin(2 * np.pi * 440 * time) + 0.4 * np.sin(2 * np.pi * 11000 * time)
    row = {**WEB["rows"][0], "__key__": "x.y/7"}
    members = [
        ("data/7.json", json.dumps(row["json"]).encode()),
        ("data/7.opus", encoded(tone, 48000, format="OGG", subtype="OPUS")),
    ]
    (one,) = tar_sets(write_tar(tmp_path / "a.tar", members))
    sound = one.sound(1.0)
    assert len(sound) == pytest.approx(32000, abs=400) and np.abs(sound).max() == pytest.approx(1.0)
    spectrum = np.abs(np.fft.rfft(sound[8000:24000]))
    assert spectrum.argmax() == 440
    assert spectrum[5000].max() < 0.01 * spectrum.max()  # what 11 kHz would fold to


def test_rows_without_sound_maps_or_sense_are_left_out(tmp_path):
    good = WEB["rows"][0]
    text = json.dumps(good["json"]).encode()
    flac = dict(row_members(good))[f"{good['__key__']}.flac"]
    members = [
        ("1.json", text), ("2.flac", flac), ("3.json", b"[]"), ("3.flac", flac), ("4.json", b"{}"), ("4.flac", flac),
        ("5.json", text), ("5.flac", flac),
    ]  # fmt: skip
    sets = tar_sets(write_tar(tmp_path / "a.tar", members))
    written = [beatmap["beatmap_id"] for beatmap in good["json"]["beatmaps"] if beatmap["content"]]
    assert [[m.beatmap_id for m in one.facts] for one in sets] == [written]


def test_an_archive_that_changed_or_is_none_is_named(tmp_path, folder):
    path = tmp_path / "a.tar"
    shutil.copy(folder / "compressed" / "train-0.tar", path)
    (one,) = tar_sets(path)
    path.write_bytes(b"")
    with pytest.raises(InputError, match="a.tar: is shorter"):
        one.sound(1.0)
    path.write_bytes(b"no tar" * 1000)
    with pytest.raises(InputError, match="a.tar: cannot be read as a tar archive"):
        tar_sets(path)
    lost = tar_sets(folder / "compressed" / "train-0.tar")[0].maps[0]
    with pytest.raises(BeatmapError, match="map 99"):
        type(lost)(lost.member, 99)()


def test_archives_are_places_in_the_list_of_names(folder):
    names = [p.name for p in list_archives(folder)]
    assert names == ["train-0.tar", "train-1.tar"]
    assert [p.name for p in list_archives(folder, start=1)] == names[1:]
    assert [p.name for p in list_archives(folder / "compressed", end=1)] == names[:1]
    for start, end in ((0, 3), (1, 1), (2, 2)):
        with pytest.raises(InputError, match="it has 2"):
            list_archives(folder, start=start, end=end)
    with pytest.raises(InputError, match="holds no .tar"):
        list_archives(folder, subset="other")


def test_a_repository_is_listed_and_an_archive_of_it_borrowed(folder, tmp_path, monkeypatch):
    class Info:
        sha = "abc"
        siblings = [type("File", (), {"rfilename": name}) for name in (
            "README.md", "compressed/b.tar", "compressed/a.tar", "original/a.tar")]  # fmt: skip

    def download(repository, name, *, repo_type, revision, local_dir):
        assert (repository, repo_type, revision) == ("owner/data", "dataset", "abc")
        return shutil.copy(folder / "compressed" / "train-0.tar", local_dir / "fetched.tar")

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", lambda self, name: Info)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    archives = list_archives("owner/data")
    assert [a.name for a in archives] == ["compressed/a.tar", "compressed/b.tar"]
    with borrowed(archives[0]) as path:
        assert tar_sets(path)
    assert not path.exists()
    index = compile_data(web_options("owner/data", tmp_path, start=1))
    assert index["shards"][0]["sets"] == 1


def test_a_name_that_is_no_folder_and_no_repository_is_an_error(monkeypatch):
    with pytest.raises(InputError, match="no such local folder"):
        list_archives("not/a/repository/name")

    def unreachable(self, name):
        raise ConnectionError("no route")

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", unreachable)
    with pytest.raises(InputError, match="cannot be reached.*no route"):
        list_archives("owner/data")
