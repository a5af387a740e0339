"""Calls to servers: which of several endpoints, how many at once, how long to wait, when to give up.

Every endpoint of a role has its own limit of calls in flight. It grows by one for each limit's worth of
answers and is halved where the server says that it is too busy or isn't there (AIMD). After each such failure
the endpoint rests: as long as its Retry-After says, else a jittered time that doubles with every failure in a
row; while it rests nobody asks it, and then few at a time try (a circuit breaker). A try that failed goes to
whichever endpoint is freest, a bounded number of times; what still fails is the miner's to ask again.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol, TypeVar
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from triptych.errors import InfrastructureError, RecipeError
from triptych.records import Spec
from triptych.roles import BackendSettings, Placement, RoleConfig, spec_of

C = TypeVar("C")
T = TypeVar("T")

_FIRST_LIMIT = 8  # calls at once to an endpoint that nothing is known of yet
_FIRST_REST = 0.5  # seconds
_LONGEST_REST = 30.0
_LONGEST_WAIT = 60.0  # for an endpoint that rests, within one call
_TERMS = {  # of services, by the end of their host's name
    "api.openai.com": "OpenAI services agreement",
    "googleapis.com": "Gemini API terms",
    "openrouter.ai": "OpenRouter terms and the provider's",
}
_SHORTEST_KEY = 12  # characters; what is shorter ("none", "x") is a placeholder, and stands in any text
_SHOWN = 300  # characters of a server's message


class EndpointSettings(BackendSettings):
    """Where a model is and how it is asked; of these only the model itself is part of the spec."""

    not_in_spec: ClassVar[frozenset[str]] = frozenset(
        {"url", "key_env", "timeout", "retries", "at_once", "price_in", "price_out", "price_image", "terms"}
    )

    model: str
    url: str | tuple[str, ...] = Field(default="", description="several are balanced by load")
    key_env: str | None = Field(default=None, description="the environment variable that holds the key")
    timeout: float = Field(default=180, gt=0, description="seconds for one try")
    retries: int = Field(default=3, ge=0, le=20, description="further tries of one call")
    at_once: int = Field(default=32, ge=1, description="calls at once to one endpoint, at most")
    price_in: float | None = Field(default=None, ge=0, description="of a million tokens that go in")
    price_out: float | None = Field(default=None, ge=0, description="of a million tokens that come out")
    price_image: float | None = Field(default=None, ge=0, description="of a picture that comes back")
    terms: str | None = Field(default=None, description="under which the answers come")

    @field_validator("url")
    @classmethod
    def _no_secret(cls, url: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for one in (url,) if isinstance(url, str) else url:
            parts = urlsplit(one)
            if parts.password or parts.username or parts.query:
                raise ValueError("give the address alone: a key comes from the environment, see key_env")
            if one and parts.scheme not in ("http", "https"):
                raise ValueError(f"an address begins with http:// or https:// (given: {one})")
        return url

    @property
    def urls(self) -> tuple[str, ...]:
        """All endpoints."""
        return (self.url,) if isinstance(self.url, str) else self.url

    @property
    def known_terms(self) -> str | None:
        """The terms of the answers: as set, or those of a service known by its address."""
        if self.terms is not None:
            return self.terms
        hosts = [urlsplit(url).hostname or "" for url in self.urls]
        return next((terms for host, terms in _TERMS.items() if any(h.endswith(host) for h in hosts)), None)

    def key(self) -> str:
        """The key, from the environment alone. RecipeError where the variable isn't set."""
        if self.key_env is None:
            return "none"
        found = os.environ.get(self.key_env, "").strip()
        if not found:
            raise RecipeError(
                f"{self.model}: no key: set the environment variable {self.key_env}, or name another with"
                " settings.key_env (null where the server needs none)"
            )
        return found

    def cost(self, tokens_in: int | None, tokens_out: int | None, images: int = 0) -> float | None:
        """Price of an answer; None where a part of it isn't known."""
        parts = [
            (tokens_in, self.price_in, 1e6),
            (tokens_out, self.price_out, 1e6),
            (images, self.price_image, 1),
        ]
        known = [count * price / unit for count, price, unit in parts if count and price is not None]
        unknown = any(count and price is None for count, price, unit in parts)
        return None if unknown or not known else sum(known)


class Unreached(InfrastructureError):
    """An endpoint that is too busy, is down, or doesn't know us. `wait`: seconds that it asks for."""

    def __init__(
        self, reason: str, detail: str = "", wait: float | None = None, *, lasting: bool = False
    ) -> None:
        super().__init__(reason, detail)
        self.wait = wait
        self.lasting = lasting  # the same endpoint would say the same again: a wrong key, an unknown model

    def __reduce__(self) -> tuple[type[InfrastructureError], tuple[str, str]]:
        return InfrastructureError, (self.reason, self.detail)


@dataclass(slots=True)
class Endpoint(Generic[C]):
    """One server, and how it has been doing."""

    url: str
    client: C
    limit: float
    most: int
    in_flight: int = 0
    failures: int = 0  # in a row
    resting_until: float = 0.0

    def load(self) -> float:
        """Share of its limit that is taken, with the next call."""
        return (self.in_flight + 1) / self.limit

    def has_room(self, now: float) -> bool:
        """Whether one more call may begin."""
        return now >= self.resting_until and self.in_flight < int(self.limit)

    def answered(self) -> None:
        """A call came through."""
        self.failures = 0
        self.limit = min(float(self.most), self.limit + 1 / self.limit)

    def failed(self, wait: float | None, draw: Callable[[], float]) -> None:
        """A call didn't. Calls that began before the rest count once: they say the same thing."""
        now = time.monotonic()
        if now < self.resting_until and wait is None:
            return
        self.failures += 1
        self.limit = max(1.0, self.limit / 2)
        rest = min(_FIRST_REST * 2 ** (self.failures - 1), _LONGEST_REST) * (0.5 + draw() / 2)
        self.resting_until = max(self.resting_until, now + (rest if wait is None else wait))


class Endpoints(Generic[C]):
    """All endpoints of a role, asked by load."""

    def __init__(self, settings: EndpointSettings, connect: Callable[[str, str], C]) -> None:
        self.settings = settings
        self._key = settings.key()
        first = float(min(_FIRST_LIMIT, settings.at_once))
        self.all = [Endpoint(url, connect(url, self._key), first, settings.at_once) for url in settings.urls]
        self._turn = asyncio.Condition()
        self._draw = random.Random().random  # jitter: no two runs shall knock together

    async def call(self, ask: Callable[[C], Awaitable[T]]) -> T:
        """Ask the freest endpoint, and again where it wasn't reached, `retries` times at most.

        `ask` raises Unreached where another try may help, any other CallFailed where it won't. A failure that
        comes out of here doesn't hold the key, whatever the server said.
        """
        tried: set[str] = set()
        for left in range(self.settings.retries, -1, -1):
            endpoint = await self._place(tried)
            try:
                async with asyncio.timeout(self.settings.timeout):
                    answer = await ask(endpoint.client)
            except TimeoutError:
                failure = Unreached("timeout", f"no answer within {self.settings.timeout:g} s")
                endpoint.failed(None, self._draw)
            except Unreached as error:
                failure = error
                endpoint.failed(failure.wait, self._draw)
            else:
                endpoint.answered()
                return answer
            finally:
                await self._leave(endpoint)
            tried.add(endpoint.url)
            others = [other for other in self.all if other.url not in tried]
            if left == 0 or (failure.lasting and not others) or (failure.wait or 0) > _LONGEST_WAIT:
                raise self._told(failure, endpoint)
        raise AssertionError  # the last turn raises

    def shown(self, message: object) -> str:
        """What a server said, in a line, cut short and without the key."""
        words = self.without_key(" ".join(str(message).split()))
        return words if len(words) <= _SHOWN else words[:_SHOWN] + " …"

    def without_key(self, words: str) -> str:
        """Words of a server, with its key, should it repeat it, made unreadable."""
        if self.settings.key_env is None or len(self._key) < _SHORTEST_KEY:
            return words
        return words.replace(self._key, f"[{self.settings.key_env}]")

    async def each(self, ask: Callable[[C], Awaitable[T]]) -> list[T]:
        """Ask every endpoint once, without another try. Raises as `call` does."""
        answers = []
        for endpoint in self.all:
            try:
                async with asyncio.timeout(min(self.settings.timeout, _LONGEST_REST)):
                    answers.append(await ask(endpoint.client))
            except TimeoutError:
                raise self._told(Unreached("timeout", "no answer"), endpoint) from None
            except Unreached as failure:
                raise self._told(failure, endpoint) from None
        return answers

    async def close(self, end: Callable[[C], Awaitable[object]]) -> None:
        """Close every client."""
        for endpoint in self.all:
            await end(endpoint.client)

    def _told(self, failure: Unreached, endpoint: Endpoint[C]) -> InfrastructureError:
        return InfrastructureError(failure.reason, self.shown(f"{endpoint.url}: {failure.detail}"))

    async def _place(self, tried: set[str]) -> Endpoint[C]:
        """A place at the freest endpoint, those that just failed last; waits until there is one."""
        async with self._turn:
            while True:
                now = time.monotonic()
                free = [endpoint for endpoint in self.all if endpoint.has_room(now)]
                if free:
                    best = min(free, key=lambda endpoint: (endpoint.url in tried, endpoint.load()))
                    best.in_flight += 1
                    return best
                wake = min(endpoint.resting_until for endpoint in self.all)
                if wake - now > _LONGEST_WAIT:
                    raise InfrastructureError(
                        "resting",
                        self.shown(f"{self.all[0].url} asked to be left alone for {wake - now:.0f} s"),
                    )
                resting = [e.resting_until for e in self.all if e.resting_until > now]
                wait = min(resting) - now if resting else None
                try:
                    async with asyncio.timeout(wait):
                        await self._turn.wait()
                except TimeoutError:
                    continue

    async def _leave(self, endpoint: Endpoint[C]) -> None:
        endpoint.in_flight -= 1
        async with self._turn:
            self._turn.notify_all()


def retry_after(headers: Any) -> float | None:
    """Seconds that a server asks to be left alone; None where it doesn't say in seconds."""
    for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            seconds = float(headers.get(name, "")) / unit
        except ValueError:
            continue
        if 0 <= seconds < 1e6:
            return seconds
    return None


class Reachable(Protocol):
    """The servers of a role."""

    async def reach(self) -> str:
        """Whether each is there and has the model, in words; nothing that costs is asked."""

    async def close(self) -> None:
        """Close the connections, if there are any."""


class EndpointRole:
    """What every role over endpoints is made of."""

    Settings: ClassVar[type[EndpointSettings]]
    revision: ClassVar[str] = "1"
    placement: ClassVar[Placement] = "io"
    settings: EndpointSettings
    server: Reachable

    def __init__(self, config: RoleConfig) -> None:
        self.config = config
        self.settings = self.Settings.model_validate(dict(config.settings))

    @property
    def spec(self) -> Spec:
        """What determines the answers: a chat's prompts too."""
        prompts = getattr(self, "prompts", None)
        found = {} if prompts is None else {"prompts": prompts()}
        return spec_of(self.config, self.settings, self.revision, **found)

    def ready(self) -> None:
        """Raise RecipeError where the key is missing."""
        self.settings.key()

    async def reach(self) -> str:
        """What the servers say of the model, before anything is spent. Raises CallFailed."""
        return await self.server.reach()

    async def close(self) -> None:
        """Close the connections."""
        await self.server.close()
