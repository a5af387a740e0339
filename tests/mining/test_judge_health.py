"""A judge that is asked several times, and one that changes in the middle of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.mining import standins
from tests.mining.standins import StandinJudge, chance
from tests.mining.test_loop import calls, recipe, selected
from triptych.errors import CallFailed, WorkFailed
from triptych.ledger.run import RunFolder
from triptych.ledger.verify import verify
from triptych.recipe import Recipe
from triptych.records import CANARY_REPEATS, Doubt, Verdict, identify
from triptych.roles import JudgeRequest, PairSubject, Scored, Unscored
from triptych.runs import mine, open_run

HERE = "tests.mining.test_judge_health"
SWAPPED = {"after": 10**9}  # requests to the validator, in this process, after which another model answers


class SwappedJudge(StandinJudge):
    """A validator behind whose name another model answers from some request on, two points lower."""

    async def judge(
        self, requests: Sequence[JudgeRequest]
    ) -> list[tuple[Scored | Unscored, ...] | CallFailed]:
        given = await StandinJudge.judge(self, requests)
        if standins.CALLS["validator"] <= SWAPPED["after"]:
            return given
        return [
            answers
            if isinstance(answers, CallFailed)
            else tuple(
                replace(a, value=max(1.0, a.value - 2)) if isinstance(a, Scored) else a for a in answers
            )
            for answers in given
        ]


class DrawingJudge(StandinJudge):
    """Draws its answers: a repeat gives another one."""

    async def judge(
        self, requests: Sequence[JudgeRequest]
    ) -> list[tuple[Scored | Unscored, ...] | CallFailed]:
        out: list[tuple[Scored | Unscored, ...] | CallFailed] = []
        for request in requests:
            assert isinstance(request.subject, PairSubject)
            key = identify("draw", int(request.subject.edited.pixels.sum()), request.repeat)
            silent = request.repeat == 1
            said = Unscored("unparsable") if silent else Scored(1 + 4 * chance(key))
            out.append(tuple(said for _ in request.questions))
        return out


def watched(**changes: object) -> Recipe:
    roles = {"screen": {"pass_rate": 1.0}, "validator": {"class": "SwappedJudge"}}
    values = recipe(roles, scenes=24, rule={"soft_adherence": 1, "soft_aesthetics": 1}).model_dump(
        mode="json"
    )
    values["validator"]["backend"] = f"{HERE}:SwappedJudge"
    watch = {"pairs": 6, "after": 30, "every": 60}
    return Recipe.model_validate(values | {"canaries": watch} | changes)


def verdicts(path: Path, spec: str) -> list[Verdict]:
    with RunFolder(path).open_ledger(read_only=True) as ledger:
        return [verdict for verdict in ledger.facts(Verdict) if verdict.spec_id == spec]


def doubts(path: Path) -> list[Doubt]:
    with RunFolder(path).open_ledger(read_only=True) as ledger:
        return list(ledger.facts(Doubt))


def spec_of(path: Path) -> str:
    with open_run(path) as run:
        return run.plan.spec_id("validator")


def test_a_judge_swapped_in_the_middle_is_noticed_and_only_its_verdicts_are_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SWAPPED, "after", 10**9)
    mine(watched(), tmp_path / "whole")

    standins.CALLS.clear()
    swapped_at = 130
    monkeypatch.setitem(SWAPPED, "after", swapped_at)
    with pytest.raises(WorkFailed, match=r"doesn't answer its canaries.* are doubted, and only they") as told:
        mine(watched(), tmp_path / "run")
    assert "\n" not in str(told.value)
    asked = standins.CALLS["validator"]
    assert swapped_at < asked <= swapped_at + 200

    # All that the other model said is doubted, and nothing from before the last good check.
    doubted = {doubt.subject_id for doubt in doubts(tmp_path / "run")}
    spec = spec_of(tmp_path / "run")
    sound = {v.subject_id: v.value for v in verdicts(tmp_path / "whole", spec) if v.question == "adherence"}
    said = {
        v.subject_id: v.value
        for v in verdicts(tmp_path / "run", spec)
        if v.question == "adherence" and v.repeat == 0
    }
    wrong = {subject for subject, value in said.items() if value != sound[subject]}
    assert wrong
    assert wrong <= doubted < set(said)

    # Still another model: it may not go on. The old one back: only the doubted are judged again.
    with pytest.raises(WorkFailed, match="Nothing was judged since"):
        mine(watched(), tmp_path / "run")
    monkeypatch.setitem(SWAPPED, "after", 10**9)
    mine(watched(), tmp_path / "run")
    assert selected(tmp_path / "run") == selected(tmp_path / "whole")
    again = [v for v in verdicts(tmp_path / "run", spec) if 0 < v.repeat < CANARY_REPEATS]
    assert {verdict.subject_id for verdict in again} == doubted
    repainted = {call.job_id for call in calls(tmp_path / "whole") if call.role == "editor"}
    assert {call.job_id for call in calls(tmp_path / "run") if call.role == "editor"} == repainted


def test_a_steady_judge_is_never_doubted_and_its_checks_decide_nothing(tmp_path: Path) -> None:
    SWAPPED["after"] = 10**9
    mine(watched(), tmp_path / "watched")
    assert not verify(RunFolder(tmp_path / "watched"))  # what watches a judge belongs to no scene
    mine(watched(canaries={"pairs": 0}), tmp_path / "unwatched")
    assert selected(tmp_path / "watched") == selected(tmp_path / "unwatched")
    checks = {v.repeat for v in verdicts(tmp_path / "watched", spec_of(tmp_path / "watched")) if v.repeat}
    assert len(checks) >= 3
    assert min(checks) == CANARY_REPEATS
    assert not doubts(tmp_path / "watched")


def test_a_judge_asked_several_times_is_worth_the_mean_of_what_it_answered(tmp_path: Path) -> None:
    values = recipe(scenes=3).model_dump(mode="json")
    values["validator"] = {"backend": f"{HERE}:DrawingJudge", "repeats": 4, "price_per_call": 0.5}
    mine(Recipe.model_validate(values), tmp_path / "run")
    spec = spec_of(tmp_path / "run")
    by_pair: dict[str, list[Verdict]] = {}
    for verdict in verdicts(tmp_path / "run", spec):
        if verdict.question == "adherence":
            by_pair.setdefault(verdict.subject_id, []).append(verdict)
    assert by_pair
    with open_run(tmp_path / "run") as run:
        states = {
            attempt.pair.id: attempt
            for slot in run.slots
            for source in (slot.state.sources if slot.state else ())
            for lane in source.lanes
            for attempt in lane.attempts
            if attempt.pair is not None
        }
    for pair, said in by_pair.items():
        assert [verdict.repeat for verdict in said] == [0, 1, 2, 3]
        given = [verdict.value for verdict in said if verdict.value is not None]
        assert len(given) == 3
        assert states[pair].verdicts[spec, "adherence"].value == pytest.approx(sum(given) / 3, abs=1e-4)
    priced = [call for call in calls(tmp_path / "run") if call.role == "validator"]
    assert {call.price for call in priced} == {2.0}
