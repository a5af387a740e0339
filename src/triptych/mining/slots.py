"""The scenes of a run in the order of their briefs, written or not."""

from __future__ import annotations

from dataclasses import dataclass

from triptych.ledger.queries import CallHistory
from triptych.mining.jobs import Opening
from triptych.mining.state import SceneState

DUPLICATE = "duplicate_scene"


@dataclass(slots=True)
class Slot:
    """The place of one scene in the run: still a brief, or what became of it."""

    ordinal: int
    opening: Opening
    state: SceneState | None = None
    spent: str | None = None  # why the opening gave no scene
    history: CallHistory | None = None  # failed calls of earlier commands for the opening
