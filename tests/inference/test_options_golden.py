"""Options, the source of timing and the choice of a template are those that the older system recorded.

What differs on purpose is one rule a line with its reason in `TEMPLATE_RULES`, `TIMING_RULES` and `OPTION_RULES`. Each
must hold exactly where it says and at least once; all else is equal. Other recordings: `--golden FOLDER`.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import rosu_pp_py
import torch
from golden_inference import find, load_json

from osuT5 import audio
from osuT5.errors import InputError, MapperatorinatorError, OptionErrors
from osuT5.events import ContextType, EventType, Profile, load_profile
from osuT5.events.prompt import required_state
from osuT5.inference.inputs import Inputs, read_inputs
from osuT5.inference.map_settings import map_settings
from osuT5.inference.options import Request
from osuT5.inference.postprocess import MapSettings, difficulty_values
from osuT5.inference.red_lines import timing_source
from osuT5.inference.resolve import (
    ResolvedOptions,
    check_against_model,
    device_name,
    resolve_for_song,
    resolve_options,
)
from osuT5.inference.templates import choose_task

RECORDED = load_json("options.json")


def contexts(names):
    """As `ResolvedOptions.contexts`: NONE says nothing."""
    return [ContextType[n] for n in names if n != "NONE"]


# ---- which template serves a request

STATE_MARKS = {EventType.KIAI: "last_kiai", EventType.SCROLL_SPEED: "last_sv", EventType.SONG_POSITION: "song_position"}
REFUSED = "refused"


def chosen(preset, gamemode, given, requested):
    """(template inputs, stages, state tokens), or "refused"."""
    profile = load_profile(preset)
    try:
        task = choose_task(profile, contexts(given), [ContextType[c] for c in requested], gamemode)
    except OptionErrors:
        return REFUSED
    names = lambda found: [c.name for c in found]  # noqa: E731
    marks = sorted(STATE_MARKS[t] for t in required_state(profile, task.template))
    return names(task.template.inputs), names(task.stages), marks


def is_unusable(preset, given):
    """Whether a context is given that the model has no template for."""
    templates = load_profile(preset).templates
    known = {c for t in templates for c in (*t.inputs, *t.outputs)} | {ContextType.TIMING}
    return not set(contexts(given)) <= known


# name -> (reason, which recorded rows, ours there)
TEMPLATE_RULES = {
    "a given context without a template": (
        "v30 and v32 were not trained with GD, NO_HS or KIAI: they wrote as if nothing had been given, unsaid",
        lambda row: row[4] != "error" and is_unusable(row[0], row[2]),
        REFUSED,
    ),
}


def test_every_row_takes_the_recorded_template():
    taken = dict.fromkeys(TEMPLATE_RULES, 0)
    for row in RECORDED["template"]["rows"]:
        preset, gamemode, given, requested, inputs, stages, marks = row
        expected = REFUSED if inputs == "error" else (inputs, stages, sorted(marks))
        for name, (_, applies, ours) in TEMPLATE_RULES.items():
            if applies(row):
                assert ours != expected
                expected, taken[name] = ours, taken[name] + 1
        assert chosen(preset, gamemode, given, requested) == expected, row
    assert all(taken.values()), taken


# ---- where the timing comes from

TIMING_SOURCES = {"from_beatmap": "beatmap", "timing_pass": "model", "in_main_pass_or_default": "map"}


def writes_beats_apart(row):
    return ContextType.TIMING in load_profile(row[0]).output_contexts


# name -> (reason, which rows as (preset, given, outputs, super timing, decision), decision there); one after another
TIMING_RULES = {
    "super timing": (
        "it is not built: a notice says so, and the timing is found as without it",
        lambda row: row[4] == "super_timing",
        lambda row, without: without,
    ),
    "always a pass of its own": (
        "where the model writes beats before all else they are fitted before the next stage, whatever is given and "
        "asked for: every stage sees straight red lines, and it is the stage that the main pass would begin with",
        lambda row: row[4] == "in_main_pass_or_default" and writes_beats_apart(row),
        lambda row, without: "timing_pass",
    ),
    "beats between the objects, another difficulty given": (
        "v30 has no template for GD: such a request is refused (see the templates) and the decision is never used",
        lambda row: row[4] == "from_beatmap" and "TIMING" not in row[1],
        lambda row, without: "in_main_pass_or_default",
    ),
}


def test_timing_comes_from_the_recorded_source():
    taken = dict.fromkeys(TIMING_RULES, 0)
    rows = RECORDED["timing_source"]["rows"]
    without_super = {str(row[:3]): row[4] for row in rows if not row[3]}
    for row in rows:
        preset, given, outputs, super_timing, decision = row
        for name, (_, applies, ours) in TIMING_RULES.items():
            if applies([preset, given, outputs, super_timing, decision]):
                decision, taken[name] = ours(row, without_super[str(row[:3])]), taken[name] + 1
        request = Request(
            **{
                "beatmap_path": "reference.osu",
                "in_context": given,
                "output_type": outputs,
                "super_timing": super_timing,
            }
        )
        options = resolve_options(request, load_profile(preset), None)
        assert options.timing == "model" and options.origins["timing"] == "default"
        assert timing_source(options, load_profile(preset)) == TIMING_SOURCES[decision], row
    assert all(taken.values()), taken


def test_what_timing_was_recorded_for_v30_with_another_difficulty_cannot_be_asked():
    for preset, given, outputs, *_ in RECORDED["timing_source"]["rows"]:
        if preset == "v30" and "GD" in given:
            assert chosen(preset, 0, given, outputs) == REFUSED


# ---- the value of every option, and what the finished file says


@dataclass(frozen=True)
class Case:
    """A recorded case and what becomes of it here.

    Attributes:
        asked: the request's options. printed: lines of the older system that say where its values came from.
        recorded, recorded_file: its options, and its settings of the file.
    """

    profile: Profile
    asked: dict
    printed: list[str]
    recorded: dict
    recorded_file: dict
    inputs: Inputs
    options: ResolvedOptions
    settings: MapSettings


@dataclass(frozen=True)
class Rule:
    """Where something else than the recorded value is right, and why.

    Attributes:
        where: (case, name) -> whether the value differs; it must, exactly there.
        ours: (case, name) -> our value.
        source: where our value comes from; None: from the same place.
    """

    names: str
    reason: str
    where: Callable[[Case, str], bool]
    ours: Callable[[Case, str], Any] = lambda case, name: None
    source: str | None = "unset"


def has_reference(case, name=None):
    return bool(case.asked.get("beatmap_path"))


def is_asked(case, name):
    return name in case.asked


def is_open(case, name):
    """Neither the request nor a reference says anything."""
    return not is_asked(case, name) and not has_reference(case)


def by_star_rating(case):
    s = case.settings
    return difficulty_values(s.gamemode, s.stars, keycount=s.keycount, hp=s.hp, cs=s.cs, od=s.od, ar=s.ar)


# recorded options that are accepted and say that they have no effect, so that they have no value
WITHOUT_EFFECT = Request.command.without_effect

OPTION_RULES = (
    Rule("beatmap_path source", "an empty text is no value", lambda c, n: c.recorded[n] == ""),
    Rule(
        "hp_drain_rate overall_difficulty approach_rate",
        "left open until the map is built, then by star rating and mode: 5, 8, 9 fit no easy map",
        is_open,
    ),
    Rule(
        "title title_unicode artist artist_unicode",
        "left open until the song is read: its tags and file name know more than Unknown Title",
        is_open,
    ),
    Rule("preview_time", "left open until the map's kiai is known", is_open),
    Rule("tags", "settings are no tags; the disclosure is added to the file", lambda c, n: not is_asked(c, n)),
    Rule(
        "beatmap_id",
        "the id brings its mapper's style with it, which nobody asked for; no published model knows styles of maps",
        has_reference,
    ),
    Rule(
        "background",
        "the picture that the reference names is not there",
        lambda c, n: has_reference(c) and not is_asked(c, n),
    ),
    Rule(
        "device",
        "a device that cannot be used is refused instead of a slow run on the CPU",
        is_asked,
        lambda c, n: REFUSED,
        None,
    ),
)

FILE_RULES = (
    Rule("hp_drain_rate", "by star rating and mode", is_open, lambda c, n: by_star_rating(c).hp),
    Rule("approach_rate", "by star rating and mode", is_open, lambda c, n: by_star_rating(c).ar),
    Rule(
        "overall_difficulty",
        "by star rating and mode; 8 at five stars, which count where none are asked for",
        lambda c, n: is_open(c, n) and c.options.difficulty is not None,
        lambda c, n: by_star_rating(c).od,
    ),
    Rule(
        "title title_unicode",
        "read from the file name",
        lambda c, n: is_open(c, "title"),
        lambda c, n: c.inputs.audio_path.stem,
    ),
    Rule("preview_time", "the first kiai, chosen when the map is built", is_open),
    Rule(
        "version",
        "the name of a difficulty says its star rating",
        lambda c, n: not is_asked(c, n) and c.options.difficulty is not None,
        lambda c, n: f"{c.recorded_file[n]} {c.options.difficulty:.1f}*",
    ),
    Rule(
        "tags",
        "every file says that it was generated, and settings are no tags",
        lambda c, n: True,
        lambda c, n: f"{c.asked.get(n, '')} mapperatorinator ai-generated".strip(),
    ),
    Rule(
        "background_line",
        "the picture that the reference names is not there",
        lambda c, n: has_reference(c) and not is_asked(c, "background"),
        lambda c, n: "",
    ),
)

# What the older system took and we refuse in a request: case -> (reason, option, the option in the rest of the test).
REFUSED_REQUESTS = {
    "eager kept, negative seed": ("generators take 0 to 2^32 - 1; the older one crashed after loading", "seed", 1),
    "audio with some fields": ("there is no map to read the contexts from; it crashed later", "in_context", None),
    "beatmap + own audio": ("a picture that is not there cannot be packed", "background", "x.png"),
}
# What we refuse once the model's profile is known: case -> reason.
REFUSED_BY_MODEL = {
    "mode unsupported but only timing used": "the map takes the reference's mode, which v30 was not trained for; "
    "gamemode=0 writes another one with its timing",
}
# What the older system refused and we take: case -> reason.
ACCEPTED = {"audio bad extension": "AAC is decoded too; whether it holds a song is seen when it is read"}

ERRORS = {case["name"]: case for case in RECORDED["compile"] if "error" in case}
RESOLVED = {case["name"]: case for case in RECORDED["compile"] if "error" not in case}
FILE_NAMES = {"mode": "gamemode", "slider_tick_rate": "tick_rate"}
DIFFICULTY_NAMES = {"hp_drain_rate": "hp", "circle_size": "cs", "overall_difficulty": "od", "approach_rate": "ar"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What the recordings name as {dir}; bg.jpg, none.mp3 and none.osu are not there."""
    folder = tmp_path_factory.mktemp("recorded")
    for name in ("click.flac", "ref_std.osu", "ref_taiko.osu", "ref_catch.osu", "ref_mania.osu"):
        shutil.copy(find(name), folder / name)
    for name in ("song.aac", "notaudio.txt", "broken.osu"):
        (folder / name).write_text("not a beatmap")
    return folder


def with_folder(value, folder):
    """A recorded value with {dir} filled in."""
    if isinstance(value, dict):
        return {k: with_folder(v, folder) for k, v in value.items()}
    return value.replace("{dir}", str(folder)) if isinstance(value, str) else value


@pytest.fixture(scope="module")
def cases(folder):
    song = audio.load(folder / "click.flac")
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, case in RESOLVED.items():
            asked, recorded = with_folder(case["set"], folder), with_folder(case["effective"], folder)
            if name in REFUSED_REQUESTS:
                _, option, instead = REFUSED_REQUESTS[name]
                with pytest.raises(OptionErrors) as caught:
                    read_inputs(Request(**asked))
                assert [option in problem for problem in caught.value.problems] == [True]
                if option == "background":
                    (folder / instead).touch()
                elif option in recorded:
                    recorded[option] = instead
                asked[option] = instead
            if "beatmap_path" in asked:  # recorded with rosu-pp 3.1; newer ones rate a little differently
                rating = rosu_pp_py.Difficulty().calculate(rosu_pp_py.Beatmap(path=asked["beatmap_path"]))
                recorded["difficulty"] = round(rating.stars, 2)
            profile = load_profile(case["preset"])
            request = Request(**asked)
            inputs = read_inputs(request)
            options = resolve_options(request, profile, inputs.reference)
            settings = map_settings(resolve_for_song(options, inputs.audio_path, song, profile), inputs, song)
            found[name] = Case(
                profile, asked, case["printed"], recorded, case["beatmap_config"], inputs, options, settings
            )
    return found


def corrected(case, recorded, rules):
    """The recorded values with the rules applied, and the rules that were."""
    values = {name: value for name, value in recorded.items() if name not in WITHOUT_EFFECT}
    applied = {}
    for rule in rules:
        for name in rule.names.split():
            if rule.where(case, name):
                values[name] = rule.ours(case, name)
                assert values[name] != recorded[name] and name not in applied, (rule, name)
                applied[name] = rule
    return values, applied


def as_recorded(value):
    return list(value) if isinstance(value, tuple) else value


def our_values(case):
    inputs = case.inputs
    ours = {name: as_recorded(case.options.values[name]) for name in case.recorded if name not in WITHOUT_EFFECT}
    paths = {"audio_path": inputs.audio_path, "output_path": inputs.output_folder, "background": inputs.background}
    ours |= {name: None if path is None else str(path) for name, path in paths.items()}
    ours["seed"] = inputs.seed
    try:
        ours["device"] = device_name(case.options.device)
    except InputError:
        ours["device"] = REFUSED
    return ours


def our_file(case):
    ours = {name: getattr(case.settings, FILE_NAMES.get(name, name), None) for name in case.recorded_file}
    ours |= {name: getattr(by_star_rating(case), short) for name, short in DIFFICULTY_NAMES.items()}
    picture = case.settings.background
    return {**ours, "background_line": f'0,0,"{picture}",0,0\n' if picture else ""}


@pytest.fixture
def no_accelerator(monkeypatch):
    """The recording machine had none."""
    empty = torch.empty

    def on_cpu(*size, device="cpu", **rest):
        if torch.device(device).type != "cpu":
            raise RuntimeError(f"no {device} here")
        return empty(*size, device=device, **rest)

    monkeypatch.setattr(torch, "empty", on_cpu)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.mark.parametrize("name", RESOLVED)
def test_options_are_the_recorded_ones(name, cases, no_accelerator):
    expected, _ = corrected(cases[name], cases[name].recorded, OPTION_RULES)
    assert our_values(cases[name]) == expected


@pytest.mark.parametrize("name", RESOLVED)
def test_the_file_says_what_was_recorded(name, cases):
    expected, _ = corrected(cases[name], cases[name].recorded_file, FILE_RULES)
    assert our_file(cases[name]) == expected


@pytest.mark.parametrize("name", RESOLVED)
def test_every_value_tells_its_recorded_source(name, cases):
    case = cases[name]
    _, applied = corrected(case, case.recorded, OPTION_RULES)
    for option in case.recorded:
        if option in ("audio_path", "output_path", "seed") or option in WITHOUT_EFFECT:
            continue  # a matter of `Inputs`
        if option in applied and applied[option].source:
            expected = applied[option].source
        elif case.asked.get(option) is not None:
            expected = "asked"
        elif any(line.startswith(f"Using beatmap {option} ") for line in case.printed):
            expected = "reference"
        elif any(line.startswith(f"Using default {option} ") for line in case.printed):
            expected = "rating" if option == "circle_size" else "default"
        else:
            expected = "unset" if case.profile.generation.get(option) is None else "profile"
        assert case.options.origins[option] == expected, option


def test_every_rule_is_needed(cases):
    for rules, recorded in ((OPTION_RULES, "recorded"), (FILE_RULES, "recorded_file")):
        applied = [corrected(case, getattr(case, recorded), rules)[1] for case in cases.values()]
        for rule in rules:
            for name in rule.names.split():
                assert any(found.get(name) is rule for found in applied), (name, rule.reason)


@pytest.mark.parametrize("name", RESOLVED)
def test_models_take_what_they_took(name, cases):
    case = cases[name]

    def check():
        check_against_model(case.options, case.profile, case.inputs.reference)
        choose_task(case.profile, case.options.contexts, case.options.outputs, case.options.gamemode)

    if name in REFUSED_BY_MODEL:
        with pytest.raises(OptionErrors, match="gamemode=3"):
            check()
    else:
        check()


@pytest.mark.parametrize("name", ERRORS)
def test_recorded_errors_are_messages_before_anything_is_generated(name, folder):
    case = ERRORS[name]

    def prepare():
        request = Request(**with_folder(case["set"], folder))
        inputs, profile = read_inputs(request), load_profile(case["preset"])
        check_against_model(resolve_options(request, profile, inputs.reference), profile, inputs.reference)

    if name in ACCEPTED:
        prepare()
    else:
        with pytest.raises(MapperatorinatorError):
            prepare()
