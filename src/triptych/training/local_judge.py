"""Tuning a local vision language model into a judge: LoRA on its language part, people's scores as targets.

The reply is dictated up to each score, as `backends/transformers.py` does when it judges. The loss is the
squared error of the expected score over the five digits, plus the cross-entropy to the two digits nearest to
people's mean (4.3: 70 % four, 30 % five), so that the expectation is right and the answer as sharp as people.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from triptych.backends.prompts.judging import judge_prompts
from triptych.backends.transformers import JudgeSettings, LocalChat
from triptych.backends.weights import check_folder, need, release
from triptych.errors import UserError
from triptych.pixels.picture import Picture
from triptych.records import Json
from triptych.roles import VALIDATOR_QUESTIONS, JudgeRequest, PairSubject
from triptych.training.rated_pairs import RatedPair
from triptych.validator.ratings import AXES

# The language part's attention and feed-forward projections; the vision part lies elsewhere.
_TARGETS = r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"
_DIGITS = ("1", "2", "3", "4", "5")


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how strongly to tune."""

    epochs: int = 3
    batch: int = 8  # pairs a step
    learning_rate: float = 1e-4
    rank: int = 16
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Tuned:
    """What came of it."""

    losses: tuple[float, ...]  # of each step
    parameters: int  # trained


def tune(
    settings: JudgeSettings,
    examples: Sequence[RatedPair],
    picture: Callable[[str], Picture],
    to: Path,
    schedule: Schedule,
    told: Callable[[int, int, float], None] = lambda *_: None,
) -> Tuned:
    """Tune an adapter and write it to `to`, with a card. `picture`: an image by its hash.

    UserError where the folder holds something already, or what tuning needs isn't installed.
    """
    if to.exists() and any(to.iterdir()):
        raise UserError(f"{to} isn't empty; name another folder with --to")
    check_folder("judge", settings.model, "config.json")
    torch, peft = need("judge", "torch"), need("judge", "peft")
    torch.manual_seed(schedule.seed)
    chat = LocalChat(settings, "judge")
    copy = chat.loaded()
    talking = copy.model
    options = {"r": schedule.rank, "lora_alpha": schedule.rank, "lora_dropout": 0.05}
    model = peft.get_peft_model(talking.model, peft.LoraConfig(target_modules=_TARGETS, **options))
    weights = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=schedule.learning_rate)
    script = _Dictation(talking.tokenizer)
    losses: list[float] = []
    try:
        model.train()
        batches = _batches(len(examples), schedule, torch)
        for number, batch in enumerate(batches):
            total = 0.0
            for at in batch:
                loss = _loss(
                    model, talking, script, _request(examples[at], picture), examples[at], copy.device
                )
                (loss / len(batch)).backward()
                total += float(loss.detach()) / len(batch)
            optimizer.step()
            optimizer.zero_grad()
            losses.append(round(total, 5))
            told(number + 1, len(batches), total)
        to.mkdir(parents=True, exist_ok=True)
        model.save_pretrained(to)
    finally:
        release(chat.weights)  # it wears the adapter: whoever wants the plain one loads it anew
    found = Tuned(tuple(losses), sum(parameter.numel() for parameter in weights))
    (to / "tuning.json").write_bytes(orjson.dumps(_card(settings, examples, schedule, found)) + b"\n")
    return found


class _Dictation:
    """The tokens of a reply, and where its scores stand."""

    def __init__(self, tokenizer: Any) -> None:
        def encode(text: str) -> list[int]:
            return list(tokenizer.encode(text, add_special_tokens=False))

        digits = [encode(digit) for digit in _DIGITS]
        if any(len(tokens) != 1 for tokens in digits):
            raise UserError("this model's tokenizer doesn't write a digit as one token: take another model")
        self.digits = [tokens[0] for tokens in digits]
        first, *others = (question.name for question in VALIDATOR_QUESTIONS)
        self._pieces = [encode(f'{{"{first}": '), *(encode(f', "{name}": ') for name in others)]

    def reply(self, scores: Sequence[float]) -> tuple[list[int], list[int]]:
        """Tokens of the reply with these scores, rounded, and at which of them each score stands."""
        tokens: list[int] = []
        places = []
        for piece, score in zip(self._pieces, scores, strict=True):
            tokens += piece
            places.append(len(tokens))
            tokens.append(self.digits[round(score) - 1])
        return tokens, places


def _request(example: RatedPair, picture: Callable[[str], Picture]) -> JudgeRequest:
    pair = example.pair
    subject = PairSubject(picture(pair.source_image), pair.instruction, picture(pair.edited_image))
    return JudgeRequest(subject, VALIDATOR_QUESTIONS)


def _loss(
    model: Any, talking: Any, script: _Dictation, request: JudgeRequest, example: RatedPair, device: str
) -> Any:
    torch = need("judge", "torch")
    (prompt, *_) = judge_prompts(request, JudgeSettings(model="").look)
    inputs = dict(talking.encoded(prompt).to(device))
    targets = [example.scores[axis] for axis in AXES]
    tokens, places = script.reply(targets)
    came = inputs["input_ids"].shape[1]
    for name, fill in (("input_ids", tokens), ("attention_mask", [1] * len(tokens))):
        more = torch.tensor([fill], device=device, dtype=inputs[name].dtype)
        inputs[name] = torch.cat([inputs[name], more], dim=1)
    for name, values in inputs.items():  # which tokens are pictures: none of the reply's
        if name not in ("input_ids", "attention_mask") and values.shape == (1, came):
            inputs[name] = torch.nn.functional.pad(values, (0, len(tokens)))
    logits = model(**inputs).logits[0]
    loss = 0.0
    for place, target in zip(places, targets, strict=True):
        chances = torch.log_softmax(logits[came + place - 1, script.digits].float(), dim=0)
        expected = (chances.exp() * torch.arange(1, 6, device=device)).sum()
        low = min(int(target), 4)
        share = target - low
        loss = loss + (expected - target) ** 2 - (1 - share) * chances[low - 1] - share * chances[low]
    return loss


def _batches(examples: int, schedule: Schedule, torch: Any) -> list[list[int]]:
    chance = torch.Generator().manual_seed(schedule.seed)
    found: list[list[int]] = []
    for _ in range(schedule.epochs):
        order = torch.randperm(examples, generator=chance).tolist()
        found += [order[at : at + schedule.batch] for at in range(0, examples, schedule.batch)]
    return found


def _card(
    settings: JudgeSettings, examples: Sequence[RatedPair], schedule: Schedule, found: Tuned
) -> dict[str, Json]:
    return {
        "model": settings.model,
        "revision": settings.revision,
        "pairs": len(examples),
        "epochs": schedule.epochs,
        "batch": schedule.batch,
        "learning_rate": schedule.learning_rate,
        "rank": schedule.rank,
        "seed": schedule.seed,
        "trained_parameters": found.parameters,
        "first_loss": found.losses[0],
        "last_loss": found.losses[-1],
    }
