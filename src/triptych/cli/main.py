"""`triptych`: every command, and the one place where errors become lines and exit codes.

Exit codes: 0 done, 1 the work failed or was stopped before its end, 2 bad usage or input.
"""

from __future__ import annotations

import argparse
import gc
import signal
import sys
from collections.abc import Sequence

from triptych import __version__
from triptych.cli.arguments.audit import add_audit
from triptych.cli.arguments.bench import add_bench
from triptych.cli.arguments.doctor import add_doctor
from triptych.cli.arguments.export import add_export
from triptych.cli.arguments.import_pairs import add_import
from triptych.cli.arguments.merge import add_merge
from triptych.cli.arguments.mine import add_mine
from triptych.cli.arguments.review import add_review
from triptych.cli.arguments.status import add_status, add_verify
from triptych.cli.arguments.train import add_train
from triptych.cli.arguments.validator import add_validator
from triptych.errors import UserError, WorkFailed


def run() -> int:
    """The command as a process of its own; returns its exit code."""
    gc.disable()  # facts that are read live as long as the command: looking for garbage is a tenth of it
    return main()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    parsed = _parser().parse_args(arguments)
    try:
        code: int = parsed.command(parsed)
    except UserError as error:
        print(f"triptych: {error}", file=sys.stderr)
        return 2
    except WorkFailed as error:
        print(f"triptych: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # what is left is to end
        print("triptych: interrupted; what was done is kept, the same command goes on", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of our output has gone: nobody to tell
        sys.stderr.close()
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="triptych",
        description="Mine image-editing triplets (source, instruction, edited image), nobody in the loop.",
    )
    parser.add_argument("--version", action="version", version=f"triptych {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for add in (
        add_mine,
        add_merge,
        add_status,
        add_verify,
        add_export,
        add_review,
        add_import,
        add_audit,
        add_validator,
        add_train,
        add_bench,
        add_doctor,
    ):
        add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(run())
