"""The spot check on the page: which pair comes next, and what was found so far."""

from __future__ import annotations

from collections import Counter
from functools import cached_property

from triptych.records import Json
from triptych.review.compare import kept
from triptych.review.index import Table, plain
from triptych.review.people import People
from triptych.validator.spot_check import FLAWS, leading, sample_order, spot_check, stratum

_SHOWN = ("id", "source", "edited", "instruction", "width", "height")


class SpotCheckView:
    """A spot check of what leaves the run now. `asked`: how many; None: as earlier findings planned."""

    def __init__(self, table: Table, people: People, asked: int | None) -> None:
        self._table = table
        self._asked = asked
        with people.lock:
            self._findings = [found for found in people.findings.values() if found.flaw is not None]

    @cached_property
    def order(self) -> list[str]:
        """What leaves the run, in the order in which it is looked at."""
        rows = [self._table.rows[place] for place in kept(self._table).tolist()]
        return sample_order({row.id: stratum(row.kind, row.category) for row in rows})

    @property
    def planned(self) -> int:
        """Pairs to look at."""
        told = max((found.planned for found in self._findings), default=0)
        return min(told if self._asked is None else self._asked, len(self.order))

    @property
    def sample(self) -> list[str]:
        """The pairs to look at."""
        return self.order[: self.planned]

    def told(self, rater: str) -> dict[str, Json]:
        """How it stands, and the next pair that this rater hasn't looked at."""
        summary = spot_check(self.order, self._findings, planned=self.planned)
        mine = {found.pair_id for found in self._findings if found.rater == rater}
        anybody = {found.pair_id for found in self._findings}
        open_to_all = [id_ for id_ in self.sample if id_ not in anybody]
        waiting = open_to_all or [id_ for id_ in self.sample if id_ not in mine]
        item = plain(self._table, [self._table.by_id[waiting[0]]])[0] if waiting else None
        strata = Counter(self._table.rows[self._table.by_id[id_]].kind for id_ in self.sample)
        return {
            "released": summary.released,
            "planned": self.planned,
            "looked": leading(self.sample, anybody),
            "good": summary.good,
            "lowest": None if summary.lowest is None else round(summary.lowest, 4),
            "finished": summary.finished,
            "flaws": dict(summary.flaws),
            "raters": summary.raters,
            "mine": sum(id_ in mine for id_ in self.sample),
            "taxonomy": dict[str, Json](FLAWS.items()),
            "strata": dict(strata),
            "item": {name: item[name] for name in _SHOWN} if item else None,
        }
