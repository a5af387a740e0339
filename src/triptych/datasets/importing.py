"""Pairs of other hands in a run: gates, inversion, thresholds and exports then treat them like its own.

A source picture with all its edits is a scene of origin `imported`; each (source, instruction) is a lane, and
each edited picture an attempt at it, of which the best that passes is selected. Ids follow from the pictures
and words alone, so importing again adds only what is new.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from triptych.datasets.adapters.sample import Sample, Skipped
from triptych.datasets.files import loaded_ahead
from triptych.errors import PictureError
from triptych.ledger.images import ImageStore
from triptych.ledger.queries import known_pairs
from triptych.ledger.store import Ledger
from triptych.mining.jobs import PAIRS_SPEC
from triptych.mining.perform import storable
from triptych.pixels.alignment import ShapesDiffer, aligned
from triptych.pixels.picture import Picture, pixel_hash
from triptych.records import (
    Attempt,
    Brief,
    Edit,
    Fact,
    Pair,
    Scene,
    Source,
    attempt_id,
    brief_id,
    edit_id,
    pair_id,
    scene_id,
    source_id,
)

WITHOUT_CATEGORY = "uncategorised"

_AT_ONCE = 64


@dataclass(slots=True)
class Imported:
    """What an import brought."""

    pairs: int = 0
    new: int = 0  # of these, that the run didn't have
    sources: set[str] = field(default_factory=set)
    skipped: Counter[str] = field(default_factory=Counter)
    aligned: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _Brought:
    """A pair as it was stored."""

    source: str
    source_pixels: str
    width: int
    height: int
    instruction: str
    category: str
    edited: str
    edited_pixels: str
    alignment: str


def import_pairs(
    samples: Iterable[Sample | Skipped],
    name: str,
    ledger: Ledger,
    images: ImageStore,
    told: Callable[[Imported], None] = lambda _: None,
) -> Imported:
    """Store every pair of a data set called `name`, pictures first, then facts, some at a time."""
    done = Imported()
    ledger.record([PAIRS_SPEC])
    ordinals: Counter[str] = Counter()  # of the edits of each scene

    def store(sample: Sample | Skipped) -> _Brought | str:
        return sample.reason if isinstance(sample, Skipped) else _stored(sample, images)

    brought = loaded_ahead(samples, store)
    while some := list(islice(brought, _AT_ONCE)):
        done.skipped.update(one for one in some if isinstance(one, str))
        pairs = [one for one in some if not isinstance(one, str)]
        done.aligned.update(one.alignment for one in pairs)
        ids = {pair_id(one.source, one.instruction, one.edited) for one in pairs}
        done.pairs += len(pairs)
        done.new += len(ids - known_pairs(ledger, sorted(ids)))
        done.sources.update(one.source for one in pairs)
        ledger.record(_facts(pairs, name, ordinals))
        told(done)
    return done


def _stored(sample: Sample, images: ImageStore) -> _Brought | str:
    try:
        source, edited, how = aligned(sample.source, sample.edited)
    except ShapesDiffer:
        return "shapes_differ"
    except PictureError:
        return "unreadable_picture"
    before, after = Picture.from_encoded(source), Picture.from_encoded(edited)
    return _Brought(
        images.put(source),
        pixel_hash(before.pixels),
        before.width,
        before.height,
        storable(sample.instruction),
        storable(sample.category or "") or WITHOUT_CATEGORY,
        images.put(edited),
        pixel_hash(after.pixels),
        how,
    )


def _facts(pairs: Iterable[_Brought], name: str, ordinals: Counter[str]) -> Iterator[Fact]:
    edits: dict[str, list[str]] = defaultdict(list)
    for one in pairs:
        scene = Scene(scene_id("imported", one.source), "imported", None, None)
        source = source_id(scene.id, PAIRS_SPEC.id, 0, one.width, one.height)
        edit = edit_id(scene.id, one.instruction)
        seed = int(one.edited[:15], 16)  # of several edits under one instruction each has its own
        pair = Pair(pair_id(one.source, one.instruction, one.edited), one.source, one.instruction, one.edited)
        yield scene
        yield Source(
            source, 0, scene.id, PAIRS_SPEC.id, 0, one.width, one.height, one.source, one.source_pixels
        )
        yield Edit(edit, scene.id, ordinals[scene.id], one.instruction, one.category)
        yield Attempt(
            attempt_id(source, edit, PAIRS_SPEC.id, seed),
            0,
            source,
            edit,
            PAIRS_SPEC.id,
            seed,
            one.edited,
            one.edited_pixels,
            pair.id,
        )
        yield pair
        ordinals[scene.id] += 1
        edits[scene.id].append(edit)
    for scene_of, written in edits.items():
        asked = {"imported": name, "scene": scene_of}
        yield Brief(brief_id(0, 0, asked), 0, asked, scene_of, written)
