"""The contract of all back ends of a role, asked of those that need weights; what doctor looks at first."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from triptych.backends.diffusers import DiffusersPainter
from triptych.backends.transformers import TransformersJudge
from triptych.engines.contract import breaches
from triptych.errors import UserError
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
    with pytest.raises(UserError, match=r"hf download nobody/has-this-model$"):
        asyncio.run(judge.reach())


def test_a_folder_that_lacks_a_part_of_its_weights_is_told_before_it_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "transformer").mkdir()
    (tmp_path / "model_index.json").write_text('{"_class_name": "FluxPipeline"}')
    config = RoleConfig(
        "painter", SHIPPED["painter"]["diffusers"], HERE | {"model": str(tmp_path), "steps": 1}
    )
    with pytest.raises(UserError, match="lacks its weights"):
        asyncio.run(DiffusersPainter(config).reach())
    index = {"weight_map": {"a": "model-00001-of-2.safetensors", "b": "model-00002-of-2.safetensors"}}
    (tmp_path / "transformer/model.safetensors.index.json").write_text(json.dumps(index))
    (tmp_path / "transformer/model-00001-of-2.safetensors").touch()
    with pytest.raises(UserError, match=r"lacks transformer/model-00002-of-2.safetensors"):
        asyncio.run(DiffusersPainter(config).reach())
