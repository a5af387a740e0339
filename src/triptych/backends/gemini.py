"""Gemini, through Google's own client: writes, judges, edits; with a key, or on Vertex AI."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from pydantic import Field

from triptych.backends.endpoints import EndpointRole, Endpoints, EndpointSettings, Unreached, retry_after
from triptych.backends.prompts.chat import CUT_SHORT, Chat, Prompt, Reply
from triptych.backends.prompts.judge import ChatJudge
from triptych.backends.prompts.judging import Look
from triptych.backends.prompts.writer import ChatWriter
from triptych.backends.received import AspectHandling, fitted, note_of, received
from triptych.errors import CallFailed, ModelError, RecipeError, Refused
from triptych.pixels.picture import Picture
from triptych.pixels.sizes import Size
from triptych.records import ImageFormat, Receipt
from triptych.roles import Answered, EditRequest, Metered, RoleConfig

if TYPE_CHECKING:
    from google.genai import Client
    from google.genai.errors import APIError

T = TypeVar("T")

_GOOGLES = "Gemini API terms"
_API_VERSION = "v1beta"  # pinned: another base URL would else be asked for whatever is newest
_BLIPS = [408, 502, 503, 504]  # asked again by the client itself, once, before an endpoint is given a rest
_REFUSALS = frozenset(
    {
        "SAFETY",
        "PROHIBITED_CONTENT",
        "BLOCKLIST",
        "SPII",
        "RECITATION",
        "IMAGE_SAFETY",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION",
        "MODEL_ARMOR",
    }
)
_DELAY = re.compile(r"'retryDelay': '([\d.]+)s'")


class _GeminiSettings(EndpointSettings):
    not_in_spec: ClassVar[frozenset[str]] = EndpointSettings.not_in_spec | {"vertex", "project", "location"}

    key_env: str | None = "GEMINI_API_KEY"
    url: str | tuple[str, ...] = Field(default="", description="empty: Google's own")
    vertex: bool = Field(default=False, description="on Vertex AI, with the machine's own credentials")
    project: str | None = None
    location: str | None = None
    temperature: float | None = Field(default=None, ge=0, description="null: not sent")
    extra: dict[str, Any] = Field(default_factory=dict, description="into the generation config, as they are")

    @property
    def known_terms(self) -> str | None:
        """Google's, unless others are set or another server is asked."""
        return self.terms or (_GOOGLES if self.url == "" else super().known_terms)

    def key(self) -> str:
        """The key, from the environment alone; Vertex needs none. RecipeError without the client, too."""
        if not _installed():
            raise RecipeError("Gemini needs its client: pip install 'triptych[gemini]'")
        if not self.vertex:
            return super().key()
        if self.project is None or self.location is None:
            raise RecipeError(f"{self.model}: vertex needs settings.project and settings.location")
        return "none"


class _GeminiChatSettings(_GeminiSettings):
    look: Look = Look()


class Gemini:
    """The endpoints of a role, with the client's errors told in ours."""

    def __init__(self, settings: _GeminiSettings, image_format: ImageFormat) -> None:
        self._settings = settings
        self._image_format: ImageFormat = image_format
        self._endpoints: Endpoints[Client] | None = None

    async def generate(self, parts: Sequence[str | Picture], seed: int, **config: Any) -> Any:
        """The whole answer of a model. Raises CallFailed with a line that doesn't hold the key."""
        from google.genai import types

        settings = self._settings
        endpoints = self._connected()
        asked = {"temperature": settings.temperature, "seed": seed, **config, **settings.extra}
        given = types.GenerateContentConfig(
            **{key: value for key, value in asked.items() if value is not None}
        )
        contents = [self._part(part) for part in parts]

        async def ask(client: Client) -> Any:
            return await self._told(
                lambda: client.aio.models.generate_content(
                    model=settings.model, contents=contents, config=given
                )
            )

        return await endpoints.call(ask)

    async def reach(self) -> str:
        """Whether each endpoint is there and has the model."""
        model = self._settings.model

        async def found(client: Client) -> Any:
            return await self._told(lambda: client.aio.models.get(model=model))

        answers = await self._connected().each(found)
        return f"{len(answers)} up, with {model}"

    def receipt(self, answer: Any, images: int = 0) -> Receipt:
        """What an answer cost; thoughts are paid like words."""
        usage = getattr(answer, "usage_metadata", None)
        came = getattr(usage, "prompt_token_count", None)
        said = getattr(usage, "candidates_token_count", None)
        thought = getattr(usage, "thoughts_token_count", None)
        went = None if said is None and thought is None else (said or 0) + (thought or 0)
        by_image = images and self._settings.price_image is not None
        price = self._settings.cost(None, None, images) if by_image else self._settings.cost(came, went)
        return Receipt(came, went, price, terms=self._settings.known_terms)

    def failure(self, answer: Any) -> CallFailed | None:
        """Why an answer holds nothing, where it was stopped."""
        blocked = getattr(answer.prompt_feedback, "block_reason", None)
        if blocked is not None:
            return Refused("content_policy", f"blocked: {getattr(blocked, 'value', blocked)}")
        if not answer.candidates:
            return ModelError("bad_answer", "the server sent no candidate")
        ended = getattr(answer.candidates[0].finish_reason, "value", "STOP")
        if ended in _REFUSALS:
            return Refused("content_policy", f"stopped: {ended}")
        if ended == "MAX_TOKENS":
            return ModelError(CUT_SHORT, "raise settings.extra.max_output_tokens")
        return None

    def without_key(self, words: str) -> str:
        """A server's words without the key."""
        return self._connected().without_key(words)

    async def close(self) -> None:
        """Close the connections, if there are any."""
        if self._endpoints is not None:
            await self._endpoints.close(_ended)

    async def _told(self, ask: Callable[[], Awaitable[T]]) -> T:
        import httpx2
        from google.auth.exceptions import GoogleAuthError
        from google.genai.errors import APIError, UnknownApiResponseError

        try:
            return await ask()
        except APIError as error:
            raise self._failed(error) from None
        except httpx2.TimeoutException:
            raise Unreached("timeout") from None
        except httpx2.TransportError as error:
            raise Unreached("connection", f"{error}; is the server up?") from None
        except GoogleAuthError as error:
            raise Unreached("wrong_key", f"Google credentials: {error}", lasting=True) from None
        except (UnknownApiResponseError, ValueError) as error:  # what it sent is no such answer
            raise ModelError("bad_answer", self._connected().shown(error)) from None

    def _failed(self, error: APIError) -> CallFailed:
        status, said = error.code, self._connected().shown(error.message or error)
        details = str(error.details)
        if status in (401, 403) or "API_KEY_INVALID" in details:
            who = self._settings.key_env or "the credentials"
            return Unreached("wrong_key", f"{status}: check {who} ({said})", lasting=True)
        if status == 404:
            return Unreached(
                "unknown_model", f"404: {self._settings.model!r} isn't there ({said})", lasting=True
            )
        if status in (408, 429) or status >= 500:
            asked = _DELAY.search(details)
            wait = float(asked.group(1)) if asked else retry_after(getattr(error.response, "headers", {}))
            return Unreached("rate_limited" if status == 429 else f"http_{status}", said, wait)
        return ModelError("bad_request", said)

    def _part(self, part: str | Picture) -> Any:
        from google.genai import types

        if isinstance(part, str):
            return types.Part.from_text(text=part)
        kind = f"image/{self._image_format}"
        return types.Part.from_bytes(data=part.encoded(self._image_format), mime_type=kind)

    def _connected(self) -> Endpoints[Client]:
        if self._endpoints is None:
            settings = self._settings

            def connect(url: str, key: str) -> Client:  # once the key was found, and the client to be there
                from google import genai
                from google.genai import types

                options = types.HttpOptions(
                    base_url=url or None,
                    api_version="v1" if settings.vertex else _API_VERSION,
                    timeout=round(settings.timeout * 1000),
                    retry_options=types.HttpRetryOptions(attempts=2, http_status_codes=_BLIPS),
                )
                if settings.vertex:
                    return genai.Client(
                        vertexai=True,
                        project=settings.project,
                        location=settings.location,
                        http_options=options,
                    )
                return genai.Client(vertexai=False, api_key=key, http_options=options)

            self._endpoints = Endpoints(settings, connect)
        return self._endpoints


def _installed() -> bool:
    try:
        return find_spec("google.genai") is not None
    except ModuleNotFoundError:  # not even the package that Google's packages lie in
        return False


async def _ended(client: Client) -> None:
    await client.aio.aclose()
    client.close()


class GeminiChat(Gemini):
    """A Gemini model that replies in words."""

    async def ask(self, prompt: Prompt) -> Reply:
        """The reply to a prompt; what a filter stopped is its failure."""
        try:
            answer = await self.generate(
                prompt.parts,
                prompt.seed,
                system_instruction=prompt.system,
                response_mime_type="application/json",
                response_json_schema=prompt.reply.model_json_schema(),
            )
        except CallFailed as unreached:
            return Reply("", Receipt(terms=self._settings.known_terms), unreached)
        failure = self.failure(answer)
        words = "" if isinstance(failure, Refused) else "".join(part.text or "" for part in _parts(answer))
        return Reply(self.without_key(words), self.receipt(answer), failure)


def _parts(answer: Any) -> list[Any]:
    """Parts of the first candidate, thoughts left out."""
    content = answer.candidates[0].content if answer.candidates else None
    return [part for part in (content.parts if content else None) or [] if not part.thought]


class _ChatRole(EndpointRole):
    Settings: ClassVar[type[EndpointSettings]] = _GeminiChatSettings
    settings: _GeminiChatSettings
    chat: Chat

    def __init__(self, config: RoleConfig) -> None:
        super().__init__(config)
        self.look = self.settings.look
        model = GeminiChat(self.settings, config.image_format)
        self.server, self.chat = model, model


class GeminiWriter(_ChatRole, ChatWriter):
    """Writes by a Gemini model."""

    class Settings(_GeminiChatSettings):
        """Fifty scenes in one reply take their time."""

        timeout: float = Field(default=900, gt=0, description="seconds for one try")


class GeminiJudge(_ChatRole, ChatJudge):
    """Judges by a Gemini model."""

    class Settings(_GeminiChatSettings):
        """A judge answers alike each time, as far as its server can."""

        temperature: float | None = Field(default=0.0, ge=0, description="null: not sent")


class GeminiEditor(EndpointRole):
    """Edits by a Gemini model that answers in pictures."""

    class Settings(_GeminiSettings):
        """An edit comes back in a size near the source's, in its shape."""

        other_size: AspectHandling = "scale"
        timeout: float = Field(default=300, gt=0, description="seconds for one try")

    settings: Settings
    server: Gemini

    def __init__(self, config: RoleConfig) -> None:
        super().__init__(config)
        self.server = Gemini(self.settings, config.image_format)

    async def edit(self, requests: Sequence[EditRequest]) -> Answered[Picture]:
        """The edited picture of each request, one call each."""
        return await asyncio.gather(*(self._edit(request) for request in requests))

    async def _edit(self, request: EditRequest) -> Metered[Picture]:
        parts = (request.picture, request.instruction)
        try:
            answer = await self.server.generate(parts, request.seed, response_modalities=["IMAGE"])
        except CallFailed as unreached:
            return Metered(unreached, Receipt(terms=self.settings.known_terms))
        sent = [part.inline_data.data for part in _parts(answer) if part.inline_data is not None]
        receipt = self.server.receipt(answer, len(sent))
        failure = self.server.failure(answer)
        if failure is None and not sent:
            words = self.server.without_key(" ".join(part.text or "" for part in _parts(answer)))
            failure = ModelError("no_picture", words[:200] or "the model sent none")
        if failure is not None:
            return Metered(failure, receipt)
        try:
            note = note_of(sent[0])
            size = Size(request.picture.width, request.picture.height)
            picture = fitted(received(sent[0]), size, self.settings.other_size, exact_content=True)
        except CallFailed as unusable:
            return Metered(unusable, receipt)
        return Metered(picture, note.on(receipt, lossless_wanted=True, who=self.settings.model))
