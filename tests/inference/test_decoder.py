"""The decoder: a row gives what it gives alone, whoever is beside it and whoever has left."""

import itertools

import pytest
import torch

from osuT5.errors import InputError
from osuT5.events import EventType
from osuT5.events.prompt import Prompt
from osuT5.inference import logits_processors as lp
from osuT5.inference.decoder import Decoder, Row, _Batch, bucket, collect

ROWS = 20


@pytest.fixture(scope="module")
def windows(small_model):
    """Encoder output of a window for every row."""
    samples = torch.randn(ROWS, small_model.config.window_samples, generator=torch.Generator().manual_seed(1))
    return small_model.encode(samples)


def ids_of(length, seed):
    return torch.randint(3, 900, (length,), generator=torch.Generator().manual_seed(seed)).tolist()


def prompt_of(number):
    """Prompts of 3 to 31 ids; the negative branch is sometimes shorter and sometimes longer; every fifth has none."""
    ids = ids_of(3 + number * 7 % 29, number)
    return Prompt(ids, None if number % 5 == 4 else ids_of(2 + number * 11 % 37, 100 + number))


def row_of(vocabulary, number):
    """Rows that differ in everything: prompt, guidance, processors, end ids, limit, greedy or drawn."""
    times = lp.time_range(vocabulary)
    rules = [lp.MonotonicTime(vocabulary), lp.ForbidIds(vocabulary, [number + 5])]
    if number % 2:
        rules += [lp.Temperature(vocabulary, 0.6 + number / 20, [(1, (EventType.CIRCLE,), 0.3)])]
    if number % 3 == 1:
        rules += [lp.TopK(vocabulary, 3 + number)]
    if number % 4 == 1:
        rules += [lp.TopP(vocabulary, 0.8)]
    if number % 6 == 2:
        weights = torch.full((times.stop - times.start,), float("-inf"))
        weights[:: number + 2] = 0.0
        rules += [lp.GridTimes(vocabulary, weights)]
    return Row(
        prompt_of(number),
        end_ids=range(number, vocabulary.vocab_size_out, 25),
        max_length=40 + 5 * number,
        processors=rules,
        guidance=(1.0, 1.5, 1.0, 3.0)[number % 4],
        generator=None if number % 7 == 3 else torch.Generator().manual_seed(number),
    )


def written_by(model, numbers, windows):
    """(tokens of each row, states of their generators afterwards)."""
    rows = [row_of(model.vocabulary, number) for number in numbers]
    found = collect(Decoder(model).generate(rows, windows), len(rows))
    return found, [row.generator and row.generator.get_state().tolist() for row in rows]


@pytest.fixture(scope="module", params=["own windows", "one window"])
def alone(request, small_model, windows):
    """(encoder output of given rows, what each row writes alone)."""
    shared = request.param == "one window"
    hear = lambda numbers: windows[:1] if shared else windows[numbers]  # noqa: E731
    made = [written_by(small_model, [number], hear([number])) for number in range(ROWS)]
    return hear, [tokens for (tokens,), _ in made], [state for _, (state,) in made]


def test_rows_end_in_different_ways(alone, small_model):
    """What the other tests rest on: ends by id and by limit, early and late, guided or not, greedy or drawn."""
    rows = [row_of(small_model.vocabulary, number) for number in range(ROWS)]
    by_id = [tokens[-1] in row.end_ids for tokens, row in zip(alone[1], rows, strict=True)]
    assert 4 < sum(by_id) and len({len(tokens) for tokens in alone[1]}) > 10
    assert {row.is_guided for row in rows} == {True, False} == {row.generator is None for row in rows}
    for tokens, row, ended in zip(alone[1], rows, by_id, strict=True):
        assert len(tokens) == row.max_tokens or ended
        assert not any(token in row.end_ids for token in tokens[:-1])


@pytest.mark.parametrize("size", [2, 5, 20])
def test_rows_write_in_a_batch_what_they_write_alone(size, alone, small_model):
    """The same tokens, ends and limits, and the same numbers used up, by whatever neighbours."""
    hear, tokens, states = alone
    order = torch.randperm(ROWS, generator=torch.Generator().manual_seed(size)).tolist()
    for start in range(0, ROWS, size):
        numbers = order[start : start + size]
        found, used = written_by(small_model, numbers, hear(numbers))
        assert found == [tokens[number] for number in numbers]
        assert used == [states[number] for number in numbers]


@pytest.mark.parametrize("size", [1, 3, 11])
def test_on_an_accelerator_rows_are_as_independent(size, small_model, windows, monkeypatch):
    """There batches are filled up to buckets, and top-k, top-p and the draw are one step; here it runs on the CPU."""
    monkeypatch.setattr(_Batch, "on_cpu", property(lambda self: False, lambda self, value: None), raising=False)
    numbers = [*range(0, ROWS, 2), 1]
    alone = [written_by(small_model, [number], windows[[number]])[0][0] for number in numbers]
    assert len({len(tokens) for tokens in alone}) > 5
    for start in range(0, len(numbers), size):
        part = numbers[start : start + size]
        assert written_by(small_model, part, windows[part])[0] == alone[start : start + size]


@pytest.fixture
def batches(small_model, monkeypatch):
    """How many rows the model was fed at each step."""
    sizes, step = [], small_model.step

    def spy(ids, *rest, **options):
        sizes.append(len(ids))
        return step(ids, *rest, **options)

    monkeypatch.setattr(small_model, "step", spy)
    return sizes


def test_rows_that_have_ended_leave_the_batch(small_model, windows, batches):
    """Once the rest fits a smaller bucket, with its negative branches; every row then goes on as before."""
    limits = [3 + 3 * (number * 7 % ROWS) for number in range(ROWS)]

    def row(number):
        prompt = Prompt(ids_of(4 + number % 9, number), ids_of(4, number + 50) if number % 3 == 0 else None)
        longest = max(len(prompt.ids), len(prompt.negative or []))
        return Row(prompt, (), longest + limits[number], guidance=2.0)

    rows = [row(number) for number in range(ROWS)]
    together = collect(Decoder(small_model).generate(rows, windows), ROWS)
    assert [len(tokens) for tokens in together] == limits
    expected, size = [], ROWS + 7
    for written in range(max(limits)):
        going_on = [number for number in range(ROWS) if limits[number] > written]
        count = len(going_on) + sum(number % 3 == 0 for number in going_on)
        size = min(size, bucket(count)) if written else size
        expected.append(size)
    assert batches == expected
    assert {27, 16, 8, 4, 2, 1} >= set(expected) and len(set(expected)) >= 5
    for number in range(ROWS):
        assert collect(Decoder(small_model).generate([rows[number]], windows[[number]]), 1) == [together[number]]


def test_the_limit_counts_the_prompt_and_the_longer_branch(small_model, windows):
    prompt = Prompt(ids_of(10, 1), ids_of(25, 2))

    def count(limit, guidance, prompt=prompt):
        row = Row(prompt, (), limit, guidance=guidance)
        return len(collect(Decoder(small_model).generate([row], windows[:1]), 1)[0])

    assert count(40, 2.0) == 15
    assert count(40, 1.0) == 30
    assert count(40, 2.0, Prompt(ids_of(25, 2), ids_of(10, 1))) == 15
    assert count(25, 2.0) == 0
    assert count(160, 1.0) == 150  # all that the model's positions hold


def test_a_long_neighbour_takes_no_room_from_a_row(small_model, windows):
    short, long = (Row(Prompt(ids_of(n, n)), (), limit) for n, limit in ((3, 150), (120, 140)))
    found = collect(Decoder(small_model).generate([long, short], windows[:2]), 2)
    assert [len(tokens) for tokens in found] == [20, 147]


def teacher_forced(model, hidden, prompt, tokens):
    """Logits of the whole-sequence pass that each token was chosen from, (T, V)."""
    with torch.no_grad():
        logits = model(encoder_outputs=hidden, decoder_input_ids=torch.tensor([prompt + tokens])).logits[0]
    return logits[len(prompt) - 1 : -1]


@pytest.mark.parametrize("scale", [1.0, 1.7, 4.0])
def test_a_guided_row_is_guidance_over_both_branches(scale, small_model, windows):
    """By hand: teacher-forced logits of both prompts, negative + scale (positive - negative), the best id."""
    prompt = Prompt(ids_of(9, 5), ids_of(21, 6))
    neighbours = [Row(Prompt(ids_of(30, 7)), (), 60), Row(Prompt(ids_of(2, 8), ids_of(5, 9)), (), 50, guidance=6.0)]
    rows = [neighbours[0], Row(prompt, (), 61, guidance=scale), neighbours[1]]
    tokens = collect(Decoder(small_model).generate(rows, windows[:3]), 3)[1]
    assert len(tokens) == (40 if scale > 1 else 52)
    positive = teacher_forced(small_model, windows[1:2], prompt.ids, tokens)
    negative = teacher_forced(small_model, windows[1:2], prompt.negative, tokens)
    assert (negative + scale * (positive - negative)).argmax(1).tolist() == tokens
    if scale > 1:
        assert positive.argmax(1).tolist() != tokens


def test_a_row_without_negative_branch_leaves_the_others_guided(small_model, windows):
    prompt = Prompt(ids_of(9, 5), ids_of(21, 6))
    guided = Row(prompt, (), 50, guidance=3.0)
    plain = Row(Prompt(ids_of(9, 5)), (), 50, guidance=3.0)
    alone = [collect(Decoder(small_model).generate([row], windows[:1]), 1)[0] for row in (guided, plain)]
    assert alone[0] != alone[1][: len(alone[0])]
    assert collect(Decoder(small_model).generate([plain, guided], windows[:1]), 2) == alone[::-1]


def test_a_column_holds_a_token_for_every_row_that_goes_on(small_model, windows):
    rows = [Row(Prompt(ids_of(4, n)), (), 4 + limit) for n, limit in enumerate((2, 5, 0, 3))]
    columns = list(Decoder(small_model).generate(rows, windows[:1]))
    present = [[token is not None for token in column] for column in columns]
    assert present == [[t < limit for limit in (2, 5, 0, 3)] for t in range(5)]


def test_nothing_is_asked_of_the_model_for_rows_without_room(small_model, windows, batches):
    rows = [Row(Prompt(ids_of(4, 1)), (), 4), Row(Prompt(ids_of(9, 1)), (), 4)]
    assert list(Decoder(small_model).generate(rows, windows[:1])) == []
    assert batches == []


def test_after_stopping_early_the_decoder_is_as_new(small_model, windows):
    decoder = Decoder(small_model)
    numbers = [1, 4, 6]

    def rows():
        return [row_of(small_model.vocabulary, number) for number in numbers]

    columns = list(itertools.islice(decoder.generate(rows(), windows[numbers]), 3))
    again = collect(decoder.generate(rows(), windows[numbers]), 3)
    assert again == written_by(small_model, numbers, windows[numbers])[0]
    assert [list(column) for column in zip(*columns, strict=True)] == [tokens[:3] for tokens in again]


def test_one_decoder_serves_batches_of_all_sizes_one_after_another(small_model, windows):
    """Its caches are kept; nothing of an earlier window, of another size or another song, stays in them."""
    decoder = Decoder(small_model)
    for numbers in ([0, 1, 2, 3, 4], [7], [5, 6], [8, 9, 10, 11, 12], [13], [2]):
        rows = [row_of(small_model.vocabulary, number) for number in numbers]
        found = collect(decoder.generate(rows, windows[numbers]), len(rows))
        assert found == written_by(small_model, numbers, windows[numbers])[0]


def test_a_decoder_serves_one_batch_at_a_time(small_model, windows):
    decoder, row = Decoder(small_model), Row(Prompt(ids_of(5, 1)), (), 30)
    first = decoder.generate([row], windows[:1])
    next(first)
    with pytest.raises(InputError, match="generating already"):
        next(decoder.generate([row], windows[:1]))
    first.close()
    assert len(collect(decoder.generate([row], windows[:1]), 1)[0]) == 25


def test_a_window_of_nonsense_is_an_error_and_leaves_the_decoder_sound(small_model, windows):
    decoder, row = Decoder(small_model), Row(Prompt(ids_of(5, 1)), (), 30)
    expected = collect(Decoder(small_model).generate([row], windows[:1]), 1)
    with pytest.raises(InputError, match="not finite"):
        collect(decoder.generate([row], windows[:1] * torch.nan), 1)
    assert collect(decoder.generate([row], windows[:1]), 1) == expected


def test_rows_and_windows_that_do_not_fit_are_refused(small_model, windows):
    decoder, row = Decoder(small_model), Row(Prompt(ids_of(5, 1)), (), 30)
    for count in (2, 5):
        with pytest.raises(InputError, match="3 rows need encoder output of 1 or 3 windows"):
            next(decoder.generate([row] * 3, windows[:count]))
    beyond = Row(row.prompt, (), small_model.config.max_target_positions + 1)
    with pytest.raises(InputError, match="decodes up to"):
        next(decoder.generate([beyond], windows[:1]))


def test_large_batches_shrink_in_buckets_too(small_model, windows, batches):
    rows = [Row(Prompt(ids_of(4, n)), (), 10 + n) for n in range(40)]
    collect(Decoder(small_model).generate(rows, windows[:1]), 40)
    assert sorted(set(batches), reverse=True) == [40, 32, 16, 8, 4, 2, 1]
