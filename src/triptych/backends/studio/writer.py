"""The studio's Writer: prompts and instructions, each registered in the world store with what it means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, cast

import numpy as np

from triptych.backends.studio.backend import StudioBackend
from triptych.backends.studio.canvas import generator
from triptych.backends.studio.derived_plans import inverse_in_full, joined, speaks_of_what_is_gone
from triptych.backends.studio.derived_wording import order_for, paraphrases
from triptych.backends.studio.edits import OPERATIONS, EditPlan, Operation, invert_plan
from triptych.backends.studio.prompts import Wish, write_prompt
from triptych.backends.studio.proposals import propose_edit, propose_for_photograph
from triptych.backends.studio.wishes import propose_wish
from triptych.backends.studio.wording import instruction_for
from triptych.errors import CallFailed, Refused
from triptych.roles import (
    Answered,
    EditDraft,
    InvertRequest,
    JoinRequest,
    ParaphraseRequest,
    PhotographRequest,
    SceneDraft,
    SceneRequest,
)

PHOTOGRAPH_OPERATIONS: tuple[Operation, ...] = ("style", "degrade", "color_correction", "weather")
OFTEN: frozenset[Operation] = frozenset({"add", "remove", "replace", "color"})
ROUNDS = 4  # through the operations, in search of one more edit


class StudioWriter(StudioBackend):
    """Writes scenes and the edits that fit them, one for each seed."""

    revision: ClassVar[str] = "1"

    async def write(self, requests: Sequence[SceneRequest]) -> Answered[SceneDraft]:
        """One scene with its edits for each brief; fewer edits where the scene offers no more."""
        return [self._write(request) for request in requests]

    async def describe(self, requests: Sequence[PhotographRequest]) -> Answered[SceneDraft]:
        """Edits of a photograph as a whole: styles, degradations, colour corrections, weather."""
        return [self._describe(request) for request in requests]

    async def invert(self, requests: Sequence[InvertRequest]) -> Answered[str]:
        """The backward instruction of each; refused where the studio doesn't know what was there before."""
        return [self._invert(request) for request in requests]

    async def join(self, requests: Sequence[JoinRequest]) -> Answered[str]:
        """One instruction for each two, without what the second makes needless of the first."""
        return [self._join(request) for request in requests]

    async def paraphrase(self, requests: Sequence[ParaphraseRequest]) -> Answered[tuple[str, ...]]:
        """Each instruction in four registers: short, casual, imperative, question."""
        return [self._paraphrase(request) for request in requests]

    def _invert(self, request: InvertRequest) -> str | CallFailed:
        wish = None if request.prompt is None else self.world.wish(request.prompt)
        plan = self.world.plan(request.instruction)
        inverse = None if wish is None or plan is None else inverse_in_full(wish, plan)
        if inverse is None:
            return Refused("inverse_not_known", "only what the studio's own writer wrote of its own scenes")
        rng = generator(request.seed, "invert", request.prompt or "", request.instruction)
        text = order_for(inverse, rng)
        self.world.add_derived_plans({text: inverse})
        return text

    def _join(self, request: JoinRequest) -> str | CallFailed:
        first, second = self.world.plan(request.first), self.world.plan(request.second)
        if first is None or second is None:
            return Refused("instruction_not_known", "the studio joins what its own writer wrote")
        plan = joined(first, second)
        if plan is None:
            return Refused("nothing_left", "one instruction takes away what the other does")
        if plan == second:
            return Refused("nothing_added", "the second instruction alone says it all")
        if speaks_of_what_is_gone(plan):
            return Refused("about_what_is_gone", "the second instruction is about what the first takes away")
        rng = generator(request.seed, "join", request.first, request.second)
        text = order_for(plan, rng)
        self.world.add_derived_plans({text: plan})
        return text

    def _paraphrase(self, request: ParaphraseRequest) -> tuple[str, ...] | CallFailed:
        plan = self.world.plan(request.instruction)
        if plan is None:
            return Refused("instruction_not_known", "the studio rewords what its own writer wrote")
        texts = paraphrases(plan, request.instruction, generator(request.seed, "words", request.instruction))
        self.world.add_derived_plans(dict.fromkeys(texts, plan))
        return texts

    def _write(self, request: SceneRequest) -> SceneDraft | CallFailed:
        unknown = [category for category in request.categories if category not in OPERATIONS]
        if unknown:
            return Refused("category_not_known", ", ".join(unknown))
        rng = generator(request.seed, "writer")
        wish = propose_wish(rng, request.objects, request.categories, request.topic, request.style)
        prompt = write_prompt(wish, generator(request.seed, "prompt"))
        plans = propose_edits(generator(request.seed, "edits"), wish, request.edits, request.categories)
        inverses: dict[str, str] = {}
        known = dict(plans)
        for instruction, plan in plans.items():
            inverse = invert_plan(wish, plan)
            inverses[instruction] = instruction_for(inverse, generator(request.seed, "inverse", instruction))
            known[inverses[instruction]] = inverse
        self.world.add_scene(prompt, wish, known, inverses)
        drafts = tuple(EditDraft(text, plan.operation) for text, plan in plans.items())
        return SceneDraft(prompt, drafts, wish.style_name)

    def _describe(self, request: PhotographRequest) -> SceneDraft | CallFailed:
        rng = generator(request.seed, "photograph")
        wanted = [c for c in request.categories if c in PHOTOGRAPH_OPERATIONS]
        if request.categories and not wanted:
            return Refused("category_not_for_photographs", ", ".join(request.categories))
        pool = cast("Sequence[Operation]", wanted) or PHOTOGRAPH_OPERATIONS
        order = list(pool) if wanted else [pool[int(i)] for i in rng.permutation(len(pool))]
        plans: dict[str, EditPlan] = {}
        for number in range(ROUNDS * max(request.edits, len(order))):
            if len(plans) >= request.edits:
                break
            plan = propose_for_photograph(rng, order[number % len(order)])
            if plan is not None and plan not in plans.values():
                plans[instruction_for(plan, rng)] = plan
        self.world.add_plans(plans)
        return SceneDraft(None, tuple(EditDraft(text, plan.operation) for text, plan in plans.items()))


def propose_edits(
    rng: np.random.Generator, wish: Wish, count: int, categories: Sequence[str]
) -> dict[str, EditPlan]:
    """Instructions and their plans: what is asked for, in order; else a mix that ends in a composite."""
    order: list[Operation] = [cast("Operation", category) for category in categories]
    composite_last = not categories and len(wish.things) > 1 and count > 1
    if not order:
        if wish.degradation is not None:
            order.append("restore")
        single = [operation for operation in OPERATIONS if operation not in ("composite", "restore")]
        shares = np.array([1.6 if operation in OFTEN else 1.0 for operation in single])
        drawn = rng.choice(len(single), size=len(single), replace=False, p=shares / shares.sum())
        order += [single[int(index)] for index in drawn]
    plans: dict[str, EditPlan] = {}
    last = _composite(rng, wish) if composite_last else None
    wanted = count - (1 if last is not None else 0)
    for operation in order * ROUNDS:
        if len(plans) >= wanted:
            break
        plan = propose_edit(rng, wish, operation)
        if plan is not None and plan not in plans.values():
            plans[instruction_for(plan, rng)] = plan
    return plans | (last or {})


def _composite(rng: np.random.Generator, wish: Wish) -> dict[str, EditPlan] | None:
    plan = propose_edit(rng, wish, "composite")
    return None if plan is None else {instruction_for(plan, rng): plan}
