"""`python inference.py`: what is wrong is said before anything heavy is loaded, and `--explain` shows every value."""

import subprocess
import sys
from pathlib import Path

import pytest
from golden_inference import find

from osuT5.inference import command
from osuT5.inference.options import Request

ROOT = Path(__file__).resolve().parents[2]


def test_explain_shows_every_option_with_its_origin(capsys, tmp_path):
    (tmp_path / "mine.yaml").write_text("defaults: [v31, _self_]\nyear: 2020\n")
    preset = ["-cn", "mine", "--config-dir", str(tmp_path)]
    assert command.main(["--explain", *preset, f"audio_path={find('click.flac')}", "seed=1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(Request.keys())
    shown = {line.split()[0]: line[29:].split("  ", 1) for line in lines}
    origins = {name: parts[0].strip() for name, parts in shown.items()}
    assert shown["year"][1].strip() == "2020" and origins["year"] == "preset mine"
    assert origins["profile"] == "preset v31" and origins["seed"] == "asked" and origins["top_p"] == "profile"
    assert origins["title"] == "song" and origins["approach_rate"] == "rating" and origins["mapper_id"] == "unset"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--help"], "hold_note_ratio"),
        (["audio_pth=x", "year=1"], "did you mean 'audio_path'"),
        (["audio_path=none.mp3", "background=none.png"], "no such file: none.png"),
        (["audio_path=demo/song.ogg", "gamemode=1", "-cn", "v30"], "v30 was trained for 0 only"),
        (["audio_path=demo/song.ogg", "beatmap_path=none.osu", "in_context=[GD]"], "no such file"),
    ],
)
def test_answers_need_no_tensor_library(arguments, words):
    """In a process of its own, as nothing may be imported by others before."""
    code = (
        "import sys; from osuT5.inference.command import main; code = main(sys.argv[1:]);"
        "heavy = {'torch', 'transformers', 'scipy.signal'} & set(sys.modules); print(code, *heavy, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert words in done.stdout + done.stderr
    assert done.stderr.splitlines()[-1] == ("0" if "--help" in arguments else "2")
