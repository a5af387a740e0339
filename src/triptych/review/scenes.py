"""A run's scenes as they stand in the ledger now: all of them streamed, or only some that have changed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from triptych.ledger.queries import briefs, scene_facts
from triptych.ledger.store import Ledger
from triptych.mining.jobs import Opening
from triptych.mining.opening import openings, state_of
from triptych.mining.slots import Slot
from triptych.mining.state import Plan


@dataclass(frozen=True, slots=True)
class SceneReader:
    """Reads scenes of one run under one plan; holds no scene in memory."""

    plan: Plan
    ledger: Ledger

    def openings(self) -> dict[str, Opening]:
        """What opened the scenes that there are, by scene; of two that opened the same scene the first."""
        known = briefs(self.ledger)
        opened: dict[str, Opening] = {}
        for opening in openings(self.plan.recipe, known, read_folder=False):
            if opening.id in known:
                opened.setdefault(known[opening.id].scene_id, opening)
        return opened

    def read(self, wanted: Collection[str] | None = None) -> Iterator[Slot]:
        """Scenes laid out by the plan, in the order of the run; `wanted`: only these ids."""
        known = briefs(self.ledger)
        opened = self.openings()
        if wanted is not None:
            opened = {id_: opening for id_, opening in opened.items() if id_ in wanted}
        for facts in scene_facts(self.ledger, list(opened)):
            opening = opened[facts.scene.id]
            state = state_of(self.plan, opening, facts, known)
            yield Slot(opening.ordinal, opening, state)
