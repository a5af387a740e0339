"""`triptych review`: serve the review page over runs."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from triptych.errors import UserError


def review(
    runs: Sequence[Path], overrides: Sequence[str], *, host: str, port: int, audit: int | None = None
) -> int:
    """Serve until stopped. UserError where the extra, the address or a run is missing."""
    try:
        import uvicorn

        from triptych.review.live import LiveRun
        from triptych.review.security import Access
        from triptych.review.server import application
    except ModuleNotFoundError as error:
        raise UserError(
            f"the review page needs {error.name}: install it with `pip install 'triptych[review]'`"
        ) from None
    with ExitStack() as stack:
        opened = [stack.enter_context(closing(LiveRun(path, overrides))) for path in runs]
        listener = stack.enter_context(_listener(host, port))
        access = Access.to(host, listener.getsockname()[1])
        config = uvicorn.Config(
            application(opened, access, audit=audit), log_level="warning", server_header=False
        )
        print(f"review: {access.url}  (Ctrl-C ends it)", flush=True)
        uvicorn.Server(config).run(sockets=[listener])
    return 0


def _listener(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        said = getattr(error, "strerror", None) or error
        raise UserError(f"{host}:{port} can't be used ({said}): give another --port, or 0 for any") from None
