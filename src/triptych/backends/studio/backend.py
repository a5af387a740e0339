"""What the studio's Writer, Painter and Editor share: settings, spec, and the store of what they know."""

from __future__ import annotations

from typing import ClassVar

from triptych.backends.studio.world import FILE_NAME, WorldStore
from triptych.records import Spec
from triptych.roles import BackendSettings, Placement, RoleConfig, spec_of


class StudioBackend:
    """A part of the embedded world; the run's world store is its own."""

    class Settings(BackendSettings):
        """Nothing to set."""

    revision: ClassVar[str]
    placement: ClassVar[Placement] = "cpu"

    def __init__(self, config: RoleConfig) -> None:
        self.config = config
        self.settings = self.Settings.model_validate(dict(config.settings))
        self.world = WorldStore(config.run_folder / FILE_NAME)

    @property
    def spec(self) -> Spec:
        """What determines the answers."""
        return spec_of(self.config, self.settings, self.revision)
