"""What the gallery shows, in plain words and numbers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from typing import Literal

from triptych.datasets.dataset import style_of, thresholds
from triptych.ledger.images import ImageStore
from triptych.ledger.queries import RoleCost
from triptych.mining.select import RejectedPair, RunView, Triplet
from triptych.mining.slots import Slot
from triptych.mining.state import Plan
from triptych.records import RoleName
from triptych.validator.rule import Rejected, Scores


@dataclass(frozen=True, slots=True)
class GalleryPair:
    """A before and an after, with all that is written under them."""

    id: str
    source_image: str  # hashes in the image store
    edited_image: str
    instruction: str
    category: str
    style: str
    kind: str
    width: int  # pixels, of both pictures
    height: int
    prompt: str | None = None  # None: a photograph that nobody has described
    adherence: float | None = None  # 1..5; None: not judged
    aesthetics: float | None = None
    geometric_mean: float | None = None
    judge: Literal["validator", "soft_filter"] | None = None  # whose scores these are


@dataclass(frozen=True, slots=True)
class GalleryData:
    """Everything on the page."""

    run_name: str
    command: str  # that made the run
    images: ImageStore
    funnel: Mapping[str, int]  # stage → count, in order
    triplets: Sequence[GalleryPair]
    triplets_total: int  # more than are shown, where a limit cut them
    rejections: Mapping[str, int]  # reason → sources and attempts
    rejected: Mapping[str, Sequence[GalleryPair]]  # reason → a few examples
    failures: Mapping[str, int]  # reason → calls that gave no result
    costs: Mapping[str, RoleCost]
    thresholds: Mapping[str, str]  # "validator: adherence" → "≥ 4.7"


def gallery_data(
    run_name: str,
    plan: Plan,
    view: RunView,
    rejected: Iterable[RejectedPair],
    costs: Mapping[RoleName, RoleCost],
    failures: Mapping[str, int],
    *,
    images: ImageStore,
    command: str,
    slots: Iterable[Slot] = (),
    limit: int = 400,
    examples: int = 6,
) -> GalleryData:
    """The gallery of a run: at most `limit` triplets, and `examples` rejected pairs for each reason.

    `slots`: the run's scenes, for examples of sources that the screen stopped.
    What is shown of a larger run is drawn without regard to scores, and the same each time.
    """
    shown = {triplet.id for triplet in nsmallest(limit, view.triplets, key=lambda triplet: triplet.id)}
    return GalleryData(
        run_name=run_name,
        command=command,
        images=images,
        funnel=dict(view.funnel),
        triplets=[_selected(triplet) for triplet in view.triplets if triplet.id in shown],
        triplets_total=len(view.triplets),
        rejections=dict(sorted(view.rejections.items(), key=lambda item: (-item[1], item[0]))),
        rejected=_examples(rejected, examples) | _screened_out(plan, slots, examples),
        failures=dict(failures),
        costs=dict[str, RoleCost](costs.items()),
        thresholds=thresholds(plan.recipe.rule),
    )


def _examples(rejected: Iterable[RejectedPair], count: int) -> dict[str, list[GalleryPair]]:
    """A few pairs of each reason, spread over the run: hashes are as good as chance, and repeat."""
    kept: dict[str, list[RejectedPair]] = defaultdict(list)
    for pair in rejected:
        reason = pair.reason if pair.kind == "forward" else f"{pair.kind}_{pair.reason}"
        kept[reason].append(pair)
        if len(kept[reason]) > 20 * count:
            kept[reason] = _spread(kept[reason], count)
    return {reason: [_stopped(pair) for pair in _spread(kept[reason], count)] for reason in sorted(kept)}


def _screened_out(plan: Plan, slots: Iterable[Slot], count: int) -> dict[str, list[GalleryPair]]:
    """A few sources of each reason, as pairs without an edit."""
    kept: dict[str, list[GalleryPair]] = defaultdict(list)
    for slot in slots:
        for state in slot.state.sources if slot.state else ():
            assert slot.state is not None  # noqa: S101  (the loop is over its sources)
            scene, source = slot.state.scene, state.source
            decision = state.decision(plan, scene)
            if isinstance(decision, Rejected) and source is not None:
                kept[decision.reason].append(
                    GalleryPair(
                        id=source.id,
                        source_image=source.image,
                        edited_image=source.image,
                        instruction=scene.prompt or "",
                        category="source",
                        style=style_of(scene),
                        kind="",
                        width=source.width,
                        height=source.height,
                    )
                )
    return {reason: nsmallest(count, pairs, key=lambda pair: pair.id) for reason, pairs in kept.items()}


def _spread(pairs: list[RejectedPair], count: int) -> list[RejectedPair]:
    return nsmallest(count, pairs, key=lambda pair: pair.id)


def _selected(triplet: Triplet) -> GalleryPair:
    return _pair(triplet, triplet.scores, "validator")


def _stopped(pair: RejectedPair) -> GalleryPair:
    judge: Literal["validator", "soft_filter"] = "validator" if pair.scores else "soft_filter"
    return _pair(pair, pair.scores or pair.soft_scores, judge)


def _pair(
    pair: Triplet | RejectedPair, scores: Scores | None, judge: Literal["validator", "soft_filter"]
) -> GalleryPair:
    return GalleryPair(
        id=pair.id,
        source_image=pair.source_image,
        edited_image=pair.edited_image,
        instruction=pair.instruction,
        category=pair.category,
        style=style_of(pair.scene),
        kind=pair.kind,
        width=pair.source.width,
        height=pair.source.height,
        prompt=pair.scene.prompt,
        adherence=scores.adherence if scores else None,
        aesthetics=scores.aesthetics if scores else None,
        geometric_mean=scores.geometric_mean if scores else None,
        judge=judge if scores else None,
    )
