"""Backward, joined and reworded instructions, and the truth of the pairs they make."""

from __future__ import annotations

import asyncio
import itertools
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.studio.conftest import Studio, name
from tests.studio.test_grammar import assert_reads_well, edit_of, meaning
from triptych.backends.studio.canvas import generator
from triptych.backends.studio.catalogue import KINDS
from triptych.backends.studio.derived_plans import inverse_in_full, joined, speaks_of_what_is_gone
from triptych.backends.studio.derived_truth import derived, truth_of_pair
from triptych.backends.studio.derived_wording import BANNED, order_for, paraphrases
from triptych.backends.studio.edits import OPERATIONS, EditPlan, apply_plan
from triptych.backends.studio.layout import lay_out
from triptych.backends.studio.mishaps import MISHAPS
from triptych.backends.studio.prompts import SIZE_WORDS, UNCOLOURED, Description, Wish
from triptych.backends.studio.proposals import propose_edit
from triptych.backends.studio.scene import Scene, Thing
from triptych.backends.studio.shown import flaws_shown
from triptych.backends.studio.truth import PIXEL_FLAWS, Truth
from triptych.backends.studio.wishes import propose_wish
from triptych.backends.studio.world import KnownPicture
from triptych.backends.studio.writer import StudioWriter
from triptych.bootstrap.invert import points_back
from triptych.errors import CallFailed, Refused
from triptych.roles import InvertRequest, JoinRequest, ParaphraseRequest

SIZE = (512, 512)
PLACES = re.compile(
    r"\b(on the|in the|by the|at the|close to|farther|next to|beside|right by|where the|among)\b"
)
seeds = st.integers(0, 2**40)


def two_edits(seed: int) -> tuple[Wish, EditPlan, EditPlan] | None:
    wish = propose_wish(generator(seed, "wish"), 1 + seed % 5, (), None, None)
    rng = generator(seed, "edits")
    pair = [propose_edit(rng, wish, OPERATIONS[int(rng.integers(len(OPERATIONS)))]) for _ in range(2)]
    if pair[0] is None or pair[1] is None or pair[0] == pair[1]:
        return None
    return wish, pair[0], pair[1]


def test_backward_instructions_are_told_in_full_without_a_banned_word() -> None:
    seen = 0
    for seed in range(600):
        found = edit_of(seed, OPERATIONS[seed % len(OPERATIONS)])
        if found is None:
            continue
        wish, plan = found
        inverse = inverse_in_full(wish, plan)
        assert inverse is not None
        text = order_for(inverse, generator(seed, "words"))
        assert not BANNED.search(text)
        assert points_back(text) is None
        assert_reads_well(text)
        assert len(text.split()) <= 40
        for part in inverse.parts or (inverse,):
            assert_told_in_full(text, part, wish)
        seen += 1
    assert seen >= 500


def assert_told_in_full(text: str, part: EditPlan, wish: Wish) -> None:
    thing = part.thing
    if thing is not None and part.operation in ("add", "replace"):
        noun = KINDS[thing.kind].noun
        looks = thing.material is not None or thing.colour is not None or wish.style in UNCOLOURED
        assert looks
        assert thing.size in SIZE_WORDS
        assert f"{thing.size} " in text
        assert thing.colour in (None, noun) or f"{thing.colour} " in text
        assert PLACES.search(text) or part.operation == "replace"
    if part.target is not None and (part.target.place or part.target.beside):
        assert PLACES.search(text)
    if part.operation == "resize":
        assert re.search(r"\d+ percent", text)
    if part.operation == "color":
        assert str(part.value) in text


@given(seeds)
@settings(max_examples=250, deadline=None)
def test_a_joined_plan_leads_from_one_edited_scene_to_the_other(seed: int) -> None:
    found = two_edits(seed)
    if found is None:
        return
    wish, one, other = found
    scene = lay_out(wish, seed, SIZE)
    inverse = inverse_in_full(wish, one)
    assert inverse is not None
    before, after = apply_plan(scene, one, SIZE), apply_plan(scene, other, SIZE)
    plan = joined(inverse, other)
    shown = before if plan is None else apply_plan(before, plan, SIZE)
    assert meaning(shown) == meaning(after)
    kept = {thing.id for thing in shown.things} & {thing.id for thing in scene.things}
    heights = {thing.id: thing.height for thing in after.things}
    if any(part.operation == "remove" for part in (one, *one.parts)):
        return  # what was taken out comes in at another size, maybe under another's name
    still_there = {thing.id for thing in before.things}
    for thing in shown.things:
        if thing.id in kept & still_there & heights.keys():
            assert thing.height == pytest.approx(heights[thing.id], rel=0.01)


@given(seeds)
@settings(max_examples=250, deadline=None)
def test_a_joined_instruction_is_one_sentence_that_says_nothing_twice(seed: int) -> None:
    found = two_edits(seed)
    if found is None:
        return
    wish, one, other = found
    inverse = inverse_in_full(wish, one)
    assert inverse is not None
    plan = joined(inverse, other)
    if plan is None:
        return
    text = order_for(plan, generator(seed, "words"))
    assert_reads_well(text)
    assert "." not in text
    assert points_back(text) is None
    assert not speaks_of_what_is_gone(plan)
    assert all(not part.parts for part in plan.parts)
    targets = [part.target.kind for part in plan.parts if part.target is not None]
    resized = [part for part in plan.parts if part.operation == "resize"]
    assert len(targets) - len(set(targets)) <= len(resized)


CAT, TEAL_CAT = Description("cat"), Description("cat", "teal")


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [
        (
            EditPlan("color", TEAL_CAT, value="orange"),
            EditPlan("remove", CAT),
            EditPlan("remove", TEAL_CAT),
        ),
        (
            EditPlan("color", TEAL_CAT, value="orange"),
            EditPlan("color", CAT, value="pink"),
            EditPlan("color", TEAL_CAT, value="pink"),
        ),
        (EditPlan("color", TEAL_CAT, value="orange"), EditPlan("color", CAT, value="teal"), None),
        (EditPlan("add", thing=CAT), EditPlan("remove", CAT), None),
        (
            EditPlan("add", thing=CAT),
            EditPlan("color", CAT, value="teal"),
            EditPlan("add", thing=TEAL_CAT),
        ),
        (
            EditPlan("replace", Description("dog"), CAT),
            EditPlan("remove", CAT),
            EditPlan("remove", Description("dog")),
        ),
        (
            EditPlan("weather", value="clear"),
            EditPlan("weather", value="snow"),
            EditPlan("weather", value="snow"),
        ),
        (
            EditPlan("background", value="beach", leaving="city"),
            EditPlan("background", value="city"),
            None,
        ),
        (EditPlan("resize", CAT, value="bigger"), EditPlan("resize", CAT, value="smaller"), None),
        (EditPlan("color_correction", value="warmer"), EditPlan("color_correction", value="cooler"), None),
    ],
)
def test_what_is_needless_goes(first: EditPlan, second: EditPlan, both: EditPlan | None) -> None:
    assert joined(first, second) == both


@given(seeds, st.sampled_from(OPERATIONS))
@settings(max_examples=150, deadline=None)
def test_four_registers_unlike_each_other(seed: int, operation: str) -> None:
    found = edit_of(seed, operation)  # type: ignore[arg-type]
    if found is None:
        return
    instruction = order_for(found[1], generator(seed, "words"))
    short, casual, imperative, question = texts = paraphrases(found[1], instruction, generator(seed, "more"))
    assert len({*texts, instruction}) == 5
    assert question.endswith("?")
    assert not casual.endswith("?")
    assert len(short) <= len(imperative)
    for text in texts:
        assert_reads_well(text)


# ---- The Writer ------------------------------------------------------------------------------------------


def ask(studio: Studio, prompt: str | None, instruction: str, seed: int = 1) -> str | CallFailed:
    writer = StudioWriter(studio.config("writer"))
    (answer,) = asyncio.run(writer.invert([InvertRequest(prompt, instruction, "?", seed)]))
    return answer


def test_every_derived_text_is_known_to_the_world(studio: Studio) -> None:
    writer = StudioWriter(studio.config("writer"))
    for seed in range(8):
        draft = studio.write(seed)
        first, second = (edit.instruction for edit in draft.edits[:2])
        inverse = ask(studio, draft.prompt, first, seed)
        assert isinstance(inverse, str)
        assert inverse == ask(studio, draft.prompt, first, seed)
        (both,) = asyncio.run(writer.join([JoinRequest(inverse, second, seed)]))
        (texts,) = asyncio.run(writer.paraphrase([ParaphraseRequest(first, seed)]))
        assert isinstance(both, str)
        assert isinstance(texts, tuple)
        plan = studio.world.plan(first)
        assert all(studio.world.plan(text) == plan for text in texts)
        assert studio.world.plan(inverse) is not None
        assert studio.world.plan(both) is not None


def test_what_is_not_known_is_refused(studio: Studio) -> None:
    writer = StudioWriter(studio.config("writer"))
    draft = studio.write(3)
    for prompt, instruction in ((None, draft.edits[0].instruction), (draft.prompt, "Sing"), ("?", "Sing")):
        answer = ask(studio, prompt, instruction)
        assert isinstance(answer, Refused)
        assert answer.reason == "inverse_not_known"
    (both,) = asyncio.run(writer.join([JoinRequest("Sing", "Dance", 1)]))
    (texts,) = asyncio.run(writer.paraphrase([ParaphraseRequest("Sing", 1)]))
    assert isinstance(both, Refused)
    assert isinstance(texts, Refused)


# ---- Truth -----------------------------------------------------------------------------------------------


def test_derived_truth_agrees_with_the_editors_own(studio: Studio) -> None:
    told: list[tuple[Truth, Truth, Truth | None, bool]] = []
    for seed in range(14):
        draft = studio.write(seed)
        source = studio.paint(draft.prompt, seed, 128, 128)
        for number, edit in enumerate(draft.edits):
            edited, truth = studio.edit(source, edit.instruction, 10 * seed + number)
            again = derived(studio.world, name(source), edit.instruction, name(edited))
            inverse = ask(studio, draft.prompt, edit.instruction)
            assert again is not None
            assert isinstance(inverse, str)
            assert truth_of_pair(studio.world, name(source), edit.instruction, name(edited)) == truth
            backward = truth_of_pair(studio.world, name(edited), inverse, name(source))
            told.append((truth, again, backward, studio.source_truth(source).good))
    assert sum(truth.good == again.good for truth, again, _, _ in told) >= 0.95 * len(told)
    clean = [back for truth, _, back, source_good in told if source_good and not truth.flaws]
    trivial = [back for truth, _, back, _ in told if {"trivial", "ignored"} & dict(truth.flaws).keys()]
    assert len(clean) >= 5
    assert len(trivial) >= 3
    assert all(back is not None and back.good for back in clean)
    assert not any(back is None or back.good for back in trivial)


def scene_of(*things: Thing) -> Scene:
    return Scene(seed=1, setting="meadow", things=things)


CASTLE = Thing("t1", "castle", 0.8, 0.8, 0.3)
BALL = Thing("t2", "balloon", 0.3, 0.5, 0.2, ground=0.8)


def shown(before: Scene, plan: EditPlan, after: Scene) -> tuple[str, ...]:
    return tuple(kind for kind, _ in flaws_shown(before, plan, after, SIZE))


def test_a_source_that_shows_another_colour_is_no_inverse() -> None:
    add_red = EditPlan("add", thing=Description("balloon", "red", place="left"))
    assert shown(scene_of(CASTLE), add_red, scene_of(CASTLE, BALL)) == ()
    blue = scene_of(CASTLE, replace(BALL, colour="blue"))
    assert shown(scene_of(CASTLE), add_red, blue) == ("wrong_attribute",)
    right = scene_of(CASTLE, replace(BALL, x=0.7))
    assert shown(scene_of(CASTLE), add_red, right) == ("wrong_attribute",)
    assert shown(scene_of(CASTLE), add_red, scene_of(CASTLE)) == ("trivial",)
    twice = scene_of(CASTLE, BALL, replace(BALL, id="t3", x=0.5))
    assert shown(scene_of(CASTLE), add_red, twice) == ("over_edit",)


def test_what_nobody_asked_for_is_a_flaw() -> None:
    both = scene_of(CASTLE, BALL)
    teal = EditPlan("color", Description("balloon"), value="teal")
    done = replace(BALL, colour="teal")
    assert shown(both, teal, scene_of(CASTLE, done)) == ()
    assert shown(both, teal, scene_of(done)) == ("lost",)
    assert shown(both, teal, scene_of(replace(CASTLE, x=0.7), done)) == ("moved",)
    assert shown(both, teal, scene_of(replace(CASTLE, colour="pink"), done)) == ("collateral",)
    assert shown(both, teal, replace(scene_of(CASTLE, done), time="night")) == ("collateral",)
    assert shown(both, teal, scene_of(replace(CASTLE, colour="teal"), BALL))[0] == "wrong_object"
    assert shown(scene_of(CASTLE), teal, scene_of(CASTLE)) == ("trivial",)
    two = EditPlan("composite", parts=(teal, EditPlan("weather", value="rain")))
    assert shown(both, two, scene_of(CASTLE, done)) == ("half",)
    assert shown(both, two, replace(scene_of(CASTLE, done), weather="rain")) == ()


def test_things_compare_whatever_they_are_called() -> None:
    """Two edits of one source may each add a thing under the same name."""
    before = scene_of(CASTLE, BALL)
    after = scene_of(CASTLE, Thing("t2", "cow", 0.3, 0.8, 0.25))
    swap = EditPlan(
        "composite",
        parts=(EditPlan("remove", Description("balloon")), EditPlan("add", thing=Description("cow"))),
    )
    assert shown(before, swap, after) == ()


@pytest.mark.parametrize("kind", ["drift", "shift", "blur", "blotch", "ghost"])
def test_damage_counts_on_either_side_but_not_on_both(studio: Studio, kind: str) -> None:
    world, scene = studio.world, scene_of(CASTLE, BALL)
    rain = replace(scene, weather="rain")
    world.add_plans(
        {"Make it rain": EditPlan("weather", value="rain"), "Clear up": EditPlan("weather", value="clear")}
    )
    world.add_plans({"Remove it": EditPlan("remove", Description("balloon"))})
    world.add_picture("source", KnownPicture(scene, faithful=True, prompt="p", size=SIZE))
    bad = Truth(2.0, 2.0, ((kind, 0.9),))
    world.add_attempt("source", "Make it rain", "wet", bad, KnownPicture(rain, faithful=False, size=SIZE))
    gone = KnownPicture(replace(rain, things=(CASTLE,)), faithful=False, size=SIZE)
    world.add_attempt("wet", "Remove it", "wetter", Truth(4.9, 4.8), gone)
    forward = derived(world, "source", "Make it rain", "wet")
    backward = derived(world, "wet", "Clear up", "source")
    further = derived(world, "wet", "Remove it", "wetter")
    assert forward is not None
    assert backward is not None
    assert further is not None
    assert forward.flaws == ((kind, 0.9),)
    assert backward.flaws == ((f"source_{kind}", 0.9),)
    assert backward.aesthetics > 4.5
    assert backward.adherence == pytest.approx(forward.adherence)
    assert further.good


def test_an_editor_that_draws_a_damaged_picture_anew_changed_more_than_asked(studio: Studio) -> None:
    world, unwanted = studio.world, 0
    world.add_plans({"Make it night": EditPlan("time_of_day", value="night")})
    for seed in range(6):
        draft = studio.write(seed, "add", objects=2, edits=1)
        source = studio.paint(draft.prompt, seed, 96, 96)
        edited, truth = studio.edit(source, draft.edits[0].instruction, seed)
        assert not any(kind.startswith("source_") for kind, _ in truth.flaws)
        damage = {kind for kind, _ in truth.flaws} & set(PIXEL_FLAWS)
        further, later = studio.edit(edited, "Make it night", seed)
        again = derived(world, name(edited), "Make it night", name(further))
        assert again is not None
        found = {kind for kind, _ in later.flaws if kind.startswith("source_")}
        assert found <= {f"source_{kind}" for kind in damage}
        assert later.good == again.good
        unwanted += len(found)
    assert unwanted > 0


def test_nothing_is_made_up_of_unknown_pictures(studio: Studio) -> None:
    assert truth_of_pair(studio.world, "?", "Make it rain", "?") is None


def test_mishaps_of_a_thing_put_in_count() -> None:
    floating = replace(CASTLE, y=0.55, ground=0.8)
    add = EditPlan("add", thing=Description("castle"))
    flaws = flaws_shown(scene_of(BALL), add, scene_of(BALL, floating), SIZE, frozenset({"floating"}))
    assert [kind for kind, _ in flaws] == ["floating"]
    assert "floating" in MISHAPS


def test_stacks_of_all_edits_of_a_scene_are_true_and_read_well(studio: Studio) -> None:
    """⟨source, both instructions as one, the chain's end⟩ by perfect edits, through the Writer's texts."""
    writer = StudioWriter(studio.config("writer"))
    made, refused = 0, set()
    for seed in range(14):
        draft = studio.write(seed, edits=4)
        wish = studio.world.wish(str(draft.prompt))
        assert wish is not None
        scene = lay_out(wish, seed, SIZE)
        for one, other in itertools.permutations(draft.edits, 2):
            plans = [studio.world.plan(edit.instruction) for edit in (one, other)]
            after = scene
            for each in plans:
                assert each is not None
                after = apply_plan(after, each, SIZE)
            (text,) = asyncio.run(writer.join([JoinRequest(one.instruction, other.instruction, seed)]))
            if isinstance(text, CallFailed):
                refused.add(text.reason)
                continue
            assert points_back(text) is None or points_back(one.instruction) or points_back(other.instruction)
            assert_reads_well(text)
            plan = studio.world.plan(text)
            assert plan is not None
            flaws = dict(flaws_shown(scene, plan, after, SIZE))
            flaws.pop("lost", None)  # hidden behind what came in: true of the forward edit too
            assert not flaws, (text, flaws)
            made += 1
    assert made > 100
    assert refused <= {"nothing_left", "nothing_added", "about_what_is_gone"}
    assert "about_what_is_gone" in refused


def test_joins_of_all_edits_of_a_scene_are_true(studio: Studio) -> None:
    """⟨edited_i, joined, edited_j⟩ by perfect edits, through the Writer's own texts."""
    writer = StudioWriter(studio.config("writer"))
    made = 0
    for seed in range(12):
        draft = studio.write(seed, edits=4)
        wish = studio.world.wish(str(draft.prompt))
        assert wish is not None
        scene = lay_out(wish, seed, SIZE)
        for one, other in itertools.permutations(draft.edits, 2):
            plans = [studio.world.plan(edit.instruction) for edit in (one, other)]
            assert plans[0] is not None
            assert plans[1] is not None
            inverse = ask(studio, draft.prompt, one.instruction, seed)
            assert isinstance(inverse, str)
            (text,) = asyncio.run(writer.join([JoinRequest(inverse, other.instruction, seed)]))
            if not isinstance(text, str):
                continue
            plan = studio.world.plan(text)
            assert plan is not None
            before, after = (apply_plan(scene, each, SIZE) for each in plans if each is not None)
            flaws = dict(flaws_shown(before, plan, after, SIZE))
            flaws.pop("lost", None)  # hidden behind what came in: true of the forward edit too
            assert not flaws, (text, flaws)
            made += 1
    assert made > 80
