"""Models behind the OpenAI protocol: vLLM, SGLang, llama.cpp, OpenRouter, OpenAI …

Chat with pictures and a JSON schema writes and judges, `images.generate` paints, `images.edit` edits.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from pydantic import Field

from triptych.backends.endpoints import EndpointRole, Endpoints, EndpointSettings, Unreached, retry_after
from triptych.backends.prompts.chat import CUT_SHORT, Chat, Prompt, Reply
from triptych.backends.prompts.judge import ChatJudge
from triptych.backends.prompts.judging import Look
from triptych.backends.prompts.writer import ChatWriter
from triptych.backends.received import AspectHandling, fitted, note_of, received
from triptych.errors import CallFailed, InfrastructureError, ModelError, Refused
from triptych.pixels.picture import Picture
from triptych.pixels.sizes import Size
from triptych.records import ImageFormat, Receipt
from triptych.roles import (
    Answered,
    EditRequest,
    Metered,
    PaintRequest,
    RoleConfig,
)

if TYPE_CHECKING:
    from openai import APIStatusError, AsyncOpenAI

T = TypeVar("T")
Extra = dict[str, Any]

_POLICY_CODES = frozenset({"content_policy_violation", "content_filter", "moderation_blocked", "safety"})
_BUSY = frozenset({408, 409, 425, 429})


class _Settings(EndpointSettings):
    url: str | tuple[str, ...] = "https://api.openai.com/v1"
    key_env: str | None = "OPENAI_API_KEY"
    extra: Extra = Field(default_factory=dict, description="sent along as they are, e.g. max_tokens, top_p")


class _ChatSettings(_Settings):
    temperature: float | None = Field(default=None, ge=0, description="null: not sent")
    send_seed: bool = True
    structured: Literal["json_schema", "json_object", "none"] = Field(
        default="json_schema", description="what the server is asked for; replies are validated all the same"
    )
    look: Look = Look()


class OpenAIChat:
    """One model's chat endpoint."""

    def __init__(self, settings: _ChatSettings, server: Server, image_format: ImageFormat) -> None:
        self._settings = settings
        self._image_format: ImageFormat = image_format
        self._server = server

    async def ask(self, prompt: Prompt) -> Reply:
        """The reply to a prompt; refusals by the model or a content filter are its failure."""
        settings = self._settings
        body: dict[str, Any] = {
            "temperature": settings.temperature,
            "seed": prompt.seed if settings.send_seed else None,
        }
        body = {key: value for key, value in body.items() if value is not None}
        if settings.structured != "none":
            body["response_format"] = self._format(prompt)
        messages: Any = [
            {"role": "system", "content": prompt.system},
            {"role": "user", "content": [self._part(part) for part in prompt.parts]},
        ]

        async def ask(client: AsyncOpenAI) -> Any:
            return await client.chat.completions.create(
                model=settings.model,
                messages=messages,
                extra_body=settings.extra,
                **body,
            )

        try:
            completion = await self._server.call(ask)
        except CallFailed as failure:
            return Reply("", Receipt(terms=settings.known_terms), failure)
        return self._read(completion)

    async def close(self) -> None:
        """Close the connections."""
        await self._server.close()

    def _read(self, completion: Any) -> Reply:
        usage = getattr(completion, "usage", None)
        came, went = (getattr(usage, name, None) for name in ("prompt_tokens", "completion_tokens"))
        told = getattr(usage, "cost", None)  # OpenRouter and LiteLLM's proxy say what it cost
        price = float(told) if isinstance(told, int | float) else self._settings.cost(came, went)
        receipt = Receipt(came, went, price, terms=self._settings.known_terms)
        choices = getattr(completion, "choices", None)
        if not choices or choices[0].message is None:
            return Reply("", receipt, ModelError("bad_answer", "the server sent no message"))
        message, ended = choices[0].message, choices[0].finish_reason
        words = self._server.without_key(message.content or "")
        if message.refusal:
            return Reply(words, receipt, Refused("declined", self._server.shown(message.refusal)))
        if ended == "content_filter":
            return Reply(words, receipt, Refused("content_filter", "the server's filter stopped the reply"))
        if ended == "length":
            return Reply(words, receipt, ModelError(CUT_SHORT, "raise settings.extra.max_tokens"))
        return Reply(words, receipt)

    def _part(self, part: str | Picture) -> dict[str, Any]:
        if isinstance(part, str):
            return {"type": "text", "text": part}
        data = base64.b64encode(part.encoded(self._image_format)).decode()
        return {"type": "image_url", "image_url": {"url": f"data:image/{self._image_format};base64,{data}"}}

    def _format(self, prompt: Prompt) -> dict[str, Any]:
        if self._settings.structured == "json_object":
            return {"type": "json_object"}
        schema = prompt.reply.model_json_schema()
        return {
            "type": "json_schema",
            "json_schema": {"name": prompt.reply.__name__.lower(), "strict": True, "schema": schema},
        }


class Server:
    """The endpoints of a role, with the client's errors told in ours."""

    def __init__(self, settings: EndpointSettings) -> None:
        self._settings = settings
        self._endpoints: Endpoints[AsyncOpenAI] | None = None

    async def call(self, ask: Callable[[AsyncOpenAI], Awaitable[T]]) -> T:
        """Ask an endpoint. Raises CallFailed with a line that doesn't hold the key."""
        return await self._connected().call(self._telling(ask))

    async def reach(self) -> str:
        """Whether each server is there and lists the model; one without a list is taken at its word."""
        model = self._settings.model

        async def listed(client: AsyncOpenAI) -> bool | None:
            models = [found.id async for found in client.models.list()]
            return model in models if models else None

        try:
            answers = await self._connected().each(self._telling(listed))
        except InfrastructureError as failure:
            if failure.reason != "unknown_model":
                raise
            return "up; it has no list of models"
        if False in answers:
            raise InfrastructureError("unknown_model", f"{model!r} isn't among the models that it lists")
        return f"{len(answers)} up, with {model}"

    def _telling(self, ask: Callable[[AsyncOpenAI], Awaitable[T]]) -> Callable[[AsyncOpenAI], Awaitable[T]]:
        """The same, with the client's errors as ours."""
        import openai

        async def told(client: AsyncOpenAI) -> T:
            try:
                return await ask(client)
            except openai.APITimeoutError:
                raise Unreached("timeout") from None
            except openai.APIConnectionError as error:
                raise Unreached("connection", f"{error.__cause__ or error}; is the server up?") from None
            except openai.APIStatusError as error:
                raise self._told(error) from None
            except (openai.OpenAIError, ValueError, TypeError) as error:  # what it sent is no such answer
                raise ModelError("bad_answer", self.shown(error)) from None

        return told

    def shown(self, message: object) -> str:
        """A server's words in a line without the key."""
        return self._connected().shown(message)

    def without_key(self, words: str) -> str:
        """A server's words without the key."""
        return self._connected().without_key(words)

    async def close(self) -> None:
        """Close the connections, if there are any."""
        if self._endpoints is not None:
            await self._endpoints.close(lambda client: client.close())

    def _connected(self) -> Endpoints[AsyncOpenAI]:
        if self._endpoints is None:
            from openai import AsyncOpenAI

            def connect(url: str, key: str) -> AsyncOpenAI:
                return AsyncOpenAI(api_key=key, base_url=url, max_retries=0, timeout=self._settings.timeout)

            self._endpoints = Endpoints(self._settings, connect)
        return self._endpoints

    def _told(self, error: APIStatusError) -> CallFailed:
        body = error.body if isinstance(error.body, dict) else {}
        status, said = error.status_code, self.shown(body.get("message") or error.message)
        code = str(error.code or error.type or "")
        where = self._settings.key_env or "settings.key_env"
        if status in (401, 403) and code not in _POLICY_CODES:
            return Unreached("wrong_key", f"{status}: check {where} ({said})", lasting=True)
        if status == 404:
            return Unreached(
                "unknown_model", f"404: {self._settings.model!r} isn't there ({said})", lasting=True
            )
        if code == "insufficient_quota" or status == 402:
            return Unreached("out_of_quota", said, lasting=True)
        if status in _BUSY or status >= 500:
            reason = "rate_limited" if status == 429 else f"http_{status}"
            return Unreached(reason, said, retry_after(error.response.headers))
        if code in _POLICY_CODES or "content policy" in said.lower() or "safety system" in said.lower():
            return Refused("content_policy", said)
        return ModelError("bad_request" if status in (400, 413, 422) else f"http_{status}", said)


class _ChatRole(EndpointRole):
    Settings: ClassVar[type[EndpointSettings]] = _ChatSettings
    settings: _ChatSettings
    server: Server
    chat: Chat

    def __init__(self, config: RoleConfig) -> None:
        super().__init__(config)
        self.look = self.settings.look
        self.server = Server(self.settings)
        self.chat = OpenAIChat(self.settings, self.server, config.image_format)


class OpenAIWriter(_ChatRole, ChatWriter):
    """Writes by an OpenAI-compatible chat model; for photographs it has to see pictures."""

    class Settings(_ChatSettings):
        """Fifty scenes in one reply take their time."""

        timeout: float = Field(default=900, gt=0, description="seconds for one try")


class OpenAIJudge(_ChatRole, ChatJudge):
    """Judges by an OpenAI-compatible chat model that sees pictures."""

    class Settings(_ChatSettings):
        """A judge answers alike each time, as far as its server can."""

        temperature: float | None = Field(default=0.0, ge=0, description="null: not sent")


class _ImageSettings(_Settings):
    sizes: tuple[str, ...] = Field(
        default=(), description="the sizes that the model takes, e.g. 1024x1024; empty: any"
    )
    seed_name: str | None = Field(default="seed", description="how the seed is called; null: it isn't sent")
    response_format: Literal["b64_json"] | None = Field(
        default="b64_json", description="null for models that always send base64 and refuse to be told"
    )
    other_size: AspectHandling = Field(
        default="refuse", description="what becomes of a picture of another size than asked for"
    )
    timeout: float = Field(default=300, gt=0, description="seconds for one try")


class _Images(EndpointRole):
    Settings: ClassVar[type[EndpointSettings]] = _ImageSettings
    settings: _ImageSettings
    server: Server

    def __init__(self, config: RoleConfig) -> None:
        super().__init__(config)
        self.server = Server(self.settings)

    def _options(self, width: int, height: int, seed: int) -> dict[str, Any]:
        settings = self.settings
        options: dict[str, Any] = {"model": settings.model, "size": self._size(width, height), "n": 1}
        if settings.response_format is not None:
            options["response_format"] = settings.response_format
        seeds = {} if settings.seed_name is None else {settings.seed_name: seed}
        return options | {"extra_body": settings.extra | seeds}

    def _size(self, width: int, height: int) -> str:
        """The size to ask for: the very one, or of those that the model takes the one nearest in shape."""
        if not self.settings.sizes:
            return f"{width}x{height}"

        def distance(size: str) -> float:
            across, _, down = size.partition("x")
            shape = int(across) * height / (int(down) * width)
            return max(shape, 1 / shape)

        return min(self.settings.sizes, key=distance)

    async def _picture(
        self, ask: Callable[[AsyncOpenAI], Awaitable[Any]], size: Size, *, edit: bool
    ) -> Metered[Picture]:
        settings = self.settings
        try:
            answer = await self.server.call(ask)
        except CallFailed as failure:
            return Metered(failure, Receipt(terms=settings.known_terms))
        usage = getattr(answer, "usage", None)
        came, went = (getattr(usage, name, None) for name in ("input_tokens", "output_tokens"))
        by_tokens = settings.price_image is None
        price = settings.cost(came, went) if by_tokens else settings.cost(None, None, 1)
        receipt = Receipt(came, went, price, terms=settings.known_terms)
        try:
            data = _bytes_of(answer)
            note = note_of(data)
            picture = fitted(received(data), size, settings.other_size, exact_content=edit)
        except CallFailed as failure:
            return Metered(failure, receipt)
        return Metered(picture, note.on(receipt, lossless_wanted=edit, who=settings.model))


def _bytes_of(answer: Any) -> bytes:
    items = getattr(answer, "data", None)
    if not items:
        raise ModelError("no_picture", "the server sent none")
    text = items[0].b64_json or ""
    if not text and (items[0].url or "").startswith("data:"):
        text = items[0].url.partition(",")[2]
    if not text:
        raise ModelError("no_picture", "the server sent a link: set settings.response_format to b64_json")
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ModelError("unreadable_picture", "what the server sent is no base64") from None


class OpenAIPainter(_Images):
    """Paints by `images.generate`."""

    async def paint(self, requests: Sequence[PaintRequest]) -> Answered[Picture]:
        """One picture for each request, one call each."""
        return await asyncio.gather(*(self._paint(request) for request in requests))

    async def _paint(self, request: PaintRequest) -> Metered[Picture]:
        options = self._options(request.width, request.height, request.seed)

        async def ask(client: AsyncOpenAI) -> Any:
            return await client.images.generate(prompt=request.prompt, **options)

        return await self._picture(ask, Size(request.width, request.height), edit=False)


class OpenAIEditor(_Images):
    """Edits by `images.edit`."""

    async def edit(self, requests: Sequence[EditRequest]) -> Answered[Picture]:
        """The edited picture of each request, one call each."""
        return await asyncio.gather(*(self._edit(request) for request in requests))

    async def _edit(self, request: EditRequest) -> Metered[Picture]:
        picture = request.picture
        options = self._options(picture.width, picture.height, request.seed)
        image_format = self.config.image_format
        file = (f"source.{image_format}", picture.encoded(image_format), f"image/{image_format}")

        async def ask(client: AsyncOpenAI) -> Any:
            return await client.images.edit(image=file, prompt=request.instruction, **options)

        return await self._picture(ask, Size(picture.width, picture.height), edit=True)
