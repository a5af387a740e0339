"""What may be claimed of a run's precision: only what a calibration's guarantee covers."""

from __future__ import annotations

from dataclasses import dataclass

from triptych.mining.state import Plan


@dataclass(frozen=True, slots=True)
class Claim:
    """Precision of the forward triplets that leave the run, or why none is claimed."""

    precision: float | None
    confidence: float | None
    groups: tuple[str, ...]  # categories with a threshold of their own, and the pooled rest
    uncalibrated: str | None


def claim_of(plan: Plan) -> Claim | None:
    """The claim under this plan's rule; None where its rule has no thresholds that promise anything."""
    guarantee = None if plan.scorer is None else plan.scorer.calibration.guarantee
    if guarantee is None:
        return None
    recipe = plan.recipe
    why = guarantee.refusal(recipe.policy, recipe.attempts, plan.spec_id("editor"))
    if recipe.rule.accept is not None:
        why = "uncalibrated: accept replaces the file's own thresholds"
    groups = tuple(guarantee.groups)
    if why is not None:
        return Claim(None, None, groups, why)
    return Claim(guarantee.precision, guarantee.confidence, groups, None)
