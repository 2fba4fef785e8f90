"""Several maps of a session together, and attempts after one that did not pass: each is what it would be alone."""

import dataclasses

import pytest

from osuT5.beatmap import write
from osuT5.beatmap.verify import gate
from osuT5.errors import RejectedMap
from osuT5.events import ContextType
from osuT5.inference import pipeline, red_lines
from osuT5.inference import session as session_module
from osuT5.inference.decoder import Decoder, collect
from osuT5.inference.pipeline import ATTEMPTS, make_maps
from osuT5.inference.progress import CancelToken, Notice, Restart, Stage, Window, silent
from osuT5.inference.song_loop import LoopStats, SongLoop
from osuT5.inference.track import open_track
from osuT5.timing import constant_timing, timing_of

TIMING = constant_timing(120, 0)


def written_by(session, tasks, numbers):
    """What tracks with these numbers write together: the events and times of all their contexts."""
    tracks = [open_track(session, task, (0, number), TIMING) for number, task in zip(numbers, tasks, strict=True)]
    SongLoop(session, session.plan(tasks[0].options), tracks, silent).run([ContextType.MAP])
    return [{c: (s.events, s.times) for c, s in track.sequences.items()} for track in tracks]


@pytest.mark.parametrize("version", ["v28", "v31", "v32"])
def test_tracks_write_together_what_each_writes_alone(version, models, open_click, map_task):
    """Three difficulties, one of them guided and one greedy; v31 tells the encoder the difficulty too."""
    model = models(version)
    session = open_click(model)
    tasks = [
        map_task(model, difficulty=2.0),
        map_task(model, difficulty=4.5, cfg_scale=2.0, descriptors=["clean"], top_k=20),
        map_task(model, difficulty=7.0, do_sample=False),
    ]
    together = written_by(session, tasks, range(3))
    assert together[0] != together[1] != together[2]
    for number, task in enumerate(tasks):
        assert written_by(open_click(model), [task], [number]) == [together[number]]


def test_tracks_with_the_same_wishes_are_different_maps(models, open_click, map_task):
    model = models("v31")
    task = map_task(model)
    one, other = written_by(open_click(model), [task, task], [0, 1])
    assert one[ContextType.MAP] != other[ContextType.MAP]


# ---- attempts


@pytest.fixture
def rejections(monkeypatch):
    """`rejections(pattern)`: whether each map that comes to the gate passes, e.g. "ynny"; returns the maps."""

    def decide(pattern):
        seen, verdicts = [], iter(pattern)

        def judge(beatmap, facts):
            seen.append(beatmap)
            return dataclasses.replace(gate(beatmap, facts), passed=next(verdicts) == "y")

        monkeypatch.setattr(pipeline, "gate", judge)
        return seen

    return decide


@pytest.fixture
def rows(monkeypatch):
    """Rows that decoders are given, as (row, ids they wrote)."""
    found, generate = [], Decoder.generate

    def spy(self, rows, encoder_hidden):
        columns = list(generate(self, rows, encoder_hidden))
        found.extend(zip(rows, collect(iter(columns), len(rows)), strict=True))
        yield from columns

    monkeypatch.setattr(Decoder, "generate", spy)
    return found


def test_a_rejected_map_is_written_anew_with_other_random_numbers(models, click, rejections, encoded):
    """What is known of the song is kept: timing is found once, even by the model, and no window is encoded twice."""
    model = models("v28")
    seen, sizes, events = rejections("ny"), encoded(model), []
    result = click(model, events.append, verify="gate", timing="model")
    first, second = (write(beatmap) for beatmap in seen)
    assert first != second
    assert [event for event in events if isinstance(event, Restart)] == [Restart(1, 0)]
    stages = [event.name for event in events if isinstance(event, Stage)]
    assert stages.count("timing") == stages.count("audio") == 1 and stages.count("verify") == 2
    written = [event for event in events if isinstance(event, Window)]
    count = written[0].total
    assert [w.stage for w in written] == ["timing"] * count + 2 * (["kiai"] * count + ["map"] * count)
    assert sum(sizes) == count
    assert result.stats["attempts"] == 2
    assert timing_of(seen[0]) and timing_of(seen[0])[0].beat_length == timing_of(seen[1])[0].beat_length


def test_the_beat_grid_of_the_signal_is_searched_once(models, click, rejections, monkeypatch):
    found, search = [], session_module.find_timing
    monkeypatch.setattr(session_module, "find_timing", lambda *a, **o: found.append(1) or search(*a, **o))
    rejections("nny")
    assert click(models("v28"), verify="gate", timing="grid").stats["attempts"] == 3
    assert len(found) == 1


def test_only_the_rejected_track_is_written_anew(models, open_click, map_task, rejections):
    model, events = models("v28"), []
    seen = rejections("ynyny")
    tasks = [map_task(model, difficulty=stars, verify="gate") for stars in (2.0, 4.0, 6.0)]
    result = make_maps(open_click(model), tasks, events.append, CancelToken())
    assert [event for event in events if isinstance(event, Restart)] == [Restart(1, 1), Restart(2, 1)]
    again = events[events.index(Restart(1, 1)) :]
    assert {event.track for event in again if isinstance(event, Window)} == {1}
    kept = [gate(beatmap).beatmap.difficulty for beatmap in (seen[0], seen[4], seen[2])]
    assert [beatmap.difficulty for beatmap in result.beatmaps] == kept
    assert len(seen) == 5


def test_after_the_last_attempt_the_map_is_kept_apart(models, click, rejections, tmp_path):
    seen = rejections("n" * ATTEMPTS)
    with pytest.raises(RejectedMap, match="the last attempt is kept as"):
        click(models("v28"), verify="gate", save=True)
    assert len({str(write(beatmap)) for beatmap in seen}) == ATTEMPTS == 3
    assert [p.name.endswith(".rejected.osu") for p in (tmp_path / "out").iterdir()] == [True]


def test_no_file_is_kept_of_a_rejected_map_that_was_not_to_be_saved(models, click, rejections, tmp_path):
    rejections("n" * ATTEMPTS)
    with pytest.raises(RejectedMap) as caught:
        click(models("v28"), verify="gate")
    assert caught.value.beatmap is not None and caught.value.text
    assert not (tmp_path / "out").exists()


def test_no_two_rows_of_a_request_share_random_numbers(models, open_click, map_task, rejections, rows):
    """Every window of every stage, track and attempt has a generator of its own."""
    model = models("v28")
    rejections("nnyy")
    tasks = [map_task(model, difficulty=stars, verify="gate") for stars in (2.0, 4.0)]
    session = open_click(model)
    make_maps(session, tasks, silent, CancelToken())
    seeds = [row.generator.initial_seed() for row, _ in rows]
    assert len(seeds) == 2 * 2 * 2 * len(session.plan(tasks[0].options)) == len(set(seeds))


# ---- what is reported


def test_report_hands_out_the_map_as_written_and_gate_the_mended_one(models, click, monkeypatch):
    made = []

    def mending(beatmap, facts):
        checked = gate(beatmap, facts)
        made.append((beatmap, dataclasses.replace(checked, passed=True)))
        return made[-1][1]

    monkeypatch.setattr(pipeline, "gate", mending)
    reported = click(models("v28"), verify="report")
    assert reported.beatmaps[0] is made[0][0]
    assert reported.findings == made[0][1].findings
    gated = click(models("v28"), verify="gate")
    assert gated.beatmaps[0] is made[1][1].beatmap


def test_report_hands_out_what_the_gate_would_refuse(models, click, rejections):
    seen = rejections("n")
    assert click(models("v28"), verify="report").beatmaps[0] is seen[0]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_windows_that_met_the_length_limit_are_counted_and_said(seed, models, click, rows):
    events = []
    stats = click(models("v31"), events.append, seed=seed).stats
    cut = sum(not ids or ids[-1] not in row.end_ids for row, ids in rows)
    assert stats["cut_windows"] == cut and stats["windows"] == len(rows)
    assert stats["tokens"] == sum(len(ids) for _, ids in rows)
    said = [e.message for e in events if isinstance(e, Notice) and "were cut off" in e.message]
    assert said == ([f"{cut} window(s) met the model's limit of 224 tokens and were cut off"] if cut else [])
    assert all(len(ids) == row.max_tokens for row, ids in rows if ids[-1] not in row.end_ids)


def test_some_of_those_windows_are_cut(models, click):
    assert click(models("v31"), seed=1).stats["cut_windows"] > 0


def test_timing_of_the_model_is_what_its_timing_pass_wrote(models, click, open_click, map_task, monkeypatch):
    model = models("v28")
    monkeypatch.setattr(session_module, "find_timing", lambda *a, **o: pytest.fail("the signal was asked"))
    task = map_task(model, timing="model")
    found = red_lines.find_red_lines(open_click(model), task, silent, CancelToken(), LoopStats())
    assert found and all(line.uninherited for line in found)
    beatmap = click(model, timing="model").beatmaps[0]
    assert [p.beat_length for p in timing_of(beatmap)] == pytest.approx([p.beat_length for p in found])
    monkeypatch.undo()
    grid = click(model, timing="grid").beatmaps[0]
    assert [p.beat_length for p in timing_of(grid)] != pytest.approx([p.beat_length for p in found])


def test_without_beats_of_the_model_the_signal_is_asked_and_it_is_said(models, click, monkeypatch):
    events = []
    monkeypatch.setattr(red_lines, "fit_timing", lambda *a: [])
    beatmap = click(models("v28"), events.append, timing="model").beatmaps[0]
    said = [e.message for e in events if isinstance(e, Notice)]
    assert "the model wrote no beats: timing is taken from the signal instead" in said
    assert timing_of(beatmap)
