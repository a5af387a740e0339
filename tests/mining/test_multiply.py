"""Inversion, composition, backward consistency: what leaves the run, and what it owes."""

from __future__ import annotations

import asyncio
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
from triptych.mining.lanes import painted_sources, reached_validator
from triptych.mining.select import Triplet
from triptych.recipe import Budget, Recipe, parse_recipe
from triptych.records import Derivation, Paraphrase, Phrase, Verdict
from triptych.runs import Stopper, mine, mine_open, open_for_mining, open_run

BOTH = {"inverse": True, "composites_per_source": 2}
ALL = BOTH | {"chains_per_source": 2, "stacks": True}


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


def test_all_that_comes_of_one_painted_picture_is_held_out_together(tmp_path: Path) -> None:
    """An inverse starts from an edited picture, and still says much about the pair that it inverts."""
    mine(recipe({"validator": {"pass_rate": 0.9}}, multiply=ALL, scenes=4), tmp_path / "run")
    with open_run(tmp_path / "run") as run:
        reached = {pair.id: pair.source for pair in reached_validator(run.plan, run.slots)}
        painted = painted_sources(run.plan, run.slots)
        triplets = run.view().triplets
    assert {triplet.kind for triplet in triplets} >= {"forward", "inverse", "composite", "chain", "stack"}
    for triplet in triplets:
        assert painted[triplet.id] == reached[triplet.id] == triplet.source.image


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


def test_chains_go_on_from_an_edited_picture_and_stacks_span_them(tmp_path: Path) -> None:
    mine(recipe({"validator": {"pass_rate": 0.9}}, multiply=ALL), tmp_path / "run")
    with open_run(tmp_path / "run") as run:
        view = run.view()
        assert not run.owed()
        assert view.owed == 0
        rejected = Counter(pair.kind for pair in run.rejected())
    kinds = Counter(triplet.kind for triplet in view.triplets)
    assert kinds["chain"] > 0
    assert kinds["stack"] > 0
    assert rejected["chain"] > 0
    assert view.kinds["stack"].made <= kinds["chain"] <= view.kinds["chain"].made
    assert view.multiplier == round(len(view.triplets) / len(view.selected), 4)
    for triplet in view.triplets:
        if triplet.kind in ("chain", "stack"):
            first, second = triplet.attempts
            assert first.source_id == triplet.source.id
            assert second.source_id == first.id
            assert second.edit_id == triplet.edits[1].id
            assert triplet.edited_image == second.image
        if triplet.kind == "chain":
            assert triplet.source_image == triplet.attempts[0].image
            assert triplet.instruction == triplet.edits[1].instruction
            assert triplet.category == triplet.edits[1].category
            assert triplet.parents == (triplet.attempts[0].pair_id,)
            assert (triplet.edit, triplet.attempt) == (triplet.edits[1], triplet.attempts[1])
        if triplet.kind == "stack":
            assert triplet.source_image == triplet.source.image
            assert triplet.instruction == " and ".join(edit.instruction for edit in triplet.edits)
            assert triplet.parents == tuple(attempt.pair_id for attempt in triplet.attempts)
    per_source = Counter(t.source.id for t in view.triplets if t.kind == "chain")
    assert max(per_source.values()) <= 2
    assert verify(RunFolder(tmp_path / "run")) == []


def test_chains_of_a_dropped_forward_go_with_it(tmp_path: Path) -> None:
    mine(recipe({"validator": {"pass_rate": 0.9}}, multiply=ALL), tmp_path / "run")
    with open_run(tmp_path / "run") as run:
        chained = {t.attempts[0].id for t in run.view().triplets if t.kind == "chain"}
    with open_run(tmp_path / "run", ["rule.backward=5"]) as run:
        view = run.view()
    gone = {triplet.attempt.id for triplet in view.dropped}
    assert gone & chained
    assert not any(gone & {attempt.id for attempt in triplet.attempts} for triplet in view.triplets)
    assert view.rejections["chain_parent_dropped"] > 0


def edits_made(path: Path) -> int:
    """Calls to the editor."""
    return sum(call.role == "editor" for call in calls(path))


@pytest.mark.parametrize(
    ("policy", "left_for_chains"),
    [("best_of", 4), ("until_accepted", 3), ("until_accepted", None), ("uniform", 4)],
)
def test_chains_are_the_same_whatever_the_stops_and_the_concurrency(
    tmp_path: Path, policy: str, left_for_chains: int | None
) -> None:
    mine(recipe(policy=policy, multiply=BOTH), tmp_path / "plain")
    cap = None if left_for_chains is None else edits_made(tmp_path / "plain") + left_for_chains
    wanted = recipe(policy=policy, multiply=ALL, budget={"calls": {"editor": cap} if cap else {}})
    mine(wanted, tmp_path / "calm")
    hasty = recipe(
        {"editor": {"latency": 0.002}, "validator": {"latency": 0.001}},
        policy=policy,
        multiply=ALL,
        budget={"calls": {"editor": cap} if cap else {}},
    )
    for calls_before_stop in (150, 13, 5):
        _mine_and_drain(hasty, tmp_path / "stopped", calls_before_stop)
    mine(wanted, tmp_path / "stopped")
    calm = [(t.id, t.edited_image) for t in kept(tmp_path / "calm")]
    assert calm == [(t.id, t.edited_image) for t in kept(tmp_path / "stopped")]
    forward = {t.id for t in kept(tmp_path / "plain") if t.kind == "forward"}
    assert {t.id for t in kept(tmp_path / "calm") if t.kind == "forward"} == forward
    assert cap is None or edits_made(tmp_path / "calm") == cap
    assert set(made(tmp_path / "stopped").values()) == {1}
    count = len(calls(tmp_path / "stopped"))
    mine(wanted, tmp_path / "stopped")
    assert len(calls(tmp_path / "stopped")) == count


def test_chains_join_a_finished_run_and_a_raised_budget_goes_on(tmp_path: Path) -> None:
    mine(recipe(), tmp_path / "later")
    used = edits_made(tmp_path / "later")
    for more in (2, 5):
        mine(recipe(multiply=ALL, budget={"calls": {"editor": used + more}}), tmp_path / "later")
        assert edits_made(tmp_path / "later") == used + more
    mine(recipe(multiply=ALL), tmp_path / "later")
    mine(recipe(multiply=ALL), tmp_path / "at-once")
    assert [t.id for t in kept(tmp_path / "later")] == [t.id for t in kept(tmp_path / "at-once")]
    assert set(made(tmp_path / "later")) == set(made(tmp_path / "at-once"))


def test_derived_pairs_can_be_held_to_other_thresholds_without_a_call(tmp_path: Path) -> None:
    rates = {"soft_filter": {"pass_rate": 1.0}, "validator": {"pass_rate": 0.5}}
    mine(recipe(rates, multiply=BOTH, scenes=6, rule={"backward": 1}), tmp_path / "run")
    with open_run(tmp_path / "run") as run:
        strict = run.view()
    with open_run(tmp_path / "run", ["derived.threshold=1"]) as run:
        lax = run.view()
    assert [t.id for t in lax.selected] == [t.id for t in strict.selected]
    assert lax.kinds["inverse"].kept > strict.kinds["inverse"].kept
    assert all(t.scores.adherence >= 4.7 for t in lax.triplets if t.kind == "forward")
    assert any(t.scores.adherence < 4.7 for t in lax.triplets if t.kind == "inverse")
    with open_run(tmp_path / "run", ["derived.soft_adherence=5"]) as run:
        assert run.view().kinds["inverse"].kept < strict.kinds["inverse"].kept


def test_another_rule_owes_only_the_chains_that_it_brings(tmp_path: Path) -> None:
    mine(recipe(multiply=ALL, rule={"threshold": 4.8}), tmp_path / "run")
    before = {triplet.id for triplet in kept(tmp_path / "run")}
    with open_run(tmp_path / "run", ["threshold=4.7"]) as run:
        owed = run.owed()
        assert {t.id for t in run.view().triplets if t.kind == "forward"} >= {
            t.id for t in run.view().triplets if t.kind == "chain" and t.id in before
        }
    mine(recipe(multiply=ALL, rule={"threshold": 4.7}), tmp_path / "run")
    mine(recipe(multiply=ALL, rule={"threshold": 4.7}), tmp_path / "fresh")
    assert [t.id for t in kept(tmp_path / "run")] == [t.id for t in kept(tmp_path / "fresh")]
    assert set(owed) <= {"inverse pairs", "composite pairs", "stack pairs", "chained edits to attempt"}


def test_a_lost_picture_in_a_chain_is_made_again_with_all_that_hangs_on_it(tmp_path: Path) -> None:
    mine(recipe(multiply=ALL), tmp_path / "run")
    chains = [t for t in kept(tmp_path / "run") if t.kind == "chain"]
    store = RunFolder(tmp_path / "run").image_store()
    for image in {chains[0].source_image, chains[-1].edited_image}:
        store.path(image).unlink()
    mine(recipe(multiply=ALL), tmp_path / "run")
    assert verify(RunFolder(tmp_path / "run")) == []
    assert {t.id for t in kept(tmp_path / "run")} >= {t.id for t in chains}


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
    mine(recipe(multiply=ALL), tmp_path / "run")
    with RunFolder(tmp_path / "run").open_ledger(read_only=True) as ledger:
        edges: dict[str, list[Derivation]] = {}
        for edge in ledger.facts(Derivation):
            edges.setdefault(edge.pair_id, []).append(edge)
    for triplet in kept(tmp_path / "run"):
        parents = [edge.parent_id for edge in sorted(edges.get(triplet.id, []), key=lambda e: e.ordinal)]
        attempted = triplet.kind in ("forward", "chain")  # an attempt itself says what it was made on
        assert parents == ([] if attempted else list(triplet.parents))


REWORDED = ALL | {"paraphrases": True}
EMBEDDER = {"backend": "tests.mining.standins:StandinEmbedder"}


def augmented(path: Path, *overrides: str) -> dict[str, tuple[str, ...]]:
    return {triplet.id: triplet.augmented_instructions for triplet in kept(path, *overrides)}


def test_every_instruction_that_leaves_is_said_in_other_words(tmp_path: Path) -> None:
    mine(recipe(multiply=REWORDED), tmp_path / "run")
    with open_run(tmp_path / "run") as run:
        view = run.view()
        assert not run.owed()
        assert view.owed == 0
    instructions = {triplet.instruction for triplet in view.triplets}
    for triplet in view.triplets:
        said = triplet.instruction
        assert triplet.augmented_instructions == (f"{said} now", f"do, {said}")  # none twice, none as it was
    assert view.reworded == Counter(
        instructions=len(instructions), paraphrases=2 * len(instructions), unchecked=2 * len(instructions)
    )
    with RunFolder(tmp_path / "run").open_ledger(read_only=True) as ledger:
        ids = {made.id for made in ledger.facts(Paraphrase)}
        verdicts = [verdict for verdict in ledger.facts(Verdict) if verdict.subject_id in ids]
    assert {(verdict.value, verdict.reason) for verdict in verdicts} == {(None, "unchecked")}
    assert len(verdicts) == len(ids) == 2 * len(instructions)
    assert verify(RunFolder(tmp_path / "run")) == []


def test_a_wording_of_another_meaning_stays_and_the_bound_is_a_query(tmp_path: Path) -> None:
    mine(recipe(multiply=REWORDED, embedder=EMBEDDER), tmp_path / "run")
    for texts in augmented(tmp_path / "run").values():
        assert len(texts) == 1
        assert not texts[0].endswith("now")
    count = len(calls(tmp_path / "run"))
    lax = augmented(tmp_path / "run", "same_meaning=-1")
    assert all(len(texts) == 2 for texts in lax.values())
    assert len(calls(tmp_path / "run")) == count


def test_an_embedder_that_fails_lets_no_wording_out_and_ends(tmp_path: Path) -> None:
    failing = EMBEDDER | {"settings": {"refuse_share": 0.5}}
    mine(recipe(multiply=REWORDED, embedder=failing), tmp_path / "run")
    with open_run(tmp_path / "run") as run:
        assert not run.owed()
        assert run.view().reworded["declined"] > 0
    texts = augmented(tmp_path / "run").values()
    assert any(not some for some in texts)
    assert any(some for some in texts)


def test_a_writer_that_fails_at_rewording_loses_nothing_else(tmp_path: Path) -> None:
    failing = {"writer": {"fail_share": 0.6}}
    mine(recipe(failing, scenes=8, multiply=ALL), tmp_path / "run")
    before, left = Counter(call.role for call in calls(tmp_path / "run")), kept(tmp_path / "run")
    mine(recipe(failing, scenes=8, multiply=REWORDED), tmp_path / "run")
    added = Counter(call.role for call in calls(tmp_path / "run")) - before
    assert set(added) == {"writer", "embedder"}
    assert left
    assert [triplet.id for triplet in kept(tmp_path / "run")] == [triplet.id for triplet in left]
    texts = augmented(tmp_path / "run").values()
    assert any(not some for some in texts)
    with open_run(tmp_path / "run") as run:
        assert not run.owed()


def test_rewording_joins_a_finished_run_and_stops_change_nothing(tmp_path: Path) -> None:
    wanted = recipe(multiply=REWORDED, embedder=EMBEDDER)
    mine(wanted, tmp_path / "calm")
    mine(recipe(multiply=ALL), tmp_path / "stopped")
    for calls_before_stop in (3, 7):
        _mine_and_drain(wanted, tmp_path / "stopped", calls_before_stop)
    mine(wanted, tmp_path / "stopped")
    assert augmented(tmp_path / "calm") == augmented(tmp_path / "stopped")
    assert set(made(tmp_path / "stopped")) == set(made(tmp_path / "calm"))
    assert set(made(tmp_path / "stopped").values()) == {1}


def _mine_and_kill(what: Recipe, path: Path, after: int) -> None:
    """Mine until so many events have passed, then drop whatever is in flight."""
    with open_for_mining(what, path) as run:
        stoppers: list[Stopper] = []
        seen: list[object] = []

        def observe(event: object) -> None:
            seen.append(event)
            if len(seen) == after:
                stoppers[0].kill()

        asyncio.run(mine_open(run, observe, stoppers.append))


def test_kills_at_any_point_change_nothing(tmp_path: Path) -> None:
    wanted = recipe({"writer": {"fail_share": 0.2}}, multiply=REWORDED, embedder=EMBEDDER)
    mine(wanted, tmp_path / "calm")
    slow = {"latency": 0.001, "fail_share": 0.2}
    hasty = recipe({"writer": slow}, multiply=REWORDED, embedder=EMBEDDER)
    events = 2 * len(calls(tmp_path / "calm"))
    for after in range(9, events, 19):
        _mine_and_kill(hasty, tmp_path / "killed", after % 47 + 3)
    mine(wanted, tmp_path / "killed")
    with open_run(tmp_path / "killed") as run:
        assert not run.owed()
    assert augmented(tmp_path / "calm") == augmented(tmp_path / "killed")
    assert set(made(tmp_path / "killed").values()) == {1}
    assert verify(RunFolder(tmp_path / "killed")) == []


@pytest.mark.parametrize("role", ["writer", "editor", "validator", "embedder"])
def test_budgets_that_end_anywhere_and_are_raised_give_the_same(tmp_path: Path, role: str) -> None:
    wanted = recipe(policy="until_accepted", multiply=REWORDED, embedder=EMBEDDER)
    mine(wanted, tmp_path / "at-once")
    whole = Counter(call.role for call in calls(tmp_path / "at-once"))[role]
    for cap in range(5, whole, 1 + whole // 5):
        mine(wanted.model_copy(update={"budget": Budget(calls={role: cap})}), tmp_path / "raised")
        assert Counter(call.role for call in calls(tmp_path / "raised"))[role] <= cap
    mine(wanted, tmp_path / "raised")
    assert augmented(tmp_path / "at-once") == augmented(tmp_path / "raised")
    with open_run(tmp_path / "raised") as run:
        assert not run.owed()
        assert run.view().owed == 0


def test_a_writer_that_declines_leaves_out_what_it_declined_and_no_more(tmp_path: Path) -> None:
    rates = {"writer": {"refuse_share": 0.3}, "validator": {"pass_rate": 0.95}}
    declining = recipe(rates, scenes=10, multiply=REWORDED)
    mine(declining, tmp_path / "run")
    with open_run(tmp_path / "run") as run:
        assert not run.owed()
        view = run.view()
    assert view.owed == 0
    inverted = {t.attempt.id for t in view.triplets if t.kind == "inverse"}
    assert any(t.attempt.id not in inverted for t in view.triplets if t.kind == "forward")
    ends = {t.edited_image for t in view.triplets if t.kind == "chain"}
    spanned = {t.edited_image for t in view.triplets if t.kind == "stack"}
    assert spanned < ends
    count = len(calls(tmp_path / "run"))
    mine(declining, tmp_path / "run")
    assert len(calls(tmp_path / "run")) == count


def test_what_multiplies_names_what_it_needs(tmp_path: Path) -> None:
    from triptych.recipe import dump_recipe

    for key, needed in (
        ("composites_per_source=2", r"needs multiply\.inverse"),
        ("chains_per_source=1", r"needs multiply\.inverse"),
        ("stacks=true", r"needs multiply\.chains_per_source"),
    ):
        with pytest.raises(RecipeError, match=needed):
            parse_recipe(dump_recipe(recipe()), [f"multiply.{key}"], origin="recipe", base=tmp_path)


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
