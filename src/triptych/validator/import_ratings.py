"""Ratings from a file become facts of the run that they were given in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from triptych.errors import UserError
from triptych.ledger.queries import known_pairs
from triptych.ledger.store import Ledger
from triptych.records import Rating
from triptych.validator.ratings import key_of, read_ratings


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of a file."""

    recorded: int  # new facts
    known: int  # rows that were facts already
    duplicates: int  # said more than once in the file, the same way: counted once
    dropped: int  # said more than once in the file, in different ways: left out


def import_ratings(ledger: Ledger, path: Path, conflicts: Literal["refuse", "drop"] = "refuse") -> Imported:
    """Record a file's ratings; all of them, or none with UserError.

    Refused are pairs that this run doesn't know, and a rating that was recorded earlier with another score:
    who changed their mind says so in a later sitting.
    """
    file = read_ratings(path)
    rows = file.settled(conflicts)
    pairs = known_pairs(ledger, sorted({row.pair_id for row in rows}))
    unknown = sorted({row.pair_id for row in rows} - pairs)
    if unknown:
        raise UserError(
            f"{path}: {len(unknown)} rated items are no pairs of this run, e.g. {unknown[0]!r};"
            " give the run that they were rated in"
        )
    earlier = {key_of(rating): rating for rating in ledger.facts(Rating)}
    new = [row for row in rows if key_of(row) not in earlier]
    for row in rows:
        said = earlier.get(key_of(row))
        if said is not None and said.score != row.score:
            raise UserError(
                f"{path}: {row.rater} on {row.pair_id}, {row.axis}: {_told(row)} here, {_told(said)} in the"
                f" run; a rating that replaces another carries a later sitting, e.g. {said.sitting + 1}"
            )
    ledger.record(new)
    return Imported(len(new), len(rows) - len(new), len(file.duplicates), len(file.conflicts))


def _told(rating: Rating) -> str:
    return "no score" if rating.score is None else f"{rating.score:g}"
