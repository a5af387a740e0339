"""The facts a run is made of: immutable records, and the ids that name them.

Ids are a contract. An id is the first 128 bits, as 32 hex digits, of the BLAKE3 hash of a canonical JSON
array `[kind, part, …]` (UTF-8, no spaces, parts in the order of the functions below). An image's name is the
same hash over its encoded bytes; `pixels` is the hash over width, height and the decoded RGB bytes.

    brief    seed of the recipe, ordinal, what is asked for
    scene    origin, its text (a photograph: its pixels; imported pairs: their source image)
    edit     scene, instruction
    phrase   kind, edit, the other edit, writer's spec
    paraphrase   scene, instruction, writer's spec, ordinal
    source   scene, painter's spec, seed, width, height
    attempt  source (of a chain: the attempt that it was made on), edit, editor's spec, seed
    pair     source image, instruction, edited image
    spec     role, back end, its revision, the settings that change its output
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import orjson
from blake3 import blake3

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
Origin = Literal["written", "photograph", "imported"]
RoleName = Literal[
    "writer", "importer", "painter", "screen", "editor", "soft_filter", "checks", "validator", "embedder"
]
DerivationKind = Literal["inverse", "composite", "chain", "stack"]
PhraseKind = Literal["inverse", "joined", "stacked"]
ImageFormat = Literal["jpeg", "png"]  # how a run stores its pictures
Outcome = Literal["made", "rejected", "model_error", "infrastructure_error"]
RatingAxis = Literal["adherence", "aesthetics", "accept"]
Flaw = Literal["none", "source", "light", "region", "remains", "artefacts", "other"]

ROLE_NAMES: tuple[RoleName, ...] = (
    "writer",
    "importer",
    "painter",
    "screen",
    "editor",
    "soft_filter",
    "checks",
    "validator",
    "embedder",
)

CANARY_REPEATS = 1_000


def hash_bytes(*chunks: bytes | memoryview) -> str:
    """Name of a byte string, given whole or in chunks: 128 bits of BLAKE3, as 32 hex digits."""
    hashed = blake3()
    for chunk in chunks:
        hashed.update(chunk)
    return hashed.hexdigest(length=16)


def identify(kind: str, *parts: Json) -> str:
    """Id of the thing of this kind that these parts determine; see the module's head for the contract."""
    return hash_bytes(orjson.dumps([kind, *parts], option=orjson.OPT_SORT_KEYS))


@dataclass(frozen=True)
class Spec:
    """What determines a role's output: never a URL, a price, a number of workers."""

    role: RoleName
    backend: str  # "package.module:Class"
    revision: str  # the back end's own; changes when its output does
    settings: Mapping[str, Json]

    @cached_property
    def id(self) -> str:
        """Content id."""
        return identify("spec", self.role, self.backend, self.revision, dict(self.settings))


@dataclass(frozen=True, slots=True)
class Brief:
    """What a Writer was asked for (or which photograph was imported), and what came of it."""

    id: str
    ordinal: int
    asked: Mapping[str, Json]
    scene_id: str
    edits: Sequence[str]  # ids of the instructions written, in order


@dataclass(frozen=True, slots=True)
class Scene:
    """A text to paint from, or the place of a photograph or of pairs that came as such in the same flow."""

    id: str
    origin: Origin
    prompt: str | None  # None: a photograph that nobody has described, or imported pairs
    style: str | None


@dataclass(frozen=True, slots=True)
class Edit:
    """One instruction that fits a scene."""

    id: str
    scene_id: str
    ordinal: int
    instruction: str
    category: str


@dataclass(frozen=True, slots=True)
class Phrase:
    """An instruction derived from others: an inverse; inverse and forward of two joined; two stacked."""

    id: str
    scene_id: str
    kind: PhraseKind
    edit_id: str  # the edit that is inverted; of two stacked, the first
    other_id: str | None  # the edit that follows it; None in an inverse
    spec_id: str  # the Writer's
    instruction: str


@dataclass(frozen=True, slots=True)
class Paraphrase:
    """An instruction that leaves the run, in other words. A Verdict says if it means the same."""

    id: str
    scene_id: str
    instruction: str  # that it rewords: an edit's, or a derived one
    ordinal: int  # among the wordings of one answer
    spec_id: str  # the Writer's
    text: str


@dataclass(frozen=True, slots=True)
class Source:
    """A picture of a scene, before any edit. One lost and made again with other bytes is a new revision."""

    id: str
    revision: int
    scene_id: str
    spec_id: str
    seed: int
    width: int
    height: int
    image: str
    pixels: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of an editor at (source, edit). A lost picture made again otherwise is a new revision."""

    id: str
    revision: int
    source_id: str  # a Source; of a chain, the Attempt whose picture was edited further
    edit_id: str
    spec_id: str
    seed: int
    image: str
    pixels: str
    pair_id: str


@dataclass(frozen=True, slots=True)
class Pair:
    """⟨source image, instruction, edited image⟩: the one thing that is judged and rated."""

    id: str
    source_image: str
    instruction: str
    edited_image: str


@dataclass(frozen=True, slots=True)
class Derivation:
    """One edge of a derived Pair's lineage. A Pair that an Attempt points to needs none."""

    pair_id: str
    ordinal: int  # place among the parents of the pair, from 0
    parent_id: str  # a Pair
    kind: DerivationKind


@dataclass(frozen=True, slots=True)
class Signal:
    """A measurement on a Pair, e.g. the share of its largest changed component."""

    pair_id: str
    name: str
    spec_id: str
    value: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """A judge's answer about a Pair or a source's picture: a value, or the reason why there is none.

    An embedder's, about a Paraphrase, is the cosine to its instruction.
    """

    subject_id: str  # a Pair, the image of a Source, or a Paraphrase
    question: str
    spec_id: str
    repeat: int  # from 0; from CANARY_REPEATS on it was asked to check the judge, and decides nothing
    value: float | None  # scores 1..5; yes/no 1.0 / 0.0, or the probability of yes
    reason: str | None
    raw: str | None  # the judge's own words


@dataclass(frozen=True, slots=True)
class Rating:
    """What a person said of a Pair on one axis. A later sitting of the same rater replaces it."""

    pair_id: str
    rater: str
    axis: RatingAxis
    sitting: int  # of this rater on this pair and axis, from 0
    score: float | None  # adherence, aesthetics 1..5; accept 0 or 1; None: skipped or withdrawn
    reason: str | None = None  # why there is no score
    rated_at: float | None = None  # seconds since the epoch; None: not known


@dataclass(frozen=True, slots=True)
class Comparison:
    """Which of two Pairs a person prefers. A later sitting of the same rater replaces it."""

    pair_id: str
    other_id: str  # the greater id of the two, so that each two are compared under one key
    rater: str
    sitting: int  # of this rater on these two, from 0
    preferred: float | None  # 1: the first, 0: the other, 0.5: a tie; None: skipped or withdrawn
    reason: str | None = None  # why there is no preference
    rated_at: float | None = None  # seconds since the epoch; None: not known


@dataclass(frozen=True, slots=True)
class Finding:
    """What a person found in a Pair drawn for a spot check. A later sitting of the same rater replaces it."""

    pair_id: str
    rater: str
    sitting: int  # of this rater on this pair, from 0
    flaw: Flaw | None  # "none": it is good; None: withdrawn
    planned: int  # how many pairs were to be looked at
    note: str | None = None
    found_at: float | None = None  # seconds since the epoch; None: not known


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a back end knows of a call beyond its answer. None: not known, or not the case."""

    tokens_in: int | None = None
    tokens_out: int | None = None
    price: float | None = None  # in the currency of the recipe
    seconds: float | None = None  # this answer's share, where one request gave several
    terms: str | None = None  # under which the answer was given: an API's, or a model's licence
    raw: str | None = None  # the model's own words, or what is known of the file it sent
    warning: str | None = None  # for people

    def __add__(self, other: Receipt) -> Receipt:
        """Both together: what was spent adds up, and of the rest the later word holds."""
        return Receipt(
            _sum(self.tokens_in, other.tokens_in),
            _sum(self.tokens_out, other.tokens_out),
            _sum(self.price, other.price),
            _sum(self.seconds, other.seconds),
            other.terms or self.terms,
            other.raw if self.raw is None else self.raw + "\n" + (other.raw or ""),
            other.warning or self.warning,
        )

    def split(self, count: int) -> list[Receipt]:
        """The parts of `count` answers that one request gave: they add up to it, less its words."""

        def parts(spent: int | None) -> list[int | None]:
            if spent is None:
                return [None] * count
            return [spent // count + (number < spent % count) for number in range(count)]

        def part(spent: float | None) -> float | None:
            return None if spent is None else spent / count

        return [
            replace(
                self,
                tokens_in=came,
                tokens_out=went,
                price=part(self.price),
                seconds=part(self.seconds),
                raw=None,
            )
            for came, went in zip(parts(self.tokens_in), parts(self.tokens_out), strict=True)
        ]


def _sum(one: Any, other: Any) -> Any:
    return one if other is None else other if one is None else one + other


@dataclass(frozen=True, slots=True)
class Doubt:
    """A verdict that no longer counts; the judge is owed another one, under a later repeat."""

    subject_id: str
    spec_id: str
    repeat: int
    reason: str
    found_at: float  # seconds since the epoch


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a role, whatever came of it. Retries are calls too."""

    role: RoleName
    spec_id: str
    job_id: str  # id of the fact that the call was to make
    number: int  # 1 for the first try of this job
    outcome: Outcome
    reason: str | None
    seconds: float
    price: float | None  # in the currency of the recipe; None: not known
    finished_at: float  # seconds since the epoch
    scene_id: str | None  # None: the scene isn't known before the call
    tokens_in: int | None = None  # where a language model told them
    tokens_out: int | None = None
    terms: str | None = None  # an API's, where its answers come under any
    raw: str | None = None  # a writer's own words; what is known of a file that was sent


Fact = (
    Spec
    | Brief
    | Scene
    | Edit
    | Phrase
    | Paraphrase
    | Source
    | Attempt
    | Pair
    | Derivation
    | Signal
    | Verdict
    | Doubt
    | Rating
    | Comparison
    | Finding
    | Call
)


def brief_id(recipe_seed: int, ordinal: int, asked: Mapping[str, Json]) -> str:
    """Id of the ordinal-th brief of a recipe."""
    return identify("brief", recipe_seed, ordinal, dict(asked))


def scene_id(origin: Origin, text: str) -> str:
    """Id of a scene from its prompt, from a photograph's pixel hash, or from imported pairs' source image."""
    return identify("scene", origin, text)


def edit_id(scene: str, instruction: str) -> str:
    """Id of an instruction within its scene."""
    return identify("edit", scene, instruction)


def phrase_id(kind: PhraseKind, edit: str, other: str | None, spec: str) -> str:
    """Id of a derived instruction."""
    return identify("phrase", kind, edit, other, spec)


def paraphrase_id(scene: str, instruction: str, spec: str, ordinal: int) -> str:
    """Id of the ordinal-th other wording of an instruction."""
    return identify("paraphrase", scene, instruction, spec, ordinal)


def source_id(scene: str, spec: str, seed: int, width: int, height: int) -> str:
    """Id of a picture of a scene."""
    return identify("source", scene, spec, seed, width, height)


def attempt_id(source: str, edit: str, spec: str, seed: int) -> str:
    """Id of one try at (source, edit); `source` is an attempt's id where its result is edited further."""
    return identify("attempt", source, edit, spec, seed)


def pair_id(source_image: str, instruction: str, edited_image: str) -> str:
    """Id of ⟨source image, instruction, edited image⟩."""
    return identify("pair", source_image, instruction, edited_image)


def judge_job_id(subject: str, spec: str, first: int = 0) -> str:
    """Id of the work of having a subject judged by a spec; `first`: number of the first repeat asked."""
    return identify("judge", subject, spec, first) if first else identify("judge", subject, spec)
