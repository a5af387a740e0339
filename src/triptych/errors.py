"""Every error a caller may want to catch.

TriptychError
├── UserError                 the user's to mend: one line says what is wrong and the mend (exit 2)
│   ├── RecipeError           a recipe that can't be run as written
│   ├── PictureError          a file that is no readable picture
│   └── RunError              a run folder that can't be used: held, read-only, of another version
├── WorkFailed                the work couldn't be finished (exit 1)
│   └── MissingImage          an image that facts name isn't in the store
│       └── DamagedImage      it is there, but isn't the bytes that its name says
└── CallFailed                one call to a role gave no result; becomes data in the ledger
    ├── Refused               the model declined this very request: spends an attempt, never retried
    ├── ModelError            the model answered nonsense: retried a bounded number of times
    └── InfrastructureError   the model wasn't reached (network, dead worker): never spends an attempt
"""

from __future__ import annotations


class TriptychError(Exception):
    """Root of this package's errors."""


class UserError(TriptychError):
    """Something the user can mend; the message is one line that says how."""


class RecipeError(UserError):
    """A recipe that can't be run as written."""


class PictureError(UserError):
    """A file or byte string that is no readable picture."""


class RunError(UserError):
    """A run folder that can't be used as it is."""


class WorkFailed(TriptychError):
    """The work asked for couldn't be finished; what was done is kept."""


class MissingImage(WorkFailed):
    """An image that facts name isn't in the store. `image` is its hash."""

    def __init__(self, image: str, message: str) -> None:
        super().__init__(message)
        self.image = image

    def __reduce__(self) -> tuple[type[MissingImage], tuple[str, str]]:
        return type(self), (self.image, str(self))


class DamagedImage(MissingImage):
    """An image is stored, but its bytes don't hash to its name; as good as missing."""


class CallFailed(TriptychError):
    """One call to a role gave no result. `reason` is a short stable name that failures are counted by."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type[CallFailed], tuple[str, str]]:
        return type(self), (self.reason, self.detail)


class Refused(CallFailed):
    """The model declined this very request; asking again with the same seed is pointless."""


class ModelError(CallFailed):
    """The model answered, but not usably; it may do better on a retry."""


class InfrastructureError(CallFailed):
    """The model was not reached. The request itself is blameless and will be made again."""
