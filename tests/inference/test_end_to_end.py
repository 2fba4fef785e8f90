"""Whole runs of tiny checkpoints in the published form give the recorded ids, window by window.

The runs go through the product's own tracks, song loop, decoder and list of logits processors. What the recording did
otherwise is edited into them: special temperatures act in every mode, no id is forbidden, the halves of guidance are
exchanged, one generator serves the whole run, and the later passes get the recorded red lines. Recorded modes that are
not built (beams, parallel windows) are left out. Other recorded runs: `pytest tests/inference --golden FOLDER`.
"""

import pytest
import torch
from golden_inference import find, load_json

from osuT5 import audio
from osuT5.beatmap import TimingPoint
from osuT5.errors import MapperatorinatorError
from osuT5.events import ContextType, EventType
from osuT5.inference import track as track_module
from osuT5.inference.decoder import Decoder, collect
from osuT5.inference.inputs import read_inputs
from osuT5.inference.logits_processors import (
    ForbidIds,
    Temperature,
    classifier_free_guidance,
    processors_for,
    temperature_rules,
)
from osuT5.inference.options import Request
from osuT5.inference.progress import silent
from osuT5.inference.resolve import resolve_options
from osuT5.inference.session import SongSession
from osuT5.inference.song_loop import SongLoop
from osuT5.inference.templates import choose_task
from osuT5.inference.track import MapTask, open_track

CASES = load_json("end_to_end.json.gz")
TIMING = load_json("end_to_end_timing.json")
MARGIN = 1e-3  # below it, another order of summation may choose another id


def is_built(name):
    options = CASES[name]["options"]
    return not name.startswith("err_") and not options.get("parallel") and options.get("num_beams", 1) == 1


NAMES = [name for name in CASES if is_built(name)]


def recorded_processors(options, profile, vocabulary, *rest):
    """The product's list with what the recording did otherwise."""
    chain = processors_for(options, profile, vocabulary, *rest)
    special = (options.timing_temperature, options.mania_column_temperature, options.taiko_hit_temperature)
    rules = temperature_rules(vocabulary, profile, *special) if profile.types_first else []
    rules = [rule for rule in rules if rule[2] != options.temperature]
    edited = [p for p in chain if not isinstance(p, (ForbidIds, Temperature))]
    assert any(isinstance(p, ForbidIds) for p in chain)
    assert any(isinstance(p, Temperature) for p in chain) == bool(options.do_sample)
    return [*edited, Temperature(vocabulary, options.temperature, rules)]


class RecordingDecoder(Decoder):
    """Notes the prompt and the ids of every row."""

    def __init__(self, model, guidance):
        super().__init__(model, guidance)
        self.calls = []

    def generate(self, rows, encoder_hidden):
        columns = list(super().generate(rows, encoder_hidden))
        self.calls += zip([row.prompt for row in rows], collect(iter(columns), len(rows)), strict=True)
        yield from columns


def options_of(case, tmp_path):
    options = {k: v for k, v in case["options"].items() if k not in ("ref", "tags")}
    if case["options"].get("ref"):
        options["beatmap_path"] = str(find(case["options"]["ref"]))
    for key in ("beatmap_path", "audio_path"):
        if isinstance(options.get(key), str) and options[key].startswith("{dir}"):
            options[key] = str(find(options[key].removeprefix("{dir}/")))
    options.setdefault("audio_path", str(find("click.flac")))
    return {**options, "output_path": str(tmp_path)}


def run_pass(session, inputs, options, task, timing):
    """The product's track and loop for one pass: (decoder calls, what was written)."""
    decoder = session.decoder
    decoder.calls.clear()
    track = open_track(session, MapTask(inputs, options, task), (0, 0), timing)
    plan = session.plan(options)
    wanted = [c for c in task.wanted if c not in track.given]
    SongLoop(session, plan, [track], silent).run(wanted)
    return list(decoder.calls), track.finished(wanted, plan.song_length_ms)


def compare(calls, recorded, greedy):
    """Every prompt and every id, up to the first greedy choice that is too close to call."""
    assert len(calls) == len(recorded)
    for (prompt, ids), row in zip(calls, recorded, strict=True):
        strip = lambda r: [i for i in r if i != 0]  # noqa: E731
        assert prompt.ids == strip(row["prompt"][0])
        if row["negative_prompt"]:
            assert prompt.negative == strip(row["negative_prompt"][0])
        generated = row["generated"][0]
        if greedy and (row["min_margin"] or 1) < MARGIN and ids != generated:
            return False
        assert ids == generated
    return True


@pytest.mark.parametrize("name", NAMES)
def test_run_gives_the_recorded_ids(name, models, tmp_path, monkeypatch):
    case = CASES[name]
    model = models(case["version"], case["checkpoint"])
    profile = model.profile
    request = Request(**options_of(case, tmp_path))
    inputs = read_inputs(request)
    options = resolve_options(request, profile, inputs.reference)
    if options.origins["circle_size"] == "rating":
        options = options.replace(circle_size=4)  # the older default; ours follows the star rating
    generator = torch.Generator().manual_seed(case["seed"])
    monkeypatch.setattr(track_module, "keyed_generator", lambda *key: generator)
    monkeypatch.setattr(track_module, "processors_for", recorded_processors)
    session = SongSession(audio.load(inputs.audio_path), model, encoder_batch=4)
    exchanged = lambda negative, positive, scale: classifier_free_guidance(positive, negative, scale)  # noqa: E731
    session.decoder = RecordingDecoder(model, exchanged)

    calls, passes = list(case["calls"]), list(case["stages"])
    timing = None
    if len(passes) == 2:  # a timing pass came first
        task = choose_task(profile, [], [ContextType.TIMING], options.gamemode)
        made, _ = run_pass(session, inputs, options.replace(in_context=[]), task, None)
        used = passes[0]["calls_used"]
        if not compare(made, calls[:used], not options.do_sample):
            return
        calls = calls[used:]
        timing = [TimingPoint(t, b, m, 2, -1) for t, b, m in TIMING[name]["red_lines"]]
    usable = {c for t in profile.templates for c in (*t.inputs, *t.outputs)}
    given = [c for c in options.contexts if c in usable] + ([ContextType.TIMING] if timing else [])
    requested = [c for c in options.outputs if c not in given or c is not ContextType.TIMING]
    task = choose_task(profile, given, [c for c in requested if c in profile.output_contexts], options.gamemode)
    made, written = run_pass(session, inputs, options, task, timing)
    if compare(made, calls, not options.do_sample):
        expected = passes[-1]["result"]
        kinds = [c for c in passes[-1]["out_context"] if ContextType(c) in written]
        assert kinds
        for context, result in zip(kinds, expected[-len(kinds) :], strict=True):
            ours = written[ContextType(context)]
            positions = {EventType.POS, EventType.POS_X, EventType.POS_Y, EventType.MANIA_COLUMN}
            if not any(e.type in positions for e in ours.events) and options.start_time is None:
                assert [f"{e.type.value}{e.value}" for e in ours.events] == result["events"]
                assert [int(t) for t in ours.times] == result["times"]


@pytest.mark.parametrize("name", [n for n in CASES if n.startswith("err_")])
def test_impossible_request_is_refused_before_anything_is_generated(name, models, tmp_path):
    case = CASES[name]
    model = models(case["version"], case["checkpoint"])
    with pytest.raises(MapperatorinatorError):
        request = Request(**options_of(case, tmp_path))
        options = resolve_options(request, model.profile, None)
        choose_task(model.profile, options.contexts, options.outputs, options.gamemode)
