"""Which revision of the pixel checks measures; apart from them, so that who only names it loads no codec."""

from __future__ import annotations

from typing import Final

REVISION: Final = "2"  # of everything that `signals.measure` gives; changes when a value does
