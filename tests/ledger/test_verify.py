from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.ledger.facts import call, pictures_of, whole_scene
from triptych.ledger.run import RunFolder
from triptych.ledger.store import Ledger
from triptych.ledger.verify import id_problems, lost_images, reference_problems, verify
from triptych.records import (
    Attempt,
    Brief,
    Derivation,
    Edit,
    Fact,
    Pair,
    Scene,
    Signal,
    Source,
    Spec,
    Verdict,
    hash_bytes,
    identify,
)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    run = RunFolder.create(tmp_path)
    for data in pictures_of("a red barn"):
        run.image_store().put(data)
    with run.open_ledger() as ledger:
        ledger.record(whole_scene("a red barn"))
    return run


def test_a_whole_run_has_no_problem(run: RunFolder) -> None:
    assert verify(run) == []


def test_lost_and_flipped_images_are_named_with_what_names_them(run: RunFolder) -> None:
    store = run.image_store()
    source, *_, attempt = [hash_bytes(data) for data in pictures_of("a red barn")]
    store.path(source).unlink()
    data = bytearray(store.get(attempt))
    data[3] ^= 1
    store.path(attempt).write_bytes(data)
    problems = {problem.subject: problem for problem in verify(run)}
    assert {subject: problem.kind for subject, problem in problems.items()} == {
        source: "missing_image",
        attempt: "damaged_image",
    }
    with run.open_ledger(read_only=True) as ledger:
        named = {fact.image: fact.id for record in (Source, Attempt) for fact in ledger.facts(record)}
    assert problems[source].detail == f"image {source} is missing: named by source {named[source]}"
    assert problems[attempt].detail == f"image {attempt} is damaged: named by attempt {named[attempt]}"


def test_mining_looks_for_lost_images_where_something_was_touched(run: RunFolder) -> None:
    first, second, third, *_ = [hash_bytes(data) for data in pictures_of("a red barn")]
    store = run.image_store()

    def lost() -> frozenset[str]:
        with run.open_ledger() as ledger:
            return lost_images(run, ledger)

    assert lost() == lost() == frozenset()
    path = store.path(first)
    before = path.stat()
    path.write_bytes(b"scribble")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    store.path(second).unlink()
    for _ in range(3):  # found again and again, until it is made again
        assert lost() == {first, second}
    for data in pictures_of("a red barn")[:2]:
        store.put(data)
    assert lost() == lost() == frozenset()

    # What changes without a trace is found by `verify`, and by mining once `verify` has found it.
    store.path(third).write_bytes(b"rot")
    after = store.path(third).stat().st_ctime_ns + 1
    os.utime(run.images / ".checked", ns=(after, after))
    assert lost() == frozenset()
    assert [problem.subject for problem in verify(run)] == [third]
    assert lost() == {third}


@pytest.mark.parametrize(
    ("record", "change"),
    [
        (Scene, {"prompt": "a green barn"}),
        (Edit, {"instruction": "paint it green"}),
        (Source, {"seed": 99}),
        (Source, {"width": 99}),
        (Attempt, {"seed": 99}),
        (Pair, {"instruction": "paint it green"}),
        (Pair, {"edited_image": "f" * 32}),
    ],
)
def test_a_fact_that_was_changed_is_found(
    ledger: Ledger, record: type[Fact], change: dict[str, object]
) -> None:
    facts = whole_scene("a red barn", 1, 1, 1)
    changed = next(fact for fact in facts if isinstance(fact, record))
    ledger.record([replace(changed, **change), *facts])  # the first under an id stands
    problems = list(id_problems(ledger))
    assert (changed.id, "wrong_id") in {(problem.subject, problem.kind) for problem in problems}  # type: ignore[union-attr]


def test_an_attempt_with_another_pair_is_found(ledger: Ledger) -> None:
    facts = whole_scene("a red barn", 1, 1, 2)
    one, other = (fact for fact in facts if isinstance(fact, Attempt))
    ledger.record([replace(one, pair_id=other.pair_id), *facts])
    assert [(problem.kind, problem.subject) for problem in id_problems(ledger)] == [("wrong_pair", one.id)]


def test_a_picture_made_again_is_no_problem(ledger: Ledger) -> None:
    facts = whole_scene("a red barn", 1, 1, 1)
    source = next(fact for fact in facts if isinstance(fact, Source))
    ledger.record([*facts, replace(source, revision=1, image=hash_bytes(b"other bytes"))])
    assert [*id_problems(ledger), *reference_problems(ledger)] == []


@pytest.mark.parametrize(
    "fact",
    [
        Brief("b" * 32, 0, {}, "nowhere", []),
        Edit(identify("edit", "nowhere", "x"), "nowhere", 0, "x", "add"),
        Derivation(identify("pair", "x"), 0, "nowhere", "inverse"),
        Signal("nowhere", "shift", Spec("editor", "tests:Editor", "1", {"steps": 4}).id, 0.0),
        Verdict("nowhere", "adherence", Spec("validator", "tests:Judge", "1", {}).id, 0, 1.0, None, None),
        call("job", scene="nowhere"),
    ],
    ids=lambda fact: type(fact).__name__,
)
def test_a_reference_to_nothing_is_found(ledger: Ledger, fact: Fact) -> None:
    ledger.record(whole_scene("a red barn", 1, 1, 1))
    assert list(reference_problems(ledger)) == []
    ledger.record([fact])
    problems = list(reference_problems(ledger))
    assert "nowhere" in {problem.subject for problem in problems}
    assert {problem.kind for problem in problems} == {"dangling_reference"}
    assert all(type(fact).__name__.lower() in problem.detail for problem in problems)
