"""The studio's Editor: looks up what it is asked, and does it well or with a flaw, by seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from triptych.backends.studio.attempt import Outcome, attempt
from triptych.backends.studio.backend import StudioBackend
from triptych.backends.studio.canvas import from_uint8, generator, to_uint8
from triptych.backends.studio.derived_truth import worst_damage
from triptych.backends.studio.edits import EditPlan
from triptych.backends.studio.subjects import PhotographSubject, StudioSubject
from triptych.backends.studio.world import KnownPicture
from triptych.errors import CallFailed, Refused
from triptych.pixels.picture import Picture
from triptych.records import hash_bytes
from triptych.roles import Answered, EditRequest


class StudioEditor(StudioBackend):
    """Edits pictures of the studio, and photographs as a whole."""

    class Settings(StudioBackend.Settings):
        """How able the editor is."""

        # Share of attempts that are really good: "standard" about .40, "hard" about .15 and less even.
        good_rate: Literal["standard", "hard"] = "standard"
        # Share of attempts with nothing to do in which the picture is touched all the same: planted.
        restless: float = Field(default=0.0, ge=0, le=1)

    settings: Settings
    revision: ClassVar[str] = "1"

    async def edit(self, requests: Sequence[EditRequest]) -> Answered[Picture]:
        """The edited picture for each request; what the studio's Writer never wrote is refused."""
        return [self._edit(request) for request in requests]

    def _edit(self, request: EditRequest) -> Picture | CallFailed:
        plan = self.world.plan(request.instruction)
        if plan is None:
            return Refused("instruction_not_understood", "the studio edits by what its own writer wrote")
        source = hash_bytes(request.picture.encoded(self.config.image_format))
        try:
            outcome = self._attempt(request, plan, source)
        except Refused as refusal:
            return refusal
        picture = Picture.from_pixels(to_uint8(outcome.image))
        edited = hash_bytes(picture.encoded(self.config.image_format))
        height, width = picture.pixels.shape[:2]
        known = (
            None
            if outcome.scene is None
            else KnownPicture(outcome.scene, faithful=False, size=(width, height))
        )
        self.world.add_attempt(source, request.instruction, edited, outcome.truth, known)
        return picture

    def _attempt(self, request: EditRequest, plan: EditPlan, source: str) -> Outcome:
        pixels = from_uint8(request.picture.pixels)
        known = self.world.picture(source)
        subject: StudioSubject | PhotographSubject
        if known is None:
            subject = PhotographSubject(pixels, plan, request.seed)
        else:
            damage = () if known.faithful else worst_damage(self.world, source)
            subject = StudioSubject(pixels, known.scene, known.faithful, plan, damage)
        rng = generator(request.seed, "attempt", source, request.instruction)
        difficulty = float(generator(0, "difficulty", source, request.instruction).standard_normal())
        return attempt(subject, rng, self.settings.good_rate, difficulty, self.settings.restless)
