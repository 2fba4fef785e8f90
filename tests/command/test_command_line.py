"""The command line: Hydra overrides as people type them, one message for everything that is wrong."""

import pytest

from osuT5 import cli
from osuT5.errors import InputError, OptionErrors
from osuT5.inference.request import option_rows

TEXTS = [n for n, row in option_rows().items() if row.metadata["kind"] in ("path", str)]


def compose(*overrides, name="mini"):
    return cli.compose("inference", name, overrides, TEXTS)


@pytest.mark.parametrize(
    "path",
    [
        "song.mp3",
        "my song.mp3",
        r"C:\Users\me\Songs\123 x - y\x - y (peppy) [Normal].osu",
        r"C:\folder\\",
        "/home/ä/曲 {a}=b, (c) [d].ogg",
        'it\'s "quoted".flac',
        "$HOME/${x}.mp3",
        r"\\server\share\a'b.mp3",
        "a:b@c#d!.wav",
    ],
)
def test_any_path_arrives_as_it_was_typed(path):
    if "${" in path:
        with pytest.raises(InputError):
            compose(f"audio_path={path}")
        return
    assert compose(f"audio_path={path}")["audio_path"] == path


def test_paths_quoted_for_hydra_work_as_the_older_readme_shows_them():
    path = r"C:\Users\USER\AppData\Local\osu!\Songs\1 K N - DISCO PRINCE\K N - DISCO PRINCE (peppy) [Normal].osu"
    assert compose(f"beatmap_path='{path}'")["beatmap_path"] == path
    assert compose(f'beatmap_path="{path}"')["beatmap_path"] == path


def test_lists_and_numbers():
    config = compose(
        "descriptors=['jump aim','clean']", "in_context=[TIMING,KIAI]", "difficulty=5.5", "seed=1", name="v29"
    )
    assert config["descriptors"] == ["jump aim", "clean"]
    assert config["in_context"] == ["TIMING", "KIAI"]
    assert config["difficulty"] == 5.5


@pytest.mark.parametrize("name", ["v28", "v29", "v30", "v31", "v32", "v32-mini", "inference_v29", "mini"])
def test_published_names_select_their_profile(name):
    config = compose(name=name)
    assert config["profile"] == (None if name == "mini" else name.removeprefix("inference_"))


def test_unknown_keys_are_all_named_with_suggestions():
    with pytest.raises(OptionErrors) as caught:
        compose("dificulty=4", "gamemod=1")
    assert "did you mean 'difficulty'?" in caught.value.problems[0]
    assert "did you mean 'gamemode'?" in caught.value.problems[1]


def test_unknown_configuration_names_the_known_ones():
    with pytest.raises(InputError, match="v32-mini"):
        compose(name="v99")


def test_training_key_without_its_section():
    config = cli.compose("train", "mini", ["total_steps=5", "data.path=x"], ("path", "output_dir"))
    assert config["optim"]["total_steps"] == 5
    with pytest.raises(OptionErrors, match="several sections"):
        cli.compose("train", "mini", ["every_steps=5"], ())


def test_exit_codes(capsys):
    def fail(_):
        raise InputError("the thing is wrong")

    assert cli.run(fail, "inference", "mini", TEXTS, ["audio_path=x"]) == 2
    assert "error: the thing is wrong" in capsys.readouterr().err
    assert cli.run(lambda c: None, "inference", "mini", TEXTS, ["audio_path=x"]) == 0

    def interrupt(_):
        raise KeyboardInterrupt

    assert cli.run(interrupt, "inference", "mini", TEXTS, []) == 130
    assert cli.run(fail, "inference", "mini", TEXTS, ["--frobnicate"]) == 2


def test_many_jobs_run_one_after_the_other_and_the_worst_exit_code_counts(monkeypatch, tmp_path, capsys):
    """`-m` is Hydra's: every combination of the values is a job."""
    monkeypatch.chdir(tmp_path)
    seen = []

    def work(config):
        seen.append((config["seed"], config["optim"]["base_lr"], config["output_dir"]))
        if config["seed"] == 2:
            raise InputError("two is not to be")

    sweep = ["-m", "seed=1,2,3", "base_lr=0.5", "output_dir=runs/${hydra:job.num}", "path=my songs, all"]
    assert cli.run(work, "train", "mini", ("path", "output_dir"), sweep) == 2
    assert seen == [(1, 0.5, "runs/0"), (2, 0.5, "runs/1"), (3, 0.5, "runs/2")]
    assert "two is not to be" in capsys.readouterr().err
    assert cli.run(work, "train", "mini", ("path", "output_dir"), ["-m", "sed=1,2"]) == 2
    assert len(seen) == 3
