"""Every pipeline family that is named, through our back end: sizes, seeds, batches, adapters, mistakes."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.gpu import tiny
from triptych.backends.diffusers import DiffusersEditor, DiffusersPainter
from triptych.errors import CallFailed, InfrastructureError, UserError, WorkFailed
from triptych.pixels.picture import Picture
from triptych.records import RoleName
from triptych.roles import EditRequest, Metered, PaintRequest, RoleConfig

pytestmark = pytest.mark.filterwarnings("ignore")  # the libraries' own, about each other

Model = Callable[[str], str]
PROMPTS = ("a red house", "a photo of a cat and a dog , the sky green , the tree into snow", "make it blue")


def config(role: RoleName, model: str, **settings: Any) -> RoleConfig:
    defaults = {"model": model, "steps": 2, "dtype": "float32", "device": "cpu"}
    name = "DiffusersPainter" if role == "painter" else "DiffusersEditor"
    return RoleConfig(role, f"triptych.backends.diffusers:{name}", defaults | settings)


def pixels(answers: Sequence[Metered[Picture]]) -> list[np.ndarray]:
    pictures = [answer.answer for answer in answers]
    assert not [it for it in pictures if isinstance(it, CallFailed)]
    return [picture.pixels for picture in pictures if isinstance(picture, Picture)]


def paint(painter: DiffusersPainter, *requests: PaintRequest) -> list[np.ndarray]:
    return pixels(asyncio.run(painter.paint(requests)))


def edit(editor: DiffusersEditor, *requests: EditRequest) -> list[np.ndarray]:
    return pixels(asyncio.run(editor.edit(requests)))


def noise(width: int, height: int, seed: int = 0) -> Picture:
    chance = np.random.default_rng(seed)
    return Picture.from_pixels(chance.integers(0, 255, (height, width, 3), dtype=np.uint8))


def same(one: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> bool:
    return len(one) == len(other) and all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("name", tiny.PAINTERS)
def test_paints_at_the_size_asked_for_and_a_seed_gives_the_same_picture_again(
    name: str, model: Model
) -> None:
    painter = DiffusersPainter(config("painter", model(name)))
    requests = [PaintRequest("a red house", 7, 96, 64), PaintRequest("a red house", 8, 80, 48)]
    first = paint(painter, *requests)
    assert [picture.shape for picture in first] == [(64, 96, 3), (48, 80, 3)]
    assert same(first, paint(painter, *requests))
    (other,) = paint(painter, PaintRequest("a red house", 9, 96, 64))
    assert not np.array_equal(first[0], other)


@pytest.mark.parametrize("name", tiny.EDITORS)
@pytest.mark.usefixtures("small_conditioning")
def test_edits_at_the_sources_size_and_a_seed_gives_the_same_picture_again(name: str, model: Model) -> None:
    editor = DiffusersEditor(config("editor", model(name)))
    requests = [EditRequest(noise(96, 64), "make it red", 7), EditRequest(noise(80, 64), "add snow", 8)]
    first = edit(editor, *requests)
    assert [picture.shape for picture in first] == [(64, 96, 3), (64, 80, 3)]
    assert same(first, edit(editor, *requests))
    (other,) = edit(editor, EditRequest(noise(96, 64), "make it red", 9))
    assert not np.array_equal(first[0], other)


@pytest.mark.parametrize("name", tiny.PAINTERS)
def test_a_picture_is_the_same_alone_and_in_any_company(name: str, model: Model) -> None:
    painter = DiffusersPainter(config("painter", model(name), batch=3))
    requests = [PaintRequest(prompt, seed, 96, 64) for seed, prompt in enumerate(PROMPTS)]
    alone = [paint(painter, request)[0] for request in requests]
    assert same(alone, paint(painter, *requests))
    assert same(alone[::-1], paint(painter, *requests[::-1]))


@pytest.mark.parametrize("name", tiny.EDITORS)
@pytest.mark.usefixtures("small_conditioning")
def test_an_edit_is_the_same_alone_and_in_any_company(name: str, model: Model) -> None:
    """Where a list of pictures would be references shared by all, this fails."""
    editor = DiffusersEditor(config("editor", model(name), batch=3))
    requests = [EditRequest(noise(96, 64, seed), prompt, seed) for seed, prompt in enumerate(PROMPTS)]
    alone = [edit(editor, request)[0] for request in requests]
    assert same(alone, edit(editor, *requests))
    assert same(alone[::-1], edit(editor, *requests[::-1]))


def test_a_seed_gives_other_pixels_in_another_batch_size_only_as_another_spec(model: Model) -> None:
    one, three = (DiffusersPainter(config("painter", model("flux"), batch=size)) for size in (1, 3))
    assert one.spec.id != three.spec.id
    elsewhere = DiffusersPainter(config("painter", model("flux"), device="cuda:1", offload="model"))
    assert elsewhere.spec.id == one.spec.id


def test_too_large_a_batch_is_halved_and_told(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    painter = DiffusersPainter(config("painter", model("flux"), batch=4))
    requests = [PaintRequest("a red house", seed, 96, 64) for seed in range(4)]
    asyncio.run(painter.load())
    pipeline = type(painter._loaded().model)
    paints = pipeline.__call__
    sizes: list[int] = []

    def limited(self: Any, *, most: int = 2, **arguments: Any) -> Any:
        sizes.append(len(arguments["generator"]))
        if sizes[-1] > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return paints(self, **arguments)

    monkeypatch.setattr(pipeline, "__call__", limited)
    answers = asyncio.run(painter.paint(requests))
    assert len(pixels(answers)) == 4
    assert sizes == [4, 2, 2]
    assert painter.largest_batch() == 2
    assert "set batch: 2" in str(answers[0].receipt.warning)

    monkeypatch.setattr(pipeline, "__call__", lambda self, **arguments: limited(self, most=0, **arguments))
    answers = asyncio.run(painter.paint(requests[:1]))
    failure = answers[0].answer
    assert isinstance(failure, InfrastructureError)
    assert failure.reason == "out_of_memory"
    assert "offload: model" in failure.detail


def test_a_folder_that_holds_no_pipeline_is_told_in_a_line(tmp_path: Path, model: Model) -> None:
    with pytest.raises(UserError, match=r"has no model_index.json, so it holds no such model"):
        DiffusersPainter(config("painter", str(tmp_path))).ready()
    with pytest.raises(UserError, match="there is no folder"):
        DiffusersPainter(config("painter", str(tmp_path / "none"))).ready()
    with pytest.raises(
        UserError, match="FluxKontextPipeline, which is not known to be a pipeline that paints"
    ):
        DiffusersPainter(config("painter", model("kontext"))).ready()
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": "WanPipeline"}), encoding="utf-8")
    with pytest.raises(UserError, match=r"WanPipeline, which is not known .* these are: FluxPipeline"):
        DiffusersPainter(config("painter", str(tmp_path))).ready()
    (tmp_path / "model_index.json").write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match="names no pipeline class"):
        DiffusersPainter(config("painter", str(tmp_path))).ready()


def test_a_folder_without_its_weights_is_told_in_a_line(tmp_path: Path, model: Model) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(model("flux"), broken)
    for file in (broken / "vae").glob("*.safetensors"):
        file.unlink()
    with pytest.raises(WorkFailed, match=r"broken can't be loaded: .*vae") as told:
        paint(DiffusersPainter(config("painter", str(broken))), PaintRequest("a house", 0, 64, 64))
    assert "\n" not in str(told.value)


def test_a_gpu_that_is_not_there_is_told(model: Model) -> None:
    if torch_sees_a_gpu():
        pytest.skip("this machine has a GPU")
    painter = DiffusersPainter(config("painter", model("flux"), device="cuda"))
    with pytest.raises(UserError, match="sees no GPU here; set device: cpu"):
        paint(painter, PaintRequest("a house", 0, 64, 64))


def torch_sees_a_gpu() -> bool:
    import torch

    return bool(torch.cuda.is_available())


def test_an_adapter_changes_pictures_and_the_spec(tmp_path: Path, model: Model) -> None:
    import torch
    from diffusers import DiffusionPipeline
    from peft import LoraConfig, get_peft_model_state_dict

    pipeline = DiffusionPipeline.from_pretrained(model("flux"), dtype=torch.float32)
    pipeline.transformer.add_adapter(LoraConfig(r=2, target_modules=["to_q"], init_lora_weights=False))
    layers = get_peft_model_state_dict(pipeline.transformer)
    pipeline.save_lora_weights(tmp_path, transformer_lora_layers=layers)
    plain = config("painter", model("flux"))
    adapted = config("painter", model("flux"), lora=[{"path": str(tmp_path), "scale": 1.0}])
    request = PaintRequest("a red house", 7, 64, 64)
    assert not same(paint(DiffusersPainter(plain), request), paint(DiffusersPainter(adapted), request))
    before = DiffusersPainter(adapted).spec.id
    assert before != DiffusersPainter(plain).spec.id
    with (tmp_path / "pytorch_lora_weights.safetensors").open("ab") as file:  # trained on under the same name
        file.write(b" ")
    assert DiffusersPainter(adapted).spec.id != before


def test_a_picture_too_small_for_the_pipeline_is_a_named_failure(model: Model) -> None:
    editor = DiffusersEditor(config("editor", model("klein")))
    (answer,) = asyncio.run(editor.edit([EditRequest(noise(80, 48), "add snow", 0)]))
    assert isinstance(answer.answer, CallFailed)
    assert answer.answer.reason == "picture_too_small"
