"""Publishing: whole staging folders, mappers who asked for it really gone, nothing else touched, nothing half done."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from osuT5 import publish
from osuT5.errors import CheckpointError, InputError, OptionErrors
from osuT5.events import Profile
from osuT5.model import erase_mappers, load_model, read_user_ids

GOLDEN = Path(__file__).parents[1] / "golden" / "model"
TOKENS, EMBEDDER = "decoder_embedder.weight", "mapper_embedder.embedding.weight"
PART_FILES = ("config.json", "generation_config.json", "model.safetensors", "profile.json", "tokenizer.json")
# 202 and 404 are known to the tiny checkpoints as classes 1 and 3; 999 is not.
REMOVED = "# asked to be removed\n202\n404  # by mail\n\n999\n"


def tiny_profile():
    """The tiny checkpoints' geometry; switches off all tokens that one of them lacks."""
    off = [
        "add_out_context_types add_distances add_positions add_sv add_hitsounded_token add_song_length_token",
        "add_song_position_token add_timing_points add_mapper_token add_diff_token add_year_token add_cs_token",
        "add_descriptors add_kiai_special_token add_volumes",
    ]
    switches = dict.fromkeys(" ".join(off).split(), False)
    rate = {"sample_rate": 16000, "hop_length": 128}
    return Profile(name="tiny", src_seq_len=64, tgt_seq_len=96, gamemodes=(0,), spectrogram=rate, **switches)


def copy_checkpoint(name, target, beatmaps=None):
    """A tiny checkpoint as this project writes them, with beatmaps {beatmap id: user id} in its tables."""
    target.mkdir(parents=True)
    for file in ("config.json", "generation_config.json", "model.safetensors", "tokenizer.json"):
        shutil.copyfile(GOLDEN / name / file, target / file)
    (target / "profile.json").write_text(json.dumps(tiny_profile().to_dict()))
    values = json.loads((target / "tokenizer.json").read_text())
    values["beatmap_mapper"] = {str(b): user for b, user in (beatmaps or {}).items()}
    (target / "tokenizer.json").write_text(json.dumps(values))
    return target


@pytest.fixture
def checkpoint(tmp_path):
    """Root with mapper embedder (ropewhisper), gamemode=3 with mapper tokens (varwhisper), and a training leftover."""
    root = copy_checkpoint("tiny-ropewhisper", tmp_path / "source", {7: 202, 8: 101})
    copy_checkpoint("tiny-varwhisper", root / "gamemode=3", {9: 404})
    (root / "optimizer.bin").write_bytes(b"state")
    return root


@pytest.fixture
def opt_out(tmp_path):
    path = tmp_path / "removed_users.txt"
    path.write_text(REMOVED)
    return path


def run(*arguments):
    return publish.main([str(a) for a in arguments])


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture
def staged(checkpoint, opt_out, tmp_path):
    out = tmp_path / "out"
    before = contents(checkpoint)
    code = run(f"model={checkpoint}", "repo=me/tiny", f"opt_out={opt_out}", f"out={out}", "dry_run=true")
    assert code == 0
    assert contents(checkpoint) == before, "the source is never changed"
    return out


# ---- staging


def test_every_part_is_a_whole_checkpoint_and_nothing_else_goes_along(staged):
    names = {n for n in contents(staged) if n != publish.MARK}
    assert names == {"README.md", *PART_FILES, *(f"gamemode=3/{name}" for name in PART_FILES)}


def changed_rows(before, after):
    """{tensor: rows that differ}; all tensors must keep name, shape and dtype."""
    assert before.keys() == after.keys()
    rows = {}
    for key, value in before.items():
        assert value.shape == after[key].shape and value.dtype == after[key].dtype
        if not torch.equal(value, after[key]):
            rows[key] = [i for i in range(len(value)) if not torch.equal(value[i], after[key][i])]
    return rows


def test_rows_of_removed_mappers_are_zero_and_all_others_untouched(staged, checkpoint):
    first_token = json.loads((checkpoint / "gamemode=3/tokenizer.json").read_text())["event_start"]["mapper"]
    expected = {"": {EMBEDDER: [1, 3]}, "gamemode=3": {TOKENS: [first_token + 1, first_token + 3]}}
    for part, rows in expected.items():
        after = load_file(staged / part / "model.safetensors")
        assert changed_rows(load_file(checkpoint / part / "model.safetensors"), after) == rows
        for key, indices in rows.items():
            assert not after[key][indices].any()


def test_ids_of_removed_mappers_leave_the_tables_and_the_class_count_stays(staged):
    for part, beatmaps in (("", {8: 101}), ("gamemode=3", {})):
        vocabulary = load_model(staged / part).vocabulary
        assert vocabulary.mapper_idx == {101: 0, 303: 2, 505: 4}
        assert vocabulary.num_mapper_classes == 5
        assert vocabulary.beatmap_mapper == beatmaps
        assert vocabulary.mapper_class(202) == vocabulary.mapper_class(None) == 5


def test_the_rest_of_the_tokenizer_is_as_it_was(staged, checkpoint):
    before, after = (json.loads((folder / "tokenizer.json").read_text()) for folder in (checkpoint, staged))
    for table in ("mapper_idx", "beatmap_mapper"):
        before.pop(table), after.pop(table)
    assert before == after


def logits(folder, mapper_class):
    with np.load(GOLDEN / "tiny-ropewhisper" / "vectors.npz") as arrays:
        vectors = {key: torch.from_numpy(np.array(value)) for key, value in arrays.items()}
    conditions = {key[5:]: value for key, value in vectors.items() if key.startswith("cond_")}
    conditions["mapper_idx"] = torch.full_like(conditions["mapper_idx"], mapper_class)
    ids = torch.tensor([[1, 7, 312]]).expand(len(vectors["frames"]), -1)
    with torch.no_grad():
        return load_model(folder)(vectors["frames"], ids, **conditions).logits


def test_logits_of_other_mappers_and_of_nobody_are_the_same_to_the_bit(staged, checkpoint):
    for mapper_class in (0, 2, 4, 5, -1):
        assert torch.equal(logits(checkpoint, mapper_class), logits(staged, mapper_class))
    assert not torch.equal(logits(checkpoint, 1), logits(staged, 1))
    assert torch.equal(logits(staged, 1), logits(staged, 3)), "removed mappers cannot be told apart"


def test_style_classes_of_removed_mappers_go_unless_shared(tmp_path):
    folder = copy_checkpoint("tiny-varwhisper", tmp_path / "styled", {7: 202, 8: 202, 9: 101})
    values = json.loads((folder / "tokenizer.json").read_text())
    # the range of difficulties becomes one of styles: same size, so all ids stay
    for key in ("input_event_ranges", "event_range"):
        ranges = values[key].values() if isinstance(values[key], dict) else values[key]
        next(r for r in ranges if r["type"] == "difficulty")["type"] = "style"
    for key in ("event_range", "event_start", "event_end"):
        values[key]["style"] = values[key].pop("difficulty")
    values["beatmap_idx"] = {"7": 0, "8": 1, "9": 1}
    values["num_classes"] = 24
    (folder / "tokenizer.json").write_text(json.dumps(values))
    before = load_file(folder / "model.safetensors")
    erased = erase_mappers(folder, {202})
    start = values["event_start"]
    rows = changed_rows(before, load_file(folder / "model.safetensors"))
    assert {k: sorted(v) for k, v in erased.rows.items()} == rows == {TOKENS: [start["style"], start["mapper"] + 1]}
    assert json.loads((folder / "tokenizer.json").read_text())["beatmap_idx"] == {"9": 1}


def test_weights_in_shards_keep_their_shards(tmp_path):
    folder = copy_checkpoint("tiny-varwhisper", tmp_path / "sharded")
    state = load_file(folder / "model.safetensors")
    shards = {"model-00001-of-00002.safetensors": [TOKENS], "model-00002-of-00002.safetensors": set(state) - {TOKENS}}
    for name, keys in shards.items():
        save_file({key: state[key].half() for key in keys}, folder / name, metadata={"format": "pt"})
    table = {key: name for name, keys in shards.items() for key in keys}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": table}))
    (folder / "model.safetensors").unlink()
    out = tmp_path / "out"
    publish.stage({"": folder}, out, frozenset({303}), "me/tiny")
    untouched = "model-00002-of-00002.safetensors"
    assert (out / untouched).read_bytes() == (folder / untouched).read_bytes()
    rows = changed_rows(*(load_file(f / "model-00001-of-00002.safetensors") for f in (folder, out)))
    assert [len(found) for found in rows.values()] == [1]
    assert "| F16 |" in (out / "README.md").read_text()


def test_a_checkpoint_without_profile_gets_the_named_one(tmp_path):
    folder = copy_checkpoint("tiny-varwhisper", tmp_path / "bare")
    profile = json.loads((folder / "profile.json").read_text())
    (folder / "profile.json").unlink()
    (folder / "generation_config.json").unlink()
    with pytest.raises(CheckpointError, match="which profile"):
        publish.stage({"": folder}, tmp_path / "out", frozenset(), "me/tiny")
    assert not (tmp_path / "out").exists()
    publish.stage({"": folder}, tmp_path / "out", frozenset(), "me/tiny", profile=Profile.from_dict(profile))
    assert {p.name for p in (tmp_path / "out").iterdir()} == {*PART_FILES, "README.md", publish.MARK}


def test_a_failure_leaves_the_older_staging_folder_and_no_partial_one(staged, checkpoint, tmp_path):
    before = contents(staged)
    (checkpoint / "gamemode=3" / "model.safetensors").write_bytes(b"broken")
    siblings = set(tmp_path.iterdir())
    assert run(f"model={checkpoint}", "repo=me/tiny", f"out={staged}", "dry_run=true") == 2
    assert contents(staged) == before
    assert set(tmp_path.iterdir()) == siblings


def test_an_older_staging_folder_is_replaced_and_a_foreign_one_refused(staged, checkpoint, tmp_path, capsys):
    (staged / "stray.txt").write_text("x")
    assert run(f"model={checkpoint}", "repo=me/tiny", f"out={staged}", "dry_run=true") == 0
    assert not (staged / "stray.txt").exists()
    foreign = copy_checkpoint("tiny-varwhisper", tmp_path / "foreign")
    before = contents(foreign)
    assert run(f"model={checkpoint}", "repo=me/tiny", f"out={foreign}", "dry_run=true") == 2
    assert "not made by this command" in capsys.readouterr().err
    assert contents(foreign) == before


def test_sub_checkpoints_can_be_chosen_or_come_from_elsewhere(checkpoint, tmp_path):
    other = copy_checkpoint("tiny-varwhisper", tmp_path / "mode 0")
    for given, expected in (
        ("[]", set()),
        ("[3]", {"gamemode=3"}),
        (f"{{0: '{other}', 3: '{checkpoint}/gamemode=3'}}", {"gamemode=0", "gamemode=3"}),
    ):
        out = tmp_path / "out"
        assert run(f"model={checkpoint}", "repo=me/t", f"out={out}", "dry_run=true", f"gamemodes={given}") == 0
        assert {p.name for p in out.iterdir() if p.is_dir()} == expected


def test_the_card_says_what_the_checkpoints_are(checkpoint, opt_out, tmp_path):
    note = tmp_path / "note.md"
    note.write_text("992 maps, audio rendered.")
    out = tmp_path / "out"
    run(f"model={checkpoint}", "repo=me/tiny", f"opt_out={opt_out}", f"out={out}", "dry_run=true", f"card={note}",
        "license=cc-by-nc-4.0")  # fmt: skip
    card = (out / "README.md").read_text()
    size = sum(v.numel() for v in load_model(checkpoint).state_dict().values()) / 1e6
    for fact in (
        "license: cc-by-nc-4.0",
        "model_path=me/tiny",
        "992 maps, audio rendered.",
        f"| `.` | tiny | {size:.1f} M | F32 |",
        "| `gamemode=3` | tiny |",
        "2 mappers asked not to be imitated",
    ):
        assert fact in card
    assert "202" not in card and "404" not in card, "the card does not name who asked"


# ---- options


def test_all_wrong_options_are_named_at_once(tmp_path, capsys):
    assert run(f"model={tmp_path / 'nothing'}", "repo=tiny", "opt_out=none.txt", "private=maybe") == 2
    message = capsys.readouterr().err
    for part in ("nothing", "owner/name", "none.txt", "private=maybe"):
        assert part in message


@pytest.mark.parametrize("wanted, reason", [("[7]", "7"), ("[1]", "gamemode=1"), ("x", "is not a list")])
def test_wrong_game_modes_are_refused(checkpoint, tmp_path, capsys, wanted, reason):
    out = tmp_path / "out"
    assert run(f"model={checkpoint}", "repo=me/t", f"out={out}", "dry_run=true", f"gamemodes={wanted}") == 2
    assert reason in capsys.readouterr().err
    assert not out.exists()


def test_the_staging_folder_may_not_overlap_the_source(checkpoint):
    for out in (checkpoint, checkpoint / "staging", checkpoint.parent):
        assert run(f"model={checkpoint}", "repo=me/t", f"out={out}", "dry_run=true") == 2


def test_user_ids_one_a_line_with_comments(tmp_path):
    path = tmp_path / "users.txt"
    path.write_bytes(b"\xef\xbb\xbf1\r\n# two\r\n 22 # x\r\n\r\n")
    assert read_user_ids(path) == {1, 22}
    path.write_text("1\npeppy\n-3\n4")
    with pytest.raises(OptionErrors) as caught:
        read_user_ids(path)
    assert ["line 2: 'peppy'" in caught.value.problems[0], "line 3: '-3'" in caught.value.problems[1]] == [True, True]


# ---- the hub


class Hub:
    """What the calls to the hub were; `files` is what it holds after an upload."""

    def __init__(self, place, public=False, fails=None, corrupt=None):
        self.files, self.public, self.fails, self.corrupt, self.calls = place, public, fails, corrupt, []

    def create_repo(self, repo_id, **options):
        self.calls.append(("create_repo", repo_id, options))
        if self.fails:
            raise self.fails

    def repo_info(self, repo_id, **options):
        return SimpleNamespace(private=not self.public)

    def upload_folder(self, *, repo_id, folder_path, ignore_patterns, **options):
        self.calls.append(("upload_folder", repo_id, options))
        shutil.copytree(folder_path, self.files, ignore=shutil.ignore_patterns(*ignore_patterns))
        return SimpleNamespace(oid="abc", commit_url="https://hub/me/tiny/commit/abc")

    def snapshot_download(self, repo_id, revision):
        self.calls.append(("snapshot_download", repo_id, revision))
        if self.corrupt:
            self.corrupt(self.files)
        return str(self.files)


@pytest.fixture
def hub(monkeypatch, tmp_path):
    def make(token="secret", **options):
        made = Hub(tmp_path / "hub", **options)
        monkeypatch.setattr(huggingface_hub, "HfApi", lambda: made)
        monkeypatch.setattr(huggingface_hub, "get_token", lambda: token)
        monkeypatch.setattr(huggingface_hub, "snapshot_download", made.snapshot_download)
        return made

    return make


@pytest.fixture
def upload(checkpoint, opt_out, tmp_path):
    def call(*more):
        return run(f"model={checkpoint}", "repo=me/tiny", f"opt_out={opt_out}", f"out={tmp_path / 'out'}", *more)

    return call


def test_a_dry_run_asks_the_hub_nothing(upload, hub):
    asked = hub()
    assert upload("dry_run=true") == 0
    assert asked.calls == []


def test_the_repository_is_private_unless_asked_and_holds_what_was_staged(upload, hub, tmp_path, capsys):
    asked = hub()
    assert upload() == 0
    assert [call[0] for call in asked.calls] == ["create_repo", "upload_folder", "snapshot_download"]
    assert asked.calls[0][2]["private"] is True
    assert asked.calls[2][1:] == ("me/tiny", "abc"), "the check reads the very commit"
    staged = contents(tmp_path / "out")
    assert staged.pop(publish.MARK)
    assert contents(tmp_path / "hub") == staged
    assert "https://hub/me/tiny/commit/abc" in capsys.readouterr().err


def test_older_weights_in_the_repository_are_deleted(upload, hub):
    from fnmatch import fnmatch

    asked = hub()
    assert upload("private=false") == 0
    assert asked.calls[0][2]["private"] is False
    patterns = asked.calls[1][2]["delete_patterns"]
    older = ["pytorch_model.bin", "model-00001-of-00002.safetensors", "model.safetensors.index.json",
             "gamemode=1/model.safetensors", "gamemode=2/tokenizer.json", "custom_checkpoint_0.pkl"]  # fmt: skip
    assert all(any(fnmatch(name, pattern) for pattern in patterns) for name in older)


def test_a_public_repository_gets_nothing_that_was_to_be_private(upload, hub, capsys):
    asked = hub(public=True)
    assert upload() == 2
    assert "is public" in capsys.readouterr().err
    assert [call[0] for call in asked.calls] == ["create_repo"]
    assert upload("private=false") == 0


def test_no_token_and_no_network_are_one_clear_message_each(upload, hub, tmp_path, capsys):
    assert hub(token=None).calls == [] and upload() == 2
    message = capsys.readouterr().err
    assert "hf auth login" in message and str(tmp_path / "out") in message and "Traceback" not in message
    hub(fails=ConnectionError("name resolution"))
    assert upload() == 2
    message = capsys.readouterr().err
    assert "me/tiny cannot be made" in message and "name resolution" in message and "Traceback" not in message


def test_an_upload_that_does_not_load_or_still_knows_a_mapper_is_reported(upload, hub, checkpoint, tmp_path, capsys):
    def put_back(files):
        shutil.copyfile(checkpoint / "tokenizer.json", files / "tokenizer.json")

    hub(corrupt=put_back)
    assert upload() == 2
    assert "still knows mappers" in capsys.readouterr().err
    shutil.rmtree(tmp_path / "hub")
    hub(corrupt=lambda files: (files / "gamemode=3" / "model.safetensors").write_bytes(b""))
    assert upload() == 2


def test_rows_that_are_not_zero_are_found(checkpoint, opt_out, staged):
    parts = publish.stage({"": checkpoint}, staged, read_user_ids(opt_out), "me/tiny")
    shutil.copyfile(checkpoint / "model.safetensors", staged / "model.safetensors")
    with pytest.raises(CheckpointError, match="still knows"):
        publish.verify(staged, parts[0], read_user_ids(opt_out))


def test_pickled_weights_are_not_published(tmp_path):
    folder = copy_checkpoint("tiny-varwhisper", tmp_path / "pickled")
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match="model.safetensors"):
        publish.stage({"": folder}, tmp_path / "out", frozenset(), "me/tiny")
