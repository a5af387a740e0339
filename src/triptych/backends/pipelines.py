"""What each diffusers pipeline can do: found out by running it, not by its signature.

A class that isn't here isn't used: pipelines differ in what a list of pictures means, in what sizes they keep
and in what the strength of guidance is called, and most of these differences are silent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Capabilities:
    """One pipeline class."""

    paints: bool
    edits: bool
    guidance: str  # name of the argument that says how much the text counts
    # A list of prompts with a list of generators gives one picture for each, and what a prompt gives doesn't
    # depend on the others: Qwen's are padded to the longest among them, which is not the same.
    batches_paint: bool = True
    batches_edit: bool = False  # and a list of pictures is one for each prompt, not references of all
    several_references: bool = False  # a list of pictures to one prompt is taken as references
    side_step: int = 16  # sides that are no multiple come out smaller, or are refused
    smallest_side: int = 16  # of a picture that is edited
    takes_size: bool = True  # height and width; else the picture's own
    area: Literal["pixels", "side"] | None = None  # how the working area is given, where it has to be
    blank_negative: bool = False  # guidance works only beside a negative prompt
    picture_guidance: str | None = None  # name of the argument that says how much the source counts
    output: Literal["RGB", "RGBA"] = "RGB"


PIPELINES: Mapping[str, Capabilities] = {
    "FluxPipeline": Capabilities(paints=True, edits=False, guidance="guidance_scale"),
    "FluxKontextPipeline": Capabilities(
        paints=False, edits=True, guidance="guidance_scale", batches_edit=True, area="pixels"
    ),
    "Flux2KleinPipeline": Capabilities(
        paints=True, edits=True, guidance="guidance_scale", several_references=True, smallest_side=64
    ),
    "ZImagePipeline": Capabilities(paints=True, edits=False, guidance="guidance_scale"),
    "QwenImagePipeline": Capabilities(
        paints=True, edits=False, guidance="true_cfg_scale", blank_negative=True, batches_paint=False
    ),
    "QwenImageEditPipeline": Capabilities(
        paints=False, edits=True, guidance="true_cfg_scale", blank_negative=True
    ),
    "QwenImageEditPlusPipeline": Capabilities(
        paints=False, edits=True, guidance="true_cfg_scale", blank_negative=True, several_references=True
    ),
    "QwenImage21Pipeline": Capabilities(
        paints=True,
        edits=True,
        guidance="true_cfg_scale",
        batches_paint=False,
        several_references=True,
        side_step=32,
        area="side",
        blank_negative=True,
        output="RGBA",
    ),
    "StableDiffusionInstructPix2PixPipeline": Capabilities(
        paints=False,
        edits=True,
        guidance="guidance_scale",
        batches_edit=True,
        side_step=8,
        takes_size=False,
        picture_guidance="image_guidance_scale",
    ),
}
