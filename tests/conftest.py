"""Settings for all tests."""

from __future__ import annotations

import os

from hypothesis import settings

# A test run says the same of the same code; `HYPOTHESIS_PROFILE=search` looks for new counterexamples.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("search", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))
