"""Inversion, composition, backward consistency: what leaves the run, and what it owes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.mining.test_loop import _mine_and_drain, calls, made, recipe
from triptych.bootstrap.compose import choose_pairs
from triptych.bootstrap.invert import points_back
from triptych.errors import RecipeError
from triptych.ledger.run import RunFolder
from triptych.ledger.verify import verify
from triptych.mining.select import Triplet
from triptych.recipe import parse_recipe
from triptych.records import Derivation, Phrase
from triptych.runs import mine, open_run

BOTH = {"inverse": True, "composites_per_source": 2}


def kept(path: Path, *overrides: str) -> list[Triplet]:
    with open_run(path, overrides) as run:
        return run.view().triplets


def test_every_selected_triplet_has_its_inverse_and_sources_their_composites(tmp_path: Path) -> None:
    mine(recipe({"validator": {"pass_rate": 0.9}}, multiply=BOTH, scenes=6), tmp_path / "run")
    with open_run(tmp_path / "run") as run:
        view = run.view()
        assert not run.owed()
        assert view.owed == 0
    assert view.kinds["inverse"].made == len(view.selected)
    kinds = Counter(triplet.kind for triplet in view.triplets)
    assert kinds["forward"] == len(view.selected) - len(view.dropped)
    assert kinds["inverse"] > 0
    assert kinds["composite"] > 0
    for triplet in view.triplets:
        if triplet.kind == "inverse":
            assert triplet.source_image == triplet.attempts[0].image
            assert triplet.edited_image == triplet.source.image
        if triplet.kind == "composite":
            first, second = triplet.attempts
            assert (triplet.source_image, triplet.edited_image) == (first.image, second.image)
            assert triplet.edits[0].id != triplet.edits[1].id
            assert triplet.instruction.endswith(triplet.edits[1].instruction)
    per_source = Counter(t.source.id for t in view.triplets if t.kind == "composite")
    assert max(per_source.values()) <= 2
    assert verify(RunFolder(tmp_path / "run")) == []


def test_a_dropped_forward_takes_along_what_came_from_it(tmp_path: Path) -> None:
    mine(recipe(multiply=BOTH), tmp_path / "run")
    with open_run(tmp_path / "run", ["rule.backward=5"]) as run:
        view = run.view()
    assert view.dropped
    gone = {triplet.attempt.id for triplet in view.dropped}
    for triplet in view.triplets:
        assert not gone & {attempt.id for attempt in triplet.attempts}
    assert view.rejections["backward_inconsistent"] == len(view.dropped)
    with open_run(tmp_path / "run", ["rule.backward=1"]) as run:
        assert not run.view().dropped


def test_multiplying_a_finished_run_adds_only_what_is_owed(tmp_path: Path) -> None:
    mine(recipe(), tmp_path / "later")
    before = Counter(call.role for call in calls(tmp_path / "later"))
    mine(recipe(multiply=BOTH), tmp_path / "later")
    added = Counter(call.role for call in calls(tmp_path / "later")) - before
    assert set(added) == {"writer", "soft_filter", "validator"}
    count = len(calls(tmp_path / "later"))
    mine(recipe(multiply=BOTH), tmp_path / "later")
    assert len(calls(tmp_path / "later")) == count
    mine(recipe(multiply=BOTH), tmp_path / "at-once")
    assert {t.id for t in kept(tmp_path / "later")} == {t.id for t in kept(tmp_path / "at-once")}


@pytest.mark.parametrize("policy", ["best_of", "until_accepted", "uniform"])
def test_stops_change_nothing(tmp_path: Path, policy: str) -> None:
    wanted = recipe(policy=policy, multiply=BOTH, budget={"calls": {"editor": 30}})
    mine(wanted, tmp_path / "calm")
    for calls_before_stop in (40, 31, 23):
        _mine_and_drain(wanted, tmp_path / "stopped", calls_before_stop)
    mine(wanted, tmp_path / "stopped")
    assert [t.id for t in kept(tmp_path / "calm")] == [t.id for t in kept(tmp_path / "stopped")]
    assert any(t.kind != "forward" for t in kept(tmp_path / "calm"))
    assert set(made(tmp_path / "stopped").values()) == {1}


def test_an_inverse_that_leans_on_what_came_before_is_asked_again_then_rejected(tmp_path: Path) -> None:
    mine(recipe({"writer": {"leaning_share": 0.6}}, multiply=BOTH), tmp_path / "run")
    leaning = [call for call in calls(tmp_path / "run") if call.reason == "inverse_points_back"]
    assert leaning
    assert max(Counter(call.job_id for call in leaning).values()) == 3
    with RunFolder(tmp_path / "run").open_ledger(read_only=True) as ledger:
        assert not any(points_back(phrase.instruction) for phrase in ledger.facts(Phrase))
    with open_run(tmp_path / "run") as run:
        assert not run.owed()


def test_lineage_is_kept(tmp_path: Path) -> None:
    mine(recipe(multiply=BOTH), tmp_path / "run")
    with RunFolder(tmp_path / "run").open_ledger(read_only=True) as ledger:
        edges: dict[str, list[Derivation]] = {}
        for edge in ledger.facts(Derivation):
            edges.setdefault(edge.pair_id, []).append(edge)
    for triplet in kept(tmp_path / "run"):
        parents = [edge.parent_id for edge in sorted(edges.get(triplet.id, []), key=lambda e: e.ordinal)]
        expected = [] if triplet.kind == "forward" else [attempt.pair_id for attempt in triplet.attempts]
        assert parents == expected


def test_composites_need_inverses(tmp_path: Path) -> None:
    from triptych.recipe import dump_recipe

    sets = ["multiply.composites_per_source=2"]
    with pytest.raises(RecipeError, match=r"needs multiply\.inverse"):
        parse_recipe(dump_recipe(recipe()), sets, origin="recipe", base=tmp_path)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Undo the change", "undo"),
        ("Bring back the cat", "back"),
        ("Restore the picture", "restore"),
        ("Revert it to day", "revert"),
        ("Put a red ball at the back", None),
        ("Change the background to a beach", None),
        ("Make the blurry picture sharp and clear", None),
    ],
)
def test_words_that_lean_on_an_earlier_picture(text: str, word: str | None) -> None:
    assert points_back(text) == word


@given(st.lists(st.sampled_from(["add", "remove", "color", "style"]), max_size=7), st.integers(0, 12))
def test_chosen_pairs_are_distinct_ordered_and_as_many_as_allowed(categories: list[str], most: int) -> None:
    chosen = choose_pairs(categories, most)
    assert len(set(chosen)) == len(chosen) == min(most, len(categories) * (len(categories) - 1))
    assert all(i != j for i, j in chosen)
    if len(set(categories)) > 1 and most:
        i, j = chosen[0]
        assert categories[i] != categories[j]
