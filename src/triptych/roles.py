"""The roles a miner asks, as protocols: the only thing that differs between a laptop and a cluster.

A back end is a class with a `Settings` model, a `revision`, a `placement` and one or two async methods over a
batch. Answers come in the order of the requests; an item that failed is its `CallFailed`, not an exception;
what fails the whole batch (no network) is raised.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Generic, Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict

from triptych.errors import CallFailed
from triptych.records import ImageFormat, Json, Receipt, RoleName, Spec

if TYPE_CHECKING:  # a command that only looks at facts loads no codec
    import numpy as np
    import numpy.typing as npt

    from triptych.pixels.picture import Picture

Placement = Literal["cpu", "io", "gpu"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Metered(Generic[T]):
    """An answer, or a failure, with what is known of its call: tokens, price, terms, the model's words."""

    answer: T | CallFailed
    receipt: Receipt


Answered = Sequence[T | CallFailed | Metered[T]]


class BackendSettings(BaseModel):
    """Base of every back end's own settings; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # Settings named here change where or how fast an answer comes, never the answer: kept out of the spec.
    not_in_spec: ClassVar[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True)
class RoleConfig:
    """A small picklable description of a role; the worker that uses it loads the back end."""

    role: RoleName
    backend: str  # "package.module:Class"
    settings: Mapping[str, Json]
    workers: int | None = None  # calls at once; None: the engine decides
    price_per_call: float | None = None
    seconds_per_call: float | None = None  # nominal model-seconds, where a stand-in's own would mislead
    timeout: float = 600.0  # seconds, after which a call counts as not reached
    run_folder: Path = field(default_factory=Path)
    image_format: ImageFormat = "jpeg"  # how pictures of this run are stored


def spec_of(config: RoleConfig, settings: BackendSettings, revision: str, **found: Json) -> Spec:
    """The spec of a back end: its settings less those that never change an answer.

    `found` is what else changes it and is no setting: a version of its prompts, of its weights.
    """
    kept = settings.model_dump(mode="json", exclude=set(settings.not_in_spec))
    return Spec(config.role, config.backend, revision, kept | found)


class Backend(Protocol):
    """What every back end has."""

    Settings: ClassVar[type[BackendSettings]]
    revision: ClassVar[str]
    placement: ClassVar[Placement]

    @property
    def spec(self) -> Spec:
        """What determines the answers."""


# ---- Writer ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Guide:
    """What the user's own brief says of every scene and instruction."""

    language: str | None = None  # of the instructions; None: English
    banned: tuple[str, ...] = ()  # what neither scenes nor instructions may be about
    examples: tuple[str, ...] = ()  # requests of real users, whose manner is to be met
    taxonomy: tuple[tuple[str, str], ...] = ()  # own categories: name, what it asks for


@dataclass(frozen=True, slots=True)
class SceneRequest:
    """A brief, as a Writer sees it."""

    seed: int
    objects: int  # how many objects the scene names, 1..5
    edits: int  # how many instructions to write
    categories: tuple[str, ...] = ()  # the categories wanted, in order; empty: the Writer chooses
    topic: str | None = None
    style: str | None = None
    guide: Guide = Guide()
    again: int = 0  # how often the same was asked before, and what came couldn't be used


@dataclass(frozen=True, slots=True)
class PhotographRequest:
    """A photograph that wants instructions that fit it."""

    seed: int
    picture: Picture
    edits: int
    categories: tuple[str, ...] = ()
    guide: Guide = Guide()


@dataclass(frozen=True, slots=True)
class InvertRequest:
    """An edit that wants the instruction leading from its result to what it was made from (stage 9)."""

    prompt: str | None  # of the scene; None: a photograph
    instruction: str
    category: str
    seed: int


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """Two instructions, to be followed one after the other, that are to read as one (stage 10)."""

    first: str
    second: str
    seed: int


@dataclass(frozen=True, slots=True)
class ParaphraseRequest:
    """An instruction that is to be said in other words."""

    instruction: str
    seed: int


@dataclass(frozen=True, slots=True)
class EditDraft:
    """An instruction and the category it belongs to."""

    instruction: str
    category: str


@dataclass(frozen=True, slots=True)
class SceneDraft:
    """What a Writer wrote. `prompt` is None where a photograph was not described in words."""

    prompt: str | None
    edits: tuple[EditDraft, ...]
    style: str | None = None


class Writer(Backend, Protocol):
    """Writes scenes and edits."""

    async def write(self, requests: Sequence[SceneRequest]) -> Answered[SceneDraft]:
        """One scene with its edits for each brief."""

    async def describe(self, requests: Sequence[PhotographRequest]) -> Answered[SceneDraft]:
        """Edits that fit each photograph."""

    async def invert(self, requests: Sequence[InvertRequest]) -> Answered[str]:
        """One concise, fully specified instruction for each, without undo, revert, restore or back."""

    async def join(self, requests: Sequence[JoinRequest]) -> Answered[str]:
        """One instruction for each two."""

    async def paraphrase(self, requests: Sequence[ParaphraseRequest]) -> Answered[tuple[str, ...]]:
        """Other wordings of each instruction, in several registers, with the same meaning."""


# ---- Embedder --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EmbedRequest:
    """A text that wants a vector."""

    text: str


class Embedder(Backend, Protocol):
    """Lays texts out so that what is alike is near."""

    # False: it sees letters; how near two texts are says nothing of their meaning.
    knows_meaning: ClassVar[bool]

    async def embed(self, requests: Sequence[EmbedRequest]) -> Answered[npt.NDArray[np.float32]]:
        """A unit vector for each text, all of one length."""


# ---- Painter and Editor ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PaintRequest:
    """A picture to paint from words."""

    prompt: str
    seed: int
    width: int  # pixels
    height: int


class Painter(Backend, Protocol):
    """Paints a prompt."""

    async def paint(self, requests: Sequence[PaintRequest]) -> Answered[Picture]:
        """One picture of the size asked for, for each request."""


@dataclass(frozen=True, slots=True)
class EditRequest:
    """A picture to edit by an instruction."""

    picture: Picture
    instruction: str
    seed: int


class Editor(Backend, Protocol):
    """Edits a picture by an instruction."""

    async def edit(self, requests: Sequence[EditRequest]) -> Answered[Picture]:
        """The edited picture, of the source's size, for each request."""


# ---- Judge -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Question:
    """What a judge is asked. `score`: 1..5, higher is better; `yes_no`: 1 is yes."""

    name: str
    kind: Literal["score", "yes_no"]
    text: str


ADHERENCE = Question("adherence", "score", "Does the edit do exactly what the instruction asks, and no more?")
AESTHETICS = Question("aesthetics", "score", "Does the edited picture look good and free of artefacts?")
UNASKED_CHANGE = Question("unasked_change", "yes_no", "Did anything change that was not asked for?")
PLEASING = Question(
    "pleasing", "yes_no", "Is the edited picture pleasing, and the instruction clear and doable?"
)
SHOWS_PROMPT = Question("shows_prompt", "yes_no", "Does the picture show what the prompt says?")
LOOKS_RIGHT = Question("looks_right", "yes_no", "Does the picture look right, without visible flaws?")

SCREEN_QUESTIONS = (SHOWS_PROMPT, LOOKS_RIGHT)
SOFT_FILTER_QUESTIONS = (ADHERENCE, AESTHETICS, UNASKED_CHANGE, PLEASING)
VALIDATOR_QUESTIONS = (ADHERENCE, AESTHETICS)


@dataclass(frozen=True, slots=True)
class SourceSubject:
    """A source picture under judgement, with the prompt it was painted from."""

    picture: Picture
    prompt: str


@dataclass(frozen=True, slots=True)
class PairSubject:
    """A Pair under judgement: all that a judge may see of it."""

    source: Picture
    instruction: str
    edited: Picture


@dataclass(frozen=True, slots=True)
class JudgeRequest:
    """A subject and what is asked about it."""

    subject: SourceSubject | PairSubject
    questions: tuple[Question, ...]
    repeat: int = 0  # asked before so often: whoever draws its answers draws another


@dataclass(frozen=True, slots=True)
class Scored:
    """A judge's answer."""

    value: float
    raw: str | None = None


@dataclass(frozen=True, slots=True)
class Unscored:
    """A judge that answered, but not this: never a number."""

    reason: str
    raw: str | None = None


class Judge(Backend, Protocol):
    """Scores pictures and pairs."""

    async def judge(self, requests: Sequence[JudgeRequest]) -> Answered[tuple[Scored | Unscored, ...]]:
        """One answer for each question of each request, in the order of its questions."""
