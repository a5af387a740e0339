"""Judges and writers from vision language models on this machine: Qwen2.5-VL, Qwen3-VL and their like.

Replies can't break their schema: a grammar masks the tokens (llguidance). One prompt runs at a time, so an
answer never depends on what else is asked. Roles on the same model share one copy of it, adapters aside.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Literal

import orjson
from PIL import Image
from pydantic import Field

from triptych.backends.prompts.chat import Prompt, Reply
from triptych.backends.prompts.judge import Answers, ChatJudge
from triptych.backends.prompts.judging import Look, judge_prompts
from triptych.backends.prompts.wording import judge_version, writer_version
from triptych.backends.prompts.writer import ChatWriter
from triptych.backends.weights import (
    Adapter,
    Held,
    LocalSettings,
    check_folder,
    device_of,
    fingerprint,
    held,
    loading,
    need,
    present,
    quiet,
    release,
    weights_key,
)
from triptych.errors import CallFailed, InfrastructureError, ModelError, UserError
from triptych.pixels.picture import Picture
from triptych.records import Receipt, Spec
from triptych.roles import Answered, JudgeRequest, Metered, Placement, Question, RoleConfig, Scored, spec_of

_TOO_LARGE = "the prompt doesn't fit: set look.max_pixels lower, offload: model, or quantisation"
_VALUES: Mapping[str, Mapping[str, float]] = {
    "score": {str(score): float(score) for score in range(1, 6)},
    "yes_no": {"yes": 1.0, "no": 0.0},
}


class TransformersSettings(LocalSettings):
    """A vision language model and how it is asked."""

    not_in_spec: ClassVar[frozenset[str]] = frozenset({"device", "offload"})

    lora: Adapter | None = None
    temperature: float = Field(default=0.0, ge=0, description="0: always the likeliest token")
    max_tokens: int = Field(default=1024, ge=1, description="of a reply")
    look: Look = Look()


class LocalChat:
    """One model, asked one prompt at a time."""

    def __init__(self, settings: TransformersSettings, role: str) -> None:
        self._settings = settings
        self._role = role

    @cached_property
    def weights(self) -> str:
        """Roles that say the same share one copy of the weights."""
        return weights_key(self._settings, "transformers")

    async def ask(self, prompt: Prompt) -> Reply:
        """The reply, which keeps to the prompt's schema unless it is cut short."""
        return await asyncio.to_thread(self._locked, self._reply, prompt)

    async def expect(self, prompt: Prompt, questions: Sequence[Question]) -> Expected | CallFailed:
        """Each answer as the mean over what the model might have said, weighed by its probabilities."""
        return await asyncio.to_thread(self._locked, self._expected, prompt, questions)

    async def close(self) -> None:
        """Let go of the weights, if they are in this process."""
        release(self.weights)

    def loaded(self) -> Held:
        """The copy, loaded if it isn't there."""
        return held(self.weights, self._load)

    def _load(self) -> Held:
        settings = self._settings
        need(self._role, "torch", "accelerate", "llguidance")
        transformers = need(self._role, "transformers")
        torch = need(self._role, "torch")
        quiet()
        device = device_of(settings)
        options: dict[str, Any] = {"dtype": getattr(torch, settings.dtype)}
        if settings.quantisation != "none":
            need(self._role, "bitsandbytes")
            four = settings.quantisation == "bitsandbytes-4bit"
            options["quantization_config"] = transformers.BitsAndBytesConfig(
                load_in_4bit=four,
                load_in_8bit=not four,
                bnb_4bit_compute_dtype=getattr(torch, settings.dtype),
            )
        if settings.offload != "none":
            options["device_map"] = "auto"
        with loading(self._role, settings.model):
            processor = transformers.AutoProcessor.from_pretrained(settings.model, revision=settings.revision)
            model = transformers.AutoModelForImageTextToText.from_pretrained(
                settings.model, revision=settings.revision, **options
            )
            if "device_map" not in options:
                model.to(device)
        return Held(_Talking(model.eval(), processor, _grammars(processor, model)), device)

    def _locked(self, work: Callable[..., Any], *arguments: Any) -> Any:
        copy = self.loaded()
        torch = need(self._role, "torch")
        with copy.lock, torch.inference_mode():
            self._put_on(copy.model)
            return work(copy, *arguments)

    def _put_on(self, talking: _Talking) -> None:
        """Have this role's adapter on, and nobody else's."""
        lora = self._settings.lora
        name = None if lora is None else _module_name(lora)
        if lora is not None and name not in talking.adapters:
            with loading(self._role, lora.path):
                talking.model.load_adapter(lora.path, adapter_name=name)
            talking.adapters.add(str(name))
        if name == talking.wears:
            return
        if name is None:
            talking.model.disable_adapters()
        else:
            talking.model.enable_adapters()
            talking.model.set_adapter(name)
        talking.wears = name

    def _reply(self, copy: Held, prompt: Prompt) -> Reply:
        schema = orjson.dumps(prompt.reply.model_json_schema()).decode()
        mask = copy.model.grammar(schema)
        made = self._generated(copy, prompt, mask)
        if isinstance(made, CallFailed):
            return Reply("", Receipt(), made)
        text, receipt, ended = made
        if not ended:
            told = f"{self._settings.max_tokens} tokens were not enough: raise max_tokens"
            return Reply(text, receipt, ModelError("cut_short", told))
        return Reply(text, receipt)

    def _expected(self, copy: Held, prompt: Prompt, questions: Sequence[Question]) -> Expected | CallFailed:
        before, receipt = "{", Receipt()
        first = next(iter(prompt.reply.model_fields))
        if first not in {question.name for question in questions}:  # it looks, in words, before it scores
            reply = self._reply(copy, prompt)
            if reply.failure is not None:
                return reply.failure
            said = orjson.loads(reply.text)[first]
            before += f"{orjson.dumps(first).decode()}: {orjson.dumps(said).decode()}, "
            receipt = reply.receipt
        script = _Script(copy.model.tokenizer, before, questions)
        made = self._generated(copy, prompt, script)
        if isinstance(made, CallFailed):
            return made
        return Expected(script.chances, receipt + made[1])

    def _generated(self, copy: Held, prompt: Prompt, mask: Any) -> tuple[str, Receipt, bool] | CallFailed:
        """The words, what they cost, and whether they came to their end."""
        torch = need(self._role, "torch")
        talking: _Talking = copy.model
        began = time.perf_counter()
        inputs = talking.encoded(prompt).to(copy.device)
        came = int(inputs["input_ids"].shape[1])
        options: dict[str, Any] = {"max_new_tokens": self._settings.max_tokens, "do_sample": False}
        options |= {"temperature": None, "top_p": None, "top_k": None}
        if self._settings.temperature > 0:
            torch.manual_seed(prompt.seed)
            options |= {"do_sample": True, "temperature": self._settings.temperature}
        try:
            out = talking.model.generate(**inputs, logits_processor=[mask], **options)
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            return InfrastructureError("out_of_memory", _TOO_LARGE)
        new = out[0, came:].tolist()
        seconds = time.perf_counter() - began
        text = talking.tokenizer.decode(new, skip_special_tokens=True)
        return text, Receipt(came, len(new), seconds=seconds), new[-1] in talking.ends


@dataclass(frozen=True, slots=True)
class Expected:
    """For each question the probability of every answer that it allows, and what asking cost."""

    chances: tuple[Mapping[str, float], ...]
    receipt: Receipt


@dataclass
class _Talking:
    """A model with what turns words to tokens and masks those that its grammar forbids."""

    model: Any
    processor: Any
    grammar: Callable[[str], Any]
    adapters: set[str] = field(default_factory=set)
    wears: str | None = None

    @property
    def tokenizer(self) -> Any:
        return self.processor.tokenizer

    @cached_property
    def ends(self) -> frozenset[int]:
        """Tokens that end a reply."""
        told = self.model.generation_config.eos_token_id
        ids = told if isinstance(told, list) else [told]
        return frozenset([*ids, self.tokenizer.eos_token_id])

    def encoded(self, prompt: Prompt) -> Any:
        pictures = [part for part in prompt.parts if isinstance(part, Picture)]
        content = [
            {"type": "image"} if isinstance(part, Picture) else {"type": "text", "text": part}
            for part in prompt.parts
        ]
        messages = [{"role": "system", "content": prompt.system}, {"role": "user", "content": content}]
        text = self.processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        images = [Image.fromarray(picture.pixels) for picture in pictures] or None
        return self.processor(text=[text], images=images, return_tensors="pt")


def _grammars(processor: Any, model: Any) -> Callable[[str], Any]:
    """Makes a mask for a JSON schema; the vocabulary is read once."""
    llguidance = need("judge", "llguidance.hf")
    text_config = model.config.get_text_config()
    tokens = llguidance.from_tokenizer(processor.tokenizer, n_vocab=text_config.vocab_size)

    def grammar(schema: str) -> Any:
        matcher = need("judge", "llguidance").LLMatcher
        spaced = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
        return _Mask(matcher(tokens, matcher.grammar_from_json_schema(schema, defaults=spaced)))

    return grammar


class _Mask:
    """A logits processor: only tokens that keep the reply within its grammar."""

    def __init__(self, matcher: Any) -> None:
        self._matcher = matcher
        self._read: int | None = None  # tokens that the matcher knows, prompt included

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        torch = need("judge", "torch")
        if self._read is not None:
            self._matcher.consume_tokens(input_ids[0, self._read :].tolist())
        self._read = input_ids.shape[1]
        allowed = torch.frombuffer(bytearray(self._matcher.compute_bitmask()), dtype=torch.uint8)
        bits = (allowed[:, None] >> torch.arange(8, dtype=torch.uint8)) & 1
        wanted = bits.flatten()[: scores.shape[1]].bool().to(scores.device)
        if wanted.shape[0] < scores.shape[1]:
            wanted = torch.nn.functional.pad(wanted, (0, scores.shape[1] - wanted.shape[0]))
        return scores.masked_fill(~wanted, float("-inf"))


class _Script:
    """A logits processor that dictates the reply, answers aside, and keeps the probability of each answer.

    An answer is weighed by its first token: digits are single ones, yes and no differ at once.
    """

    def __init__(self, tokenizer: Any, before: str, questions: Sequence[Question]) -> None:
        self._tokenizer = tokenizer
        self._due: list[int] = []
        self._questions = list(questions)
        self._before = before
        self._end = tokenizer.eos_token_id
        self._asked: Mapping[int, str] | None = None
        self._tails: Mapping[str, list[int]] = {}
        self._kind = ""
        self._chances: list[Mapping[str, float]] = []
        self._number = 0
        self._open_question()

    @property
    def chances(self) -> tuple[Mapping[str, float], ...]:
        """For each question: answer → probability; they add up to 1."""
        return tuple(self._chances)

    def _encode(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False))

    def _open_question(self) -> None:
        question = self._questions[self._number]
        quote = '"' if question.kind == "yes_no" else ""
        self._due = self._encode(f'{self._before}"{question.name}": {quote}')
        firsts = {answer: self._encode(answer) for answer in _VALUES[question.kind]}
        self._asked = {tokens[0]: answer for answer, tokens in firsts.items()}
        if len(self._asked) < len(firsts):
            raise UserError("this model's tokenizer doesn't tell the answers apart: set scores: text")
        self._tails = {answer: tokens[1:] for answer, tokens in firsts.items()}
        self._kind = question.kind

    def __call__(self, _: Any, scores: Any) -> Any:
        torch = need("judge", "torch")
        if not self._due and self._asked is not None:
            ids = list(self._asked)
            weights = torch.softmax(scores[0, ids].float(), dim=0).tolist()
            self._chances.append({self._asked[i]: weight for i, weight in zip(ids, weights, strict=True)})
            best = max(self._chances[-1], key=lambda answer: self._chances[-1][answer])
            self._due = [ids[list(self._asked.values()).index(best)], *self._tails[best]]
            self._asked = None
            self._after_answer()
        token = self._due.pop(0) if self._due else self._end
        return torch.full_like(scores, float("-inf")).index_fill(
            1, torch.tensor([token], device=scores.device), 0.0
        )

    def _after_answer(self) -> None:
        quote = '"' if self._kind == "yes_no" else ""
        self._number += 1
        if self._number < len(self._questions):
            answer = self._due
            self._before = f"{quote}, "
            self._open_question()
            self._due = answer + self._due
        else:
            self._due += self._encode(quote + "}")


def _module_name(lora: Adapter) -> str:
    """A name for an adapter that can be a module's: letters and digits."""
    return f"lora_{fingerprint(lora.path) or abs(hash(lora.path))}"


class _LocalRole:
    """What judge and writer have in common."""

    Settings: ClassVar[type[TransformersSettings]] = TransformersSettings
    revision: ClassVar[str] = "1"
    placement: ClassVar[Placement] = "gpu"

    def __init__(self, config: RoleConfig) -> None:
        self.config = config
        self.settings = self.Settings.model_validate(dict(config.settings))
        self.look = self.settings.look
        self.chat: LocalChat = LocalChat(self.settings, config.role.replace("_", " "))

    @property
    def spec(self) -> Spec:
        """Settings, the prompts' version, and what the local files hold."""
        lora = self.settings.lora
        return spec_of(
            self.config,
            self.settings,
            self.revision,
            weights=fingerprint(self.settings.model),
            adapter=None if lora is None else fingerprint(lora.path),
            prompts=self._prompts(),
        )

    @property
    def weights(self) -> str:
        """Roles that say the same share one copy of the weights."""
        return self.chat.weights

    def _prompts(self) -> str:
        return writer_version() if self.config.role == "writer" else judge_version()

    async def reach(self) -> str:
        """What there is of the model on this machine. UserError where it can't work here."""
        return await asyncio.to_thread(present, self.config.role.replace("_", " "), self.settings)

    def ready(self) -> None:
        """Raises UserError where the model's files aren't there."""
        check_folder(self.config.role.replace("_", " "), self.settings.model, "config.json")

    def largest_batch(self) -> int:
        """One: see the module's head."""
        return 1

    async def load(self) -> None:
        """Load the weights, if nobody has."""
        await asyncio.to_thread(self.chat.loaded)

    async def close(self) -> None:
        """Let go of the weights, if they are in this process."""
        self.release()

    def release(self) -> None:
        """Let go of the weights."""
        release(self.weights)


class JudgeSettings(TransformersSettings):
    """How a local judge answers."""

    scores: Literal["expected", "text"] = Field(
        default="expected", description="the mean over all answers by their probability, or the words' own"
    )


class TransformersJudge(_LocalRole, ChatJudge):  # type: ignore[misc]  # chat: a LocalChat is a Chat
    """Judges pairs and sources."""

    Settings: ClassVar[type[TransformersSettings]] = JudgeSettings
    settings: JudgeSettings

    async def judge(self, requests: Sequence[JudgeRequest]) -> Answered[Answers]:
        """One answer for each question: a score of 1 to 5, or the probability of yes."""
        if self.settings.scores == "text":
            return await ChatJudge.judge(self, requests)
        return [await self._expected(request) for request in requests]

    async def _expected(self, request: JudgeRequest) -> Metered[Answers]:
        receipt = Receipt()
        asks: list[Expected] = []
        for prompt in judge_prompts(request, self.look):
            asked = await self.chat.expect(prompt, request.questions)
            if isinstance(asked, CallFailed):
                return Metered(asked, receipt)
            receipt = receipt + asked.receipt
            asks.append(asked)
        answers = tuple(
            _scored(question, [ask.chances[place] for ask in asks])
            for place, question in enumerate(request.questions)
        )
        return Metered(answers, receipt)


def _scored(question: Question, asks: Sequence[Mapping[str, float]]) -> Scored:
    """The mean of the asks' expectations; the probabilities are kept beside it."""
    values = _VALUES[question.kind]
    means = [sum(values[answer] * chance for answer, chance in chances.items()) for chances in asks]
    lowest, highest = min(values.values()), max(values.values())
    value = min(highest, max(lowest, sum(means) / len(means)))  # rounding may leave the scale by a hair
    told = [{answer: round(chance, 4) for answer, chance in chances.items()} for chances in asks]
    return Scored(value, orjson.dumps(told if len(told) > 1 else told[0]).decode())


class WriterSettings(TransformersSettings):
    """A writer draws its words, so that briefs that are alike give other scenes."""

    temperature: float = Field(default=1.0, ge=0, description="0: always the likeliest token")
    max_tokens: int = Field(default=8192, ge=1, description="of a reply")


class TransformersWriter(_LocalRole, ChatWriter):  # type: ignore[misc]  # as above
    """Writes scenes and instructions; for photographs by looking at them."""

    Settings: ClassVar[type[TransformersSettings]] = WriterSettings
