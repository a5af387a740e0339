"""What is true of pairs that no editor made: inverses, composites, and any two pictures of the studio."""

from __future__ import annotations

from typing import Final

from triptych.backends.studio.edits import apply_plan
from triptych.backends.studio.layout import Size
from triptych.backends.studio.shown import flaws_shown, worst
from triptych.backends.studio.subjects import way_between
from triptych.backends.studio.truth import PIXEL_FLAWS, Flaws, Truth, truth_from
from triptych.backends.studio.world import KnownAttempt, WorldStore

NOMINAL_SIZE: Final[Size] = (1024, 1024)  # px, for pictures stored before sizes were kept
USUAL_DOUBT: Final = (0.135, 0.165)  # the means of the editor's own: matters of taste

Damage = dict[tuple[str, str], float]  # (picture it came in with, kind) -> strength


def truth_of_pair(world: WorldStore, source: str, instruction: str, edited: str) -> Truth | None:
    """What is true of ⟨source, instruction, edited⟩ by the pictures' hashes; None: something isn't known.

    An editor's own attempt has the truth that was stored with it; any other pair is derived (see `derived`).
    """
    return world.truth_of(source, instruction, edited) or derived(world, source, instruction, edited)


def derived(world: WorldStore, source: str, instruction: str, edited: str) -> Truth | None:
    """The truth that follows from both scene graphs, the plan, and the damage known of each picture.

    What the plan asks of the first picture's own graph is compared with the second's graph (see
    `shown.flaws_shown`): things by kind, colour, material, size and place, and the whole by setting, time,
    season, weather, style, degradation and correction. "trivial" where nothing is asked of the first picture
    or both show the same.

    Damage to pixels counts where the two pictures differ in it. New in the second, it costs what it costs any
    attempt. Gone from the second (an inverse of a blurred edit sharpens), it is a change nobody asked for:
    it costs its adherence alone, as "source_blur". What both inherit from one ancestor costs nothing.
    """
    first, plan, second = world.picture(source), world.plan(instruction), world.picture(edited)
    if first is None or plan is None or second is None:
        return None
    mishaps = frozenset(kind for kind, _ in second.truth.flaws) if second.truth is not None else frozenset()
    flaws = flaws_shown(first.scene, plan, second.scene, second.size or NOMINAL_SIZE, mishaps)
    if flaws and flaws[0][0] == "trivial":
        return truth_from(flaws, USUAL_DOUBT)
    return truth_from((*worst(flaws), *_unequal_damage(world, source, edited)), USUAL_DOUBT)


def _unequal_damage(world: WorldStore, source: str, edited: str) -> Flaws:
    before, after = damage_of(world, source), damage_of(world, edited)
    new = worst((key[1], strength) for key, strength in after.items() if key not in before)
    gone = dict(worst((key[1], strength) for key, strength in before.items() if key not in after))
    if "blur" in gone:  # softness has no direction: as much of it before as after is no change
        gone["blur"] = max(0.0, gone["blur"] - dict(new).get("blur", 0.0))
    return (*new, *((f"source_{kind}", strength) for kind, strength in gone.items() if strength > 0))


def worst_damage(world: WorldStore, image: str) -> Flaws:
    """The damage that a picture's pixels bear, each kind once."""
    return worst((kind, strength) for (_, kind), strength in damage_of(world, image).items())


def damage_of(world: WorldStore, image: str) -> Damage:
    """The damage that a picture's pixels bear, its own and what it kept of the picture it was made from."""
    known, attempt = world.picture(image), world.attempt_behind(image)
    before = None if attempt is None else world.picture(attempt.source)
    if known is None or attempt is None or before is None:
        return {}
    own = {(image, kind): strength for kind, strength in attempt.truth.flaws if kind in PIXEL_FLAWS}
    if (image, "over_edit") in own and not _as_asked(world, attempt, image):
        del own[image, "over_edit"]  # a slip: the graph shows it
    if way_between(before.scene, known.scene) == "anew":
        return own
    return damage_of(world, attempt.source) | own


def _as_asked(world: WorldStore, attempt: KnownAttempt, image: str) -> bool:
    before, plan, known = world.picture(attempt.source), world.plan(attempt.instruction), world.picture(image)
    if before is None or plan is None or known is None:
        return False
    return apply_plan(before.scene, plan, known.size or NOMINAL_SIZE) == known.scene
