"""Does a run still hold what it says? Images against their names, ids against their parts, references."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, Literal

from sqlalchemy import Column, and_, exists, not_, or_, select

from triptych.ledger import queries, schema
from triptych.ledger.images import ImageState, ImageStore
from triptych.ledger.run import RunFolder
from triptych.ledger.store import Ledger
from triptych.records import (
    Attempt,
    Edit,
    Pair,
    Paraphrase,
    Phrase,
    Scene,
    Source,
    Spec,
    attempt_id,
    edit_id,
    pair_id,
    paraphrase_id,
    phrase_id,
    scene_id,
    source_id,
)

ProblemKind = Literal[
    "missing_image", "damaged_image", "wrong_id", "wrong_pair", "dangling_reference", "wrong_counters"
]

_IMAGES_AT_ONCE = 1_000
_FACTS_NAMED = 3  # of the facts that name a lost image


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a run that isn't as it was recorded."""

    kind: ProblemKind
    subject: str  # the image, or the id of the fact
    detail: str  # one line, for people


def verify(run: RunFolder) -> list[Problem]:
    """Everything that is wrong with a run; empty where it is whole."""
    with run.open_ledger(read_only=True) as ledger:
        images = list(image_problems(ledger, run.image_store()))
        facts = [*id_problems(ledger), *reference_problems(ledger)]
    if images:
        with suppress(OSError):  # a run that is only read
            _checked(run).unlink(missing_ok=True)
    return images + facts


def image_problems(ledger: Ledger, images: ImageStore) -> Iterator[Problem]:
    """Images that facts name and that are missing, or whose bytes don't hash to their name; by image."""
    dropped = images.dropped()
    named = groupby(queries.images(ledger), key=itemgetter(0))
    by_image = ((image, [f"{kind} {id_}" for _, kind, id_ in facts]) for image, facts in named)
    while some := dict(islice(by_image, _IMAGES_AT_ONCE)):
        for image, state in _states(images, list(some)):
            if state == "ok" or (state == "missing" and image in dropped):
                continue
            facts = some[image]
            others = f" and {len(facts) - _FACTS_NAMED} more" if len(facts) > _FACTS_NAMED else ""
            detail = f"image {image} is {state}: named by {', '.join(facts[:_FACTS_NAMED])}{others}"
            yield Problem("missing_image" if state == "missing" else "damaged_image", image, detail)


def lost_images(run: RunFolder, ledger: Ledger) -> frozenset[str]:
    """Images that facts name and that are missing or damaged: what `mine` has to make again.

    Files untouched since they were last found whole are trusted; `verify` trusts none, and where it finds one
    damaged the next call here trusts none either.
    """
    store, checked = run.image_store(), _checked(run)
    began = checked.with_suffix(".part")
    with suppress(OSError):
        began.touch()  # by the clock of the file system, which need not be ours
    trusted_until = checked.stat().st_mtime_ns if checked.exists() else 0
    lost, doubtful, dropped = set(), [], store.dropped()
    for image, _ in groupby(name for name, _, _ in queries.images(ledger)):
        touched = store.touched_ns(image)
        if touched is None:
            if image not in dropped:
                lost.add(image)
        elif touched >= trusted_until:
            doubtful.append(image)
    damaged = {image for image, state in _states(store, doubtful) if state != "ok"}
    with suppress(OSError):  # only a saving for the next time
        if damaged:  # they must stay in doubt until they are made again
            began.unlink()
        else:
            began.replace(checked)
    return frozenset(lost | damaged)


def _checked(run: RunFolder) -> Path:
    """File whose time says when all images were last found whole."""
    return run.images / ".checked"


def _states(store: ImageStore, images: Sequence[str]) -> Iterator[tuple[str, ImageState]]:
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as threads:
        yield from zip(images, threads.map(store.check, images), strict=True)


def id_problems(ledger: Ledger) -> Iterator[Problem]:
    """Facts whose id isn't the hash of their parts, and attempts whose Pair isn't theirs.

    The id of a photograph's scene and of a brief hang on what the ledger doesn't hold, and aren't checked.
    """
    with ledger.reading() as connection:
        specs = connection.execute(select(schema.spec).order_by(schema.spec.c.id)).all()
    for stored, *parts in specs:
        yield from _compare("spec", stored, Spec(*parts).id)
    for record, derived in _DERIVED_IDS.items():
        for fact in ledger.facts(record):
            yield from _compare(record.__name__.lower(), fact.id, derived(fact))
    yield from _wrong_pairs(ledger)


def reference_problems(ledger: Ledger) -> Iterator[Problem]:
    """Facts that point to one which isn't there."""
    with ledger.reading() as connection:
        for column, parents in _REFERENCES:
            known = or_(*(exists().where(parent == column) for parent in parents))
            lost = select(column).where(column.is_not(None), not_(known)).distinct().order_by(column)
            names = " or ".join(f"{parent.table.name}.{parent.name}" for parent in parents)
            for target in connection.execute(lost).scalars():
                detail = f"{column.table.name}.{column.name} is {target}, and no {names} is"
                yield Problem("dangling_reference", target, detail)


def _compare(kind: str, stored: str, derived: str) -> Iterator[Problem]:
    if stored != derived:
        yield Problem(
            "wrong_id", stored, f"{kind} {stored} has been changed: its parts give the id {derived}"
        )


def _wrong_pairs(ledger: Ledger) -> Iterator[Problem]:
    attempt, pair, edit, source = schema.attempt.c, schema.pair.c, schema.edit.c, schema.source.c
    first = schema.attempt.alias("first").c  # of a chain
    source_fits = or_(
        exists().where(source.id == attempt.source_id, source.image == pair.source_image),
        exists().where(first.id == attempt.source_id, first.image == pair.source_image),
    )
    fits = and_(pair.edited_image == attempt.image, pair.instruction == edit.instruction, source_fits)
    wrong = (
        select(attempt.id, pair.id.label("pair"))
        .join_from(schema.attempt, schema.pair, pair.id == attempt.pair_id)
        .join(schema.edit, edit.id == attempt.edit_id)
        .where(not_(fits))
        .order_by(attempt.id)
    )
    with ledger.reading() as connection:
        for row in connection.execute(wrong):
            detail = f"attempt {row.id} isn't of its pair {row.pair}: other images, or another instruction"
            yield Problem("wrong_pair", row.id, detail)


def _scene_id(scene: Scene) -> str:
    return scene.id if scene.origin != "written" else scene_id("written", scene.prompt or "")


_DERIVED_IDS: Final[dict[type[Any], Callable[[Any], str]]] = {
    Scene: _scene_id,
    Edit: lambda edit: edit_id(edit.scene_id, edit.instruction),
    Phrase: lambda made: phrase_id(made.kind, made.edit_id, made.other_id, made.spec_id),
    Paraphrase: lambda made: paraphrase_id(made.scene_id, made.instruction, made.spec_id, made.ordinal),
    Source: lambda source: source_id(
        source.scene_id, source.spec_id, source.seed, source.width, source.height
    ),
    Attempt: lambda made: attempt_id(made.source_id, made.edit_id, made.spec_id, made.seed),
    Pair: lambda pair: pair_id(pair.source_image, pair.instruction, pair.edited_image),
}

_REFERENCES: Final[tuple[tuple[Column[Any], tuple[Column[Any], ...]], ...]] = (
    (schema.brief.c.scene_id, (schema.scene.c.id,)),
    (schema.edit.c.scene_id, (schema.scene.c.id,)),
    (schema.phrase.c.scene_id, (schema.scene.c.id,)),
    (schema.phrase.c.edit_id, (schema.edit.c.id,)),
    (schema.phrase.c.other_id, (schema.edit.c.id,)),
    (schema.phrase.c.spec_id, (schema.spec.c.id,)),
    (schema.paraphrase.c.scene_id, (schema.scene.c.id,)),
    (schema.paraphrase.c.spec_id, (schema.spec.c.id,)),
    (schema.source.c.scene_id, (schema.scene.c.id,)),
    (schema.source.c.spec_id, (schema.spec.c.id,)),
    (schema.attempt.c.source_id, (schema.source.c.id, schema.attempt.alias("attempt_before").c.id)),
    (schema.attempt.c.edit_id, (schema.edit.c.id,)),
    (schema.attempt.c.spec_id, (schema.spec.c.id,)),
    (schema.attempt.c.pair_id, (schema.pair.c.id,)),
    (schema.derivation.c.pair_id, (schema.pair.c.id,)),
    (schema.derivation.c.parent_id, (schema.pair.c.id,)),
    (schema.signal.c.pair_id, (schema.pair.c.id,)),
    (schema.signal.c.spec_id, (schema.spec.c.id,)),
    (schema.verdict.c.subject_id, (schema.pair.c.id, schema.source.c.image, schema.paraphrase.c.id)),
    (schema.verdict.c.spec_id, (schema.spec.c.id,)),
    (schema.call.c.spec_id, (schema.spec.c.id,)),
    (schema.call.c.scene_id, (schema.scene.c.id,)),
)
