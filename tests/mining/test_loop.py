"""The whole loop on stand-ins: what the ledger and the selection hold after all that can happen to a run."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.mining import standins
from triptych.errors import RunError, WorkFailed
from triptych.ledger.run import RunFolder
from triptych.recipe import Recipe
from triptych.records import Call, Verdict
from triptych.runs import Mined, mine, mine_open, open_for_mining, open_run

MODULE = "tests.mining.standins"


def recipe(roles: dict[str, dict[str, Any]] | None = None, **changes: Any) -> Recipe:
    """A small recipe on stand-ins; `roles` gives settings of single roles."""
    classes = {
        "writer": "StandinWriter",
        "painter": "StandinPainter",
        "screen": "StandinJudge",
        "editor": "StandinEditor",
        "soft_filter": "StandinJudge",
        "validator": "StandinJudge",
    }
    values: dict[str, Any] = {
        "name": "standins",
        "scenes": 4,
        "sources_per_scene": 2,
        "edits_per_scene": 3,
        "attempts": 3,
        "megapixels": 0.02,
        "retries": {"patience_seconds": 60},
        "canaries": {"pairs": 0},  # these tests count calls
    }
    for role, name in classes.items():
        settings = {"pass_rate": 0.7} | (roles or {}).get(role, {})
        backend = settings.pop("class", name)
        values[role] = {"backend": f"{MODULE}:{backend}", "settings": settings}
    return Recipe.model_validate(values | changes)


def selected(path: Path) -> list[tuple[str, str, str]]:
    """What is selected: pair and image ids, in order."""
    with open_run(path) as run:
        return [(t.id, t.source.image, t.attempt.image) for t in run.view().triplets]


def calls(path: Path) -> list[Call]:
    """Every call that the ledger holds."""
    with RunFolder(path).open_ledger(read_only=True) as ledger:
        return list(ledger.facts(Call))


def made(path: Path) -> Counter[str]:
    """Jobs by how often they were made."""
    return Counter(call.job_id for call in calls(path) if call.outcome == "made")


def test_a_mined_run_owes_nothing_and_its_funnel_narrows(tmp_path: Path) -> None:
    mine(recipe(), tmp_path / "run")
    with open_run(tmp_path / "run") as run:
        view = run.view()
        assert not run.owed()
    assert view.funnel["scenes"] == 4
    assert view.funnel["sources"] == 8
    assert 0 < view.funnel["screened"] < 8
    assert view.funnel["attempts"] == view.funnel["screened"] * 9
    gates = [view.funnel[gate] for gate in ("attempts", "soft_filter", "low_level", "validator", "selected")]
    assert gates == sorted(gates, reverse=True)
    assert gates[-1] > 0
    assert set(made(tmp_path / "run").values()) == {1}


def test_mining_again_makes_no_call(tmp_path: Path) -> None:
    mine(recipe(), tmp_path / "run")
    before = len(calls(tmp_path / "run"))
    mine(recipe(), tmp_path / "run")
    assert len(calls(tmp_path / "run")) == before


def test_more_scenes_add_only_themselves(tmp_path: Path) -> None:
    mine(recipe(), tmp_path / "grown")
    few = calls(tmp_path / "grown")
    mine(recipe(scenes=6), tmp_path / "grown")
    mine(recipe(scenes=6), tmp_path / "fresh")
    assert selected(tmp_path / "grown") == selected(tmp_path / "fresh")
    grown = calls(tmp_path / "grown")
    assert {call.job_id for call in few} < {call.job_id for call in grown}
    assert len(grown) == len(calls(tmp_path / "fresh"))


def test_another_rule_is_a_query_and_mining_makes_what_it_owes(tmp_path: Path) -> None:
    strict = recipe(rule={"soft_adherence": 4.9})
    mine(strict, tmp_path / "run")
    with open_run(tmp_path / "run", ["rule.soft_adherence=3"]) as run:
        owed = run.owed()
    assert set(owed) == {"validator verdicts"}
    before = Counter(call.role for call in calls(tmp_path / "run"))
    mine(recipe(rule={"soft_adherence": 3}), tmp_path / "run")
    after = Counter(call.role for call in calls(tmp_path / "run"))
    assert after - before == Counter({"validator": owed["validator verdicts"]})


@pytest.mark.parametrize("policy", ["best_of", "until_accepted", "uniform"])
@pytest.mark.parametrize("cap", [None, 17])
def test_a_policy_selects_the_same_whatever_the_concurrency_and_the_stops(
    tmp_path: Path, policy: str, cap: int | None
) -> None:
    budget = {"calls": {"editor": cap}} if cap else {}
    plain = recipe(policy=policy, budget=budget)
    mine(plain, tmp_path / "plain")

    roles = {
        "editor": {"latency": 0.002},
        "validator": {"latency": 0.004},
        "painter": {"latency": 0.001},
    }
    slow = recipe(roles, policy=policy, budget=budget)
    slow = slow.model_copy(update={"editor": slow.editor.model_copy(update={"workers": 2})})
    for calls_before_stop in (5, 11, 23, 41):
        _mine_and_drain(slow, tmp_path / "stopped", calls_before_stop)
    mine(slow, tmp_path / "stopped")
    assert selected(tmp_path / "plain") == selected(tmp_path / "stopped")
    assert set(made(tmp_path / "stopped").values()) == {1}
    if cap:
        assert sum(call.role == "editor" for call in calls(tmp_path / "plain")) == cap


def _mine_and_drain(what: Recipe, path: Path, after: int) -> Mined:
    with open_for_mining(what, path) as run:
        stoppers: list[Any] = []
        seen: list[object] = []

        def observe(event: object) -> None:
            seen.append(event)
            if len(seen) == after:
                stoppers[0].drain()

        return asyncio.run(mine_open(run, observe, stoppers.append))


def test_until_accepted_stops_at_the_first_that_passes(tmp_path: Path) -> None:
    mine(recipe(policy="until_accepted"), tmp_path / "run")
    with open_run(tmp_path / "run") as run:
        for slot in run.slots:
            assert slot.state is not None
            for _, lane in slot.state.lanes(run.plan):
                made_seeds = [a.seed for a in lane.attempts if a.attempt is not None]
                assert made_seeds == list(range(len(made_seeds)))
                if len(made_seeds) < len(lane.attempts):
                    assert lane.accepted(run.plan)


def test_a_refusal_spends_the_attempt_and_is_never_asked_again(tmp_path: Path) -> None:
    refusing = recipe({"editor": {"refuse_share": 0.4}})
    mine(refusing, tmp_path / "run")
    mine(refusing, tmp_path / "run")
    rejected = [call for call in calls(tmp_path / "run") if call.outcome == "rejected"]
    assert rejected
    assert {call.reason for call in rejected} == {"declined"}
    assert len({call.job_id for call in rejected}) == len(rejected)


def test_model_errors_are_retried_a_bounded_number_of_times(tmp_path: Path) -> None:
    mine(recipe({"editor": {"fail_share": 0.6}}), tmp_path / "run")
    edits = [call for call in calls(tmp_path / "run") if call.role == "editor"]
    numbers = Counter(call.job_id for call in edits)
    assert max(numbers.values()) == 3
    for job, count in numbers.items():
        outcomes = [call.outcome for call in edits if call.job_id == job]
        assert outcomes.count("model_error") == (count if "made" not in outcomes else count - 1)
        assert sorted(call.number for call in edits if call.job_id == job) == list(range(1, count + 1))


def test_an_unreachable_role_spends_no_attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standins, "CALLS", Counter())
    mine(recipe(scenes=1), tmp_path / "calm")
    monkeypatch.setattr(standins, "CALLS", Counter())
    mine(recipe({"editor": {"unreachable_calls": 6}}, scenes=1), tmp_path / "stormy")
    failed = [call for call in calls(tmp_path / "stormy") if call.outcome == "infrastructure_error"]
    assert len(failed) == 6
    assert selected(tmp_path / "calm") == selected(tmp_path / "stormy")


def test_a_role_that_stays_unreachable_stops_the_run_and_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standins, "CALLS", Counter())
    unreachable = recipe({"editor": {"unreachable_calls": 10**9}}, retries={"patience_seconds": 0.3})
    with pytest.raises(WorkFailed, match=r"editor was not reached .* run the same command again"):
        mine(unreachable, tmp_path / "run")
    monkeypatch.setattr(standins, "CALLS", Counter())
    mine(recipe(), tmp_path / "run")
    mine(recipe(), tmp_path / "calm")
    assert selected(tmp_path / "run") == selected(tmp_path / "calm")


def test_a_judge_that_gives_no_answer_is_never_a_number(tmp_path: Path) -> None:
    roles = {"validator": {"unscored_share": 0.3}, "soft_filter": {"fail_share": 0.9}}
    mine(recipe(roles), tmp_path / "run")
    with RunFolder(tmp_path / "run").open_ledger(read_only=True) as ledger:
        unscored = [verdict for verdict in ledger.facts(Verdict) if verdict.value is None]
    assert {verdict.reason for verdict in unscored} == {"unparsable", "nonsense"}
    with open_run(tmp_path / "run") as run:
        assert not run.owed()
        assert run.view().rejections["soft_unscored_nonsense"] > 0


def test_a_worker_that_dies_costs_its_call_and_nothing_else(tmp_path: Path) -> None:
    calm = recipe({"editor": {"class": "DyingEditor", "marker": str(tmp_path / "alive")}}, scenes=1)
    (tmp_path / "alive").touch()
    mine(calm, tmp_path / "calm")
    deadly = recipe({"editor": {"class": "DyingEditor", "marker": str(tmp_path / "dead")}}, scenes=1)
    mine(deadly, tmp_path / "deadly")
    assert selected(tmp_path / "calm") == selected(tmp_path / "deadly")
    died = [call for call in calls(tmp_path / "deadly") if call.reason == "worker_died"]
    assert died
    assert {call.outcome for call in died} == {"infrastructure_error"}


def test_a_lost_or_damaged_picture_is_made_again(tmp_path: Path) -> None:
    mine(recipe(), tmp_path / "run")
    before = selected(tmp_path / "run")
    with open_run(tmp_path / "run") as run:
        source, attempt = run.view().triplets[0].source, run.view().triplets[-1].attempt
        run.images.path(source.image).unlink()
        damaged = run.images.path(attempt.image)
    data = bytearray(damaged.read_bytes())
    data[len(data) // 2] ^= 1
    damaged.write_bytes(bytes(data))
    mine(recipe(), tmp_path / "run")
    assert selected(tmp_path / "run") == before
    with open_run(tmp_path / "run") as run:
        assert run.images.check(source.image) == "ok"
        assert run.images.check(attempt.image) == "ok"


def test_a_lost_source_costs_one_painting_and_nothing_else(tmp_path: Path) -> None:
    mine(recipe(), tmp_path / "run")
    before = Counter(call.role for call in calls(tmp_path / "run"))
    with open_run(tmp_path / "run") as run:
        image = run.view().triplets[0].source.image
        run.images.path(image).unlink()
    mine(recipe(), tmp_path / "run")
    assert Counter(call.role for call in calls(tmp_path / "run")) - before == Counter({"painter": 1})


def test_a_run_being_mined_is_held(tmp_path: Path) -> None:
    with (
        open_for_mining(recipe(), tmp_path / "run"),
        pytest.raises(RunError, match="is being mined by process"),
        open_for_mining(recipe(), tmp_path / "run"),
    ):
        pass
