"""`triptych`: every command, and the one place where errors become lines and exit codes.

Exit codes: 0 done, 1 the work failed or was stopped before its end, 2 bad usage or input.
"""

from __future__ import annotations

import argparse
import gc
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from triptych import __version__
from triptych.errors import UserError, WorkFailed

Command = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    gc.disable()  # facts that are read live as long as the command: looking for garbage is a tenth of it
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
    _add_mine(commands)
    _add_status(commands)
    _add_verify(commands)
    _add_export(commands)
    _add_bench(commands)
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
        from triptych.cli.export import Narrowing, export

        narrowing = Narrowing(
            parsed.where,
            parsed.decontaminate,
            parsed.cap_per_source,
            parsed.limit,
            parsed.split,
            parsed.split_seed,
        )
        return export(
            parsed.runs,
            parsed.format,
            parsed.to,
            parsed.overrides,
            narrowing,
            mark=parsed.mark,
            licence=parsed.licence,
            acknowledged=parsed.acknowledge_licence,
            json=parsed.json,
        )

    what = "Write the selected triplets of one run or several as a data set, and read it back."
    example = "triptych export runs/quickstart --format hf --to my-data --split train=0.9,test=0.1"
    parser = _add(commands, "export", command, what, example)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="run folders")
    parser.add_argument("--format", default="nhr", help="docs/exports.md lists them (default: nhr)")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="a new folder")
    _add_set(parser, "select by another rule, e.g. threshold=4.5")
    add = parser.add_argument
    condition = "e.g. category=add_object,remove_object or adherence>=4.8; given again: both must hold"
    add("--where", action="append", default=[], metavar="CONDITION", help=condition)
    add("--decontaminate", type=Path, metavar="DIR", help="leave out near-duplicates of the pictures there")
    add("--cap-per-source", type=_count, metavar="N", help="the best N of each source picture")
    add("--limit", type=_count, metavar="N", help="at most N triplets")
    add("--split", metavar="SHARES", help="e.g. train=0.9,test=0.1: by scene and near-duplicates")
    add("--split-seed", type=int, default=0, metavar="N", help="another seed, another split (default: 0)")
    add("--no-mark", dest="mark", action="store_false", help="leave the pictures' bytes without an XMP mark")
    add("--licence", metavar="ID", help="the licence that you publish under, e.g. cc-by-4.0, for the card")
    add("--acknowledge-licence", action="store_true", help="export what may not train a competing model")
    add("--json", action="store_true", help="what was written, as one JSON object")


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _add_bench(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    def agreement(parsed: argparse.Namespace) -> int:
        from triptych.cli.bench import bench_agreement

        return bench_agreement(parsed.file, json=parsed.json)

    what = "Run a published benchmark."
    example = "triptych bench agreement imagenhub.jsonl --json"
    bench = commands.add_parser(
        "bench",
        help=what,
        description=what,
        epilog=f"example: {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    benchmarks = bench.add_subparsers(metavar="BENCHMARK", required=True)
    what = "How far judges, and a calibration of them, agree with people on ImagenHub's ratings."
    parser = _add(benchmarks, "agreement", agreement, what, example)
    parser.add_argument("file", type=Path, metavar="FILE", help="ratings with judges' scores, JSONL")
    parser.add_argument("--json", action="store_true", help="as one JSON object")


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
