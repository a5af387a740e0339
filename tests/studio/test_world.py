"""The world store: what goes in comes out, whoever else writes."""

from __future__ import annotations

from multiprocessing import get_context
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from triptych.backends.studio.canvas import generator
from triptych.backends.studio.edits import OPERATIONS, EditPlan
from triptych.backends.studio.layout import lay_out
from triptych.backends.studio.proposals import propose_edit
from triptych.backends.studio.truth import SourceTruth, Truth, truth_from
from triptych.backends.studio.wishes import propose_wish
from triptych.backends.studio.world import KnownPicture, WorldStore

ATTEMPTS = 40


def test_records_survive(tmp_path: Path) -> None:
    store = WorldStore(tmp_path / "world.sqlite")
    for seed in range(30):
        wish = propose_wish(generator(seed, "wish"), 1 + seed % 5, (), None, None)
        plan = propose_edit(generator(seed, "edit"), wish, OPERATIONS[seed % len(OPERATIONS)])
        plans = {} if plan is None else {f"edit {seed}": plan}
        store.add_scene(f"prompt {seed}", wish, plans, {f"edit {seed}": "inverse"})
        truth = SourceTruth(shows_prompt=False, looks_right=True, flaws=(("missing", 1.0),))
        known = KnownPicture(lay_out(wish, seed, (640, 640)), faithful=True, prompt="p", truth=truth)
        store.add_picture(f"image {seed}", known)
        again = WorldStore(store.path)
        assert again.wish(f"prompt {seed}") == wish
        assert again.plan(f"edit {seed}") == plan
        assert again.inverse(f"prompt {seed}", f"edit {seed}") == "inverse"
        assert again.picture(f"image {seed}") == known
        assert again.source_truth(f"image {seed}") == truth


def test_the_unknown_is_none(tmp_path: Path) -> None:
    store = WorldStore(tmp_path / "deeper" / "world.sqlite")
    assert store.wish("?") is None
    assert store.plan("?") is None
    assert store.inverse("?", "?") is None
    assert store.picture("?") is None
    assert store.source_truth("?") is None
    assert store.truth_of("?", "?", "?") is None


def test_truth_belongs_to_source_instruction_and_edited_picture(tmp_path: Path) -> None:
    store = WorldStore(tmp_path / "world.sqlite")
    good, bad = Truth(4.8, 4.7), Truth(1.0, 4.5, (("ignored", 1.0),))
    store.add_attempt("source", "make it rain", "edited", good, None)
    store.add_attempt("source", "make it snow", "edited", bad, None)
    assert store.truth_of("source", "make it rain", "edited") == good
    assert store.truth_of("source", "make it snow", "edited") == bad
    assert store.truth_of("edited", "make it rain", "source") is None


def write_many(path: Path, worker: int) -> None:
    store = WorldStore(path)
    for number in range(ATTEMPTS):
        store.add_plans({f"edit {worker} {number}": EditPlan("weather", value="rain")})
        store.add_attempt(f"s{worker}", "edit", f"e{number}", Truth(4.0, 4.0), None)


def test_many_processes_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "world.sqlite"
    context = get_context("spawn")
    workers = [context.Process(target=write_many, args=(path, worker)) for worker in range(3)]
    for process in workers:
        process.start()
    for process in workers:
        process.join()
        assert process.exitcode == 0
    store = WorldStore(path)
    for worker in range(len(workers)):
        for number in range(ATTEMPTS):
            assert store.plan(f"edit {worker} {number}") is not None
            assert store.truth_of(f"s{worker}", "edit", f"e{number}") is not None


kinds = st.sampled_from(["ignored", "drift", "blur", "lost", "partial", "shift"])
strengths = st.floats(0, 1)


@given(st.lists(st.tuples(kinds, strengths), max_size=3), kinds, strengths)
@settings(deadline=None)
def test_a_further_flaw_never_raises_a_score(
    flaws: list[tuple[str, float]], kind: str, strength: float
) -> None:
    fewer, more = truth_from(tuple(flaws)), truth_from((*flaws, (kind, strength)))
    assert 1 <= more.adherence <= fewer.adherence <= 5
    assert 1 <= more.aesthetics <= fewer.aesthetics <= 5


@given(kinds, strengths, strengths)
@settings(deadline=None)
def test_a_stronger_flaw_scores_lower(kind: str, one: float, other: float) -> None:
    weak, strong = sorted((one, other))
    assert truth_from(((kind, strong),)).adherence <= truth_from(((kind, weak),)).adherence


def test_without_flaws_an_attempt_is_good() -> None:
    assert truth_from(()).good
