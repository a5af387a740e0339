from __future__ import annotations

import pytest

from tests.datasets.made import RECIPE
from triptych.datasets.dataset import Origin
from triptych.datasets.licences import licence_of, restricting
from triptych.records import Spec


@pytest.mark.parametrize(
    ("model", "may_train"),
    [
        ("black-forest-labs/FLUX.1-dev", False),
        ("black-forest-labs/FLUX.1-Kontext-dev", False),
        ("FLUX.1 Kontext [dev]", False),
        ("black-forest-labs/FLUX.1-Krea-dev", False),
        ("black-forest-labs/FLUX.2-dev", False),
        ("Qwen/Qwen-Image", True),
        ("Tongyi-MAI/Z-Image-Turbo", True),
        ("Qwen/Qwen2.5-VL-3B-Instruct", False),
        ("Qwen/Qwen3-VL-32B-Instruct", True),
        ("black-forest-labs/FLUX.2-klein-9B", False),
        ("black-forest-labs/FLUX.1-schnell", True),
        ("black-forest-labs/FLUX.2-klein-4B", True),
        ("Qwen/Qwen-Image-Edit-2509", True),
        ("Qwen/Qwen-Image-2.1", False),
        ("FireRedTeam/FireRed-Image-Edit-1.1", True),
        ("stepfun-ai/Step1X-Edit", True),
        ("somebody/some-editor", None),
    ],
)
def test_licences_are_known_by_the_model_and_never_invented(model: str, may_train: bool | None) -> None:
    licence = licence_of(Spec("editor", "somewhere:Editor", "1", {"model": model, "steps": 28}))
    assert (licence.outputs_may_train if licence else None) == may_train


def test_the_embedded_studio_is_ours() -> None:
    licence = licence_of(Spec("painter", "triptych.backends.studio.painter:StudioPainter", "1", {}))
    assert licence is not None
    assert licence.outputs_may_train


def test_a_model_that_our_back_end_runs_keeps_its_own_licence() -> None:
    backend = "triptych.backends.diffusers:DiffusersEditor"
    bound = licence_of(Spec("editor", backend, "1", {"model": "black-forest-labs/FLUX.1-Kontext-dev"}))
    assert bound is not None
    assert not bound.outputs_may_train
    assert licence_of(Spec("editor", backend, "1", {"model": "somebody/some-editor"})) is None


@pytest.mark.parametrize(
    ("terms", "told"),
    [
        (None, []),
        ("Apache-2.0", []),
        ("Gemini API terms", ["editor (Gemini API terms)"]),
        ("terms of a shop around the corner", ["editor (terms of a shop around the corner)"]),
    ],
)
def test_terms_of_apis_bind_like_licences_and_unknown_ones_too(terms: str | None, told: list[str]) -> None:
    asked = {"editor": (terms,)} if terms else {}
    assert restricting([Origin(RECIPE, {}, {}, asked)]) == told  # type: ignore[arg-type]
