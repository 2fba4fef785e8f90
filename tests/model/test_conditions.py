"""Conditions beside the audio are validated, have defaults, and stay in float32."""

import pytest
import torch

from osuT5.errors import InputError, TokenError


def test_a_condition_the_model_cannot_hear_is_refused(family):
    if family.conditions:
        pytest.skip("this family hears conditions")
    with pytest.raises(InputError, match="takes no difficulty"):
        family.model.encode(family.vectors["frames"], difficulty=torch.tensor([5.0, 5.0]))


def test_defaults_and_missing_song_position(family):
    if not family.conditions:
        pytest.skip("this family hears no conditions")
    frames, position = family.vectors["frames"], family.vectors["cond_song_position"]
    spoken = family.model.encode(
        frames, difficulty=torch.tensor([5.0, 5.0]), mapper_idx=torch.tensor([-1, -1]), song_position=position
    )
    assert torch.equal(family.model.encode(frames, song_position=position), spoken)
    with pytest.raises(InputError, match=r"needs song_position.*\(2, 2\)"):
        family.model.encode(frames)
    with pytest.raises(InputError, match="difficulty has shape"):
        family.model.encode(frames, difficulty=torch.tensor([5.0]), song_position=position)


def test_wrong_calls_are_named(family):
    ids = family.vectors["ids_full"]
    with pytest.raises(InputError, match="either frames or encoder_outputs"):
        family.model(decoder_input_ids=ids)
    with pytest.raises(TokenError, match="do not match ids"):
        family.model(encoder_outputs=family.encoded, decoder_input_ids=ids, labels=ids[:, 1:])
    with pytest.raises(InputError, match=r"\(rows, samples\)"):
        family.model.encode(family.vectors["frames"][0])


def test_a_window_of_the_wrong_length_is_named_where_it_matters(family):
    short = family.vectors["frames"][:, : 31 * 128]
    if family.name == "tiny-whisper":
        with pytest.raises(InputError, match="32 spectrogram frames, but this model hears exactly 64"):
            family.model.encode(short)
    else:
        assert family.model.encode(short, **family.conditions).shape == (2, 16, 32)
