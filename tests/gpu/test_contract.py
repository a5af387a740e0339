"""The contract of all back ends of a role, asked of those that need weights; what doctor looks at first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from triptych.backends.diffusers import DiffusersPainter
from triptych.backends.transformers import TransformersJudge
from triptych.engines.contract import breaches
from triptych.records import RoleName
from triptych.roles import RoleConfig
from triptych.wiring import SHIPPED

pytestmark = pytest.mark.filterwarnings("ignore")  # the libraries' own, about each other

Model = Callable[[str], str]
HERE = {"dtype": "float32", "device": "cpu"}


@pytest.mark.parametrize(
    ("role", "name", "tiny", "settings"),
    [
        ("painter", "diffusers", "flux", {"steps": 1, "batch": 2}),
        ("editor", "diffusers", "kontext", {"steps": 1, "batch": 2}),
        ("editor", "diffusers", "klein", {"steps": 1}),
        ("screen", "transformers", "qwen3_vl", {}),
        ("soft_filter", "transformers", "qwen25_vl", {}),
        ("validator", "transformers", "qwen3_vl", {"look": {"asks": 2, "swap": True}}),
    ],
)
def test_a_back_end_with_weights_keeps_its_contract(
    role: RoleName, name: str, tiny: str, settings: dict[str, Any], model: Model
) -> None:
    config = RoleConfig(role, SHIPPED[role][name], HERE | {"model": model(tiny)} | settings)
    assert asyncio.run(breaches(config)) == []


def test_what_there_is_of_a_model_is_told_before_it_is_loaded(model: Model) -> None:
    here = HERE | {"model": model("flux"), "steps": 1}
    painter = DiffusersPainter(RoleConfig("painter", SHIPPED["painter"]["diffusers"], here))
    assert asyncio.run(painter.reach()) == "on cpu; weights here (0.0 GB)"
    away = HERE | {"model": "nobody/has-this-model"}
    judge = TransformersJudge(RoleConfig("screen", SHIPPED["screen"]["transformers"], away))
    assert "the weights aren't here yet" in asyncio.run(judge.reach())
