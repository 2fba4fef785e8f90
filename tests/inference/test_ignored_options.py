"""Options without effect are said before generation, by `generate` itself."""

import pytest

from osuT5.errors import Cancelled, InputError
from osuT5.inference.progress import CancelToken, Notice, Stage


@pytest.fixture
def said(click):
    """Notices of a request before its map is written."""

    def listen(model, session=None, **options):
        token, notices = CancelToken(), []

        def hear(event):
            if isinstance(event, Notice):
                notices.append(event.message)
            elif isinstance(event, Stage) and event.name == "timing":
                token.cancel()

        with pytest.raises(Cancelled):
            click(model, hear, session=session, cancel=token, **options)
        return notices

    return listen


@pytest.mark.parametrize(
    "options, notice",
    [
        ({"device": "gpu"}, "device=gpu: ignored, the model that was given is on cpu"),
        ({"device": "cuda"}, "device=cuda: ignored, the model that was given is on cpu"),
        ({"precision": "bf16"}, "precision=bf16: ignored, the model that was given is fp32"),
        ({"profile": "v30"}, "profile=v30: ignored, the model that was given is v31"),
        ({"model_path": "some/model"}, "model_path=some/model: ignored, a loaded model was given"),
        ({"lora_path": "some/lora"}, "lora_path=some/lora: ignored, a loaded model was given"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_given_model_does_not_follow_options_of_loading(options, notice, said, models, open_click):
    model = models("v31")
    assert said(model, **options) == [notice]
    assert said(None, session=open_click(model), **options) == [notice]


def test_options_that_the_given_model_fits_are_not_mentioned(said, models):
    assert said(models("v31"), device="cpu", precision="fp32", profile="v31") == []
    assert said(models("v31"), device="auto") == []


@pytest.mark.parametrize(
    "options, notice",
    [
        ({"cfg_scale": 0.5}, "cfg_scale=0.5: guidance is off at 1 and below"),
        ({"cfg_scale": 0.0}, "cfg_scale=0: guidance is off at 1 and below"),
        ({"negative_descriptors": ["clean"]}, "negative_descriptors act only with cfg_scale above 1"),
        (
            {"descriptors": ["claen"]},
            "descriptors: 'claen' is unknown to this model and ignored; did you mean 'clean'?",
        ),
        ({"mapper_id": 99_999_999}, "mapper_id=99999999: this model does not know that mapper; any style is used"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_wishes_without_effect_are_said(options, notice, said, models):
    assert said(models("v31"), **options) == [notice]


def test_guidance_at_1_and_above_needs_no_word(said, models):
    assert said(models("v31"), cfg_scale=1.0) == said(models("v31"), cfg_scale=2.0) == []


def test_conditions_that_a_model_was_trained_without(said, models):
    assert said(models("v30"), descriptors=["clean"]) == [
        "descriptors=[clean]: ignored, v30 was trained without it",
    ]


def test_a_model_beside_a_session_of_another_is_refused(models, click, open_click):
    with pytest.raises(InputError, match="a session of another model"):
        click(models("v30"), session=open_click(models("v28")))


def test_what_is_not_built_is_said_whoever_asks_for_it(said, models):
    """Defaults of a profile as well as the request; v28 asks for both of these."""
    asked = said(models("v28"), generate_positions=True, super_timing=True, num_beams=2, difficulties=[2, 4])
    assert len(asked) == 4 and not any("default of" in notice for notice in asked)
    unasked = said(models("v28"))
    assert [notice[notice.index("(") :] for notice in unasked] == [
        "(super_timing is a default of v28)",
        "(generate_positions is a default of v28)",
    ]


def test_conditions_that_a_mode_has_not(said, models):
    (notice,) = said(models("v31"), hold_note_ratio=0.5, gamemode=0)
    assert notice == "hold_note_ratio=0.5: ignored, gamemode=0 has none"
    assert said(models("v31"), gamemode=0, hitsounded=False) == []
