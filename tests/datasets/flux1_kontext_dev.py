"""An editor that goes by the name of a model whose licence is restrictive."""

from __future__ import annotations

from tests.mining.standins import StandinEditor


class Editor(StandinEditor):
    """Edits like any stand-in."""
