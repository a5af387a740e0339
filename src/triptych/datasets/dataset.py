"""What is exported: selected triplets with all that explains them, whatever the format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from triptych.datasets.agreement import JudgeAgreement
from triptych.datasets.images import Images
from triptych.mining.select import RejectedPair, Triplet
from triptych.recipe import Recipe
from triptych.records import Json, RoleName, Scene, Spec, identify
from triptych.validator.rule import Rule


@dataclass(frozen=True, slots=True)
class Origin:
    """A run that triplets come from."""

    recipe: Recipe
    specs: Mapping[RoleName, Spec]
    funnel: Mapping[str, int] = field(default_factory=dict)
    terms: Mapping[RoleName, Sequence[str]] = field(default_factory=dict)  # of APIs, as calls told them
    agreement: Sequence[JudgeAgreement] = ()  # of its validator with people; empty: nobody has looked


@dataclass(frozen=True, slots=True)
class DataSet:
    """Triplets, and all that explains where they come from and how they were chosen."""

    name: str
    triplets: Sequence[Triplet]
    origins: Sequence[Origin]
    rejected: Sequence[RejectedPair] = ()
    photographs: frozenset[str] = frozenset()  # images that no model made
    splits: Mapping[str, str] = field(default_factory=dict)  # triplet id → split; empty: not split
    chosen: Mapping[str, str] = field(default_factory=dict)  # what narrowed the selection → with what result
    licence: str | None = None  # that the publisher states; None: nobody has said


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What an export wrote, and read back."""

    folder: Path
    triplets: int  # samples; in formats of preferences, pairs of edits
    images: int  # different ones
    bytes: int  # of the images, as often as they were written
    dataset_hash: str


class Exporter(Protocol):
    """Writes a data set in one format to a folder that doesn't exist yet, or is empty, and reads it back."""

    def __call__(self, data: DataSet, folder: Path, images: Images) -> ExportReport:
        """UserError where the folder can't be used, MissingImage where an image can't be had."""


def dataset_hash(triplets: Iterable[Triplet]) -> str:
    """Name of a data set: what is in it (pair ids, image hashes), in whatever order."""
    return hash_of((triplet.id, triplet.source_image, triplet.edited_image) for triplet in triplets)


def hash_of(samples: Iterable[tuple[str, ...]]) -> str:
    """Name of a data set of samples, each its id and its images."""
    parts: list[Json] = [list(sample) for sample in sorted(set(samples))]
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
        tallies["category"][triplet.category] += 1
        tallies["style"][style_of(triplet.scene)] += 1
        tallies["kind"][triplet.kind] += 1
        tallies["size"][f"{triplet.width}×{triplet.height}"] += 1
        tallies["origin"][triplet.scene.origin] += 1
    return {
        name: dict(sorted(tally.items(), key=lambda item: (-item[1], item[0])))
        for name, tally in tallies.items()
    }


def paraphrases_of(triplet: Triplet) -> tuple[str, ...]:
    """Other ways to say the instruction, where the run wrote any."""
    return triplet.augmented_instructions


def style_of(scene: Scene) -> str:
    """Style of a scene; "standard", as NHR-Edit says, where it names none."""
    return scene.style or "standard"


def thresholds(rule: Rule) -> dict[str, str]:
    """What each gate asks for, in words, in the order of the gates; of derived pairs what is different."""
    told = _gates(rule)
    derived = {
        f"derived pairs, {gate}": bound
        for gate, bound in _gates(rule.for_derived).items()
        if bound != told[gate]
    }
    return told | {"backward filter: adherence of the inverse": f"≥ {rule.backward:g}"} | derived


def _gates(rule: Rule) -> dict[str, str]:
    scores = {
        "validator: adherence": f"≥ {rule.threshold.adherence:g}",
        "validator: aesthetics": f"≥ {rule.threshold.aesthetics:g}",
    }
    if rule.accept is not None:
        scores = {"validator, calibrated: P(accept)": f"≥ {rule.accept:g}"}
    elif rule.calibration is not None:
        both = f"{rule.threshold.adherence:g} / {rule.threshold.aesthetics:g}"
        scores = {"validator, calibrated": f"≥ the calibration's own P(accept); where it has none, {both}"}
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
        **scores,
    }
