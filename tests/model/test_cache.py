"""The cache: growth, sharing of windows, rewinding, reordering, errors."""

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
    assert cache.capacity == 256
    for i in range(250, 520):
        logits = model.step(ids[:, i : i + 1], cache)
        torch.testing.assert_close(logits, whole[:, i], atol=1e-5, rtol=0)
    assert cache.capacity < cache.max_length + 1 == 601


def test_rows_share_windows_without_copies(model, windows):
    ids = some_ids(6, 7)
    shared = model.new_cache(6, encoder_hidden=windows)
    assert shared.cross[0][0].shape[0] == 3
    apart = model.new_cache(6, encoder_hidden=windows.repeat(2, 1, 1))
    for chunk in (ids[:, :6], ids[:, 6:]):
        torch.testing.assert_close(model.step(chunk, shared), model.step(chunk, apart), atol=1e-6, rtol=0)
    one = model.new_cache(6, encoder_hidden=windows[:1])
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
    memory = cache.buffers[0].data_ptr()
    cache.set_encoder(windows[1:2])
    found = model.step(some_ids(1, 5), cache)
    assert cache.buffers[0].data_ptr() == memory
    torch.testing.assert_close(found, model.step(some_ids(1, 5), model.new_cache(1, encoder_hidden=windows[1:2])))


@pytest.mark.parametrize("pads", [0, 3])
def test_crop_forgets_the_tail(model, windows, pads):
    ids = some_ids(2, 10)
    ids[1, :pads] = 0
    fresh = model.new_cache(2, encoder_hidden=windows[:2])
    expected = [model.step(ids[:, :7], fresh, key_mask=ids[:, :7] != 0), model.step(ids[:, 7:8], fresh)]
    cache = model.new_cache(2, encoder_hidden=windows[:2])
    model.step(ids, cache, key_mask=ids != 0)
    cache.crop(7)
    torch.testing.assert_close(model.step(ids[:, 7:8], cache), expected[1], atol=1e-6, rtol=0)
    with pytest.raises(InputError):
        cache.crop(99)


def test_reorder_lets_a_row_continue_another(model, windows):
    ids = some_ids(3, 8)
    ids[0, :2] = 0
    cache = model.new_cache(3, encoder_hidden=windows[:1])
    model.step(ids, cache, key_mask=ids != 0)
    index = torch.tensor([2, 0, 0])
    cache.reorder(index)
    follow = some_ids(3, 1, seed=9)
    expected_cache = model.new_cache(3, encoder_hidden=windows[:1])
    model.step(ids[index], expected_cache, key_mask=ids[index] != 0)
    expected = model.step(follow, expected_cache)
    torch.testing.assert_close(model.step(follow, cache), expected, atol=1e-6, rtol=0)


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
    both = model.new_cache(3, encoder_hidden=windows)
    model.step(some_ids(3, 2), both)
    with pytest.raises(InputError, match="same window"):
        both.reorder(torch.tensor([1, 0, 2]))


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
