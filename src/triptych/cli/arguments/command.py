"""How a command is declared: its name, what it does, an example, and the function that does it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TypeAlias

Command = Callable[[argparse.Namespace], int]  # parsed arguments → exit code
Commands: TypeAlias = (
    "argparse._SubParsersAction[argparse.ArgumentParser]"  # in words: argparse can't be indexed
)


def add_command(
    commands: Commands, name: str, command: Command, what: str, example: str
) -> argparse.ArgumentParser:
    """Declare a command, to be given its own arguments by the caller."""
    parser = _add_parser(commands, name, what, example)
    parser.set_defaults(command=command)
    return parser


def add_group(commands: Commands, name: str, metavar: str, what: str, example: str) -> Commands:
    """Declare a command whose next word says what it does, e.g. `bench agreement`."""
    return _add_parser(commands, name, what, example).add_subparsers(metavar=metavar, required=True)


def add_set(parser: argparse.ArgumentParser, what: str) -> None:
    """Declare `--set KEY=VALUE`, as often as wanted."""
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides", help=what
    )


def positive(text: str) -> int:
    """A count from the command line: at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _add_parser(commands: Commands, name: str, what: str, example: str) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=what,
        description=what,
        epilog=f"example: {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
