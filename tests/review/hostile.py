"""A writer whose instructions would be markup, were they ever taken for it."""

from __future__ import annotations

from collections.abc import Sequence

from tests.mining.standins import StandinWriter
from triptych.errors import CallFailed
from triptych.roles import EditDraft, SceneDraft, SceneRequest

HOSTILE = "<img src=x onerror='window.harmed = 1'><script>window.harmed = 1</script> & \"make\" it 'red'"


class HostileWriter(StandinWriter):
    async def write(self, requests: Sequence[SceneRequest]) -> list[SceneDraft | CallFailed]:
        return [SceneDraft(f"scene {HOSTILE}", (EditDraft(HOSTILE, "add"),), HOSTILE) for _ in requests]
