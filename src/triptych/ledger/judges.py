"""How judges behaved in a run: how often they gave no answer, and how far they agree with themselves."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import fmean

from sqlalchemy import func, select

from triptych.ledger import schema
from triptych.ledger.store import Ledger
from triptych.records import CANARY_REPEATS, Verdict


@dataclass(slots=True)
class JudgeRecord:
    """One judge's conduct."""

    verdicts: int = 0  # answers owed, one a question and repeat
    unscored: Counter[str] = field(default_factory=Counter)  # of those, without a value, by reason
    calls: int = 0
    failed_calls: Counter[str] = field(default_factory=Counter)  # by outcome and reason
    repeated: int = 0  # questions about a subject that were answered more than once
    same: float | None = None  # share of those with equal answers
    apart: float | None = None  # mean of the largest difference between them, in points


def judge_record(ledger: Ledger, spec: str) -> JudgeRecord:
    """Conduct of the judge of a spec, from every verdict and call; canaries aside."""
    found = JudgeRecord()
    said: dict[tuple[str, str], list[float]] = defaultdict(list)
    for verdict in _verdicts(ledger, spec):
        found.verdicts += 1
        if verdict.value is None:
            found.unscored[verdict.reason or "unknown"] += 1
        else:
            said[verdict.subject_id, verdict.question].append(verdict.value)
    repeats = [values for values in said.values() if len(values) > 1]
    found.repeated = len(repeats)
    if repeats:
        found.same = round(fmean(max(values) - min(values) < 1e-9 for values in repeats), 4)
        found.apart = round(fmean(max(values) - min(values) for values in repeats), 4)
    call = schema.call.c
    asked = select(call.outcome, call.reason, func.count()).where(call.spec_id == spec)
    with ledger.reading() as connection:
        for outcome, reason, count in connection.execute(asked.group_by(call.outcome, call.reason)):
            found.calls += count
            if outcome != "made":
                found.failed_calls[f"{outcome}: {reason}"] += count
    return found


def _verdicts(ledger: Ledger, spec: str) -> Iterable[Verdict]:
    verdict = schema.verdict.c
    asked = select(schema.verdict).where(verdict.spec_id == spec, verdict.repeat < CANARY_REPEATS)
    with ledger.reading() as connection:
        for row in connection.execution_options(yield_per=5_000).execute(asked):
            yield Verdict(*row)
