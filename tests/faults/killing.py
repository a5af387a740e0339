"""The command, killed (-9) by itself at the n-th time that it does something to a file.

    python -m tests.faults.killing EVENT PART NUMBER COMMAND…

`EVENT` is an audit event of the interpreter ("open", "os.rename"), `PART` a part of the path it must concern.
Thus a kill falls between any two steps of a write, which no clock would meet.
"""

from __future__ import annotations

import os
import signal
import sys

from triptych.cli.main import main


def kill_at(event: str, part: str, number: int) -> None:
    seen = 0

    def hook(name: str, arguments: tuple[object, ...]) -> None:
        nonlocal seen
        if name == event and arguments and part in str(arguments[0]):
            seen += 1
            if seen == number:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


if __name__ == "__main__":
    kill_at(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    sys.exit(main(sys.argv[4:]))
