"""Whole generations with the embedded model: same seed same bytes, readable everywhere, nothing half-written."""

import io
import zipfile

import fosu
import numpy as np
import pytest
import rosu_pp_py
import soundfile

from osuT5 import Request, generate
from osuT5.beatmap import read
from osuT5.errors import AudioError, OptionErrors, RejectedMap
from osuT5.inference.inputs import EMBEDDED_MODEL
from osuT5.inference.progress import Notice, Stage, Window
from osuT5.model import load_model

BPM, SECONDS = 150.0, 14


@pytest.fixture(scope="module")
def model():
    return load_model(str(EMBEDDED_MODEL))


@pytest.fixture(scope="module")
def song(tmp_path_factory):
    """A made-up song: kick on the beats, a hat between, a melody on eighths."""
    rate = 16000
    samples = np.zeros(SECONDS * rate, dtype=np.float32)
    rng = np.random.default_rng(3)
    t = np.arange(rate // 5) / rate
    kick = np.sin(2 * np.pi * 60 * t) * np.exp(-t * 25)
    hat = rng.standard_normal(len(t)) * np.exp(-t * 80) * 0.3
    beat = 60 / BPM
    for k in range(int(SECONDS / beat) - 1):
        at = int((0.5 + k * beat) * rate)
        tone = np.sin(2 * np.pi * 220 * 2 ** (int(rng.integers(0, 12)) / 12) * t) * np.exp(-t * 12) * 0.5
        for sound, shift in ((kick, 0), (hat, beat / 2), (tone, 0), (tone, beat / 2)):
            place = at + int(shift * rate)
            part = samples[place : place + len(t)]
            part += sound[: len(part)]
    path = tmp_path_factory.mktemp("song") / "Some One - Click Song.wav"
    soundfile.write(path, samples * 0.5, rate)
    return path


def make(song, folder, model, **options):
    return generate(Request(audio_path=str(song), output_path=str(folder), **options), model=model)


@pytest.mark.parametrize("gamemode", [0, 1, 2, 3])
def test_a_song_becomes_an_osz_that_every_reader_loads(song, tmp_path, model, gamemode):
    result = make(song, tmp_path, model, gamemode=gamemode, difficulty=3.5, seed=2)
    assert [p.suffix for p in result.paths] == [".osz"]
    assert sorted(p.name for p in tmp_path.iterdir()) == [result.paths[0].name]
    with zipfile.ZipFile(result.paths[0]) as archive:
        names = archive.namelist()
        text = archive.read(next(n for n in names if n.endswith(".osu"))).decode("utf-8")
        assert archive.read("Some One - Click Song.wav") == song.read_bytes()
    beatmap = read(text)
    assert beatmap.hit_objects and int(beatmap.mode) == gamemode
    assert (beatmap.artist, beatmap.title) == ("Some One", "Click Song")
    assert "ai-generated" in beatmap.metadata.get("Tags")
    assert rosu_pp_py.Beatmap(content=text).n_objects == len(beatmap.hit_objects)
    assert len(fosu.parse(text.encode()).hit_objects) == len(beatmap.hit_objects)


def test_same_seed_same_bytes_other_seed_other_map(song, tmp_path, model):
    first = make(song, tmp_path / "a", model, difficulty=4, seed=5).paths[0].read_bytes()
    again = make(song, tmp_path / "b", model, difficulty=4, seed=5).paths[0].read_bytes()
    other = make(song, tmp_path / "c", model, difficulty=4, seed=6).paths[0].read_bytes()
    assert first == again
    assert first != other


def test_temperature_zero_writes_windows_that_look_back(song, tmp_path, model):
    first, second = (make(song, tmp_path / name, model, temperature=0, seed=seed) for seed, name in enumerate("ab"))
    assert len(first.beatmaps[0].hit_objects) > 5
    assert [o.time for o in first.beatmaps[0].hit_objects] == [o.time for o in second.beatmaps[0].hit_objects]


def test_bare_osu_on_request_and_nothing_is_overwritten(song, tmp_path, model):
    one = make(song, tmp_path, model, difficulty=3, seed=1, export_osz=False).paths[0]
    two = make(song, tmp_path, model, difficulty=3, seed=1, export_osz=False).paths[0]
    assert one.suffix == ".osu" and one != two
    assert one.read_bytes() == two.read_bytes()
    assert not one.read_bytes().startswith(b"\xef\xbb\xbf")


def test_timing_is_on_the_game_clock(song, tmp_path, model):
    beatmap = make(song, tmp_path, model, difficulty=3, seed=1, timing="grid").beatmaps[0]
    line = beatmap.timing_points[0]
    assert line.beat_length == pytest.approx(60000 / BPM, rel=1e-3)
    half = line.beat_length / 2  # the half beat may be slipped on so plain a song
    assert min((line.time - (500 - 23)) % half, half - (line.time - (500 - 23)) % half) < 8


def test_progress_is_told_and_ignored_conditions_are_said(song, tmp_path, model):
    events = []
    generate(
        Request(audio_path=str(song), output_path=str(tmp_path), seed=1, year=2020, descriptors=["clean"]),
        events.append,
        model,
    )
    assert {e.name for e in events if isinstance(e, Stage)} >= {"audio", "timing", "verify", "write"}
    windows = [e for e in events if isinstance(e, Window) and e.stage == "map"]
    assert [w.done for w in windows] == list(range(1, windows[0].total + 1))
    said = " ".join(e.message for e in events if isinstance(e, Notice))
    assert "year=2020" in said and "descriptors=[clean]" in said


def test_bad_songs_leave_nothing_behind(tmp_path, model):
    text, empty, silent = tmp_path / "text.mp3", tmp_path / "empty.mp3", tmp_path / "silent.wav"
    text.write_text("no music")
    empty.write_bytes(b"")
    soundfile.write(silent, np.zeros(16000 * 8), 16000)
    for path in (text, empty, silent):
        with pytest.raises(AudioError):
            make(path, tmp_path / "out", model)
    with pytest.raises(OptionErrors) as caught:
        generate(Request(audio_path=str(tmp_path / "none.mp3"), background=str(tmp_path / "none.png")))
    assert len(caught.value.problems) == 2
    assert not (tmp_path / "out").exists()


def test_a_map_that_cannot_be_mended_is_kept_apart(song, tmp_path, model, monkeypatch):
    from osuT5.inference.song_loop import SongLoop

    monkeypatch.setattr(SongLoop, "run", lambda self, wanted: None)
    with pytest.raises(RejectedMap) as caught:
        make(song, tmp_path, model, seed=1)
    assert caught.value.exit_code == 3
    assert [p.name.endswith(".rejected.osu") for p in tmp_path.iterdir()] == [True]
    with pytest.raises(RejectedMap):
        make(song, tmp_path, model, seed=2)
    assert len(list(tmp_path.iterdir())) == 2, "an earlier attempt is kept"


def test_a_range_is_written_into_a_reference_and_the_rest_stays(song, tmp_path, model):
    reference = make(song, tmp_path, model, difficulty=3, seed=1, export_osz=False).paths[0]
    before = read(reference)
    result = make(
        song, tmp_path, model, beatmap_path=str(reference), add_to_beatmap=True, in_context=["TIMING"],
        start_time=5000, end_time=9000, seed=9, export_osz=False,
    )  # fmt: skip
    after = read(result.paths[0])
    outside = lambda b: [(o.time, o.x, o.y) for o in b.hit_objects if o.time < 4000 or o.time > 10000]  # noqa: E731
    assert outside(after) == outside(before)
    assert reference.read_bytes() == (tmp_path / reference.name).read_bytes()


def test_cover_inside_the_song_becomes_the_background(song, tmp_path, model):
    from mutagen.flac import FLAC, Picture
    from PIL import Image

    samples, rate = soundfile.read(song)
    path = tmp_path / "x.flac"
    soundfile.write(path, samples, rate)
    image = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 30, 30)).save(image, "PNG")
    tags, picture = FLAC(path), Picture()
    picture.data, picture.mime, picture.type = image.getvalue(), "image/png", 3
    tags.add_picture(picture)
    tags["title"], tags["artist"] = "Tagged", "Tagger"
    tags.save()
    result = make(path, tmp_path / "out", model, difficulty=3, seed=1)
    assert result.beatmaps[0].title == "Tagged"
    with zipfile.ZipFile(result.paths[0]) as archive:
        assert archive.read("cover.png") == image.getvalue()
