"""Back ends that fail as no stand-in of the loop does: at birth, and with whatever comes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import ClassVar

from tests.mining.standins import StandinEditor
from triptych.roles import EditRequest, Placement


class RaisingEditor(StandinEditor):
    async def edit(self, requests: Sequence[EditRequest]) -> list[object]:
        raise ZeroDivisionError("a bug\nof two lines")


class ExitingEditor(StandinEditor):
    async def edit(self, requests: Sequence[EditRequest]) -> list[object]:
        os._exit(9)


class SlowComputingEditor(StandinEditor):
    """Works in a process of its own."""

    placement: ClassVar[Placement] = "cpu"
