"""Where checkpoints are looked for: sub-folders by game mode, local paths, and the hub (stood in for)."""

import json

import huggingface_hub
import pytest
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError, RepositoryNotFoundError

from osuT5.errors import CheckpointError
from osuT5.model import load_model
from osuT5.model.sources import normalise_subfolder, resolve_source, subfolder_name


@pytest.fixture(scope="module")
def cases(golden):
    model = json.loads((golden / "model" / "checkpoint_paths.json").read_text())
    training = json.loads((golden / "training" / "lora" / "metadata_cases.json").read_text())
    return model, training


def test_subfolder_names(cases):
    for case in cases[0]["subfolder_name"]:
        found = subfolder_name(case["path"], case["kind"] == "hub", case.get("explicit_subfolder"))
        assert found == case["result"], case
    for case in cases[1]["ckpt_subfolder"]:
        hub = "hub_or_string_path" in case
        path = case["hub_or_string_path" if hub else "local_folder"]
        assert subfolder_name(path, hub, case["explicit"]) == case["result"], case


def test_normalised_names(cases):
    for case in cases[0]["normalise_subfolder"]:
        assert normalise_subfolder(case["input"]) == case["result"]


def test_local_resolution(cases, tmp_path):
    (tmp_path / "gamemode=1").mkdir()
    (tmp_path / "gamemode=2").write_text("a file, not a folder")
    for case in cases[0]["resolve_local"]:
        found = resolve_source(tmp_path, case["gamemode"], case["auto_select"])
        assert found.folder == tmp_path / case["resolved"], case
        assert found.subfolder == case["loaded_subfolder_name"], case
    for case in cases[1]["resolve_gamemode"]:
        found = resolve_source(tmp_path, case["gamemode"], case["auto"])
        assert found.folder == (tmp_path if case["resolved"] == "root" else tmp_path / case["resolved"])


class Hub:
    """Files of owner/name on the hub; `fault` is raised for every file, `files` says what exists."""

    def __init__(self, root, files, fault=None):
        self.root, self.files, self.fault, self.asked = root, files, fault, []

    def __call__(self, repo, name, revision=None):
        self.asked.append((repo, name, revision))
        if self.fault is not None:
            raise self.fault
        if name not in self.files:
            raise EntryNotFoundError(f"no {name}")
        return str(self.root / name)


@pytest.fixture
def hub(monkeypatch, tmp_path):
    def install(files=(), fault=None, known_missing=False):
        stand_in = Hub(tmp_path, files, fault)
        monkeypatch.setattr(huggingface_hub, "hf_hub_download", stand_in)
        answer = huggingface_hub._CACHED_NO_EXIST if known_missing else None
        monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *a, **k: answer)
        return stand_in

    return install


FILES = ("config.json", "tokenizer.json", "model.safetensors")


def library_error(kind, text="x"):
    """Hub errors want a response object of a client that differs between releases."""
    error = kind.__new__(kind)
    Exception.__init__(error, text)
    return error


def test_hub_root_and_mode_folder(hub, tmp_path):
    both = FILES + tuple(f"gamemode=3/{name}" for name in FILES)
    stand_in = hub(both)
    assert resolve_source("owner/name").folder == tmp_path
    assert resolve_source("owner/name", gamemode=1).folder == tmp_path
    found = resolve_source("owner/name", gamemode=3, revision="abc")
    assert (found.folder, found.subfolder) == (tmp_path / "gamemode=3", "gamemode=3")
    assert stand_in.asked[-1][2] == "abc"
    assert resolve_source("owner/name", gamemode=3, auto_select_gamemode=False).subfolder == ""
    assert resolve_source("owner/name/gamemode=3").folder == tmp_path / "gamemode=3"


def test_hub_shards_are_fetched(hub, tmp_path):
    (tmp_path / "model.safetensors.index.json").write_text('{"weight_map": {"a": "s1", "b": "s2", "c": "s1"}}')
    stand_in = hub(("config.json", "tokenizer.json", "model.safetensors.index.json", "s1", "s2"))
    resolve_source("owner/name")
    assert [name for _, name, _ in stand_in.asked][-2:] == ["s1", "s2"]


def test_a_network_fault_never_changes_the_model(hub):
    hub(fault=ConnectionError("reset by peer"))
    with pytest.raises(CheckpointError, match="fetching gamemode=0/tokenizer.json from the model hub failed: reset"):
        resolve_source("owner/name", gamemode=0)


def test_offline_missing_repository_and_missing_file_are_different_errors(hub):
    hub(fault=library_error(LocalEntryNotFoundError))
    with pytest.raises(CheckpointError, match="not in the local cache and the model hub cannot be reached"):
        resolve_source("owner/name", gamemode=0)
    hub(fault=library_error(RepositoryNotFoundError))
    with pytest.raises(CheckpointError, match="no such repository"):
        resolve_source("owner/name")
    hub(("config.json",))
    with pytest.raises(CheckpointError, match="has no tokenizer.json"):
        resolve_source("owner/name")
    hub(("config.json", "tokenizer.json"))
    with pytest.raises(CheckpointError, match="holds no weights"):
        resolve_source("owner/name")


def test_offline_knows_what_the_cache_knows_to_be_missing(hub):
    from osuT5.model.sources import fetch

    hub(fault=library_error(LocalEntryNotFoundError), known_missing=True)
    assert fetch("owner/name", "gamemode=0/tokenizer.json", required=False) is None


def test_missing_local_paths_never_reach_the_hub(hub, tmp_path, monkeypatch):
    stand_in = hub(FILES)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    for path in ("models/typo", str(tmp_path / "nothing"), "just-a-name", "a/b c"):
        with pytest.raises(CheckpointError, match="no such model folder"):
            load_model(path)
    with pytest.raises(CheckpointError, match="model path is empty"):
        load_model("")
    assert not stand_in.asked
