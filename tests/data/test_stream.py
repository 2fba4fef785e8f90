"""The training stream: the same windows in the same batches, whoever reads them and wherever a run begins."""

import itertools
from collections import Counter

import numpy as np
import pytest

from osuT5.data.batches import collate, join
from osuT5.data.loader import Loader, WorkerSettings, evaluation_batches
from osuT5.data.samples import Sample
from osuT5.data.source import Window
from osuT5.data.stream import Cursor, StreamSettings, lanes_for, stream
from osuT5.errors import InputError


class Toy:
    """Unit u has 1 + u % 4 windows; ids say (epoch, unit, place), lengths differ."""

    def __init__(self, units=11, empty=()):
        self.units, self.empty = units, empty

    def __len__(self):
        return self.units

    def windows(self, epoch, unit):
        if unit in self.empty:
            return []
        made = []
        for place in range(1 + unit % 4):
            ids = np.array([epoch, unit, place] + [7] * ((unit * 5 + place) % 9), dtype=np.int64)
            made.append(Window(np.full(8, unit, dtype=np.int16), Sample(0, 1, ids, ids.copy(), [])))
        return made

    def scheme(self):
        return {}


SETTINGS = StreamSettings(seed=3, batch_size=8, lanes=4, pool=24)


def names(batch):
    return [tuple(row[:3].tolist()) for row in batch["decoder_input_ids"]]


def batches_of(source, settings, count, workers=0, rank=0, ranks=1, cursors=None):
    loader = Loader(source, settings, WorkerSettings(workers), rank=rank, ranks=ranks, cursors=cursors)
    return [(names(b), dict(loader.cursors)) for b in itertools.islice(iter(loader), count)]


def test_an_epoch_shows_every_window_once():
    source = Toy()
    seen = Counter(name for batch, _ in batches_of(source, SETTINGS, 60) for name in batch)
    assert set(seen.values()) == {1}
    whole = {(0, u, p) for u in range(11) for p in range(1 + u % 4)}
    assert whole <= set(seen)
    assert {(1, u, p) for u in range(11) for p in range(1 + u % 4)} <= set(seen)


@pytest.mark.parametrize("batching", ["similar", "balanced", "random"])
def test_ranks_together_read_what_one_reads_alone(batching):
    settings = StreamSettings(seed=3, batch_size=8, lanes=4, pool=24, batching=batching)
    alone = [batch for batch, _ in batches_of(Toy(), settings, 20)]
    parts = [[batch for batch, _ in batches_of(Toy(), settings, 20, rank=r, ranks=2)] for r in range(2)]
    for whole, first, second in zip(alone, *parts, strict=True):
        assert sorted(whole) == sorted(first + second)
        assert len(first) == len(second) == 4


def test_the_number_of_workers_changes_nothing_not_even_the_order_of_rows():
    alone = [batch for batch, _ in batches_of(Toy(), SETTINGS, 12)]
    assert [batch for batch, _ in batches_of(Toy(), SETTINGS, 12, workers=2)] == alone
    assert [batch for batch, _ in batches_of(Toy(), SETTINGS, 12, workers=3)] == alone


@pytest.mark.parametrize("batching", ["similar", "balanced", "random"])
@pytest.mark.parametrize("stop", [1, 2, 3, 5, 9, 17])
def test_a_run_goes_on_anywhere(stop, batching):
    settings = StreamSettings(seed=3, batch_size=8, lanes=4, pool=24, batching=batching)
    whole = batches_of(Toy(), settings, 25)
    rest = batches_of(Toy(), settings, 25 - stop, cursors=whole[stop - 1][1])
    assert rest == whole[stop:]


def test_a_run_goes_on_with_another_number_of_ranks():
    whole = batches_of(Toy(), SETTINGS, 12)
    cursors = {}
    for rank in range(2):
        cursors |= batches_of(Toy(), SETTINGS, 5, rank=rank, ranks=2)[-1][1]
    assert [b for b, _ in batches_of(Toy(), SETTINGS, 7, cursors=cursors)] == [b for b, _ in whole[5:]]


def test_fewer_units_than_lanes_still_feed_all_lanes():
    seen = Counter(name for batch, _ in batches_of(Toy(units=2), SETTINGS, 12) for name in batch)
    assert set(seen.values()) == {1}


def test_similar_batches_hold_windows_of_like_length():
    def padding(batching):
        settings = StreamSettings(seed=3, batch_size=8, lanes=2, pool=160, batching=batching)
        loader = Loader(Toy(units=40), settings, WorkerSettings(0))
        batches = list(itertools.islice(iter(loader), 40))
        return sum(int((b["labels"] == -100).sum()) for b in batches)

    assert padding("similar") < padding("random") / 2


def test_data_without_windows_is_an_error_not_an_endless_search():
    with pytest.raises(InputError, match="no windows"):
        next(stream(Toy(units=3, empty=(0, 1, 2)), SETTINGS, [0]))
    with pytest.raises(InputError, match="filters"):
        next(stream(Toy(units=0), SETTINGS, [0]))


def test_impossible_shares_are_refused():
    with pytest.raises(InputError, match="lanes"):
        StreamSettings(seed=3, batch_size=10, lanes=4, pool=24)
    with pytest.raises(InputError, match="3 processes"):
        Loader(Toy(), SETTINGS, WorkerSettings(0), ranks=3)
    with pytest.raises(InputError, match="multiple of 3"):
        lanes_for(16, 3)


def test_lanes_suit_batch_and_ranks():
    assert [lanes_for(16), lanes_for(16, 2), lanes_for(16, 4), lanes_for(2), lanes_for(12, 3)] == [8, 8, 8, 2, 12]


def test_evaluation_reads_everything_once_over_all_ranks():
    source = Toy()
    seen = Counter(n for r in range(2) for b in evaluation_batches(source, 4, rank=r, ranks=2) for n in names(b))
    assert seen == Counter((0, u, p) for u in range(11) for p in range(1 + u % 4))
    assert len(list(evaluation_batches(source, 4, limit=2))) == 2


def test_joined_batches_are_padded_like_one():
    windows = Toy().windows(0, 3) + Toy().windows(0, 6)
    joined = join([collate(windows[:3]), collate(windows[3:])])
    whole = collate(windows)
    for name, tensor in whole.items():
        assert joined[name].equal(tensor), name


def test_a_cursor_is_where_its_lane_begins():
    (_, cursors), *_ = batches_of(Toy(), SETTINGS, 1)
    assert cursors[2] == Cursor(block=0, turn=2, skip=0, served=1)
