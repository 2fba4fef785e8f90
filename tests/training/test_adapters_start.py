"""Where a run starts: weights as they are, or carried over to other tokens by what the tokens mean."""

import pytest
import torch

from osuT5.errors import CheckpointError
from osuT5.events import ContextType, Event, EventType, Template, Vocabulary, load_profile
from osuT5.model import Mapperatorinator, save_checkpoint
from osuT5.training.start import start_weights
from osuT5.training.transfer import token_meanings, transfer

MAP = (Template((), (ContextType.MAP,)),)


def small(**changes):
    """A profile of v30's kind, small enough to make models in milliseconds."""
    base = load_profile("v30")
    sizes = dict(base.model, d_model=32, layers_per_side=2, heads=2, ffn_dim=48, conv1_input_channels=None)
    values = dict(name="small", model=sizes, src_seq_len=64, tgt_seq_len=96, templates=MAP, gamemodes=(0,))
    switches = "add_out_context_types add_mapper_token add_diff_token add_descriptors"
    values.update(dict.fromkeys(switches.split(), True))
    return base.replace(**{**values, **changes})


def made(profile, mappers=(11, 22, 33), descriptors=("clean", "jump aim"), seed=0):
    torch.manual_seed(seed)
    vocabulary = Vocabulary.from_profile(profile, mappers=mappers, descriptors=descriptors)
    return Mapperatorinator.from_profile(profile, vocabulary)


@pytest.fixture
def checkpoint(tmp_path):
    save_checkpoint(made(small()), tmp_path / "base")
    return tmp_path / "base"


# ---- as it is


def test_the_checkpoint_as_it_is_ready_to_train(checkpoint):
    model = start_weights(checkpoint)
    assert model.training and model.compute_dtype == torch.float32
    assert model.profile == small() and model.vocabulary.mapper_idx == {11: 0, 22: 1, 33: 2}
    assert all(torch.equal(v, made(small()).state_dict()[k]) for k, v in model.state_dict().items())


def test_a_game_modes_own_checkpoint_is_taken_where_there_is_one(checkpoint):
    save_checkpoint(made(small(), seed=5), checkpoint / "gamemode=3")
    for gamemode, seed in ((3, 5), (1, 0), (None, 0)):
        weight = start_weights(checkpoint, gamemode).state_dict()["transformer.proj_out.weight"]
        assert torch.equal(weight, made(small(), seed=seed).state_dict()["transformer.proj_out.weight"])


def test_a_profile_that_differs_in_nothing_but_names_and_habits_is_the_runs(checkpoint):
    run = small(name="mine", generation={"temperature": 0.5}, model={"label_smoothing": 0.1})
    model = start_weights(checkpoint, profile=run)
    assert model.profile.name == "mine" and model.profile.generation == {"temperature": 0.5}
    assert model.profile.model == small().model
    assert model.vocabulary.mapper_idx == {11: 0, 22: 1, 33: 2}


def test_differing_data_switches_are_all_named_with_both_values(checkpoint):
    templates = (Template((ContextType.TIMING,), (ContextType.MAP,)),)
    sound = dict(small().spectrogram, n_mels=40)
    run = small(
        add_kiai=True, position_precision=8, tgt_seq_len=128, gamemodes=(0, 3), templates=templates, spectrogram=sound
    )
    with pytest.raises(CheckpointError, match="pretrained_transfer=true") as caught:
        start_weights(checkpoint, profile=run)
    had = small()
    for text in (
        "add_kiai: the run has True, the checkpoint False",
        f"position_precision: the run has 8, the checkpoint {had.position_precision}",
        "tgt_seq_len: the run has 128, the checkpoint 96",
        "gamemodes: the run has [0, 3], the checkpoint [0]",
        "contexts: the run has ['timing', 'map'], the checkpoint ['map']",
        f"spectrogram.n_mels: the run has 40, the checkpoint {had.spectrogram['n_mels']}",
    ):
        assert text in str(caught.value)
    with pytest.raises(CheckpointError, match="vocabulary of its own"):
        start_weights(checkpoint, profile=small(), vocabulary=Vocabulary.from_profile(small()))


def test_transfer_on_request_gives_a_model_of_the_runs_profile(checkpoint):
    run = small(add_kiai=True)
    model = start_weights(checkpoint, profile=run, pretrained_transfer=True)
    assert model.training and model.profile == run and model.vocabulary.has(EventType.KIAI)
    assert "weights carried over" in model.notices[-1] and "rows of transformer.proj_out.weight" in model.notices[-1]


# ---- by meaning


def test_every_word_that_both_models_know_keeps_its_row():
    old = made(small(), mappers=(11, 22, 33), descriptors=("clean", "jump aim"))
    run = small(add_kiai=True, templates=(Template((ContextType.KIAI,), (ContextType.MAP,)),), num_diff_classes=12)
    new = made(run, mappers=(44, 33, 11), descriptors=("jump aim", "tech", "clean"), seed=1)
    before = {k: v.clone() for k, v in new.state_dict().items()}
    report = transfer(new, old)
    n, o = new.vocabulary, old.vocabulary
    tables = ("decoder_embedder.weight", "transformer.proj_out.weight")
    events = [Event(t, v) for t in (EventType.TIME_SHIFT, EventType.VOLUME, EventType.SNAPPING) for v in (0, 7)]
    events += [Event(t) for t in (EventType.CIRCLE, EventType.SLIDER_END, EventType.BEAT)]
    pairs = [(n.encode(e), o.encode(e)) for e in events] + [(0, 0), (1, 1), (2, 2)]
    pairs.append((n.context_sos[ContextType.MAP], o.context_sos[ContextType.MAP]))
    for table in tables:
        for to, of in pairs:
            assert torch.equal(new.state_dict()[table][to], old.state_dict()[table][of])
    read = new.state_dict()[tables[0]], old.state_dict()[tables[0]], before[tables[0]]
    for to, of in ((1, 2), (2, 0), (3, 3)):  # users 33 and 11, and any mapper
        to, of = n.encode(Event(EventType.MAPPER, to)), o.encode(Event(EventType.MAPPER, of))
        assert torch.equal(read[0][to], read[1][of])
    assert torch.equal(read[0][n.descriptor_id("clean")], read[1][o.descriptor_id("clean")])
    assert torch.equal(read[0][n.descriptor_id(None)], read[1][o.descriptor_id(None)])
    to, of = n.encode(Event(EventType.DIFFICULTY, 12)), o.encode(Event(EventType.DIFFICULTY, 24))
    assert torch.equal(read[0][to], read[1][of])  # unknown difficulty
    to, of = (v.encode(Event(EventType.DIFFICULTY, 3)) for v in (n, o))
    assert torch.equal(read[0][to], read[2][to]) and not torch.equal(read[0][to], read[1][of])  # other stars
    fresh = [n.encode(Event(EventType.MAPPER, 0)), n.descriptor_id("tech"), n.encode(Event(EventType.KIAI, 1))]
    assert torch.equal(read[0][fresh], read[2][fresh])
    taken, size = report.rows["decoder_embedder.weight"]
    assert size == n.vocab_size_in and 0 < taken < size
    assert "transformer.model.encoder.layers.0.fc1.weight" in report.copied and not report.new


def test_the_mapper_table_goes_by_user():
    with_mappers = small(model=dict(small().model, do_mapper_embed=True, do_difficulty_embed=True))
    assert with_mappers.model["do_song_position_embed"]
    old, new = made(with_mappers, mappers=(11, 22, 33)), made(with_mappers, mappers=(33, 55), seed=1)
    before = new.mapper_embedder.embedding.weight.detach().clone()
    transfer(new, old)
    table, source = new.mapper_embedder.embedding.weight, old.mapper_embedder.embedding.weight
    assert torch.equal(table[0], source[2]) and torch.equal(table[1], before[1]) and torch.equal(table[2], source[3])


def test_positions_of_another_grid_are_other_words():
    old, new = made(small(position_precision=32)), made(small(position_precision=8), seed=1)
    meanings = token_meanings(new.vocabulary, new.profile)
    assert set(meanings).isdisjoint(
        {m for m in token_meanings(old.vocabulary, old.profile) if m and m[0] in (EventType.POS_X, EventType.POS)}
    )
    assert len({m for m in meanings if m}) == sum(m is not None for m in meanings)


def test_what_has_another_shape_stays_new_and_is_told():
    new = made(small(tgt_seq_len=128, spectrogram=dict(small().spectrogram, n_mels=40)), seed=1)
    report = transfer(new, made(small()))
    assert "transformer.model.encoder.conv1.weight" in report.new and "new: " in str(report)


def test_models_that_share_no_layer_are_refused():
    other = small(model=dict(small().model, d_model=16))
    with pytest.raises(CheckpointError, match="different families or sizes"):
        transfer(made(other, seed=1), made(small()))
