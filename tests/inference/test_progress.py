"""Progress, ending early, and maps without files: what a caller sees while a map is made and after."""

import copy
import threading

import pytest

from osuT5 import Request, generate
from osuT5.beatmap import write
from osuT5.errors import Cancelled
from osuT5.inference import pipeline
from osuT5.inference.inputs import EMBEDDED_MODEL
from osuT5.inference.postprocess import PlacedObjects
from osuT5.inference.progress import CancelToken, Notice, Objects, Stage, Window
from osuT5.model import load_model

SONG = EMBEDDED_MODEL.parents[1] / "demo" / "song.ogg"


@pytest.fixture(scope="module")
def embedded():
    return load_model(str(EMBEDDED_MODEL))


@pytest.fixture
def placements(monkeypatch):
    """What `place` made, as it was then: what follows may move objects."""
    made, place = [], pipeline.place

    def spy(*arguments):
        placement = place(*arguments)
        made.append(copy.deepcopy(placement.drafts))
        return placement

    monkeypatch.setattr(pipeline, "place", spy)
    return made


# ---- the stream of events


@pytest.mark.parametrize("mode", [0, 1, 2, 3])
def test_the_sum_of_objects_is_what_is_placed(mode, embedded, tmp_path, placements, objects_of):
    """In every mode; most come while windows are still to be written, and nobody changes what was given out."""
    events, as_said = [], []

    def listen(event):
        events.append(event)
        as_said.append(copy.deepcopy(event))

    request = Request(
        audio_path=str(SONG), output_path=str(tmp_path), gamemode=mode, difficulty=3.5, seed=4, end_time=15000
    )
    result = generate(request, listen, embedded, save=False)
    assert events == as_said
    assert objects_of(events) == placements[0] and len(placements) == 1
    assert not any(e.replaces for e in events if isinstance(e, Objects))
    assert len(result.beatmaps[0].hit_objects) > 10
    last = max(i for i, e in enumerate(events) if isinstance(e, Window) and e.stage == "map")
    early = sum(len(e.objects) for e in events[:last] if isinstance(e, Objects))
    assert early > 0.4 * len(placements[0])
    for stage in {e.stage for e in events if isinstance(e, Window)}:
        windows = [e for e in events if isinstance(e, Window) and e.stage == stage]
        assert [(w.done, w.total) for w in windows] == [(n + 1, len(windows)) for n in range(len(windows))]
        assert [w.time_ms for w in windows] == sorted({w.time_ms for w in windows})
        assert all(w.track == 0 for w in windows)
    assert [e.name for e in events if isinstance(e, Stage)] == ["audio", "timing"]


@pytest.mark.parametrize("version", ["v28", "v30", "v31", "v32"])
def test_the_sum_holds_for_models_that_write_nonsense(version, models, click, placements, objects_of):
    """Objects outside the song, without ends, in disorder, of models with random weights."""
    events = []
    click(models(version), events.append)
    assert objects_of(events) == placements[0]


def test_a_stream_that_turned_out_wrong_is_replaced(models, click, placements, objects_of, monkeypatch):
    events, update = [], PlacedObjects.update

    def moved(self, *arguments):
        drafts = update(self, *arguments)
        for draft in drafts:
            draft.x += 1
        return drafts

    monkeypatch.setattr(PlacedObjects, "update", moved)
    click(models("v31"), events.append)
    stream = [e for e in events if isinstance(e, Objects)]
    assert [e.replaces for e in stream] == [False] * (len(stream) - 1) + [True] and len(stream) > 1
    assert objects_of(events) == placements[0]


def test_a_map_whose_beats_come_with_it_is_told_at_its_end(models, click, placements, objects_of):
    """v30 writes its own timing, so no object has its place before the last event is written."""
    events = []
    click(models("v30"), events.append, timing="model")
    last = max(i for i, e in enumerate(events) if isinstance(e, Window))
    assert not any(isinstance(e, Objects) for e in events[:last])
    assert objects_of(events) == placements[0]


# ---- ending early


def steps_after(model, monkeypatch, act):
    """A list that grows by a number a model step; `act(count)` is called in each."""
    steps, step = [], model.step

    def spy(*arguments, **options):
        steps.append(len(steps) + 1)
        act(len(steps))
        return step(*arguments, **options)

    monkeypatch.setattr(model, "step", spy)
    return steps


def nothing_in(folder):
    return not (folder / "out").exists() or not list((folder / "out").iterdir())


def test_cancel_in_mid_window_ends_within_a_step(models, click, tmp_path, monkeypatch):
    token, events = CancelToken(), []
    steps = steps_after(models("v31"), monkeypatch, lambda count: token.cancel() if count == 60 else None)
    with pytest.raises(Cancelled):
        click(models("v31"), events.append, save=True, cancel=token, timing="model")
    assert len(steps) <= 61
    assert nothing_in(tmp_path)
    before = sum(isinstance(event, Window) for event in events)
    monkeypatch.undo()
    whole = []
    click(models("v31"), whole.append, timing="model")
    assert before < sum(isinstance(event, Window) for event in whole)


@pytest.mark.parametrize("number", [0, 1, 5, 9])
def test_cancel_from_on_progress(number, number_of_steps, models, click, tmp_path):
    """After whichever window, also the last: no further step, no file."""
    token, seen = CancelToken(), []

    def listen(event):
        if isinstance(event, Window):
            seen.append(len(number_of_steps))
            if len(seen) == number + 1:
                token.cancel()

    with pytest.raises(Cancelled):
        click(models("v28"), listen, save=True, cancel=token)
    assert len(seen) == number + 1 and len(number_of_steps) == seen[-1]
    assert nothing_in(tmp_path)


@pytest.fixture
def number_of_steps(models, monkeypatch):
    return steps_after(models("v28"), monkeypatch, lambda count: None)


@pytest.mark.parametrize("stage", ["audio", "timing", "verify", "write"])
def test_cancel_at_any_stage_leaves_no_file(stage, models, click, tmp_path):
    token = CancelToken()
    listen = lambda event: token.cancel() if isinstance(event, Stage) and event.name == stage else None  # noqa: E731
    with pytest.raises(Cancelled):
        click(models("v28"), listen, save=True, cancel=token, verify="report")
    assert nothing_in(tmp_path)


def test_cancel_during_verification_gives_no_map_either(models, click):
    token = CancelToken()
    listen = lambda event: token.cancel() if isinstance(event, Stage) and event.name == "verify" else None  # noqa: E731
    with pytest.raises(Cancelled):
        click(models("v28"), listen, save=False, cancel=token, verify="report")


def test_a_rejected_map_is_not_kept_after_cancel(models, click, tmp_path, monkeypatch):
    token = CancelToken()
    monkeypatch.setattr(pipeline, "ATTEMPTS", 1)
    monkeypatch.setattr(pipeline.SongLoop, "run", lambda self, wanted: None)  # nothing is written: the gate refuses
    listen = lambda event: token.cancel() if isinstance(event, Notice) and "did not pass" in event.message else None  # noqa: E731
    with pytest.raises(Cancelled):
        click(models("v28"), listen, save=True, cancel=token, verify="gate")
    assert nothing_in(tmp_path)


def test_cancel_from_another_thread(models, click, tmp_path, monkeypatch):
    token, reached, done = CancelToken(), threading.Event(), threading.Event()

    def other():
        reached.wait(30)
        token.cancel()
        done.set()

    def act(count):
        if count == 20:
            reached.set()
            assert done.wait(30)

    steps = steps_after(models("v28"), monkeypatch, act)
    thread = threading.Thread(target=other)
    thread.start()
    with pytest.raises(Cancelled):
        click(models("v28"), save=True, cancel=token)
    thread.join()
    assert token.is_cancelled and len(steps) <= 21
    assert nothing_in(tmp_path)


def test_a_session_goes_on_after_cancel(models, click, open_click, monkeypatch):
    model = models("v31")
    expected = click(model).beatmaps[0]
    session, token = open_click(model), CancelToken()
    listen = lambda event: token.cancel() if isinstance(event, Window) and event.done == 3 else None  # noqa: E731
    with pytest.raises(Cancelled):
        click(model, listen, session=session, cancel=token)
    assert write(click(model, session=session).beatmaps[0]) == write(expected)


# ---- no files


def test_without_save_nothing_is_written_and_the_map_is_the_same(models, click, tmp_path):
    kept = click(models("v28"), save=False)
    assert kept.paths == [] and len(kept.beatmaps) == 1
    assert list(tmp_path.iterdir()) == []
    saved = click(models("v28"), save=True, export_osz=False)
    assert saved.paths[0].read_text(encoding="utf-8") == write(kept.beatmaps[0])
