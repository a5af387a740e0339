"""The jobs of a run: what is to be made, in ids and short texts, never pixels. `perform` says how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from triptych.pixels.revision import REVISION
from triptych.records import (
    Derivation,
    Json,
    Pair,
    Paraphrase,
    PhraseKind,
    RoleName,
    Spec,
)
from triptych.roles import (
    SCREEN_QUESTIONS,
    SOFT_FILTER_QUESTIONS,
    VALIDATOR_QUESTIONS,
    Guide,
    Question,
    SceneRequest,
)

CHECKS_SPEC = Spec("checks", "triptych.pixels.signals:measure", REVISION, {})
# What `triptych import` makes of other hands' pairs: the rule of `pixels/alignment.py`.
PAIRS_SPEC = Spec("importer", "triptych.datasets.importing:import_pairs", "1", {})
QUESTIONS: Mapping[str, tuple[Question, ...]] = {
    "screen": SCREEN_QUESTIONS,
    "soft_filter": SOFT_FILTER_QUESTIONS,
    "validator": VALIDATOR_QUESTIONS,
}
JudgeName = Literal["screen", "soft_filter", "validator"]


@dataclass(frozen=True, slots=True)
class Lost:
    """A picture that was made before and is no longer there (or belongs to a source that was made anew)."""

    revision: int
    image: str

    def next_revision(self, image: str) -> int:
        """Its own revision where the same bytes came again, else a new one."""
        return self.revision if image == self.image else self.revision + 1


@dataclass(frozen=True, slots=True)
class WriteJob:
    """Write the scene of a brief."""

    id: str
    ordinal: int
    asked: Mapping[str, Json]
    request: SceneRequest
    role: RoleName = "writer"

    @property
    def name(self) -> str:
        """What it is called to people."""
        return f"scene {self.ordinal + 1}"


@dataclass(frozen=True, slots=True)
class ImportJob:
    """Make a photograph a source."""

    id: str
    ordinal: int
    asked: Mapping[str, Json]
    path: Path
    fit: Literal["crop", "pad"]
    megapixels: float
    largest_megapixels: float
    role: RoleName = "importer"

    @property
    def name(self) -> str:
        """What it is called to people."""
        return self.path.name


@dataclass(frozen=True, slots=True)
class PairsBrought:
    """What stands where a brief would: pairs of one source that an import brought. Nothing is left to do."""

    id: str
    ordinal: int
    name: str  # of the data set
    role: RoleName = "importer"


Opening = WriteJob | ImportJob | PairsBrought


@dataclass(frozen=True, slots=True)
class PhotographWish:
    """What is to be written for a photograph."""

    seed: int
    edits: int
    categories: tuple[str, ...]
    guide: Guide


@dataclass(frozen=True, slots=True)
class DescribeJob:
    """Have edits written for a photograph that is already a source."""

    id: str
    scene_id: str
    image: str
    asked: Mapping[str, Json]
    wish: PhotographWish
    role: RoleName = "writer"


@dataclass(frozen=True, slots=True)
class PaintJob:
    """Paint a scene with one seed."""

    id: str
    scene_id: str
    prompt: str
    seed: int
    width: int
    height: int
    lost: Lost | None = None
    role: RoleName = "painter"


@dataclass(frozen=True, slots=True)
class EditJob:
    """Make one attempt; its pixel checks come with it, while the pixels are at hand."""

    id: str
    scene_id: str
    source_id: str
    source_image: str
    edit_id: str
    instruction: str
    seed: int
    lost: Lost | None = None
    role: RoleName = "editor"


@dataclass(frozen=True, slots=True)
class CheckJob:
    """Measure a pair that no attempt of these checks made: a derived one, or one of an earlier revision."""

    id: str
    scene_id: str
    pair: Pair
    derivations: tuple[Derivation, ...] = ()
    role: RoleName = "checks"


@dataclass(frozen=True, slots=True)
class PhraseJob:
    """Have an instruction derived: the inverse of one, or of two joined into one."""

    id: str
    scene_id: str
    kind: PhraseKind
    edit_id: str
    other_id: str | None
    prompt: str | None
    first: str  # the instruction to invert; of two to join, the one to follow first
    second: str | None
    category: str
    role: RoleName = "writer"


@dataclass(frozen=True, slots=True)
class ParaphraseJob:
    """Have an instruction said in other words."""

    id: str
    scene_id: str
    instruction: str
    role: RoleName = "writer"


@dataclass(frozen=True, slots=True)
class MeaningJob:
    """Compare wordings with the instruction that they reword."""

    id: str
    scene_id: str
    instruction: str
    paraphrases: tuple[Paraphrase, ...]
    role: RoleName = "embedder"


@dataclass(frozen=True, slots=True)
class JudgeJob:
    """Ask one judge its questions about a source (`edited_image` is None) or a pair."""

    id: str
    role: JudgeName
    scene_id: str | None  # None: a canary, which may be of several scenes
    subject_id: str
    image: str
    text: str  # the prompt of a source, the instruction of a pair
    edited_image: str | None = None
    first: int = 0  # number of the first repeat
    repeats: int = 1


Job = (
    WriteJob
    | ImportJob
    | DescribeJob
    | PaintJob
    | EditJob
    | CheckJob
    | PhraseJob
    | ParaphraseJob
    | MeaningJob
    | JudgeJob
)


def importer_spec(fit: Literal["crop", "pad"], megapixels: float) -> Spec:
    """What determines the source that a photograph becomes."""
    settings: dict[str, Json] = {"fit": fit, "megapixels": megapixels}
    return Spec("importer", "triptych.pixels.photographs:read_photograph", "1", settings)
