"""Other wordings of the instructions that leave a run, and whether they still mean the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from triptych.errors import ModelError
from triptych.mining.jobs import MeaningJob, ParaphraseJob
from triptych.records import Paraphrase, Verdict, paraphrase_id

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

UNCHECKED: Final = "unchecked"  # the embedder can't tell meanings
SAME_MEANING: Final = "same_meaning"


@dataclass(slots=True)
class RewordedState:
    """What is known of one instruction's other wordings."""

    instruction: str
    job_id: str
    paraphrases: tuple[Paraphrase, ...] = ()
    spent: str | None = None  # why there will be none
    verdicts: dict[str, Verdict] = field(default_factory=dict)  # by paraphrase

    @property
    def unchecked(self) -> tuple[Paraphrase, ...]:
        """Those whose meaning nobody has compared yet."""
        return tuple(made for made in self.paraphrases if made.id not in self.verdicts)

    @property
    def settled(self) -> bool:
        """Whether nothing is owed on it any more."""
        return self.spent is not None or bool(self.paraphrases and not self.unchecked)

    def leaving(self, lowest: float) -> tuple[str, ...]:
        """The wordings that go with the instruction: as near in meaning as asked for, or not to be checked.

        One that the embedder failed at stays: nobody knows what it means.
        """
        return tuple(made.text for made in self.paraphrases if _leaves(self.verdicts.get(made.id), lowest))


def _leaves(verdict: Verdict | None, lowest: float) -> bool:
    if verdict is None:
        return False
    return verdict.reason == UNCHECKED if verdict.value is None else verdict.value >= lowest


def paraphrases_of_answer(job: ParaphraseJob, texts: Sequence[str], spec_id: str) -> tuple[Paraphrase, ...]:
    """The wordings of one answer but for those that say the instruction over again.

    ModelError if none is left.
    """
    kept: dict[str, str] = {}
    for text in texts:
        if text and _bare(text) != _bare(job.instruction):
            kept.setdefault(_bare(text), text)
    if not kept:
        raise ModelError("no_paraphrase", f"nothing but the instruction itself: {job.instruction!r}")
    return tuple(
        Paraphrase(
            paraphrase_id(job.scene_id, job.instruction, spec_id, number),
            job.scene_id,
            job.instruction,
            number,
            spec_id,
            text,
        )
        for number, text in enumerate(kept.values())
    )


def _bare(text: str) -> str:
    return " ".join(text.lower().split()).rstrip(".!")


def compared(
    job: MeaningJob, vectors: Sequence[npt.NDArray[np.float32]], spec_id: str, *, knows_meaning: bool
) -> tuple[Verdict, ...]:
    """How near each wording is to the instruction, whose vector is the first.

    As a note where nearness says nothing of meaning.
    """
    verdicts = []
    for made, vector in zip(job.paraphrases, vectors[1:], strict=True):
        near = round(float(vectors[0] @ vector), 4)
        if not -1.01 <= near <= 1.01:  # NaN fails too
            raise ModelError("no_unit_vector", f"cosine {near}")
        value, reason = (near, None) if knows_meaning else (None, UNCHECKED)
        verdicts.append(Verdict(made.id, SAME_MEANING, spec_id, 0, value, reason, f"cosine {near}"))
    return tuple(verdicts)


def uncompared(job: MeaningJob, spec_id: str, reason: str) -> tuple[Verdict, ...]:
    """Verdicts of an embedder that was asked as often as the recipe allows and never gave usable vectors."""
    return tuple(Verdict(made.id, SAME_MEANING, spec_id, 0, None, reason, None) for made in job.paraphrases)
