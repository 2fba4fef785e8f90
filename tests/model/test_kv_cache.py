"""The key/value cache: growth, sharing of windows, reordering, one graph a shape, errors."""

import pytest
import torch

from osuT5.errors import InputError
from osuT5.events.vocabulary import Vocabulary
from osuT5.model import Mapperatorinator


@pytest.fixture
def model(small_profile):
    torch.manual_seed(0)
    return Mapperatorinator.from_profile(small_profile, Vocabulary.from_profile(small_profile)).eval()


@pytest.fixture
def windows(model):
    return model.encode(torch.randn(3, model.config.window_samples, generator=torch.Generator().manual_seed(1)))


def some_ids(rows, length, seed=2):
    return torch.randint(3, 500, (rows, length), generator=torch.Generator().manual_seed(seed))


def test_growth_keeps_what_was_written(model, windows):
    ids = some_ids(2, 520)
    with torch.no_grad():
        whole = model(encoder_outputs=windows[:2], decoder_input_ids=ids).logits
    cache = model.new_cache(2, encoder_hidden=windows[:2])
    model.step(ids[:, :250], cache)
    assert cache.capacity == 256  # a multiple of 64 columns
    for i in range(250, 520):
        logits = model.step(ids[:, i : i + 1], cache)
        torch.testing.assert_close(logits, whole[:, i], atol=1e-5, rtol=0)
    assert cache.capacity < cache.max_length + 1 == 601


def test_rows_of_one_window_share_its_keys_and_values(model, windows):
    ids = some_ids(6, 7)
    shared = model.new_cache(6, encoder_hidden=windows)
    apart = model.new_cache(6, encoder_hidden=windows.repeat(2, 1, 1))
    for chunk in (ids[:, :6], ids[:, 6:]):
        torch.testing.assert_close(model.step(chunk, shared), model.step(chunk, apart), atol=1e-6, rtol=0)
    one = model.new_cache(6, encoder_hidden=windows[:1])
    assert one.cross_keys[0].shape[0] == model.cached_decoder.heads
    expanded = model.new_cache(6, encoder_hidden=windows[:1].expand(6, -1, -1))
    torch.testing.assert_close(model.step(ids, one), model.step(ids, expanded), atol=1e-6, rtol=0)


def test_a_rows_result_does_not_depend_on_its_batch(model, windows):
    ids = some_ids(3, 9)
    together = model.step(ids, model.new_cache(3, encoder_hidden=windows))
    for row in range(3):
        alone = model.step(ids[row : row + 1], model.new_cache(1, encoder_hidden=windows[row : row + 1]))
        torch.testing.assert_close(together[row], alone[0], atol=1e-6, rtol=0)


def test_next_window_starts_afresh_in_the_same_memory(model, windows):
    cache = model.new_cache(1, encoder_hidden=windows[:1])
    padded = torch.cat((torch.zeros(1, 2, dtype=torch.long), some_ids(1, 4)), 1)
    model.step(padded, cache, key_mask=padded != 0)
    memory = [t.data_ptr() for t in (cache.keys[0], cache.cross_keys[0], cache.bias, cache.column)]
    cache.set_encoder(windows[1:2])
    found = model.step(some_ids(1, 5), cache)
    assert [t.data_ptr() for t in (cache.keys[0], cache.cross_keys[0], cache.bias, cache.column)] == memory
    torch.testing.assert_close(found, model.step(some_ids(1, 5), model.new_cache(1, encoder_hidden=windows[1:2])))


def test_next_window_begins_at_the_first_position(family):
    """Also where positions are learned and absolute."""
    model, encoded, ids = family.model, family.encoded, some_ids(1, 12) % 50 + 3
    cache = model.new_cache(1, encoder_hidden=encoded[:1])
    model.step(ids, cache)
    cache.set_encoder(encoded[1:2])
    fresh = model.new_cache(1, encoder_hidden=encoded[1:2])
    for chunk in (ids[:, :5], ids[:, 5:6]):
        torch.testing.assert_close(model.step(chunk, cache), model.step(chunk, fresh), atol=1e-6, rtol=0)


@pytest.mark.parametrize("shared", [True, False])
def test_rows_continue_other_rows_in_this_cache_or_in_a_narrower_one(model, windows, shared):
    ids = some_ids(3, 8)
    ids[0, :2] = 0
    hidden = windows[:1] if shared else windows
    for index in (torch.tensor([2, 0, 0]), torch.tensor([2, 0])):
        cache = model.new_cache(3, encoder_hidden=hidden)
        model.step(ids, cache, key_mask=ids != 0)
        taken = cache if len(index) == 3 else model.new_cache(2)
        taken.copy_rows(cache, index)
        fresh = model.new_cache(len(index), encoder_hidden=hidden if shared else hidden[index])
        model.step(ids[index], fresh, key_mask=ids[index] != 0)
        for seed in (9, 10):
            follow = some_ids(len(index), 1, seed=seed)
            torch.testing.assert_close(model.step(follow, taken), model.step(follow, fresh), atol=2e-6, rtol=0)


def test_a_step_is_one_graph_for_each_number_of_rows_and_capacity(model, windows):
    """Over three windows of 200 tokens nothing is traced again but for a new capacity."""
    torch._dynamo.reset()
    eager = Mapperatorinator.from_profile(model.profile, model.vocabulary).eval()
    eager.load_state_dict(model.state_dict())
    traced = []

    def backend(graph, inputs):
        traced.append(len(inputs))
        return graph.forward

    model.cached_decoder.compile(backend=backend)
    for rows in (1, 4):
        cache, plain = model.new_cache(rows), eager.new_cache(rows)
        graphs = []
        for window in range(3):
            cache.set_encoder(windows[window : window + 1])
            plain.set_encoder(windows[window : window + 1])
            ids = some_ids(rows, 40 + 200, seed=window)
            ids[0, :3] = 0
            for part in (cache, plain):
                model_of = model if part is cache else eager
                model_of.step(ids[:, :40], part, key_mask=ids[:, :40] != 0)
            for i in range(40, 240):
                ours = model.step(ids[:, i : i + 1], cache)
                if i % 20 == 0 or i > 235:
                    expected = eager.step(ids[:, i : i + 1], plain)
                    torch.testing.assert_close(ours, expected, atol=1e-6, rtol=0)
                else:
                    eager.step(ids[:, i : i + 1], plain)
            graphs.append(len(traced))
        capacities = {-(-length // 64) for length in range(41, 241)}
        assert graphs == [len(capacities)] * 3, "one graph for each capacity in the first window, none later"
        traced.clear()
        torch._dynamo.reset()
        model.cached_decoder.compile(backend=backend)


@pytest.mark.parametrize(
    "precision, bound", [("fp32", 1e-5), ("amp", 0.02), ("bf16", 0.02), ("fp16", 0.003)], ids=lambda v: str(v)
)
def test_teacher_forced_and_stepped_logits_agree(model, precision, bound):
    """`bound`: largest difference of two logits, where logits have a standard deviation of about 0.3."""
    model.precision = precision
    if precision in ("bf16", "fp16"):
        model.to(torch.bfloat16 if precision == "bf16" else torch.float16)
    audio = torch.randn(2, model.config.window_samples, generator=torch.Generator().manual_seed(1))
    ids = some_ids(2, 30)
    with torch.no_grad():
        hidden = model.encode(audio)
        forced = model(encoder_outputs=hidden, decoder_input_ids=ids).logits.float()
        whole = model(audio, ids).logits.float()
    cache = model.new_cache(2, encoder_hidden=hidden)
    stepped = [model.step(ids[:, :10], cache)]
    stepped += [model.step(ids[:, i : i + 1], cache) for i in range(10, 30)]
    worst = (torch.stack(stepped, 1) - forced[:, 9:]).abs().max().item()
    assert worst <= bound
    assert (whole - forced).abs().max().item() <= bound
    if precision == "amp":  # the whole pass really runs in bfloat16 where steps do
        model.precision = "fp32"
        with torch.no_grad():
            exact = model(encoder_outputs=hidden.float(), decoder_input_ids=ids).logits
        assert (exact - forced).abs().max().item() > 1e-5


def test_misuse_is_named(model, windows):
    with pytest.raises(InputError, match="up to 600 tokens"):
        model.new_cache(1, 601)
    with pytest.raises(InputError, match="must divide the rows"):
        model.new_cache(4, encoder_hidden=windows)
    with pytest.raises(InputError, match="no audio yet"):
        model.step(some_ids(1, 1), model.new_cache(1))
    cache = model.new_cache(1, 8, windows[:1])
    with pytest.raises(InputError, match="1 rows|cache of 1"):
        model.step(some_ids(2, 1), cache)
    model.step(some_ids(1, 8), cache)
    with pytest.raises(InputError, match="9 tokens do not fit a cache of 8"):
        model.step(some_ids(1, 1), cache)


def test_steps_follow_weights_changed_by_training(model, windows):
    ids = some_ids(1, 4)
    before = model.step(ids, model.new_cache(1, encoder_hidden=windows[:1]))
    model.train()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.01)
    model.eval()
    after = model.step(ids, model.new_cache(1, encoder_hidden=windows[:1]))
    with torch.no_grad():
        whole = model(encoder_outputs=windows[:1], decoder_input_ids=ids).logits[:, -1]
    assert not torch.allclose(before, after)
    torch.testing.assert_close(after, whole, atol=1e-5, rtol=0)
