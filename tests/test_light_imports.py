"""What is imported to answer `--help` or a mistake, or to read a map, brings no tensor library with it."""

import pkgutil
import subprocess
import sys

import pytest

HEAVY = ("torch", "transformers", "scipy.signal", "matplotlib", "pyarrow", "huggingface_hub", "accelerate", "peft")
LIGHT = (
    "osuT5",
    "osuT5.cli",
    "osuT5.options",
    "osuT5.beatmap",
    "osuT5.beatmap.verify",
    "osuT5.events",
    "osuT5.audio",
    "osuT5.timing",
    "osuT5.inference",
    "osuT5.inference.command",
    "osuT5.inference.plan",
    "osuT5.inference.postprocess",
    "osuT5.model",
    "osuT5.model.sources",
    "osuT5.model.families",
    "osuT5.model.profile_match",
    "osuT5.data",
    "osuT5.data.mixture",
    "osuT5.data.build",
    "osuT5.data.compile",
    "osuT5.data.corpora",
    "osuT5.evaluation.command",
    "osuT5.convert",
    "osuT5.publish",
    "osuT5.training.options",
    "osuT5.training.command",
    "osuT5.training.evaluation_command",
)


@pytest.mark.parametrize("module", LIGHT)
def test_a_light_module_loads_nothing_heavy(module):
    code = f"import sys, {module}; print(*set({HEAVY!r}) & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_doors_name_what_they_hold():
    import osuT5
    from osuT5 import data, inference, model, timing

    assert "__version__" in dir(osuT5)
    for door in (data, inference, model, timing):  # importing a module would put it in the place of the name
        assert not {module.name for module in pkgutil.iter_modules(door.__path__)} & set(door.__all__)
    assert {"Request", "generate"} <= set(dir(osuT5)) and "load_model" in dir(model)
    for door in (osuT5, inference, model):
        assert all(getattr(door, name) is not None for name in door.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        model.nothing  # noqa: B018
