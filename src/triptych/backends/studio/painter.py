"""The studio's Painter: lays a prompt out anew for every seed, and at times gets it wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from pydantic import Field

from triptych.backends.studio.backend import StudioBackend
from triptych.backends.studio.canvas import generator, to_uint8
from triptych.backends.studio.layout import lay_out, worst_overlap
from triptych.backends.studio.mishaps import MISHAPS, spoil
from triptych.backends.studio.prompts import Wish
from triptych.backends.studio.render import render
from triptych.backends.studio.scene import Scene
from triptych.backends.studio.truth import SourceTruth
from triptych.backends.studio.wishes import pick
from triptych.backends.studio.world import KnownPicture
from triptych.errors import CallFailed, Refused
from triptych.pixels.picture import Picture
from triptych.records import hash_bytes
from triptych.roles import Answered, PaintRequest

CROWDED_OUT = 0.6  # share of a thing's box: a layout that covers more of it looks wrong, whatever was meant


class StudioPainter(StudioBackend):
    """Paints the prompts that the studio's Writer wrote."""

    class Settings(StudioBackend.Settings):
        """How often the painter fails beyond its common mishaps."""

        # Share of pictures that lack a thing which the prompt names: planted, to try a run's checks.
        omits: float = Field(default=0.0, ge=0, le=1)

    settings: Settings
    revision: ClassVar[str] = "1"

    async def paint(self, requests: Sequence[PaintRequest]) -> Answered[Picture]:
        """One picture for each request; a prompt that the studio's Writer never wrote is refused."""
        return [self._paint(request) for request in requests]

    def _paint(self, request: PaintRequest) -> Picture | CallFailed:
        wish = self.world.wish(request.prompt)
        if wish is None:
            return Refused("prompt_not_understood", "the studio paints what its own writer wrote")
        size = (request.width, request.height)
        scene, truth = paint_scene(wish, request.seed, size, self.settings.omits)
        picture = Picture.from_pixels(to_uint8(render(scene, *size)))
        known = KnownPicture(scene, faithful=True, prompt=request.prompt, truth=truth, size=size)
        self.world.add_picture(hash_bytes(picture.encoded(self.config.image_format)), known)
        return picture


def paint_scene(
    wish: Wish, seed: int, size: tuple[int, int], omits: float = 0.0
) -> tuple[Scene, SourceTruth]:
    """The scene that this seed makes of a wish, flaws and all, with what is true of it.

    `omits`: the share of scenes, 0..1, that lack one of their things over and above what goes wrong anyway.
    """
    scene, flaws = spoil(generator(seed, "mishaps"), lay_out(wish, seed, size), wish, size)
    rng = generator(seed, "omits")
    if rng.random() < omits and len(scene.things) > 1:
        gone = pick(rng, scene.things)
        scene = replace(scene, things=tuple(thing for thing in scene.things if thing != gone))
        flaws = (*flaws, ("missing", 1.0))
    crowding = worst_overlap(scene, size)
    if crowding > CROWDED_OUT and not flaws:
        flaws = (("overlap", round(crowding, 3)),)
    return scene, SourceTruth(
        shows_prompt=not any(MISHAPS[name].against_prompt for name, _ in flaws),
        looks_right=all(MISHAPS[name].against_prompt for name, _ in flaws),
        flaws=flaws,
    )
