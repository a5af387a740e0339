"""What a miner tells while it works, to whoever shows or counts it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from triptych.records import Outcome, RoleName


@dataclass(frozen=True, slots=True)
class CallStarted:
    """Told to the observer when a call to a role begins."""

    role: RoleName


@dataclass(frozen=True, slots=True)
class CallEnded:
    """Told to the observer when a call has ended, whatever came of it."""

    role: RoleName
    outcome: Outcome
    reason: str | None
    seconds: float  # that a worker was busy with it
    detail: str = ""  # more about the reason, for people


@dataclass(frozen=True, slots=True)
class Notice:
    """A line that the user should read."""

    text: str


Event = CallStarted | CallEnded | Notice
Observer = Callable[[Event], None]
