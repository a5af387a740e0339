"""A run's scenes as they stand in the ledger: all of them streamed, or only some that are wanted."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from triptych.ledger.queries import briefs, scene_facts
from triptych.ledger.store import Ledger
from triptych.mining.jobs import Opening
from triptych.mining.opening import openings, state_of
from triptych.mining.slots import Slot
from triptych.mining.state import Plan
from triptych.records import Brief


@dataclass(frozen=True, slots=True)
class SceneReader:
    """Reads scenes of one run under one plan; holds what opened them, but no scene."""

    plan: Plan
    ledger: Ledger
    known: Mapping[str, Brief]
    opened: Mapping[str, Opening]  # by scene; of two briefs that gave the same scene the first

    @classmethod
    def now(cls, plan: Plan, ledger: Ledger) -> SceneReader:
        """A reader of the scenes that there are by now."""
        known = briefs(ledger)
        opened: dict[str, Opening] = {}
        for opening in openings(plan.recipe, known, read_folder=False):
            if opening.id in known:
                opened.setdefault(known[opening.id].scene_id, opening)
        return cls(plan, ledger, known, opened)

    def read(self, wanted: Collection[str]) -> Iterator[Slot]:
        """These scenes laid out by the plan, in the order of the run."""
        for facts in scene_facts(self.ledger, [id_ for id_ in self.opened if id_ in wanted]):
            opening = self.opened[facts.scene.id]
            yield Slot(opening.ordinal, opening, state_of(self.plan, opening, facts, self.known))
