"""Uniting runs: ids are hashes of what determines a thing, so a merge is a union."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from itertools import groupby, islice
from operator import itemgetter

from triptych.errors import WorkFailed
from triptych.ledger import queries, schema
from triptych.ledger.images import ImageStore
from triptych.ledger.run import RunFolder
from triptych.ledger.store import Ledger
from triptych.records import Fact

_FACTS_AT_ONCE = 5_000


def merge_pictures(source: RunFolder, facts: Ledger, target: RunFolder) -> int:
    """Give the target every picture that the source's facts name and that it lacks; how many those were.

    Files are linked where the file system can, else copied. One that the source lost stays lost: it is owed.
    """
    ours, theirs = target.image_store(), source.image_store()
    count = 0
    for image, _ in groupby(queries.images(facts), key=itemgetter(0)):
        if theirs.exists(image) and ours.check(image) != "ok":
            _place(theirs, image, target)
            count += 1
    ours.note_dropped(theirs.dropped() - ours.dropped())
    return count


def merge_facts(source: Ledger, target: Ledger) -> None:
    """Record all facts of the source. Of two facts under one key the target's stands."""
    rest = _all_facts(source)
    while some := list(islice(rest, _FACTS_AT_ONCE)):
        target.record(some)


def _all_facts(ledger: Ledger) -> Iterator[Fact]:
    for record in schema.TABLES:
        yield from ledger.facts(record)  # type: ignore[type-var]  # each of the types that it takes


def _place(theirs: ImageStore, image: str, target: RunFolder) -> None:
    found = theirs.path(image)
    path = target.images / image[:2] / found.name
    part = path.with_name(f"{found.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(exist_ok=True)
        part.unlink(missing_ok=True)
        try:
            os.link(found, part)
        except OSError:  # another file system, or one without links
            shutil.copyfile(found, part)
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise WorkFailed(
            f"{path} can't be written ({error.strerror}): mend that and run the same command again"
        ) from error
