"""What is shown while a run is mined: how much is through, and how wide a terminal has to be."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.cli.conftest import environment
from tests.mining.test_loop import recipe
from triptych.cli.progress import Activity
from triptych.recipe import Recipe
from triptych.runs import mine, open_run


@pytest.mark.parametrize("policy", ["best_of", "until_accepted"])
def test_a_finished_run_is_through_with_every_scene(tmp_path: Path, policy: str) -> None:
    mine(recipe(policy=policy), tmp_path / "run")
    with open_run(tmp_path / "run") as run:
        screened_out = run.view().funnel["sources"] - run.view().funnel["screened"]
        assert screened_out > 0  # of these nothing is ever edited
        assert Activity(run.plan, run.slots, 1).scenes_through() == len(run.slots)


def test_a_photograph_that_waits_for_its_instructions_is_not_through(tmp_path: Path) -> None:
    texture = np.random.default_rng(0).integers(0, 255, (30, 40, 3), dtype=np.uint8)
    folder = tmp_path / "photographs"
    folder.mkdir()
    cv2.imwrite(str(folder / "one.png"), cv2.resize(texture, (200, 150)))
    values = recipe().model_dump() | {"scenes": 0, "painter": None, "screen": None}
    values |= {"photographs": {"folder": folder}}
    for calls, through in (({"writer": 0}, 0), ({}, 1)):
        mine(Recipe.model_validate(values | {"budget": {"calls": calls}}), tmp_path / "run")
        with open_run(tmp_path / "run") as run:
            assert Activity(run.plan, run.slots, 1).scenes_through() == through


@pytest.mark.parametrize(("columns", "board"), [(40, False), (80, True)])
def test_a_terminal_too_narrow_for_the_board_gets_plain_lines(
    recipe_file: Callable[..., Path], tmp_path: Path, columns: int, board: bool
) -> None:
    command = [sys.executable, "-m", "triptych.cli.main", "mine", str(recipe_file(scenes=1))]
    surroundings = {name: value for name, value in environment().items() if name != "COLUMNS"}
    process, terminal = pty.fork()
    if process == 0:
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        os.chdir(tmp_path)
        os.execve(sys.executable, command, surroundings | {"TERM": "xterm-256color"})
    shown = bytearray()
    while True:
        try:
            shown += (more := os.read(terminal, 65536))
        except OSError:  # its other end is closed
            break
        if not more:
            break
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0, shown.decode()
    assert b"gallery: " in shown
    assert (b"s a call" in shown) == board
