"""Formats that data sets are exported in, one file each."""

from collections.abc import Mapping
from types import MappingProxyType

from triptych.datasets.dataset import Exporter
from triptych.datasets.layouts.nhr import export_nhr

FORMATS: Mapping[str, Exporter] = MappingProxyType({"nhr": export_nhr})
