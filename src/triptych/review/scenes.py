"""A run's scenes as they stand in the ledger now: all of them streamed, or only some that have changed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from triptych.ledger.queries import briefs, scene_facts
from triptych.ledger.store import Ledger
from triptych.mining.jobs import ImportJob, WriteJob
from triptych.mining.opening import photograph_jobs, photograph_state, write_job
from triptych.mining.slots import Slot
from triptych.mining.state import Plan, describe_job_id, scene_state
from triptych.records import Brief


@dataclass(frozen=True, slots=True)
class SceneReader:
    """Reads scenes of one run under one plan; holds no scene in memory."""

    plan: Plan
    ledger: Ledger

    def openings(self) -> dict[str, WriteJob | ImportJob]:
        """The briefs of this recipe that have a scene, by its id; of two with the same scene the first."""
        known = briefs(self.ledger)
        recipe = self.plan.recipe
        jobs: list[WriteJob] | list[ImportJob]
        if recipe.photographs is not None:
            jobs = photograph_jobs(recipe, recipe.photographs, known, read_folder=False)
        else:
            jobs = [write_job(recipe, number) for number in range(recipe.scenes)]
        opened: dict[str, WriteJob | ImportJob] = {}
        for job in jobs:
            if job.id in known:
                opened.setdefault(known[job.id].scene_id, job)
        return opened

    def read(self, wanted: Collection[str] | None = None) -> Iterator[Slot]:
        """Scenes laid out by the plan, in the order of the recipe; `wanted`: only these ids."""
        opened = self.openings()
        if wanted is not None:
            opened = {id_: job for id_, job in opened.items() if id_ in wanted}
        known = briefs(self.ledger)
        for facts in scene_facts(self.ledger, list(opened)):
            job = opened[facts.scene.id]
            slot = Slot(job.ordinal, job)
            if facts.scene.origin == "photograph":
                description = known.get(describe_job_id(facts.scene, self.plan))
                slot.state = photograph_state(self.plan, job.ordinal, facts, description, frozenset())
            else:
                written: Brief = known[job.id]
                slot.state = scene_state(self.plan, job.ordinal, facts, written.edits)
            yield slot
