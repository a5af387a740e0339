"""Who may ask what: by which names the page is called, a token where others reach it, what writes need."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
COOKIE: Final = "triptych_review"
LARGEST_BODY: Final = 64 * 1024  # bytes; a rating is a few hundred

_HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class Access:
    """Where the page is bound, and the token that it then wants."""

    host: str
    port: int
    token: str | None = field(default=None, repr=False)

    @classmethod
    def to(cls, host: str, port: int) -> Access:
        """On this machine alone no token; anywhere else a new one."""
        return cls(host, port, None if host in LOOPBACK else secrets.token_urlsafe(24))

    @property
    def url(self) -> str:
        """What to open."""
        shown = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{shown}:{self.port}/" + (f"?token={self.token}" if self.token else "")

    def knows_host(self, host: str) -> bool:
        """Whether a Host header is one of ours: a foreign name that resolves to this machine is not."""
        if self.token is not None:
            return True  # any name may lead here; the token decides
        try:
            parts = urlsplit(f"//{host}")
            name, port = parts.hostname, parts.port
        except ValueError:
            return False
        return name in LOOPBACK and (port or 80) == self.port


class Guard:
    """Wraps the application: refuses what may not ask, and adds the headers that bind the page."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_bound(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        refused = self._refused(scope)
        await (refused or self._app)(scope, receive, send_bound)

    def _refused(self, scope: Scope) -> ASGIApp | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._access.knows_host(host):
            return PlainTextResponse("this address is not the review page's own", 421)
        if self._access.token is not None:
            given = QueryParams(scope["query_string"]).get("token", "")
            if secrets.compare_digest(given.encode(), self._access.token.encode()):
                return _with_cookie(scope, self._access.token)
            kept = cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
            if not secrets.compare_digest(kept.encode(), self._access.token.encode()):
                return PlainTextResponse("open the address that the command printed: it holds a token", 403)
        if scope["method"] not in ("GET", "HEAD"):
            return self._refused_write(headers, host)
        return None

    def _refused_write(self, headers: Headers, host: str) -> ASGIApp | None:
        if headers.get("origin") not in (f"http://{host}", f"https://{host}"):
            return PlainTextResponse("writes come from the page itself", 403)
        if headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return PlainTextResponse("writes are application/json", 415)
        length = headers.get("content-length", "")
        if not length.isdigit() or int(length) > LARGEST_BODY:
            return PlainTextResponse("a write says its length, 64 KiB at most", 413)
        return None


def _with_cookie(scope: Scope, token: str) -> RedirectResponse:
    """The same page without the token in its address, which people copy; a cookie carries it from here on."""
    kept = QueryParams(
        [(key, value) for key, value in QueryParams(scope["query_string"]).multi_items() if key != "token"]
    )
    answer = RedirectResponse(f"{scope['path']}?{kept}" if str(kept) else scope["path"], 303)
    answer.set_cookie(COOKIE, token, httponly=True, samesite="strict")
    return answer
