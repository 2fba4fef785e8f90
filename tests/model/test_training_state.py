"""Training states of the older system become models; pickles that want more than data are refused unread."""

import contextlib
import enum
import json
import os
import pickle
import sys
import types
from collections import OrderedDict

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from osuT5.errors import CheckpointError
from osuT5.events.types import ContextType, EventType
from osuT5.events.vocabulary import Vocabulary
from osuT5.model import Mapperatorinator, load_model
from osuT5.model.plain_pickle import read_plain_pickle
from osuT5.model.training_state import is_training_state, read_training_state

OLD_MODULE = "osuT5.osuT5.tokenizer.event"


@pytest.fixture
def old_classes(monkeypatch):
    """The older trainer's classes, importable only while they are pickled."""
    module = types.ModuleType(OLD_MODULE)
    for name, members in (("EventType", EventType), ("ContextType", ContextType)):
        setattr(module, name, enum.Enum(name, {m.name: m.value for m in members}, module=OLD_MODULE))

    class EventRange:
        def __init__(self, type, min_value, max_value):
            self.type, self.min_value, self.max_value = type, min_value, max_value

    EventRange.__module__, EventRange.__qualname__ = OLD_MODULE, "EventRange"
    module.EventRange = EventRange
    for part in (OLD_MODULE.rsplit(".", 1)[0], OLD_MODULE.rsplit(".", 2)[0]):
        monkeypatch.setitem(sys.modules, part, types.ModuleType(part))
    monkeypatch.setitem(sys.modules, OLD_MODULE, module)
    return module


def old_table(vocabulary, old, objects):
    """The token table as the older trainer held it: enum members as keys, ranges as objects or as mappings."""
    values = vocabulary.to_dict()

    def ranges(rows):
        kinds = [old.EventType(row["type"]) for row in rows]
        if objects:
            return [old.EventRange(t, r["min_value"], r["max_value"]) for t, r in zip(kinds, rows, strict=True)]
        return [{**row, "type": kind} for kind, row in zip(kinds, rows, strict=True)]

    for key in ("event_ranges", "input_event_ranges"):
        values[key] = ranges(values[key])
    for key, kind in (("context_sos", old.ContextType), ("context_eos", old.ContextType)):
        values[key] = {kind(name): i for name, i in values[key].items()}
    for key in ("event_start", "event_end"):
        values[key] = {old.EventType(name): i for name, i in values[key].items()}
    values["event_range"] = {}
    values["mapper_idx"] = OrderedDict((np.int64(k), np.int32(v)) for k, v in values["mapper_idx"].items())
    return values


def write_state(folder, model, table, state=None, save=torch.save):
    folder.mkdir()
    weights = dict(model.state_dict() if state is None else state)
    weights["loss_fn.weight"] = torch.ones(model.config.vocab_size)
    weights["spectrogram.transform.spectrogram.window"] = torch.ones(4)
    torch.save(OrderedDict(weights), folder / "pytorch_model.bin")
    with open(folder / "custom_checkpoint_0.pkl", "wb") as file:
        save(table, file)
    (folder / "scheduler.bin").write_bytes(b"")


@pytest.fixture
def model(small_profile):
    torch.manual_seed(0)
    small = small_profile.replace(add_mapper_token=True)
    return Mapperatorinator.from_profile(small, Vocabulary.from_profile(small, mappers=[7, 9]))


@pytest.mark.parametrize("objects", [False, True])
@pytest.mark.parametrize("save", [torch.save, pickle.dump], ids=["torch", "pickle"])
def test_a_training_state_becomes_the_same_model(model, old_classes, tmp_path, monkeypatch, objects, save):
    write_state(tmp_path / "state", model, old_table(model.vocabulary, old_classes, objects), save=save)
    monkeypatch.undo()  # the older trainer is not here when its files are read
    assert is_training_state(tmp_path / "state")
    found = read_training_state(tmp_path / "state", model.profile)
    assert found.vocabulary.to_dict() == model.vocabulary.to_dict()
    assert found.state_dict().keys() == model.state_dict().keys()
    assert all(torch.equal(v, model.state_dict()[k]) for k, v in found.state_dict().items())
    assert OLD_MODULE not in sys.modules


def test_members_pickled_by_name_are_read_too(tmp_path):
    """Python 3.11.0 to 3.11.3 pickle enum members as getattr(class, name)."""

    def by_name(kind, name):
        return b"cbuiltins\ngetattr\n(cosuT5.tokenizer.event\n" + kind + b"\nV" + name + b"\ntR."

    path = tmp_path / "p.pkl"
    path.write_bytes(by_name(b"EventType", b"TIME_SHIFT"))
    assert read_plain_pickle(path) == "t"
    path.write_bytes(by_name(b"EventType", b"__class__"))
    with pytest.raises(CheckpointError):
        read_plain_pickle(path)


def test_numbers_of_numpy_become_numbers(tmp_path):
    values = [np.int64(-3), np.uint16(7), np.float32(0.5), np.bool_(True), np.float64(2.25), np.dtype(">i4").type(5)]
    for protocol in (2, 4):
        (tmp_path / "p.pkl").write_bytes(pickle.dumps(values, protocol=protocol))
        found = read_plain_pickle(tmp_path / "p.pkl")
        assert found == [-3, 7, 0.5, True, 2.25, 5] and {type(v) for v in found} == {int, float, bool}


class _Runs:
    """Unpickled by the ordinary reader, it makes a folder."""

    def __init__(self, call, *arguments):
        self.call, self.arguments = call, arguments

    def __reduce__(self):
        return self.call, self.arguments


@pytest.mark.parametrize("save", [torch.save, pickle.dump], ids=["torch", "pickle"])
@pytest.mark.parametrize("call", [os.mkdir, os.system, eval, exec, __import__, open, getattr], ids=lambda c: c.__name__)
def test_a_pickle_that_wants_to_run_something_is_refused_and_runs_nothing(call, save, tmp_path):
    trap = tmp_path / "trap"
    arguments = {
        "mkdir": (str(trap),),
        "system": (f"mkdir '{trap}'",),
        "eval": (f"__import__('os').mkdir({str(trap)!r})",),
        "exec": (f"__import__('os').mkdir({str(trap)!r})",),
        "__import__": ("antigravity",),
        "open": (str(trap), "w"),
        "getattr": ("", "__class__"),
    }[call.__name__]
    with open(tmp_path / "p.pkl", "wb") as file:
        save({"offset": 3, "mapper_idx": _Runs(call, *arguments)}, file)
    with pytest.raises(CheckpointError, match="refused|cannot be read"):
        read_plain_pickle(tmp_path / "p.pkl")
    assert not trap.exists() and "antigravity" not in sys.modules


@pytest.mark.parametrize(
    "program",
    [
        b"cos\nsystem\n(Vtrue\ntR.",
        b"cosuT5.errors\nCheckpointError\n.",
        b"cbuiltins\ngetattr\n(cbuiltins\ngetattr\nV__globals__\ntR.",
        b"ccollections\nOrderedDict.__init__\n.",
        b"cnumpy\ndtype.__class__\n.",
        b"cosuT5.tokenizer.event\nEventType._values\n.",
        b"",
        b"garbage",
        b"\x80\x04]" + b"(" * 50,
    ],
)
def test_forbidden_names_and_damaged_files_are_one_message(program, tmp_path):
    (tmp_path / "p.pkl").write_bytes(program)
    with pytest.raises(CheckpointError, match=r"p\.pkl"):
        read_plain_pickle(tmp_path / "p.pkl")


def test_a_pickle_cannot_spoil_the_reader_for_the_next_file(tmp_path):
    dtype = b"cnumpy\ndtype\n"
    (tmp_path / "bad.pkl").write_bytes(dtype + b"(N}Vcode\nVx\ns\x86b.")
    (tmp_path / "good.pkl").write_bytes(pickle.dumps(np.int64(4)))
    with contextlib.suppress(CheckpointError):
        read_plain_pickle(tmp_path / "bad.pkl")
    assert read_plain_pickle(tmp_path / "good.pkl") == 4


def test_tensors_and_other_things_in_the_token_table_are_refused(model, tmp_path):
    write_state(tmp_path / "state", model, {"offset": torch.ones(2)})
    with pytest.raises(CheckpointError, match="refused"):
        read_training_state(tmp_path / "state")
    write_state(tmp_path / "list", model, [1, 2])
    with pytest.raises(CheckpointError, match="holds no table of tokens"):
        read_training_state(tmp_path / "list")


def test_hostile_weights_are_refused(model, tmp_path):
    write_state(tmp_path / "state", model, model.vocabulary.to_dict())
    torch.save({"a": _Runs(os.mkdir, str(tmp_path / "trap"))}, tmp_path / "state" / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="holds more than tensors"):
        read_training_state(tmp_path / "state", model.profile)
    assert not (tmp_path / "trap").exists()


def test_without_a_profile_the_built_in_one_that_fits_is_found(tmp_path, model, monkeypatch):
    folder = tmp_path / "state"
    write_state(folder, model, model.vocabulary.to_dict())
    with pytest.raises(CheckpointError, match="no built-in profile fits.*profile=NAME"):
        read_training_state(folder)
    wider = model.profile.replace(name="wider", model={**model.profile.model, "ffn_dim": 64})
    with pytest.raises(CheckpointError, match="state as 'wider'.*wrong shape"):
        read_training_state(folder, wider)
    known = {"wider": wider, "small": model.profile}
    monkeypatch.setattr("osuT5.model.training_state.profile_names", lambda: list(known))
    monkeypatch.setattr("osuT5.model.training_state.load_profile", known.get)
    assert read_training_state(folder).profile.name == "small"


def test_the_message_for_a_training_state_names_the_command(model, tmp_path):
    write_state(tmp_path / "state", model, model.vocabulary.to_dict())
    with pytest.raises(CheckpointError, match=r"python -m osuT5\.convert state=.*state out=FOLDER"):
        load_model(tmp_path / "state")


def test_a_lora_runs_state_is_merged(model, tmp_path):
    """The state of a wrapped model: residual base, A and B, and the scale in lora/."""
    module = "transformer.model.decoder.layers.0.self_attn.Wo"
    plain = model.state_dict()
    assert f"{module}.weight" in plain
    a, b = torch.randn(2, 32), torch.randn(32, 2)
    wrapped = {f"base_model.model.{k}": v for k, v in plain.items() if k != f"{module}.weight"}
    wrapped[f"base_model.model.{module}.base_layer.weight"] = plain[f"{module}.weight"] - 1.5 * (b @ a)
    wrapped[f"base_model.model.{module}.lora_A.default.weight"] = a
    wrapped[f"base_model.model.{module}.lora_B.default.weight"] = b
    folder = tmp_path / "state"
    write_state(folder, model, model.vocabulary.to_dict(), wrapped)
    (folder / "lora").mkdir()
    config = {"peft_type": "LORA", "r": 2, "lora_alpha": 3, "init_lora_weights": "pissa"}
    (folder / "lora" / "adapter_config.json").write_text(json.dumps(config))
    matrices = {f"base_model.model.{module}.lora_{label}.weight": m for label, m in (("A", a), ("B", b))}
    save_file(matrices, folder / "lora" / "adapter_model.safetensors")
    found = read_training_state(folder, model.profile).state_dict()
    for key, value in plain.items():
        torch.testing.assert_close(found[key], value, atol=1e-6, rtol=0)
