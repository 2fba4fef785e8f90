"""The wheel works where there is no repository: from an empty folder, with nothing but what it holds."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy, so that nothing is left in the repository."""
    copy, out = tmp_path_factory.mktemp("source") / "copy", tmp_path_factory.mktemp("wheel")
    files = subprocess.run(
        ["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for name in filter(None, files.split("\0")):
        if name.startswith(("tests/", "docs/")) or not (ROOT / name).is_file():
            continue
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes((ROOT / name).read_bytes())
    (copy / "tests").mkdir()
    (copy / "tests" / "test_nothing.py").touch()
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q", "-w", str(out), "."]
    subprocess.run(build, cwd=copy, check=True)
    (made,) = out.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def run(wheel, tmp_path_factory):
    """Runs Python from an empty folder that sees the installed wheel and its dependencies, and no clone."""
    target, empty = tmp_path_factory.mktemp("installed"), tmp_path_factory.mktemp("empty")
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(target), str(wheel)]
    subprocess.run(install, check=True)
    rate = 44100
    clicks = np.zeros(15 * rate, dtype=np.float32)
    for beat in np.arange(0.5, 14.5, 0.5):
        clicks[int(beat * rate) : int(beat * rate) + 500] = 0.8 * np.hanning(500)
    soundfile.write(empty / "song.wav", clicks, rate)
    environment = {**os.environ, "PYTHONPATH": str(target), "OMP_NUM_THREADS": "1"}

    def python(*arguments, code=0):
        command = [sys.executable, *arguments]
        done = subprocess.run(command, cwd=empty, env=environment, capture_output=True, text=True)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    python.target, python.empty = target, empty
    return python


def script(run, name):
    """The console command as pip installed it."""
    found = run.target / "bin" / name
    assert found.is_file()
    return str(found)


def test_it_holds_configurations_and_the_model_and_no_tests(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    for name in ("configs/inference/v29.yaml", "configs/train/default.yaml", "models/mini/model.safetensors"):
        assert f"osuT5/_bundled/{name}" in names
    assert not [name for name in names if name.startswith(("tests/", "demo/", "benchmarks/"))]
    assert wheel.stat().st_size < 30e6


def test_a_song_becomes_a_map_from_python(run):
    code = (
        "import osuT5; from osuT5 import Request, generate; print(osuT5.__file__);"
        "r = generate(Request(audio_path='song.wav', output_path='python', difficulty=3, seed=1));"
        "print(len(r.beatmaps[0].hit_objects), r.paths[0])"
    )
    place, result = run("-c", code).splitlines()[-2:]
    assert Path(place).is_relative_to(run.target)
    count, path = result.split(" ", 1)
    assert int(count) > 0 and (run.empty / path).suffix == ".osz" and (run.empty / path).is_file()


def test_a_song_becomes_a_map_by_the_command(run):
    run(script(run, "mapperatorinator"), "audio_path=song.wav", "output_path=command", "difficulty=3", "seed=1")
    made = list((run.empty / "command").glob("*.osz"))
    assert len(made) == 1 and any(name.endswith(".osu") for name in zipfile.ZipFile(made[0]).namelist())


def test_presets_of_ones_own_build_on_those_of_the_wheel(run):
    folder = run.empty / "presets"
    folder.mkdir()
    (folder / "mine.yaml").write_text("defaults: [mini, _self_]\nyear: 2020\n")
    command = script(run, "mapperatorinator")
    said = run(command, "audio_path=song.wav", "--explain", "-cn", "mine", "--config-dir", str(folder))
    assert "preset mine" in said and "2020" in said


def test_training_says_what_only_the_repository_holds(run):
    command = script(run, "mapperatorinator-train")
    assert "repository" in run(command, "-cn", "mini", "data.path=x", code=2)
    assert "-cn NAME" in run(command, code=2)
    assert "optim.base_lr" in run(command, "--help")
