"""A session: what is computed of a song once, and that nobody notices what it was used for before."""

import numpy as np
import pytest
import soundfile
import torch

from osuT5 import Request, audio, generate
from osuT5.beatmap import write
from osuT5.errors import InputError
from osuT5.inference import session as session_module
from osuT5.inference.pipeline import make_maps
from osuT5.inference.progress import CancelToken, Window, silent
from osuT5.inference.session import HALF_PRECISION_MS, SongSession, encoder_conditions


def bytes_of(result):
    return [write(beatmap) for beatmap in result.beatmaps]


def test_windows_are_encoded_once_for_stages_requests_and_tracks(models, open_click, map_task, encoded):
    model = models("v28")
    sizes, session = encoded(model), open_click(model)
    tasks = [map_task(model, difficulty=stars) for stars in (2.0, 4.0, 6.0)]
    windows = len(session.plan(tasks[0].options))
    events = []
    make_maps(session, tasks[:1], events.append, CancelToken())
    assert {event.stage for event in events if isinstance(event, Window)} == {"kiai", "map"}
    assert sum(sizes) == windows > 4
    make_maps(session, tasks, silent, CancelToken())
    make_maps(session, [map_task(model, timing="model", seed=3, cfg_scale=2.0)], silent, CancelToken())
    assert sum(sizes) == windows


def test_other_conditions_of_the_encoder_are_encoded_apart(models, open_click, map_task, encoded):
    """A model whose encoder takes the star rating: each rating once."""
    model = models("v31")
    sizes, session = encoded(model), open_click(model)
    tasks = {stars: map_task(model, difficulty=stars) for stars in (2.0, 6.0)}
    plan = session.plan(tasks[2.0].options)
    heard = {s: session.encoding(plan, 1, encoder_conditions(t.options, model)) for s, t in tasks.items()}
    assert not torch.allclose(heard[2.0], heard[6.0], atol=1e-3)
    make_maps(session, list(tasks.values()), silent, CancelToken())
    assert sum(sizes) == 2 * len(plan)
    for stars, task in tasks.items():
        fresh = open_click(model).encoding(plan, 1, encoder_conditions(task.options, model))
        torch.testing.assert_close(heard[stars], fresh, atol=0, rtol=0)


def test_other_mappers_are_encoded_apart(models, open_click, map_task):
    model, options = models("v31"), {}
    known = next(iter(model.vocabulary.mapper_idx))
    session = open_click(model)
    for mapper in (None, known):
        options[mapper] = encoder_conditions(map_task(model, mapper_id=mapper).options, model)
    plan = session.plan(map_task(model).options)
    heard = [session.encoding(plan, 0, conditions) for conditions in options.values()]
    assert not torch.allclose(*heard, atol=1e-3)


REQUESTS = {
    "whole": {},
    "other difficulty": {"difficulty": 6.5},
    "other windows": {"lookback": 0.3, "lookahead": 0.2},
    "the beginning, 3 windows": {"end_time": 6000},
    "the end, 3 windows": {"start_time": 6000},
    "guided": {"cfg_scale": 2.5, "descriptors": ["clean"]},
    "timing of the model": {"timing": "model"},
    "taiko": {"gamemode": 1},
}


def test_results_do_not_depend_on_what_a_session_was_used_for(models, click, open_click):
    model = models("v31")
    alone = {name: bytes_of(click(model, **options)) for name, options in REQUESTS.items()}
    assert len({str(maps) for maps in alone.values()}) == len(REQUESTS)
    used = open_click(model)
    for name in [*REQUESTS, *reversed(REQUESTS)]:
        assert bytes_of(click(model, session=used, **REQUESTS[name])) == alone[name], name


def test_encodings_that_had_to_go_are_computed_again(models, click, open_click, encoded, monkeypatch):
    model = models("v31")
    expected = bytes_of(click(model))
    monkeypatch.setattr(session_module, "ENCODINGS_BYTES", 1)
    sizes, session = encoded(model), open_click(model)
    assert bytes_of(click(model, session=session)) == expected
    assert sum(sizes) > 5
    assert len(session._encodings) == 1


@pytest.mark.parametrize("extra_ms, is_rounded", [(0, False), (1, True)])
def test_only_long_songs_keep_half_precision(extra_ms, is_rounded, models, map_task):
    """By length and nothing else, so that a request gives the same bytes on every machine."""
    model = models("v28")
    samples = np.zeros((HALF_PRECISION_MS + extra_ms) * 16, dtype=np.float32)
    samples[:80_000] = np.random.default_rng(1).standard_normal(80_000) * 0.1
    session = SongSession(audio.Song(samples), model, encoder_batch=1)
    hidden = session.encoding(session.plan(map_task(model).options), 0, {})
    assert hidden.dtype == torch.float32
    assert torch.equal(hidden, hidden.half().float()) is is_rounded


def test_the_same_request_twice_gives_the_same_bytes(models, open_click, tmp_path, click):
    session = open_click(models("v31"))
    paths = [click(None, session=session, save=True).paths[0] for _ in range(2)]
    assert paths[0] != paths[1]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted(p.name for p in paths)


def test_a_session_of_another_song_is_refused(models, open_click, tmp_path):
    other = tmp_path / "other.wav"
    soundfile.write(other, np.random.default_rng(1).standard_normal(80_000) * 0.1, 16000)
    request = Request(audio_path=str(other), output_path=str(tmp_path / "out"), seed=1, difficulty=4)
    with pytest.raises(InputError, match=r"the session is of .*click.flac, the request is for .*other.wav"):
        generate(request, session=open_click(models("v28")))
    assert not (tmp_path / "out").exists()
