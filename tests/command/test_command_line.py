"""The command line: Hydra overrides as people type them, one message for everything that is wrong."""

from typing import ClassVar

import pytest

from osuT5 import cli
from osuT5.errors import InputError, OptionErrors
from osuT5.inference.options import Request
from osuT5.options import Command, Int, Layer, Number, Options, PathText, Section, Table, option, section
from osuT5.options.compose import compose as compose_values
from osuT5.options.compose import find_preset


def compose(*overrides, name="mini", config_dir=None):
    """The values of a preset with overrides, as a request."""
    found = compose_values(Request, find_preset("inference", name, config_dir), overrides)
    layers = [Layer("asked", {"audio_path": "x"}), *found.layers]
    return Request.read({"audio_path": "x", **_given(found.values)}, layers, found.problems)


def _given(values):
    return {name: value for name, value in values.items() if value is not None}


@pytest.mark.parametrize(
    "text",
    [
        "song.mp3",
        "my song.mp3",
        r"C:\Users\me\Songs\123 x - y\x - y (peppy) [Normal].osu",
        "C:\\folder\\",
        "/home/ä/曲 {a}=b, (c) [d].ogg",
        'it\'s "quoted".flac',
        "a ${b}.mp3",
        "${foo}",
        "$HOME/${x}.mp3",
        "unclosed ${x.mp3",
        "${oc.env:HOME}",
        "{a: b}",
        "[a,b]",
        "a,b",
        "~/x # y.mp3",
        r"\\server\share\a'b.mp3",
        "a:b@c#d!.wav",
        "007",
        "true",
        "%s %(x)s",
    ],
)
def test_free_text_arrives_as_it_was_typed(text):
    request = compose(f"audio_path={text}", f"title={text}")
    assert (request.audio_path, request.title) == (text, text)
    assert request.origin("title") == "asked"


def test_one_pair_of_quotes_is_dropped():
    path = r"C:\Users\USER\AppData\Local\osu!\Songs\1 K N - DISCO PRINCE\K N - DISCO PRINCE (peppy) [Normal].osu"
    for quoted in (f"'{path}'", f'"{path}"'):
        assert compose(f"beatmap_path={quoted}").beatmap_path == path
    assert compose("title=\"'it'\"").title == "'it'"
    assert compose(r"title='it\'s'").title == "it's"
    assert compose("title='null'").title == "null" and compose("title=null").title is None


def test_lists_and_numbers():
    request = compose(
        "descriptors=['jump aim','clean']",
        "in_context=[TIMING,KIAI]",
        "beatmap_path=x.osu",
        "difficulty=5.5",
        name="v29",
    )
    assert request.descriptors == ("jump aim", "clean")
    assert request.in_context == ("TIMING", "KIAI")
    assert request.difficulty == 5.5
    assert compose("descriptors=clean").descriptors == ("clean",)
    assert compose("title=x", "~title").title is None
    assert compose("difficulty=", "~seed").asked() == {"audio_path": "x"}


@pytest.mark.parametrize("name", ["v28", "v29", "v30", "v31", "v32", "v32-mini", "inference_v29", "mini"])
def test_published_names_select_their_profile(name):
    bare = name.removeprefix("inference_")
    request = compose(name=name)
    assert request.profile == (None if name == "mini" else bare)
    assert request.origin("profile") == ("default" if name == "mini" else f"preset {bare}")


def test_everything_wrong_is_in_one_message():
    with pytest.raises(OptionErrors) as caught:
        compose("dificulty=4", "gamemod=1", "seed=1,2", "year=1990", "title", "top_p={", "start_time=5", "end_time=4")
    for words in (
        "did you mean 'difficulty'?",
        "did you mean 'gamemode'?",
        "add -m for several jobs",
        "year=1990",
        "title is not of the form key=value",
        "top_p={ cannot be read",
        "start_time=5 is not before",
    ):
        assert any(words in problem for problem in caught.value.problems), words
    assert len(caught.value.problems) == 7


@pytest.mark.parametrize("digits", [400, 5000])
def test_numbers_of_many_digits_are_told_shortly(digits):
    with pytest.raises(OptionErrors) as caught:
        compose(f"gamemode={'9' * digits}")
    assert len(str(caught.value)) < 300


def test_unknown_configuration_names_the_known_ones():
    with pytest.raises(InputError, match="v32-mini"):
        compose(name="v99")


def test_presets_of_ones_own(tmp_path):
    (tmp_path / "mine.yaml").write_text("difficulty: 3\ntitle: 'a [b] c'\n")
    (tmp_path / "more.yaml").write_text("defaults: [v29, _self_]\nyear: 2020\n")
    (tmp_path / "v29.yaml").write_text("defaults: [default, _self_]\nyear: 2011\n")
    (tmp_path / "wrong.yaml").write_text("dificulty: 3\n")
    (tmp_path / "broken.yaml").write_text("a: [\n")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe")
    (tmp_path / "list.yaml").write_text("[a, b]")
    (tmp_path / "one.yaml").write_text("defaults: [two]")
    (tmp_path / "two.yaml").write_text("defaults: [one]")
    (tmp_path / "twice.yaml").write_text("seed: 1\nseed: 2")
    (tmp_path / "group.yaml").write_text("defaults: [{optim: muon}]")
    (tmp_path / "free.yaml").write_text("title: 'a ${b'\nartist: '${foo}'\n")
    (tmp_path / "v31.yaml").write_text("defaults: [v31, _self_]\nyear: 2012\n")
    (tmp_path / "empty.yaml").touch()
    (tmp_path / "mapped.yaml").write_text("defaults: {a: b}")
    (tmp_path / "endless.yaml").write_text("difficulty: &a [*a]")
    (tmp_path / "texts.yaml").write_text("version: 010\ntitle: 1:30\nsource: 1e3\ntags: yes\nartist: null\n")
    mine = compose("seed=4", name="mine", config_dir=tmp_path)
    assert (mine.difficulty, mine.title, mine.seed) == (3, "a [b] c", 4)
    assert (mine.origin("difficulty"), mine.origin("seed")) == ("preset mine", "asked")
    more = compose(name="more", config_dir=tmp_path)
    assert (more.year, more.profile) == (2020, None)  # their own v29 goes before ours
    with pytest.raises(OptionErrors, match="did you mean 'difficulty'"):
        compose(name="wrong", config_dir=tmp_path)
    for name in ("broken", "binary", "list", "one", "twice", "group", "mapped", "endless"):
        with pytest.raises(InputError, match=name):
            compose(name=name, config_dir=tmp_path)
    free = compose(name="free", config_dir=tmp_path)
    assert (free.title, free.artist) == ("a ${b", "${foo}")
    texts = compose(name="texts", config_dir=tmp_path)
    assert (texts.version, texts.title, texts.source, texts.tags, texts.artist) == ("010", "1:30", "1e3", "yes", None)
    ours = compose(name="v31", config_dir=tmp_path)
    assert (ours.year, ours.profile) == (2012, "v31")
    assert compose(name="empty", config_dir=tmp_path).asked() == {"audio_path": "x"}
    with pytest.raises(InputError, match="no folder"):
        compose(name="mine", config_dir=tmp_path / "none")


def test_a_preset_builds_on_ours_from_a_folder_with_odd_characters(tmp_path):
    folder = tmp_path / "it's [my] folder, ${x}"
    folder.mkdir()
    (folder / "mine.yaml").write_text("defaults: [v29, _self_]\nyear: 2020\n")
    request = compose(name="mine", config_dir=folder)
    assert (request.year, request.profile) == (2020, "v29")
    assert (request.origin("year"), request.origin("profile")) == ("preset mine", "preset v29")


# ---- sections, by a command of two


class Optim(Section):
    base_lr: Number = option("learning rate", 0.1, gt=0)
    every_steps: Int = option("steps", 5, ge=1)


class Eval(Section):
    every_steps: Int = option("steps", 10, ge=1)


class Sweep(Options):
    command: ClassVar[Command] = Command("sweep", "a sweep", "sweep", words={"lr": "optim.base_lr"})
    seed: Int = option("seed", 1)
    path: PathText | None = option("path")
    output_dir: PathText | None = option("folder")
    more: Table = option("more", {})
    optim: Optim = section(Optim)
    eval: Eval = section(Eval)


@pytest.fixture
def sweep(tmp_path, monkeypatch):
    """Runs the command `sweep` on a list of arguments: (exit code, the options of each job)."""
    folder = tmp_path / "configs" / "sweep"
    folder.mkdir(parents=True)
    (folder / "default.yaml").write_text("seed: 1\noptim: {base_lr: 0.1}\n")
    monkeypatch.setattr("osuT5.options.compose.bundled", lambda name: tmp_path / name)
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        seen = []

        def work(options):
            seen.append(options)
            if options.seed == 2:
                raise InputError("two is not to be")

        return cli.run(work, Sweep, "default", arguments), seen

    return run


def test_a_key_without_its_section(sweep, capsys):
    code, seen = sweep("base_lr=0.5", "path=x", "+more.temperature=0.8", "more.a.b=1")
    assert code == 0 and seen[0].optim.base_lr == 0.5 and seen[0].origin("optim.base_lr") == "asked"
    assert seen[0].more == {"temperature": 0.8, "a": {"b": 1}}
    assert sweep("every_steps=5", "lr=3", "optim=3")[0] == 2
    said = capsys.readouterr().err
    assert sweep("optim.base_lr=1", "optim=3", "path=x")[0] == 2
    assert "optim is a section" in capsys.readouterr().err
    assert sweep("optim={base_lr: 0.5}")[1][0].optim.base_lr == 0.5
    assert "several sections" in said and "did you mean 'optim.base_lr'" in said and "optim is a section" in said


def test_many_jobs_run_one_after_the_other_and_the_worst_exit_code_counts(sweep, capsys):
    """`-m` is Hydra's: every combination of the values is a job; texts are not split, and only their jobs are named."""
    code, seen = sweep("-m", "seed=1,2,3", "base_lr=0.5", "output_dir=runs/${hydra:job.num}", "path=my ${songs}, all")
    assert code == 2
    assert [(o.seed, o.optim.base_lr, o.output_dir, o.path) for o in seen] == [
        (n + 1, 0.5, f"runs/{n}", "my ${songs}, all") for n in range(3)
    ]
    assert "two is not to be" in capsys.readouterr().err
    assert sweep("-m", "sed=1,2") == (2, [])


def test_the_name_of_a_job_is_known_only_to_jobs(sweep, capsys):
    assert sweep("output_dir=runs/${hydra:job.num}") == (2, [])
    assert "output_dir: ${hydra:job.num} is known only" in capsys.readouterr().err


def test_flags(sweep, capsys):
    assert sweep("--help") == (0, [])
    shown = capsys.readouterr().out
    assert "optim.base_lr" in shown and "number, above 0; default 0.1" in shown
    assert sweep("--cfg", "job", "seed=7") == (0, [])
    assert "seed: 7" in capsys.readouterr().out
    assert sweep("--help", "-m", "seed=1,2") == (0, []) and sweep("-m", "--help") == (0, [])
    for wrong in (["--cfg", "job", "-m", "seed=1,2"], ["-m", "--cfg"], ["--frobnicate"], ["-cn"], ["--config-dir"]):
        assert sweep(*wrong) == (2, [])


def test_exit_codes(sweep, monkeypatch, capsys):
    assert sweep("seed=2")[0] == 2
    assert "error: two is not to be" in capsys.readouterr().err
    assert sweep("seed=3")[0] == 0

    def interrupt(_):
        raise KeyboardInterrupt

    assert cli.run(interrupt, Sweep, "default", []) == 130


def test_a_configuration_has_to_be_named_where_there_is_no_default(sweep, capsys):
    assert cli.run(lambda options: 0, Sweep, None, []) == 2
    assert "-cn NAME" in capsys.readouterr().err
