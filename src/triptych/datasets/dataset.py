"""What is exported: selected triplets with all that explains them, whatever the format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from triptych.ledger.images import ImageStore
from triptych.mining.select import Triplet
from triptych.recipe import Recipe
from triptych.records import Json, RoleName, Scene, Spec, identify
from triptych.validator.rule import Rule


@dataclass(frozen=True, slots=True)
class DataSet:
    """Triplets under one rule, and where they come from."""

    name: str
    triplets: Sequence[Triplet]
    recipe: Recipe
    specs: Mapping[RoleName, Spec]
    funnel: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What an export wrote."""

    folder: Path
    triplets: int
    images: int
    bytes: int  # of the images
    dataset_hash: str


class Exporter(Protocol):
    """Writes a data set in one format to a folder that doesn't exist yet, or is empty."""

    def __call__(self, data: DataSet, folder: Path, images: ImageStore) -> ExportReport:
        """UserError where the folder can't be used, MissingImage where an image can't be had."""


def dataset_hash(triplets: Iterable[Triplet]) -> str:
    """Name of a data set: what is in it (pair ids, image hashes), in whatever order."""
    rows = {(triplet.id, triplet.source.image, triplet.attempt.image) for triplet in triplets}
    parts: list[Json] = [list(row) for row in sorted(rows)]
    return identify("dataset", *parts)


def in_order(triplets: Iterable[Triplet]) -> list[Triplet]:
    """By id; of several with the same pair (sources of equal pixels) the first attempt's."""
    kept: dict[str, Triplet] = {}
    for triplet in sorted(triplets, key=lambda triplet: (triplet.id, triplet.attempt.id)):
        kept.setdefault(triplet.id, triplet)
    return list(kept.values())


def counts(triplets: Iterable[Triplet]) -> dict[str, dict[str, int]]:
    """How many triplets there are by category, style, kind, size and origin, the commonest first."""
    tallies: dict[str, Counter[str]] = {
        name: Counter() for name in ("category", "style", "kind", "size", "origin")
    }
    for triplet in triplets:
        tallies["category"][triplet.edit.category] += 1
        tallies["style"][style_of(triplet.scene)] += 1
        tallies["kind"][triplet.kind] += 1
        tallies["size"][f"{triplet.source.width}×{triplet.source.height}"] += 1
        tallies["origin"][triplet.scene.origin] += 1
    return {
        name: dict(sorted(tally.items(), key=lambda item: (-item[1], item[0])))
        for name, tally in tallies.items()
    }


def style_of(scene: Scene) -> str:
    """Style of a scene; "standard", as NHR-Edit says, where it names none."""
    return scene.style or "standard"


def thresholds(rule: Rule) -> dict[str, str]:
    """What each gate asks for, in words, in the order of the gates."""
    return {
        "screen: shows the prompt": f"≥ {rule.shows_prompt:g}",
        "screen: looks right": f"≥ {rule.looks_right:g}",
        "soft filter: adherence": f"≥ {rule.soft_adherence:g}",
        "soft filter: aesthetics": f"≥ {rule.soft_aesthetics:g}",
        "soft filter: unasked change": f"≤ {rule.soft_unasked_change:g}",
        "soft filter: pleasing": f"≥ {rule.soft_pleasing:g}",
        "low-level: largest component": f"≥ {100 * rule.largest_component:g} % of the change",
        "registration: shift": f"≤ {rule.shift:g} px",
        "registration: zoom": f"≤ {rule.zoom:g} %",
        "validator: adherence": f"≥ {rule.threshold.adherence:g}",
        "validator: aesthetics": f"≥ {rule.threshold.aesthetics:g}",
    }
