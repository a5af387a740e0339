"""Painters and editors from diffusers pipelines, on this machine's GPU or CPU.

The noise comes from one CPU generator for each request, so its seed alone decides it. What shares a batch
could still change a picture's last bit: kernels are chosen by the size of a batch. So every call has exactly
`batch` items, filled up with copies of the last one, and a seed gives the same picture alone and in company.
`batch` is therefore part of the spec; at 1, the default, nothing is filled up.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import cv2
import numpy as np
import orjson
from PIL import Image
from pydantic import Field

from triptych.backends.pipelines import PIPELINES, Capabilities
from triptych.backends.weights import (
    Adapter,
    Held,
    LocalSettings,
    check_folder,
    device_of,
    fingerprint,
    held,
    loading,
    looks_like_path,
    need,
    present,
    quiet,
    release,
    weights_key,
)
from triptych.errors import CallFailed, InfrastructureError, Refused, UserError
from triptych.pixels.picture import Picture, flattened
from triptych.records import Json, Receipt, Spec
from triptych.roles import EditRequest, Metered, PaintRequest, Placement, RoleConfig, spec_of

R = TypeVar("R", PaintRequest, EditRequest)
_SEEDS = 2**63
_TOO_LARGE = (
    "one picture doesn't fit: set offload: model, smaller megapixels, or quantisation: bitsandbytes-4bit"
)


class DiffusersSettings(LocalSettings):
    """A pipeline and how it samples."""

    not_in_spec: ClassVar[frozenset[str]] = frozenset({"device", "offload"})

    steps: int = Field(ge=1, description="denoising steps; distilled models want few: schnell 4")
    guidance: float | None = Field(default=None, description="how much the text counts; None: the pipeline's")
    picture_guidance: float | None = Field(default=None, description="how much the source counts (pix2pix)")
    lora: tuple[Adapter, ...] = ()
    batch: int = Field(default=1, ge=1, description="pictures at once, of one size")


class _Pipeline(Generic[R]):
    """What painter and editor have in common: a pipeline that is loaded on first use."""

    Settings: ClassVar[type[DiffusersSettings]] = DiffusersSettings
    revision: ClassVar[str] = "1"
    placement: ClassVar[Placement] = "gpu"
    does: ClassVar[str]

    def __init__(self, config: RoleConfig) -> None:
        self.config = config
        self.settings = self.Settings.model_validate(dict(config.settings))
        self._fits = self.settings.batch  # less once memory has run out
        self._warning: str | None = None

    @property
    def _role(self) -> str:
        return self.config.role.replace("_", " ")

    @property
    def spec(self) -> Spec:
        """Settings, and what the local files hold."""
        adapters: list[Json] = [fingerprint(adapter.path) for adapter in self.settings.lora]
        weights = fingerprint(self.settings.model)
        return spec_of(self.config, self.settings, self.revision, weights=weights, adapters=adapters)

    @cached_property
    def weights(self) -> str:
        """Roles that say the same share one copy of the weights."""
        return weights_key(
            self.settings, "diffusers", [a.model_dump(mode="json") for a in self.settings.lora]
        )

    def batch_key(self, request: R) -> tuple[int, int]:
        """Requests with equal keys may share a batch: those of one size."""
        raise NotImplementedError

    def largest_batch(self) -> int:
        """How many like requests one call takes."""
        return self._fits

    async def load(self) -> None:
        """Load the weights, if nobody has."""
        await asyncio.to_thread(self._loaded)

    async def reach(self) -> str:
        """What there is of the model on this machine. UserError where it can't work here."""
        return await asyncio.to_thread(present, self._role, self.settings)

    def ready(self) -> None:
        """Raises UserError where the model's files aren't there, or are another model's."""
        check_folder(self._role, self.settings.model, "model_index.json")
        if looks_like_path(self.settings.model):  # a Hub name is looked at when it is loaded
            self._capabilities(_class_in(self.settings.model))

    async def close(self) -> None:
        """Let go of the weights, if they are in this process."""
        self.release()

    def release(self) -> None:
        """Let go of the weights."""
        release(self.weights)

    # -- loading -------------------------------------------------------------------------------------------

    def _loaded(self) -> Held:
        return held(self.weights, self._load)

    def _load(self) -> Held:
        settings = self.settings
        need(self._role, "torch", "transformers", "accelerate")
        diffusers = need(self._role, "diffusers")
        torch = need(self._role, "torch")
        quiet()
        device = device_of(settings)
        options: dict[str, Any] = {"dtype": getattr(torch, settings.dtype)}
        if settings.revision:
            options["revision"] = settings.revision
        if settings.quantisation != "none":
            need(self._role, "bitsandbytes")
            options["quantization_config"] = _quantisation(diffusers, torch, settings)
        with loading(self._role, settings.model):
            pipeline = diffusers.DiffusionPipeline.from_pretrained(settings.model, **options)
            self._capabilities(type(pipeline).__name__)
            pipeline.set_progress_bar_config(disable=True)
            self._add_adapters(pipeline)
            if settings.offload == "model":
                pipeline.enable_model_cpu_offload(device=device)
            elif settings.offload == "sequential":
                pipeline.enable_sequential_cpu_offload(device=device)
            else:
                pipeline.to(device)
        return Held(pipeline, device)

    def _add_adapters(self, pipeline: Any) -> None:
        names = []
        for number, adapter in enumerate(self.settings.lora):
            names.append(f"adapter_{number}")
            options = {"weight_name": adapter.weight_name} if adapter.weight_name else {}
            pipeline.load_lora_weights(adapter.path, adapter_name=names[-1], **options)
        if names:
            pipeline.set_adapters(names, [adapter.scale for adapter in self.settings.lora])

    def _capabilities(self, name: str) -> Capabilities:
        found = PIPELINES.get(name)
        known = [name for name, it in PIPELINES.items() if getattr(it, self.does)]
        if found is None or not getattr(found, self.does):
            raise UserError(
                f"{self._role}: {self.settings.model} is a {name}, which is not known to be a pipeline that"
                f" {self.does}; these are: {', '.join(known)}"
            )
        return found

    # -- one batch -----------------------------------------------------------------------------------------

    def _answers(
        self, requests: Sequence[R], batches: Callable[[Capabilities], bool], call: _Call[R]
    ) -> list[Metered[Picture]]:
        """One answer for each request, in groups of like ones as large as fit."""
        copy = self._loaded()
        capabilities = self._capabilities(type(copy.model).__name__)
        answers: list[Metered[Picture]] = []
        rest = list(requests)
        while rest:
            size = self._fits if batches(capabilities) else 1
            group = rest[: _leading(rest, size, self.batch_key)]
            if self.does == "edits" and min(self.batch_key(group[0])) < capabilities.smallest_side:
                too_small = f"sides have to be at least {capabilities.smallest_side} px: raise megapixels"
                answers.extend(Metered(Refused("picture_too_small", too_small), Receipt()) for _ in group)
                rest = rest[len(group) :]
                continue
            try:
                with copy.lock:
                    made = self._made(copy, capabilities, group + group[-1:] * (size - len(group)), call)
            except need(self._role, "torch").OutOfMemoryError:
                if not self._failed_to_shrink(size):
                    continue
                made = [InfrastructureError("out_of_memory", _TOO_LARGE) for _ in group]
            answers.extend(Metered(answer, Receipt(warning=self._warning)) for answer in made[: len(group)])
            rest = rest[len(group) :]
        return answers

    def _failed_to_shrink(self, size: int) -> bool:
        """After memory ran out: use half the batch from now on; True where it is one already."""
        torch = need(self._role, "torch")
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if size == 1:
            return True
        self._fits = size // 2
        self._warning = (
            f"{self._role}: a batch of {size} doesn't fit into the GPU's memory, from now on {self._fits} is"
            f" used; set batch: {self._fits}"
        )
        return False

    def _made(
        self, copy: Held, capabilities: Capabilities, group: Sequence[R], call: _Call[R]
    ) -> list[Picture | CallFailed]:
        torch = need(self._role, "torch")
        settings = self.settings
        arguments = call(group, capabilities)
        arguments["num_inference_steps"] = settings.steps
        arguments["generator"] = [torch.Generator().manual_seed(r.seed % _SEEDS) for r in group]
        if settings.guidance is not None:
            arguments[capabilities.guidance] = settings.guidance
        if settings.picture_guidance is not None and capabilities.picture_guidance is not None:
            arguments[capabilities.picture_guidance] = settings.picture_guidance
        if capabilities.blank_negative and _guided(copy.model, capabilities, settings.guidance):
            arguments["negative_prompt"] = _one_or_all([" "] * len(group))
        with torch.inference_mode():
            out = copy.model(output_type="pil", **arguments)
        flags = getattr(out, "nsfw_content_detected", None) or [False] * len(group)
        return [
            Refused("flagged_by_safety_checker") if flagged else _picture(image)
            for image, flagged in zip(out.images, flags, strict=True)
        ]


_Call = Callable[[Sequence[R], Capabilities], dict[str, Any]]


class DiffusersPainter(_Pipeline[PaintRequest]):
    """Paints prompts."""

    does: ClassVar[str] = "paints"

    def batch_key(self, request: PaintRequest) -> tuple[int, int]:
        """By the size asked for."""
        return request.width, request.height

    async def paint(self, requests: Sequence[PaintRequest]) -> list[Metered[Picture]]:
        """One picture of the size asked for, for each request."""
        made = await asyncio.to_thread(self._answers, requests, lambda c: c.batches_paint, self._arguments)
        return [_cut(one, request.width, request.height) for one, request in zip(made, requests, strict=True)]

    def _arguments(self, group: Sequence[PaintRequest], capabilities: Capabilities) -> dict[str, Any]:
        width, height = _stepped(group[0].width, group[0].height, capabilities.side_step)
        return {"prompt": _one_or_all([r.prompt for r in group]), "width": width, "height": height}


class DiffusersEditor(_Pipeline[EditRequest]):
    """Edits pictures by instructions."""

    does: ClassVar[str] = "edits"

    def batch_key(self, request: EditRequest) -> tuple[int, int]:
        """By the source's size."""
        return request.picture.width, request.picture.height

    async def edit(self, requests: Sequence[EditRequest]) -> list[Metered[Picture]]:
        """The edited picture, of the source's size, for each request."""
        made = await asyncio.to_thread(self._answers, requests, lambda c: c.batches_edit, self._arguments)
        return [
            _cut(one, request.picture.width, request.picture.height)
            for one, request in zip(made, requests, strict=True)
        ]

    def _arguments(self, group: Sequence[EditRequest], capabilities: Capabilities) -> dict[str, Any]:
        first = group[0].picture
        width, height = _stepped(first.width, first.height, capabilities.side_step)
        arguments: dict[str, Any] = {
            "image": _one_or_all([_grown(request.picture, width, height) for request in group]),
            "prompt": _one_or_all([request.instruction for request in group]),
        }
        if capabilities.takes_size:
            arguments |= {"width": width, "height": height}
        if capabilities.area == "pixels":
            arguments |= {"max_area": width * height, "_auto_resize": False}
        elif capabilities.area == "side":
            arguments["output_resolution"] = round((width * height) ** 0.5)
        return arguments


def _class_in(folder: str) -> str:
    """The pipeline's class by a local folder's index."""
    index = Path(folder).expanduser() / "model_index.json"
    try:
        return str(orjson.loads(index.read_bytes())["_class_name"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise UserError(f"{index} names no pipeline class; fetch or save the model again") from None


def _leading(requests: Sequence[R], most: int, key: Callable[[R], object]) -> int:
    """How many requests at the head, at most so many, are alike."""
    first = key(requests[0])
    count = 1
    while count < min(most, len(requests)) and key(requests[count]) == first:
        count += 1
    return count


def _quantisation(diffusers: Any, torch: Any, settings: DiffusersSettings) -> Any:
    four = settings.quantisation == "bitsandbytes-4bit"
    options: dict[str, Any] = (
        {
            "load_in_4bit": True,
            "bnb_4bit_quant_type": "nf4",
            "bnb_4bit_compute_dtype": getattr(torch, settings.dtype),
        }
        if four
        else {"load_in_8bit": True}
    )
    return diffusers.PipelineQuantizationConfig(
        quant_backend="bitsandbytes_4bit" if four else "bitsandbytes_8bit",
        quant_kwargs=options,
        components_to_quantize=["transformer", "text_encoder", "text_encoder_2", "unet"],
    )


def _guided(pipeline: Any, capabilities: Capabilities, guidance: float | None) -> bool:
    """Whether the text's weight is above 1, the pipeline's own default where none is given."""
    if guidance is None:
        guidance = inspect.signature(type(pipeline).__call__).parameters[capabilities.guidance].default
    return guidance is not None and guidance > 1


def _one_or_all(items: list[Any]) -> Any:
    """Pipelines that take one at a time want no list."""
    return items[0] if len(items) == 1 else items


def _stepped(width: int, height: int, step: int) -> tuple[int, int]:
    return -(-width // step) * step, -(-height // step) * step


def _grown(picture: Picture, width: int, height: int) -> Image.Image:
    """The picture, its right and lower edge mirrored outward where it is smaller than this."""
    pixels = picture.pixels
    right, below = width - picture.width, height - picture.height
    if right or below:
        pixels = np.asarray(cv2.copyMakeBorder(pixels, 0, below, 0, right, cv2.BORDER_REFLECT_101), np.uint8)
    return Image.fromarray(pixels)


def _picture(image: Image.Image) -> Picture:
    return Picture.from_pixels(np.array(flattened(image), dtype=np.uint8))


def _cut(answer: Metered[Picture], width: int, height: int) -> Metered[Picture]:
    """Back to the size asked for, where the pipeline was given more; smaller is left for others to refuse."""
    made = answer.answer
    if isinstance(made, CallFailed) or (made.width, made.height) == (width, height):
        return answer
    return Metered(Picture.from_pixels(made.pixels[:height, :width]), answer.receipt)
