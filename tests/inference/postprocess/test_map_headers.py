"""Names, tags, difficulty values, combos, breaks, preview: what the file says around its objects."""

import pytest

from osuT5.beatmap import Spinner, read, write
from osuT5.inference.postprocess import (
    difficulty_name,
    difficulty_values,
    romanise,
    settings_tags,
    song_names,
    tags_line,
)
from osuT5.inference.postprocess.headers import preempt_ms

# (level's lowest and highest star rating, AR, OD, HP): guidelines of the easy to expert levels of osu!
GUIDELINES = [
    ((1.0, 1.99), (0, 5), (1, 3), (1, 3)), ((2.0, 2.69), (4, 6), (3, 5), (3, 5)), ((2.7, 3.99), (6, 8), (5, 7), (4, 6)),
    ((4.0, 5.29), (7, 9.3), (7, 9), (5, 8)), ((5.3, 9.0), (8, 10), (8, 10), (5, 10)),
]
CATCH_GUIDELINES = [((1.0, 1.99), 6, 2.5), ((2.0, 2.69), 7, 3), ((2.7, 3.99), 8, 3.5), ((4.0, 5.29), 9, 4)]


def circles(times, new_combos=()):
    events = []
    for time in times:
        events += [["t", time], ["snap", 1], ["pos_x", 100 + time % 300], ["pos_y", 100]]
        events += [["new_combo", 0]] if time in new_combos else []
        events.append(["circle", 0])
    return events


@pytest.mark.parametrize(("stars", "ar", "od", "hp"), GUIDELINES)
def test_values_follow_the_guidelines_of_the_level(stars, ar, od, hp):
    for rating in (stars[0], sum(stars) / 2, stars[1]):
        values = difficulty_values(0, rating)
        assert ar[0] <= values.ar <= ar[1] and od[0] <= values.od <= od[1] and hp[0] <= values.hp <= hp[1]
        assert values.cs <= 4.2


@pytest.mark.parametrize(("stars", "highest", "cs"), CATCH_GUIDELINES)
def test_catch_values_follow_their_guidelines(stars, highest, cs):
    for rating in stars:
        values = difficulty_values(2, rating)
        assert values.ar <= highest and values.od <= highest and values.cs <= cs


def test_taiko_drains_less_in_long_songs_and_mania_counts_keys():
    short, long = (difficulty_values(1, 4.5, song_length_ms=s * 1000).hp for s in (50, 300))
    assert short > long
    assert difficulty_values(3, 2.0, keycount=7).cs == 7 and difficulty_values(3, 1.5).od <= 7


def test_given_values_win_and_harder_maps_are_never_easier():
    assert difficulty_values(0, 5, hp=2.34, cs=11).hp == 2.3 and difficulty_values(0, 5, cs=11).cs == 10
    rising = [difficulty_values(0, s / 4) for s in range(4, 36)]
    assert all(a.od <= b.od and a.ar <= b.ar for a, b in zip(rising, rising[1:], strict=False))


@pytest.mark.parametrize(
    ("stem", "artist", "title"),
    [
        ("Artist - Title", "Artist", "Title"), ("03. Artist - Title (Official Video)", "Artist", "Title"),
        ("A - B - C", "A", "B - C"), ("some_song", "Unknown Artist", "some song"), ("", "Unknown Artist", "Untitled"),
        ("99 Problems", "Unknown Artist", "99 Problems"),
    ],
)
def test_names_are_read_from_the_file_name(stem, artist, title):
    names = song_names(stem)
    assert (names.artist, names.title) == (artist, title)


def test_tags_of_the_audio_win_over_its_name_and_are_romanised():
    names = song_names("x - y", title="こんにちは", artist="Сплин")
    assert (names.title, names.title_unicode) == ("konnichiha", "こんにちは")
    assert (names.artist, names.artist_unicode) == ("Splin", "Сплин")


@pytest.mark.parametrize(
    ("text", "plain"),
    [("Café", "Cafe"), ("キャット", "kyatto"), ("ファイナル", "fainaru"), ("안녕", "annyeong"), ("Θάλασσα", "Thalassa"),
     ("Щука", "Shchuka"), ("ﾊﾝｶｸ", "hankaku"), ("千本桜", ""), ("a\u200bb", "ab")],
)
def test_other_scripts_become_plain_letters(text, plain):
    assert romanise(text) == plain


def test_every_map_says_that_it_was_generated(cases):
    assert tags_line("jump jump aim") == "jump aim mapperatorinator ai-generated"
    tags = cases.simple(circles([1000]), tags="Ai-Generated x").beatmap.tags.split()
    assert {"mapperatorinator", "ai-generated"} <= set(tags)
    assert difficulty_name("Mapperatorinator mini", 4.04) == "Mapperatorinator mini 4.0*"


def test_tags_of_settings_equal_the_recorded_ones(cases):
    for row in cases.golden("tags.json"):
        if not row["changed"].get("tags"):
            assert settings_tags(row["changed"]) == row["tags"]


def test_broken_names_cannot_break_the_file(cases):
    made = cases.simple(circles([1000]), title=" a\n[HitObjects]\r\x00b ", creator="\u200b", background='x"y.png')
    again = read(write(made.beatmap))
    assert again == made.beatmap and not again.diagnostics
    assert (again.title, again.creator, again.background_filename) == ("a [HitObjects] b", "Mapperatorinator", "xy.png")


def test_headers_hold_only_documented_values(cases):
    made = cases.simple(circles([1000])).beatmap
    assert made.general.get("SampleSet") == "Soft" and "Bookmarks" not in made.editor.values
    assert list(made.colours.values) == ["Combo1", "Combo2", "Combo3", "Combo4"]


def test_pauses_become_breaks_and_a_new_combo_follows(cases):
    made = cases.simple(circles([1000, 1500, 9000, 9500], {1000}), ar=9.0).beatmap
    assert made.breaks == [(1700, 9000 - preempt_ms(9.0))]
    assert [o.new_combo for o in made.hit_objects] == [True, False, True, False]


def test_an_early_first_object_gets_silence_before_the_audio(cases):
    assert cases.simple(circles([0]), reds=((0, 500.0),), ar=9.0).beatmap.audio_lead_in == 600
    assert cases.simple(circles([3000]), ar=9.0).beatmap.audio_lead_in == 0


def test_the_models_new_combos_stay(cases):
    made = cases.simple(circles(range(1000, 5000, 500), {1000, 2500, 4500})).beatmap
    assert [o.time for o in made.hit_objects if o.new_combo] == [1000, 2500, 4500]


def test_without_any_new_combo_there_is_one_a_measure(cases):
    made = cases.simple(circles(range(1000, 9000, 250))).beatmap
    assert [o.time for o in made.hit_objects if o.new_combo] == [1000, 3000, 5000, 7000]


def test_endless_combos_are_cut_at_measures_and_runs_of_singles_joined(cases):
    long = cases.simple(circles(range(1000, 17000, 250), {1000})).beatmap
    starts = [i for i, o in enumerate(long.hit_objects) if o.new_combo]
    assert max(b - a for a, b in zip(starts, [*starts[1:], len(long.hit_objects)], strict=True)) <= 24
    assert all((long.hit_objects[i].time - 1000) % 2000 == 0 for i in starts)
    singles = cases.simple(circles(range(1000, 9000, 250), set(range(1000, 9000, 250)))).beatmap
    assert [o.time for o in singles.hit_objects if o.new_combo] == [1000, 3000, 5000, 7000]


def test_a_spinner_and_the_object_after_it_begin_combos(cases):
    spinner = [["t", 3000], ["snap", 1], ["spinner", 0], ["t", 4000], ["snap", 1], ["spinner_end", 0]]
    made = cases.simple([*circles([1000, 1500], {1000}), *spinner, *circles([5000, 5500])]).beatmap
    assert [o.new_combo for o in made.hit_objects] == [True, False, True, True, False]
    assert isinstance(made.hit_objects[2], Spinner)


def test_the_preview_is_the_first_kiai_else_a_measure_at_two_fifths(cases):
    kiai = [["t", 5005], ["kiai", 1], *circles([6000])]
    assert cases.simple(kiai).beatmap.preview_time == 5000
    assert cases.simple(circles([1000]), song_length_ms=100_000.0).beatmap.preview_time == 41_000
    assert cases.simple(kiai, preview_time=123).beatmap.preview_time == 123
