"""`triptych review`: serve the review page over runs."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from triptych.errors import UserError


def review(
    runs: Sequence[Path], overrides: Sequence[str], *, host: str, port: int, audit: int | None = None
) -> int:
    """Serve until stopped. UserError where the extra, the address or a run is missing."""
    with _extra():
        import uvicorn

        from triptych.review.live import LiveRun
        from triptych.review.security import Access
        from triptych.review.server import application
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


def bundle(runs: Sequence[Path], overrides: Sequence[str], folder: Path) -> int:
    """Write the page as files. UserError where the extra or a run is missing, or the folder is taken."""
    with _extra():
        from triptych.review.bundle import write_bundle
        from triptych.review.live import LiveRun
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise UserError(f"{folder} is there already: name a new folder with --bundle, or remove it")
    with ExitStack() as stack:
        opened = [stack.enter_context(closing(LiveRun(path, overrides))) for path in runs]
        for run in opened:
            run.refresh()
        count = write_bundle(opened, folder)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    print(f"{folder}: {count:,} pictures and pairs, {size:,.1f} MB, for any static host")
    print(f"look at it with: python -m http.server --directory {folder}")
    return 0


@contextmanager
def _extra() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise UserError(
            f"the review page needs {error.name}: install it with `pip install 'triptych[review]'`"
        ) from None


def _listener(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        said = getattr(error, "strerror", None) or error
        raise UserError(f"{host}:{port} can't be used ({said}): give another --port, or 0 for any") from None
