"""Compiled data sets: the same samples as the files they were made from, whole or not at all, and clear errors."""

import dataclasses
import json
import pickle
import shutil

import numpy as np
import pytest
from golden_samples import CASES, FILES, GOLDEN, MMRS, PROFILES, assert_is_recorded, cut_mmrs
from hypothesis import given, settings
from hypothesis import strategies as st

from osuT5.beatmap import read
from osuT5.data import compile as compiling
from osuT5.data.compile import CompileOptions, compile_data, main
from osuT5.data.map_tables import COLUMNS, MapTables, columns_of, essential, restore
from osuT5.data.mmrs import mmrs_sets, read_metadata
from osuT5.data.recipes import recipe_for
from osuT5.data.set_source import SetSource
from osuT5.data.sets import SetCutter
from osuT5.data.shards import open_shards, read_index
from osuT5.data.stored_sound import as_int16, change_speed_linear, from_flac, to_flac
from osuT5.errors import AudioError, BeatmapError, InputError
from osuT5.events import Vocabulary, load_profile

MAPS = sorted((GOLDEN / "tokens" / "maps").glob("*.osu")) + sorted((MMRS / "data").rglob("*.osu"))


@pytest.fixture(scope="module", params=["pcm", "flac"])
def shards(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    compile_data(CompileOptions(dataset=str(MMRS), out=folder, audio=request.param))
    return open_shards(folder)


def test_the_facts_of_a_compiled_data_set_are_those_of_its_table(shards):
    kept = [dataclasses.replace(m, folder="", file="", audio_file="") for m in read_metadata(MMRS)]
    assert shards.facts == kept
    assert (shards.sample_rate, shards.resampler) == (16000, "published")


@pytest.mark.parametrize("name", [*PROFILES, "v32-mini", "mini"])
@pytest.mark.parametrize("evaluation", [False, True])
def test_windows_are_exactly_those_of_the_files(shards, name, evaluation):
    """Every augmentation but the speed, which works on other samples; windows of 4 s, so that there are many."""
    profile = load_profile(name).replace(src_seq_len=513)
    recipe = dataclasses.replace(recipe_for("improved", profile), speed_prob=0.0)
    recipe = recipe.evaluation() if evaluation else recipe
    vocabulary = Vocabulary.from_profile(profile, mappers=[501, 502])
    facts = [m for m in shards.facts if m.mode in profile.gamemodes]
    plain_facts = [m for m in read_metadata(MMRS) if m.mode in profile.gamemodes]
    stored = SetSource(shards.sets(facts), SetCutter(profile, vocabulary, recipe))
    plain = SetSource(mmrs_sets(MMRS, plain_facts), SetCutter(profile, vocabulary, recipe))
    assert len(stored) == len(plain)
    made = 0
    for unit in range(len(plain)):
        for one, other in zip(plain.windows(3, unit), stored.windows(3, unit), strict=True):
            made += 1
            assert one.sound.dtype == other.sound.dtype == np.int16
            assert np.array_equal(one.sound, other.sound)
            for field in dataclasses.fields(one.sample):
                assert np.array_equal(getattr(one.sample, field.name), getattr(other.sample, field.name)), field.name
    assert made > 5


@pytest.mark.parametrize(("file", "name"), CASES)
def test_recorded_samples_come_out_of_shards_too(shards, file, name):
    """Changed speeds included: ids, labels and places depend on the length of the sound only."""
    case = FILES[file]["cases"][name]
    _, made = cut_mmrs("v28" if file == "variants" else file, case, shards.sets)
    for (sample, _), recorded in zip(made, case["samples"], strict=True):
        assert_is_recorded(sample, recorded)


def test_raw_sound_comes_back_in_its_own_scale(shards):
    normal, raw = (mmrs_sets(MMRS, read_metadata(MMRS), normalize=n) for n in (True, False))
    for one, other, stored in zip(normal, raw, shards.sets(shards.facts, normalize=False), strict=True):
        sound, expected = stored.sound(1.0), other.sound(1.0)
        assert sound.dtype == np.float32 and len(sound) == len(expected)
        peak = np.abs(expected).max()
        assert np.abs(sound - expected).max() <= peak / 32767 * 0.51
        assert np.array_equal(as_int16(one.sound(1.0)), shards.sets(one.facts)[0].sound(1.0))


def test_a_faster_song_is_shorter_and_stays_normalised(shards):
    plain = mmrs_sets(MMRS, read_metadata(MMRS))
    for one, stored in zip(plain, shards.sets(shards.facts), strict=True):
        expected, sound = one.sound(1.25), stored.sound(1.25)
        assert abs(len(sound) - len(expected)) <= 1
        assert np.abs(sound).max() == pytest.approx(1.0)


def test_sets_of_shards_can_be_sent_to_workers(shards):
    sets = pickle.loads(pickle.dumps(shards.sets(shards.facts)))
    assert len(sets[0].maps[0]().hit_objects) > 5 and len(sets[0].sound(1.0)) > 1000


def test_another_rate_than_the_profile_hears_is_an_error(shards):
    with pytest.raises(InputError, match="compiled at 16000 Hz.*sample_rate=24000"):
        shards.sets(shards.facts, sample_rate=24000)


# -- compiling -----------------------------------------------------------------------------------------------------


def broken_copy(tmp_path):
    root = tmp_path / "mmrs"
    shutil.copytree(MMRS, root)
    sets = sorted((root / "data").iterdir())
    next(sets[0].glob("*Hard*.osu")).write_text("no map")
    next(sets[1].glob("*.mp3")).write_bytes(b"no sound")
    return root


def test_what_cannot_be_used_is_left_out_and_named(tmp_path):
    root = broken_copy(tmp_path)
    index = compile_data(CompileOptions(dataset=str(root), out=tmp_path / "out"))
    (row,) = index["shards"]
    assert set(row["left_out"]) == {"map 2001", "set 1002"}
    assert (row["sets"], row["maps"]) == (2, 3)
    assert [m.beatmap_id for m in open_shards(tmp_path / "out").facts] == [2002, 2003, 2021]


def test_an_interrupted_run_goes_on_and_ends_alike(tmp_path, monkeypatch):
    monkeypatch.setattr(compiling, "SETS_A_FILE", 1)
    whole = compile_data(CompileOptions(dataset=str(MMRS), out=tmp_path / "whole"))
    written = []

    def stop_at_the_second(part, file, sets, last):
        if len(written) == 1:
            raise KeyboardInterrupt
        written.append(part)
        return write(part, file, sets, last)

    write = compiling._write
    settings = CompileOptions(dataset=str(MMRS), out=tmp_path / "out")
    monkeypatch.setattr(compiling, "_write", stop_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        compile_data(settings)
    with pytest.raises(InputError, match="unfinished"):
        open_shards(tmp_path / "out")
    first = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "out").iterdir()}
    assert list(first) == ["00000-000.safetensors"]
    monkeypatch.setattr(compiling, "_write", write)
    assert compile_data(settings) == {**whole, "made_from": str(MMRS)}
    for path in (tmp_path / "whole").glob("*.safetensors"):
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()
    assert (tmp_path / "out" / "00000-000.safetensors").stat().st_mtime_ns == first["00000-000.safetensors"]


@pytest.mark.slow
def test_the_number_of_workers_changes_nothing(tmp_path):
    one, two = (compile_data(CompileOptions(dataset=str(MMRS), out=tmp_path / str(n), workers=n)) for n in (1, 2))
    assert one == two
    for row in one["shards"]:
        assert (tmp_path / "1" / row["file"]).read_bytes() == (tmp_path / "2" / row["file"]).read_bytes()


def test_a_folder_of_other_shards_is_not_mixed_with_these(tmp_path):
    out = tmp_path / "out"
    compile_data(CompileOptions(dataset=str(MMRS), out=out))
    other = CompileOptions(dataset=str(MMRS), out=out, audio="flac")
    with pytest.raises(InputError, match="another compiled data set"):
        compile_data(other)
    (out / "index.json").unlink()
    with pytest.raises(InputError, match="another data set or of other options"):
        compile_data(other)


def test_the_command_compiles_and_says_what_it_did(tmp_path, capsys):
    assert main([f"dataset={MMRS}", f"out={tmp_path / 'out'}", "audio=flac"]) == 0
    assert "3 sets, 6 maps" in capsys.readouterr().out
    assert main([f"dataset={MMRS}", "audio=mp3", "workers=0"]) == 2
    said = capsys.readouterr().err
    assert "out is missing" in said and "audio=mp3" in said and "workers=0" in said


def test_a_missing_damaged_or_newer_data_set_is_named(tmp_path):
    with pytest.raises(InputError, match="no index.json"):
        open_shards(tmp_path)
    compile_data(CompileOptions(dataset=str(MMRS), out=tmp_path / "out"))
    index = read_index(tmp_path / "out")
    (tmp_path / "out" / "index.json").write_text(json.dumps({**index, "format": 99}))
    with pytest.raises(InputError, match="format 99"):
        open_shards(tmp_path / "out")
    (tmp_path / "out" / "index.json").write_text(json.dumps(index))
    (tmp_path / "out" / index["shards"][0]["file"]).write_bytes(b"no shard")
    with pytest.raises(InputError, match="cannot be read as a shard"):
        open_shards(tmp_path / "out")


# -- parts ---------------------------------------------------------------------------------------------------------


def test_maps_come_back_from_their_columns_as_they_were():
    tables = MapTables()
    for path in MAPS:
        tables.add(columns_of(read(path)))
    arrays = tables.arrays()
    bounds = arrays["bounds"].tolist()
    assert len(bounds) == len(MAPS) + 1 and len(bounds[0]) == len(COLUMNS)
    for number, path in enumerate(MAPS):
        back = restore(lambda name, a, b: arrays[name][a:b], *bounds[number : number + 2])
        assert back == essential(read(path))


def test_a_number_that_no_column_holds_is_an_error_and_not_another_number():
    beatmap = read(MAPS[0])
    for hitsound in (2**40, 2**70):
        beatmap.hit_objects[0].hitsound = hitsound
        with pytest.raises(BeatmapError, match="too large"):
            columns_of(beatmap)


@given(st.lists(st.integers(-32767, 32767), min_size=2, max_size=300), st.floats(0.5, 2.0))
@settings(max_examples=50, deadline=None)
def test_a_changed_speed_lies_on_the_lines_between_the_samples(values, speed):
    samples = np.array(values, dtype=np.int16)
    made = change_speed_linear(samples, speed, 16000)
    position = np.arange(len(made)) * (int(16000 * speed) / 16000)
    assert position[-1] <= len(samples) - 1 < position[-1] + int(16000 * speed) / 16000
    assert made == pytest.approx(np.interp(position, np.arange(len(samples)), samples), abs=0.02)


def test_flac_keeps_samples_and_damage_is_an_error():
    samples = np.random.default_rng(0).integers(-32767, 32768, 5000).astype(np.int16)
    data = to_flac(samples, 16000)
    assert np.array_equal(from_flac(data), samples)
    with pytest.raises(AudioError, match="damaged"):
        from_flac(data[:40])
