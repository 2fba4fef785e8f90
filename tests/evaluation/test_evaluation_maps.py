"""The suite `maps` promises: a map made of the truth scores fully, resuming makes nothing twice, reports are whole."""

import json
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from osuT5.beatmap import Beatmap, Circle, GameMode, Spinner, TimingPoint, write
from osuT5.errors import AudioError, RejectedMap
from osuT5.evaluation import generation, measure_map, read_evaluation_songs
from osuT5.evaluation.command import main
from osuT5.timing import GAME_CLOCK_LEAD_MS

BEAT_MS, FIRST_MS, SONG_MS = 400.0, 523.0, 60_000.0  # song clock


def write_song(folder, name="anna__bell", charts=((1, "easy"), (2, "hard")), timing=((FIRST_MS, BEAT_MS, 4),), **meta):
    """A song folder whose charts have a note on every beat or part of one, on the song clock."""
    song = folder / name
    (song / "charts").mkdir(parents=True)
    (song / "audio.ogg").write_bytes(b"no sound is needed here")
    listed = []
    for parts, chart in charts:
        times = np.arange(FIRST_MS, SONG_MS - 2000, BEAT_MS / parts)
        notes = [json.dumps({"time_ms": round(t, 3), "kind": "note", "lane": 0}) for t in times]
        (song / "charts" / f"{chart}.jsonl").write_text("\n".join(notes))
        listed.append({"name": chart, "keys": 4, "file": f"charts/{chart}.jsonl"})
    facts = {
        "id": name, "title": "Bell", "artist": "Anna", "source": "nobody", "split": "eval", "duration_ms": SONG_MS,
        "timing": [list(row) for row in timing], "charts": listed, "native": [], **meta,
    }  # fmt: skip
    (song / "meta.json").write_text(json.dumps(facts))
    return song


def steady_map(parts, shift_ms=0.0, stars_text="x"):
    """A map with a circle on every beat or part of one, on the game clock as generation gives it."""
    first = FIRST_MS - GAME_CLOCK_LEAD_MS + shift_ms
    beatmap = Beatmap(timing_points=[TimingPoint(first, BEAT_MS)])
    beatmap.version = stars_text
    times = np.arange(first, SONG_MS - 2000, BEAT_MS / parts)
    beatmap.hit_objects = [Circle(100 + n % 5 * 60, 192, round(t)) for n, t in enumerate(times)]
    return beatmap


@pytest.fixture
def song(tmp_path):
    write_song(tmp_path / "songs")
    return read_evaluation_songs(tmp_path / "songs")[0]


def test_a_map_made_of_the_truth_scores_fully(song):
    scores = measure_map(steady_map(2), song)
    assert scores.on_grid == 1.0
    assert scores.best_shift_ms == 0
    assert scores.rhythm.chart == "hard"
    assert scores.rhythm.f1 == scores.rhythm.f1_with_ends == 1.0
    assert scores.rhythm.f1_steady == pytest.approx(1.0, abs=0.01)
    assert scores.rhythm.f1_random < 0.75
    assert scores.timing.offset_ms == pytest.approx(0, abs=0.01)
    assert scores.objects_a_minute == len(steady_map(2).hit_objects)


def test_the_chart_nearest_in_density_is_compared_with(song):
    assert measure_map(steady_map(1), song).rhythm.chart == "easy"
    assert measure_map(steady_map(1), song).rhythm.f1 == 1.0


def test_a_shifted_map_scores_nothing_but_shows_its_shift(song):
    scores = measure_map(steady_map(2, shift_ms=30.0), song)
    assert scores.on_grid == 0.0
    assert scores.rhythm.f1 == 0.0
    assert scores.on_grid_shifted == 1.0
    assert -40 <= scores.best_shift_ms <= -20
    assert scores.timing.offset_ms == pytest.approx(30.0, abs=0.01)


def test_the_longest_stretch_without_an_object_is_told(song):
    beatmap = steady_map(1)
    assert measure_map(beatmap, song).longest_gap_s < 2.5
    beatmap.hit_objects = [o for o in beatmap.hit_objects if not 20_000 < o.time < 35_000]
    assert measure_map(beatmap, song).longest_gap_s == pytest.approx(15.6)  # 19.7 to 35.3 s
    beatmap.hit_objects = [Spinner(256, 192, 100, end=59_000)]
    assert measure_map(beatmap, song).longest_gap_s == 1.0


def test_a_map_that_stays_in_one_place_is_told(song):
    beatmap = steady_map(2)
    assert measure_map(beatmap, song).stacked == 0.0
    for item in beatmap.hit_objects[: len(beatmap.hit_objects) // 2]:
        item.x, item.y = 100, 192
    assert measure_map(beatmap, song).stacked == pytest.approx(0.5, abs=0.02)
    beatmap.mode = GameMode.TAIKO
    assert measure_map(beatmap, song).stacked is None


def test_an_empty_map_is_measured_too(song):
    scores = measure_map(Beatmap(timing_points=[TimingPoint(0, 400)]), song)
    assert scores.objects == 0
    assert scores.longest_gap_s == SONG_MS / 1000
    assert scores.on_grid == 0.0
    assert scores.rhythm is None
    assert scores.stars is None


def test_a_song_without_charts_has_no_rhythm_score(tmp_path):
    write_song(tmp_path, charts=())
    song = read_evaluation_songs(tmp_path)[0]
    assert measure_map(steady_map(1), song).rhythm is None
    assert measure_map(steady_map(1), song).on_grid == 1.0


@dataclass
class FakeResult:
    paths: list
    findings: list = field(default_factory=list)
    stats: dict = field(default_factory=lambda: {"attempts": 1, "seconds": 6.0})


@pytest.fixture
def asked(monkeypatch):
    """Requests that reached generation, which answers with a map of the truth as dense as the rating asks for."""
    requests = []

    def generate(request, on_progress=None, model=None):
        assert model == "the model"
        requests.append(request)
        beatmap = steady_map(int(request.difficulty), stars_text=f"{request.difficulty}")
        from pathlib import Path

        path = Path(request.output_path) / "map.osu"
        write(beatmap, path)
        return FakeResult([path])

    monkeypatch.setattr(generation, "generate", generate)
    monkeypatch.setattr(generation, "open_model", lambda *_: "the model")
    return requests


def run(tmp_path, *more):
    return main(["suite=maps", f"songs={tmp_path / 'songs'}", f"out={tmp_path / 'out'}", "difficulties=[1,2]", *more])


def test_every_song_is_mapped_at_every_rating_and_reported(tmp_path, asked):
    write_song(tmp_path / "songs")
    write_song(tmp_path / "songs", "carl__drum", charts=())
    assert run(tmp_path) == 0
    assert [(r.difficulty, r.seed, r.export_osz) for r in asked] == [(1, 1, False), (2, 1, False)] * 2
    assert {(r.title, r.artist) for r in asked} == {("Bell", "Anna")}
    report = json.loads((tmp_path / "out" / "maps.json").read_text())
    assert len(report["rows"]) == 4
    total = report["summary"]["all"]
    assert total["on_grid"] == total["f1"] == total["passed_at_once"] == 1.0
    assert total["seconds_a_minute"] == 6.0
    assert report["summary"]["density_rises"] == 1.0
    assert report["summary"]["by_difficulty"]["1"]["objects_a_minute"] < (
        report["summary"]["by_difficulty"]["2"]["objects_a_minute"]
    )
    page = (tmp_path / "out" / "maps.md").read_text()
    assert page.count("\n| anna__bell |") == 2
    assert page.count("\n| carl__drum |") == 2
    for row in report["rows"]:
        assert (tmp_path / "out" / row["file"]).is_file()


def test_nothing_is_generated_twice_unless_settings_or_song_change(tmp_path, asked):
    song = write_song(tmp_path / "songs")
    assert run(tmp_path) == 0 and len(asked) == 2
    assert run(tmp_path) == 0 and len(asked) == 2
    assert run(tmp_path, "+options.temperature=0.5") == 0 and len(asked) == 4
    assert asked[-1].temperature == 0.5
    assert run(tmp_path, "+options.temperature=0.5", "seeds=2") == 0 and len(asked) == 6
    (song / "audio.ogg").write_bytes(b"another recording")
    assert run(tmp_path, "+options.temperature=0.5") == 0 and len(asked) == 8


def test_new_weights_in_the_same_folder_make_new_maps(tmp_path, asked):
    write_song(tmp_path / "songs")
    model = tmp_path / "model"
    model.mkdir()
    (model / "model.safetensors").write_bytes(b"1")
    assert run(tmp_path, f"model_path={model}") == 0 and len(asked) == 2
    (model / "model.safetensors").write_bytes(b"22")
    assert run(tmp_path, f"model_path={model}") == 0 and len(asked) == 4


def test_a_refused_map_is_measured_and_counted(tmp_path, asked, monkeypatch):
    write_song(tmp_path / "songs")

    def refuse(request, on_progress=None, model=None):
        from pathlib import Path

        write(steady_map(1), Path(request.output_path) / "map.rejected.osu")
        raise RejectedMap("no attempt passed verification")

    monkeypatch.setattr(generation, "generate", refuse)
    assert run(tmp_path) == 0
    report = json.loads((tmp_path / "out" / "maps.json").read_text())
    assert report["summary"]["all"]["passed"] == report["summary"]["all"]["passed_at_once"] == 0.0
    assert report["rows"][0]["scores"]["on_grid"] == 1.0
    assert report["summary"]["density_rises"] == 0.0
    assert "REFUSED" in (tmp_path / "out" / "maps.md").read_text()


def test_a_song_that_fails_does_not_end_the_evaluation(tmp_path, asked, monkeypatch):
    write_song(tmp_path / "songs")

    def fail(request, on_progress=None, model=None):
        raise AudioError("audio.ogg: is no audio")

    monkeypatch.setattr(generation, "generate", fail)
    assert run(tmp_path) == 0
    report = json.loads((tmp_path / "out" / "maps.json").read_text())
    assert report["summary"]["all"]["missing"] == 2
    assert "is no audio" in (tmp_path / "out" / "maps.md").read_text()


def test_a_second_attempt_is_not_a_first(tmp_path, asked, monkeypatch):
    write_song(tmp_path / "songs")
    first = generation.generate

    def twice(request, on_progress=None, model=None):
        return replace(first(request, model=model), stats={"attempts": 2, "seconds": 1.0})

    monkeypatch.setattr(generation, "generate", twice)
    assert run(tmp_path) == 0
    total = json.loads((tmp_path / "out" / "maps.json").read_text())["summary"]["all"]
    assert (total["passed_at_once"], total["passed"]) == (0.0, 1.0)


def test_all_wrong_options_are_named_at_once(tmp_path, capsys):
    assert main(["suite=charts", "processes=0", "difficulties=[]", f"songs={tmp_path / 'none'}"]) == 2
    told = capsys.readouterr().err
    for name in ("suite", "processes", "difficulties", "there is no folder"):
        assert name in told


def test_an_unknown_generation_option_is_told_before_a_model_is_loaded(tmp_path, capsys, monkeypatch):
    write_song(tmp_path / "songs")
    monkeypatch.setattr(generation, "open_model", lambda *_: pytest.fail("a model was loaded"))
    assert run(tmp_path, "+options.temprature=0.5") == 2
    assert "temperature" in capsys.readouterr().err


def test_only_picks_songs_by_parts_of_their_names(tmp_path, asked, capsys):
    write_song(tmp_path / "songs")
    write_song(tmp_path / "songs", "carl__drum")
    assert run(tmp_path, "only=[DRUM]") == 0
    assert {r["song"] for r in json.loads((tmp_path / "out" / "maps.json").read_text())["rows"]} == {"carl__drum"}
    assert run(tmp_path, "only=[guitar]") == 2
    assert "guitar" in capsys.readouterr().err
