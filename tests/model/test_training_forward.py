"""What training needs: gradients everywhere, bfloat16 autocast, initial weights, names for optimisers and LoRA."""

import pytest
import torch

from osuT5.events.profile import load_profile
from osuT5.events.vocabulary import Vocabulary
from osuT5.model import Mapperatorinator


@pytest.fixture(params=["small", "v28", "v30"])
def model(request, small_profile):
    torch.manual_seed(0)
    if request.param == "small":
        profile = small_profile
    else:
        published = load_profile(request.param)
        projected = published.model["project_encoder_input"]
        sizes = dict(published.model, d_model=32, layers_per_side=1, heads=2, ffn_dim=48, cond_dim=8)
        sizes["cond_size"] = 24 if request.param == "v30" else 0
        sizes["conv1_input_channels"] = 32 if projected else published.spectrogram["n_mels"] + sizes["cond_size"]
        profile = published.replace(model=sizes, src_seq_len=64, tgt_seq_len=64)
    return Mapperatorinator.from_profile(profile, Vocabulary.from_profile(profile, mappers=[7, 8]))


def batch(model):
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(3, model.config.vocab_size, (2, 24), generator=generator)
    labels = torch.where(torch.arange(24) < 6, -100, ids)
    ids[1, 18:] = 0
    labels[1, 18:] = -100
    values = dict(
        frames=torch.randn(2, model.config.window_samples, generator=generator), decoder_input_ids=ids, labels=labels
    )
    if model.config.conditions:
        values["song_position"] = torch.rand(2, 2, generator=generator)
    return values


def test_every_trainable_weight_gets_a_gradient(model):
    model(**batch(model), return_logits=False).loss.backward()
    without = [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert not without


def test_loss_starts_near_a_blind_guess_and_falls(model):
    values = batch(model)
    weighted = model.config.rhythm_weight != 1.0
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=3e-3)
    losses = []
    for _ in range(12):
        optimiser.zero_grad()
        loss = model(**values, return_logits=False).loss
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    blind = torch.log(torch.tensor(float(model.config.vocab_size))).item()
    assert losses[0] == pytest.approx(blind, rel=1.0 if weighted else 0.05)
    assert losses[-1] < 0.8 * losses[0]


def test_bfloat16_autocast_stays_close_and_trains(model):
    model.eval()
    values = batch(model)
    exact = model(**values)
    with torch.autocast("cpu", torch.bfloat16):
        rough = model(**values)
    assert rough.loss.item() == pytest.approx(exact.loss.item(), rel=2e-3)
    rough.loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.requires_grad)


def test_stepping_before_training_leaves_no_inference_tensors_behind(model):
    model.eval()
    values = batch(model)
    song = {k: values[k] for k in ("song_position",) if k in values}
    encoded = model.encode(values["frames"], **song)
    model.step(values["decoder_input_ids"], model.new_cache(2, encoder_hidden=encoded))
    model.train()
    model(**values).loss.backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)


def test_initial_weights(small_profile):
    torch.manual_seed(0)
    model = Mapperatorinator.from_profile(small_profile, Vocabulary.from_profile(small_profile))
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1:
            assert parameter.std().item() == pytest.approx(0.02, rel=0.15), name
        elif name.endswith("bias"):
            assert not parameter.any(), name
        else:
            assert (parameter == 1).all(), name


def test_adapters_can_be_trained_on_the_published_module_names(model):
    peft = pytest.importorskip("peft")
    names = ["Wqkv", "Wq", "Wkv", "Wo"] if model.config.backbone.family.fused else ["q_proj", "k_proj", "v_proj"]
    wrapped = peft.get_peft_model(model, peft.LoraConfig(r=2, target_modules=names))
    wrapped(**batch(model)).loss.backward()
    trained = [name for name, p in wrapped.named_parameters() if p.requires_grad]
    assert trained and all("lora_" in name for name in trained)
