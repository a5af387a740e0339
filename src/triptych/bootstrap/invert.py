"""What an inverse instruction must not say (stage 9): it stands alone and can't point at what came before."""

from __future__ import annotations

import re

_POINTS_BACK = re.compile(
    r"\b(undo|undone|undoes|undoing|revert\w*|restor\w*|back|original(?:ly)?|previous(?:ly)?|again)\b",
    re.IGNORECASE,
)
_BACK_AS_PLACE = re.compile(
    r"\b(in|at|to|on|from|towards?) the back\b|\bbackground\b|\bback (of|row|wall|side)\b", re.IGNORECASE
)


def points_back(instruction: str) -> str | None:
    """The word by which an instruction leans on an earlier picture, None where it stands alone.

    "at the back" is a place; "turn it back" isn't.
    """
    found = _POINTS_BACK.search(_BACK_AS_PLACE.sub("", instruction))
    return found.group(0).lower() if found else None
