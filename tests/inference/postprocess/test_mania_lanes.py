"""Mania: one open hold per column, columns from tokens, speeds normalised by tempo."""

import pytest

from osuT5.beatmap import Hold


def hold(column, start, end):
    return (
        (start, [["t", start], ["column", column], ["hold_note", 0]]),
        (end, [["t", end], ["column", column], ["hold_note_end", 0]]),
    )


def stream(*groups):
    return [event for _, events in sorted(groups, key=lambda g: g[0]) for event in events]


def test_chords_of_holds_keep_all_notes_and_their_own_ends(cases):
    groups = [g for i in range(16) for c in range(3) for g in hold(c, 1000 + 1000 * i, 1500 + 1000 * i + 125 * c)]
    made = cases.simple(stream(*groups), gamemode=3, keycount=4, resnap=False)
    holds = made.beatmap.hit_objects
    assert len(holds) == 48 and all(isinstance(h, Hold) for h in holds)
    assert [(h.x, h.end) for h in holds[:3]] == [(64, 1500), (192, 1625), (320, 1750)]


def test_a_hold_whose_end_names_another_column_takes_that_end(cases):
    groups = [hold(0, 1000, 0)[0], hold(2, 0, 1500)[1]]
    made = cases.simple(stream(*groups), gamemode=3, keycount=4)
    assert [(h.time, h.end) for h in made.beatmap.hit_objects] == [(1000, 1500)]


def test_a_hold_without_any_end_lasts_a_beat_or_up_to_the_next_note(cases):
    note = (1250, [["t", 1250], ["snap", 2], ["column", 1], ["circle", 0]])
    alone = cases.simple(stream(hold(1, 1000, 0)[0]), gamemode=3, keycount=4)
    followed = cases.simple(stream(hold(1, 1000, 0)[0], note), gamemode=3, keycount=4)
    assert alone.beatmap.hit_objects[0].end == 1500 and "lasts one beat" in alone.warnings[0]
    assert 1000 < followed.beatmap.hit_objects[0].end < 1250 - 30


def test_a_note_inside_a_hold_of_its_column_cuts_the_hold(cases):
    note = (2000, [["t", 2000], ["column", 1], ["circle", 0]])
    made = cases.simple(stream(*hold(1, 1000, 3000), note), gamemode=3, keycount=4)
    first, second = made.beatmap.hit_objects
    assert first.end < second.time - 30 and second.time == 2000


@pytest.mark.parametrize("keys", range(1, 19))
def test_columns_are_read_back_by_every_rule(keys, cases):
    events = []
    for column in range(keys):
        events += [["t", 1000 + 500 * column], ["column", column], ["circle", 0]]
    objects = cases.simple(events, gamemode=3, keycount=keys).beatmap.hit_objects
    recorded = cases.golden("numeric_helpers.json")["mania_column_x"][str(keys)]
    assert [o.x for o in objects] == recorded
    assert [o.x * keys // 512 for o in objects] == list(range(keys))


def test_tempo_changes_do_not_scroll_faster(cases):
    events = []
    for time in (1000, 5000, 6000):
        events += [["t", time], ["column", 0], ["circle", 0]]
    made = cases.simple(events, gamemode=3, keycount=4, reds=((0, 400.0), (4900, 200.0)))
    view = made.beatmap.timing
    speeds = [view.velocity_at(t) / view.beat_length_at(t) for t in (1000, 5000, 6000)]
    assert speeds == pytest.approx([1 / 400] * 3)
