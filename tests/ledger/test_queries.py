from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.ledger.facts import JUDGE, SPEC, call, picture, whole_scene
from triptych.ledger import queries
from triptych.ledger.queries import CallHistory, RoleCost
from triptych.ledger.store import Ledger
from triptych.records import (
    Attempt,
    Brief,
    Call,
    Comparison,
    Edit,
    Fact,
    Finding,
    Rating,
    Scene,
    Source,
    hash_bytes,
    scene_id,
)


def test_a_scene_comes_with_all_its_facts(ledger: Ledger) -> None:
    facts = whole_scene("a red barn", edits=3, sources=2, attempts=4)
    ledger.record(facts)
    ledger.record(whole_scene("a blue boat"))
    barn = scene_id("written", "a red barn")
    (found,) = queries.scene_facts(ledger, [barn])

    assert found.scene == next(fact for fact in facts if isinstance(fact, Scene))
    assert list(found.edits) == [fact for fact in facts if isinstance(fact, Edit)]
    assert list(found.sources) == [fact for fact in facts if isinstance(fact, Source)]
    attempts = [made for tries in found.attempts.values() for made in tries]
    assert set(attempts) == {fact for fact in facts if isinstance(fact, Attempt)}
    assert set(found.attempts) == {(source.id, edit.id) for source in found.sources for edit in found.edits}
    assert [made.seed for made in found.attempts[found.sources[0].id, found.edits[0].id]] == [0, 1, 2, 3]
    for attempt in attempts:
        assert found.signals[attempt.pair_id] == {SPEC.id: {"largest_share": 0.25, "shift": 0.0}}
        verdict = found.verdicts[attempt.pair_id][JUDGE.id, "adherence"]
        assert (verdict.value, verdict.repeat, verdict.raw) == (4.25, 0, "well done")  # two repeats
    for source in found.sources:
        assert found.verdicts[source.image][JUDGE.id, "looks_right"].value == 1.0
    assert found.calls == {}


def test_scenes_come_in_the_order_asked_for(ledger: Ledger) -> None:
    for number in range(70):
        ledger.record(whole_scene(f"scene {number}", edits=1, sources=1, attempts=1))
    wanted = [scene.id for scene in ledger.facts(Scene)]
    assert len(wanted) == 70
    wanted = wanted[::-1]
    found = list(queries.scene_facts(ledger, [*wanted[:50], "0" * 32, *wanted[50:]]))
    assert [facts.scene.id for facts in found] == wanted
    assert all(len(facts.attempts) == 1 for facts in found)
    assert list(queries.scene_facts(ledger, [])) == []


def test_of_a_picture_made_again_only_the_latest_is_given(ledger: Ledger) -> None:
    facts = whole_scene("a red barn", edits=1, sources=1, attempts=1)
    source = next(fact for fact in facts if isinstance(fact, Source))
    attempt = next(fact for fact in facts if isinstance(fact, Attempt))
    again = hash_bytes(b"other bytes")
    newer: list[Fact] = [
        replace(source, revision=2, image=again),
        replace(source, revision=1, image="1" * 32),
        replace(attempt, revision=1, image=again, pair_id="2" * 32),
    ]
    ledger.record([*newer, *facts])
    (found,) = queries.scene_facts(ledger, [source.scene_id])
    assert found.sources == (newer[0],)
    assert list(found.attempts.values()) == [(newer[2],)]
    assert {image for image, _, _ in queries.images(ledger) if image in ("1" * 32, source.image)} == set()


def test_pairs_shared_by_scenes_come_with_both(ledger: Ledger) -> None:
    barn, boat = whole_scene("a red barn", 1, 1, 1), whole_scene("a blue boat", 1, 1, 1)
    shared = next(fact.pair_id for fact in barn if isinstance(fact, Attempt))
    ledger.record(barn)
    ledger.record(replace(fact, pair_id=shared) if isinstance(fact, Attempt) else fact for fact in boat)
    for found in queries.scene_facts(ledger, [scene.id for scene in ledger.facts(Scene)]):
        assert list(found.signals) == [shared]
        assert (JUDGE.id, "adherence") in found.verdicts[shared]


outcomes = st.sampled_from(["made", "rejected", "model_error", "infrastructure_error"])
runs = count()
requests = st.tuples(st.integers(0, 5), outcomes, st.none() | st.sampled_from([0.5, 2.0]))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=st.lists(requests, max_size=30))
def test_calls_are_counted_as_they_were_made(
    ledger: Ledger, made: list[tuple[int, str, float | None]]
) -> None:
    run = next(runs)  # the ledger keeps what earlier examples recorded
    before_cost = queries.spent(ledger)
    before_failures = Counter(queries.failures(ledger))
    scene = Scene(scene_id("written", str(run)), "written", str(run), None)
    calls: list[Call] = []
    for number, (job, outcome, price) in enumerate(made, start=1):
        reason = None if outcome == "made" else f"{outcome} {job}"
        calls.append(call(f"{run} {job}", number, outcome, scene.id, price=price, reason=reason))
    ledger.record([scene, *calls])

    (found,) = queries.scene_facts(ledger, [scene.id])
    jobs = sorted({call.job_id for call in calls})
    assert found.calls == queries.call_histories(ledger, jobs)
    for job in jobs:
        failed = [call for call in calls if call.job_id == job and call.outcome != "made"]
        counts = Counter(call.outcome for call in failed)
        expected = CallHistory(
            counts["rejected"],
            counts["model_error"],
            counts["infrastructure_error"],
            failed[-1].reason if failed else None,
        )
        assert found.calls.get(job, CallHistory()) == expected
        assert expected.failures == len(failed)

    spent = queries.spent(ledger)
    assert spent.calls - before_cost.calls == len(calls)
    assert spent.seconds - before_cost.seconds == 0.5 * len(calls)
    prices = [call.price for call in calls if call.price is not None]
    assert (spent.price or 0.0) - (before_cost.price or 0.0) == sum(prices)
    new = Counter(call.reason for call in calls if call.reason)
    assert Counter(queries.failures(ledger)) - before_failures == new


def test_costs_by_role(ledger: Ledger) -> None:
    assert queries.costs(ledger) == {}
    assert queries.spent(ledger) == RoleCost(0, 0.0, None)
    told = replace(call("d", outcome="model_error"), role="painter", tokens_in=7, tokens_out=2)
    ledger.record([call("a"), call("b", price=0.25), replace(call("c"), role="painter"), told])
    assert queries.costs(ledger) == {
        "editor": RoleCost(2, 1.0, 0.25),
        "painter": RoleCost(2, 1.0, None, 7, 2),
    }


def test_failures_are_ordered_by_how_many(ledger: Ledger) -> None:
    reasons = ["timeout", "blurred", "timeout", "asleep", None]
    ledger.record(call(f"job {n}", outcome="model_error", reason=reason) for n, reason in enumerate(reasons))
    assert list(queries.failures(ledger).items()) == [
        ("timeout", 2),
        ("asleep", 1),
        ("blurred", 1),
        ("model_error", 1),
    ]


def test_briefs_specs_and_images(ledger: Ledger) -> None:
    facts = whole_scene("a red barn", edits=1, sources=1, attempts=1)
    brief = next(fact for fact in facts if isinstance(fact, Brief))
    ledger.record(facts)
    assert queries.briefs(ledger) == {brief.id: brief}
    source = next(fact for fact in facts if isinstance(fact, Source))
    attempt = next(fact for fact in facts if isinstance(fact, Attempt))
    assert source.image == hash_bytes(picture("a red barn source 0"))
    assert list(queries.images(ledger)) == sorted(
        [(source.image, "source", source.id), (attempt.image, "attempt", attempt.id)]
    )


def test_of_a_raters_sittings_the_last_one_stands(ledger: Ledger) -> None:
    said = [
        Rating("pair", "ann", "adherence", 0, 2.0),
        Rating("pair", "ann", "adherence", 1, 4.0),
        Rating("pair", "ann", "aesthetics", 0, 3.0),
        Rating("pair", "bob", "accept", 0, 1.0),
        Rating("pair", "bob", "accept", 1, None, "withdrawn"),
        Rating("other", "ann", "accept", 0, 0.0, None, 1.5),
    ]
    ledger.record(said)
    assert queries.ratings(ledger) == [said[5], said[1], said[2]]
    ledger.record([Rating("pair", "bob", "accept", 2, 0.0)])
    assert queries.ratings(ledger)[-1] == Rating("pair", "bob", "accept", 2, 0.0)


def test_comparisons_and_findings_are_those_that_raters_stand_by(ledger: Ledger) -> None:
    ledger.record(
        [
            Comparison("a", "b", "ann", 0, 1.0),
            Comparison("a", "b", "ann", 1, 0.5),
            Comparison("a", "c", "ann", 0, 1.0),
            Comparison("a", "c", "ann", 1, None, "withdrawn"),
            Finding("a", "ann", 0, "light", 300),
            Finding("a", "bob", 0, "none", 300),
            Finding("a", "bob", 1, None, 300, "withdrawn"),
        ]
    )
    assert queries.comparisons(ledger) == [Comparison("a", "b", "ann", 1, 0.5)]
    assert queries.findings(ledger) == [Finding("a", "ann", 0, "light", 300)]
    assert [found.flaw for found in queries.said_of(ledger, Finding, "a")] == ["light", "none", None]


def test_a_scene_has_its_calls_and_says_that_it_changed(ledger: Ledger) -> None:
    ledger.record([call("one", scene="s"), call("two", number=7, scene="t"), call("three", number=9)])
    assert [made.job_id for made in queries.calls_of_scene(ledger, "s")] == ["one"]
    assert queries.calls_by_scene(ledger) == {"s": (1, 1.0), "t": (1, 7.0)}  # "three" belongs to no scene
    ledger.record([call("four", number=8, scene="s")])
    assert queries.calls_by_scene(ledger)["s"] == (2, 8.0)
