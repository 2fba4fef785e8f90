"""Whole runs of tiny checkpoints in the published form give the recorded ids, window by window.

The later passes are fed with the recorded red lines (our fit of beats differs on purpose) and guidance with its halves
exchanged (the recording is inverted). Recorded modes that are not built (beams, parallel windows) are left out.
"""

import gzip
import shutil

import pytest
import torch
from golden_inference import FOLDER, load_json, tiny_profile

from osuT5 import audio
from osuT5.beatmap import TimingPoint, read
from osuT5.events import ContextType, EventType, encode_timing
from osuT5.events.prompt import PromptBuilder, negative_conditions
from osuT5.inference import filters as f
from osuT5.inference.contexts import given_sequence, template_inputs
from osuT5.inference.decoder import Decoder, best, draw_with
from osuT5.inference.encoded import EncodedWindows
from osuT5.inference.ignored import encoder_conditions
from osuT5.inference.request import build_request
from osuT5.inference.resolve import Settled
from osuT5.inference.song_loop import SongLoop
from osuT5.inference.templates import choose_task
from osuT5.model import load_model

CASES = load_json("end_to_end.json.gz")
TIMING = load_json("end_to_end_timing.json")
NOT_BUILT = ("beams", "parallel", "err_")
NAMES = [n for n in CASES if not any(word in n for word in NOT_BUILT)]
MARGIN = 1e-3  # below it, another order of summation may choose another id


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    opened = {}

    def get(version, checkpoint):
        if (version, checkpoint) not in opened:
            folder = tmp_path_factory.mktemp(f"{version}_{checkpoint}")
            for path in (FOLDER / f"checkpoint_{checkpoint}").iterdir():
                if path.suffix == ".gz":
                    (folder / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
                else:
                    shutil.copy(path, folder / path.name)
            opened[version, checkpoint] = load_model(folder, profile=tiny_profile(version))
        return opened[version, checkpoint]

    return get


@pytest.fixture(scope="module")
def song():
    return audio.load(FOLDER / "click.flac")


class RecordedFilters:
    """The filters of the recording: every special temperature whatever the mode."""

    def __init__(self, settled, profile, vocabulary):
        self.s, self.profile, self.vocabulary = settled, profile, vocabulary

    def __call__(self, context, frame, onsets):
        assert onsets is None  # published models have no head for them
        s, v = self.s, self.vocabulary
        chain = [f.MonotonicTime(v)]
        if s.timeshift_bias:
            chain.append(f.TimeShiftBias(v, s.timeshift_bias))
        if self.profile.types_first:
            values = [s.timing_temperature, s.mania_column_temperature, s.taiko_hit_temperature]
            rules = f.temperature_rules(v, self.profile, *(t if t != s.temperature else None for t in values))
            chain.append(f.ConditionalTemperature(rules, s.temperature))
        else:
            chain.append(f.Temperature(s.temperature))
        if frame.lookback_ms > 0:
            chain.append((f.LookbackBias if self.profile.types_first else f.NoLookback)(v, frame.lookback_ms))
        if s.do_sample:
            chain += [f.TopK(s.top_k)] * (s.top_k > 0) + [f.TopP(s.top_p)] * (s.top_p < 1)
        return chain


class Recorder:
    """A decoder that notes every call."""

    def __init__(self, decoder):
        self.decoder, self.calls = decoder, []
        self.max_length = decoder.max_length

    def write(self, prompts, hidden, filters, ends, draw):
        ids = self.decoder.write(prompts, hidden, filters, ends, draw)
        self.calls.append((prompts[0], ids[0]))
        return ids


def options_of(case):
    options = {k: v for k, v in case["options"].items() if k not in ("ref", "tags")}
    if case["options"].get("ref"):
        options["beatmap_path"] = str(FOLDER / case["options"]["ref"])
    for key in ("beatmap_path", "audio_path"):
        if isinstance(options.get(key), str):
            options[key] = options[key].replace("{dir}", str(FOLDER))
    options.setdefault("audio_path", str(FOLDER / "click.flac"))
    return options


def loop_for(case, model, song, task, settled, reference, draw, timing):
    profile, vocabulary = model.profile, model.vocabulary
    plan = audio.plan_windows(
        len(song.samples),
        window_samples=profile.window_samples,
        sample_rate=16000,
        lookback=settled.lookback,
        lookahead=settled.lookahead,
        start_ms=settled.start_time,
        end_ms=settled.end_time,
    )
    length = plan.song_length_ms
    conditions = settled.conditions(length)
    negative = negative_conditions(conditions, settled.negative_descriptors) if settled.cfg_scale > 1 else None
    builder = PromptBuilder(
        profile,
        vocabulary,
        task.template,
        conditions,
        length,
        template_inputs(task.template, reference, profile, vocabulary, length),
        negative,
    )
    exchanged = lambda neg, pos, scale: f.guide(pos, neg, scale)  # noqa: E731
    recorder = Recorder(Decoder(model, profile.tgt_seq_len, settled.cfg_scale, exchanged))
    loop = SongLoop(
        builder,
        plan,
        EncodedWindows(model, song.samples, plan, 4, encoder_conditions(settled, model)),
        recorder,
        RecordedFilters(settled, profile, vocabulary),
        lambda *_: draw,
        settled.lookback,
        settled.lookahead,
    )
    given = set()
    if timing is not None and ContextType.TIMING in profile.output_contexts:
        loop.sequences[ContextType.TIMING] = encode_timing(timing, profile, length)
        given.add(ContextType.TIMING)
    for context in task.template.outputs:
        if reference is None or context in given:
            continue
        if context in settled.contexts:
            loop.sequences[context] = given_sequence(reference, context, profile, length)
            given.add(context)
        elif settled.add_to_beatmap and settled.start_time is not None:
            before = given_sequence(reference, context, profile, length)
            loop.sequences[context] = before.slice(0, sum(t <= settled.start_time - 1 for t in before.times))
    loop.given = frozenset(given)
    return loop, recorder


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
def test_run_gives_the_recorded_ids(name, models, song):
    case = CASES[name]
    model = models(case["version"], case["checkpoint"])
    profile = model.profile
    request = build_request(options_of(case))
    reference = read(request.beatmap_path) if request.beatmap_path else None
    settled = Settled(request, profile, reference)
    if settled.circle_size is None:
        settled.values["circle_size"] = 4  # the older default; ours follows the star rating
    generator = torch.Generator()
    generator.manual_seed(case["seed"])
    draw = draw_with([generator]) if settled.do_sample else best

    calls = list(case["calls"])
    timing = None
    passes = list(case["stages"])
    if len(passes) == 2:  # a timing pass came first
        task = choose_task(profile, [], [ContextType.TIMING], settled.gamemode)
        bare = Settled(request, profile, reference)
        bare.values.update(in_context=[], circle_size=settled.circle_size)
        loop, recorder = loop_for(case, model, song, task, bare, reference, draw, None)
        loop.run([ContextType.TIMING])
        used = passes[0]["calls_used"]
        if not compare(recorder.calls, calls[:used], not settled.do_sample):
            return
        calls = calls[used:]
        timing = [TimingPoint(t, b, m, 2, -1) for t, b, m in TIMING[name]["red_lines"]]
    usable = {c for t in profile.templates for c in (*t.inputs, *t.outputs)}
    given = [c for c in settled.contexts if c in usable] + ([ContextType.TIMING] if timing else [])
    requested = [c for c in settled.outputs if c not in given or c is not ContextType.TIMING]
    task = choose_task(profile, given, [c for c in requested if c in profile.output_contexts], settled.gamemode)
    loop, recorder = loop_for(case, model, song, task, settled, reference, draw, timing)
    written = loop.run([c for c in task.wanted if c not in loop.given])
    if compare(recorder.calls, calls, not settled.do_sample):
        expected = passes[-1]["result"]
        kinds = [c for c in passes[-1]["out_context"] if ContextType(c) in written]
        for context, result in zip(kinds, expected[-len(kinds) :], strict=True):
            ours = written[ContextType(context)]
            positions = {EventType.POS, EventType.POS_X, EventType.POS_Y, EventType.MANIA_COLUMN}
            if not any(e.type in positions for e in ours.events) and settled.start_time is None:
                assert [f"{e.type.value}{e.value}" for e in ours.events] == result["events"]
                assert [int(t) for t in ours.times] == result["times"]


@pytest.mark.parametrize("name", [n for n in CASES if n.startswith("err_")])
def test_impossible_request_is_refused_before_anything_is_generated(name, models):
    from osuT5.errors import MapperatorinatorError

    case = CASES[name]
    model = models(case["version"], case["checkpoint"])
    with pytest.raises(MapperatorinatorError):
        request = build_request(options_of(case))
        settled = Settled(request, model.profile, None)
        choose_task(model.profile, settled.contexts, settled.outputs, settled.gamemode)
