"""When a judge is found to have changed: what it said since its last good check is doubted."""

from __future__ import annotations

import time

from triptych.ledger.queries import verdicts_since
from triptych.ledger.store import Ledger
from triptych.mining.canaries import JudgeChanged
from triptych.mining.state import Plan
from triptych.records import Doubt


def doubted(plan: Plan, ledger: Ledger, change: JudgeChanged) -> str:
    """Record the doubts, and say in a line which verdicts they are and what to do."""
    spec = plan.spec_id("validator")
    suspect = verdicts_since(ledger, spec, change.trusted_until)
    now = time.time()
    ledger.record(Doubt(one.subject_id, spec, one.repeat, "judge_changed", now) for one in suspect)
    mend = (
        "bring the old one back, or name the new one as another model or revision in the recipe, then run the"
        " same command again"
    )
    if not suspect:
        return f"{change}. Nothing was judged since it last did: {mend}"
    first, last = (
        time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(one.finished_at))
        for one in (suspect[0], suspect[-1])
    )
    return (
        f"{change}. {len(suspect):,} verdicts from {first} to {last} (pairs {suspect[0].subject_id} to"
        f" {suspect[-1].subject_id}) are doubted, and only they are owed again: {mend}"
    )
