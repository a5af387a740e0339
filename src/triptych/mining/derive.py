"""Which pairs derive from accepted ones, as far as is known by now: a query, asked anew as facts come."""

from __future__ import annotations

from triptych.bootstrap.compose import choose_pairs
from triptych.mining.state import Chain, DerivedState, Plan, SceneState, SourceState, open_lane, spent_reason
from triptych.validator.rule import Accepted, Decision, Undecided, backward_decision


def derive(plan: Plan, scene: SceneState, source: SourceState, *, closing: bool) -> list[DerivedState]:
    """The pairs that this source's accepted attempts give rise to, as far as that is known by now.

    An inverse for the best of every lane that is finished; composites once all lanes and inverses are.
    `closing`: no further attempt will be made, so every lane counts as finished.
    """
    inverses, whole = _inverses(plan, scene, source, closing=closing)
    if not whole:
        return inverses
    return inverses + _composites(plan, scene, source, inverses)


def chains(plan: Plan, scene: SceneState, source: SourceState, *, closing: bool) -> list[Chain]:
    """The edits to be made on results of other edits, known once all inverses of the source are judged.

    The same edits are chained as are composed: those whose inverse was accepted.
    """
    count = plan.recipe.multiply.chains_per_source
    inverses, whole = _inverses(plan, scene, source, closing=closing)
    if not count or not whole:
        return []
    sound = _sound(plan, inverses)
    found = []
    for i, j in choose_pairs([inverse.edits[0].category for inverse in sound], count):
        first, edits = sound[i].attempts[0], (sound[i].edits[0], sound[j].edits[0])
        key = first.id, first.image, edits[1].id
        if key not in source.chains:
            place = edits[0].ordinal, edits[1].ordinal
            lane = open_lane(plan, scene, (first.id, first.image), place, edits[1])
            source.chains[key] = Chain(first, edits, lane, sound[i])
        found.append(source.chains[key])
    return found


def stacks(plan: Plan, scene: SceneState, source: SourceState, *, closing: bool) -> list[DerivedState]:
    """Both instructions of a chain as one, for every chain that is finished and has an accepted end.

    `closing`: no further attempt at a chain will be made, so every chain counts as finished.
    """
    if not plan.recipe.multiply.stacks or source.source is None:
        return []
    found = []
    for chain in chains(plan, scene, source, closing=closing):
        if closing or chain.lane.finished(plan):
            stack = chain.stack(plan, source.source)
            if stack is not None:
                found.append(_known(plan, scene, source, stack))
    return found


def _inverses(
    plan: Plan, scene: SceneState, source: SourceState, *, closing: bool
) -> tuple[list[DerivedState], bool]:
    """Inverses of the best of every finished lane, and whether they are all there and settled."""
    inverses: list[DerivedState] = []
    open_ends = False
    if not plan.recipe.multiply.inverse or source.source is None:
        return inverses, False
    if not isinstance(source.decision(plan, scene.scene), Accepted):
        return inverses, False
    for lane in source.lanes:
        best = lane.best(plan)
        if not (closing or lane.finished(plan)):
            open_ends = True
        elif best is not None:
            inverse = DerivedState("inverse", (lane.edit,), (best[0],), best[0].image, source.source.image)
            inverses.append(_known(plan, scene, source, inverse))
    return inverses, not open_ends and all(inverse.settled(plan) for inverse in inverses)


def _sound(plan: Plan, inverses: list[DerivedState]) -> list[DerivedState]:
    """Inverses that were accepted, so that their edits may be built on."""
    return [
        inverse
        for inverse in inverses
        if isinstance(inverse.decision(plan), Accepted)
        # Two orders joined with a third no longer read as one instruction.
        and inverse.edits[0].category != "composite"
    ]


def _composites(
    plan: Plan, scene: SceneState, source: SourceState, inverses: list[DerivedState]
) -> list[DerivedState]:
    """Joined pairs of edits whose inverses were accepted, as many as the recipe allows."""
    sound = _sound(plan, inverses)
    categories = [inverse.edits[0].category for inverse in sound]
    composites = []
    for i, j in choose_pairs(categories, plan.recipe.multiply.composites_per_source):
        first, second = sound[i], sound[j]
        composite = DerivedState(
            "composite",
            (first.edits[0], second.edits[0]),
            (first.attempts[0], second.attempts[0]),
            first.attempts[0].image,
            second.attempts[0].image,
            rests_on=(first, second),
        )
        composites.append(_known(plan, scene, source, composite))
    return composites


def _known(plan: Plan, scene: SceneState, source: SourceState, derived: DerivedState) -> DerivedState:
    """The state of this pair that is kept already, or this one with what the facts say of it."""
    kept = source.derived.get(derived.key)
    if kept is not None:
        return kept
    id_ = derived.phrase_id(plan)
    derived.phrase = scene.phrases.get(id_)
    if derived.phrase is None:
        derived.spent = scene.unphrased.get(id_) or spent_reason(plan, scene.calls.get(id_))
    derived.know(plan, scene.facts)
    scene.shared(derived)
    source.derived[derived.key] = derived
    return derived


def kept_after_backward(plan: Plan, inverse: DerivedState | None) -> Decision:
    """Whether a selected triplet stays, given its inverse (None where the recipe wants none)."""
    if inverse is None or inverse.spent is not None:
        return Accepted()
    said = plan.people.get(inverse.attempts[0].pair_id)
    if said is not None and said.good:
        return Accepted()
    if not inverse.settled(plan):
        return Undecided("backward")
    specs = plan.spec_id("soft_filter"), plan.spec_id("validator")
    return backward_decision(inverse.verdicts, *specs, plan.recipe.rule)
