"""Painters that break their contract, each in one way."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from pydantic import ConfigDict

from triptych.pixels.picture import Picture
from triptych.records import Spec
from triptych.roles import BackendSettings, PaintRequest, Placement, RoleConfig, spec_of

_COUNT = itertools.count()


class Painter:
    class Settings(BackendSettings):
        pass

    revision: ClassVar[str] = "1"
    placement: ClassVar[Placement] = "io"

    def __init__(self, config: RoleConfig) -> None:
        self.config = config
        self.settings = self.Settings.model_validate(dict(config.settings))

    @property
    def spec(self) -> Spec:
        return spec_of(self.config, self.settings, self.revision)

    async def paint(self, requests: Sequence[PaintRequest]) -> list[Any]:
        return [self._painted(request) for request in requests]

    def _painted(self, request: PaintRequest) -> Any:
        return Picture.from_pixels(np.full((request.height, request.width, 3), 9, np.uint8))


class Seedless(Painter):
    def _painted(self, request: PaintRequest) -> Any:
        return Picture.from_pixels(np.full((request.height, request.width, 3), next(_COUNT), np.uint8))


class Shrinking(Painter):
    def _painted(self, request: PaintRequest) -> Any:
        return Picture.from_pixels(np.full((request.height // 2, request.width // 2, 3), 9, np.uint8))


class Forgetful(Painter):
    async def paint(self, requests: Sequence[PaintRequest]) -> list[Any]:
        return []


class Wordy(Painter):
    def _painted(self, request: PaintRequest) -> Any:
        return "a fine picture"


class Sloppy(Painter):
    class Settings(BackendSettings):
        model_config = ConfigDict(extra="allow")


class Restless(Painter):
    @property
    def spec(self) -> Spec:
        return spec_of(self.config, self.settings, str(next(_COUNT)))
