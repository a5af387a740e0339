"""`triptych`: every command, and the one place where errors become lines and exit codes.

Exit codes: 0 done, 1 the work failed or was stopped before its end, 2 bad usage or input.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from triptych import __version__
from triptych.errors import UserError, WorkFailed

Command = Callable[[argparse.Namespace], int]


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
    _add_mine(commands)
    _add_status(commands)
    _add_verify(commands)
    _add_export(commands)
    _add_doctor(commands)
    return parser


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    command: Command,
    what: str,
    example: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=what,
        description=what,
        epilog=f"example: {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(command=command)
    return parser


def _add_set(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides", help=what
    )


def _add_mine(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    def command(parsed: argparse.Namespace) -> int:
        from triptych.cli.mine import mine

        return mine(parsed.recipe, parsed.out, parsed.overrides, json=parsed.json, dry_run=parsed.dry_run)

    what = "Mine a recipe, or go on with a run; says first what is owed."
    parser = _add(
        commands, "mine", command, what, "triptych mine recipes/quickstart.yaml --set threshold=4.5"
    )
    parser.add_argument("recipe", type=Path, metavar="RECIPE", help="YAML file of the run")
    parser.add_argument(
        "--out", type=Path, metavar="RUN", help="run folder (default: runs/<name of the recipe>)"
    )
    _add_set(parser, "change a key of the recipe, e.g. scenes=100 or budget.calls.editor=500")
    parser.add_argument("--json", action="store_true", help="progress as JSON events, a line each")
    parser.add_argument("--dry-run", action="store_true", help="say what is owed and stop")


def _add_status(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    def command(parsed: argparse.Namespace) -> int:
        from triptych.cli.status import status

        return status(parsed.run, parsed.overrides, json=parsed.json, truth=parsed.truth, rows=parsed.rows)

    what = "Funnel, cost and failures of a run; with --set what another rule would give, no call made."
    parser = _add(commands, "status", command, what, "triptych status runs/quickstart --set threshold=4.5")
    parser.add_argument("run", type=Path, metavar="RUN", help="run folder")
    _add_set(parser, "look at the run under another rule, e.g. threshold=4.5")
    parser.add_argument("--json", action="store_true", help="as one JSON object")
    parser.add_argument("--truth", action="store_true", help="measure every gate (embedded studio only)")
    parser.add_argument("--rows", type=Path, metavar="FILE", help="with --truth: a JSON line for every Pair")


def _add_verify(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    def command(parsed: argparse.Namespace) -> int:
        from triptych.cli.status import verify_run

        return verify_run(parsed.run, json=parsed.json)

    what = "Check every image against its name, every id against its parts, every reference."
    parser = _add(commands, "verify", command, what, "triptych verify runs/quickstart")
    parser.add_argument("run", type=Path, metavar="RUN", help="run folder")
    parser.add_argument("--json", action="store_true", help="as one JSON object")


def _add_export(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    def command(parsed: argparse.Namespace) -> int:
        from triptych.cli.export import export

        return export(parsed.run, parsed.format, parsed.to, parsed.overrides, json=parsed.json)

    what = "Write the selected triplets as a data set."
    example = "triptych export runs/quickstart --format nhr --to quickstart-nhr"
    parser = _add(commands, "export", command, what, example)
    parser.add_argument("run", type=Path, metavar="RUN", help="run folder")
    parser.add_argument("--format", default="nhr", help="layout of the data set (default: nhr)")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="a new folder")
    _add_set(parser, "select by another rule, e.g. threshold=4.5")
    parser.add_argument("--json", action="store_true", help="what was written, as one JSON object")


def _add_doctor(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    def command(parsed: argparse.Namespace) -> int:
        from triptych.cli.doctor import doctor

        return doctor(parsed.recipe, parsed.contract, json=parsed.json)

    what = "Check this machine, a recipe, or a back end of your own."
    example = "triptych doctor recipes/quickstart.yaml"
    parser = _add(commands, "doctor", command, what, example)
    parser.add_argument(
        "recipe", type=Path, nargs="?", metavar="RECIPE", help="recipe whose back ends to try"
    )
    parser.add_argument("--contract", metavar="PKG.MOD:CLASS", help="check a back end's class")
    parser.add_argument("--json", action="store_true", help="as one JSON object")


if __name__ == "__main__":
    sys.exit(main())
