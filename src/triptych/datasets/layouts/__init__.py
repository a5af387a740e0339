"""Formats that data sets are exported in, one file each."""

from collections.abc import Mapping
from types import MappingProxyType

from triptych.datasets.layout import Layout
from triptych.datasets.layouts.ai_toolkit import AI_TOOLKIT
from triptych.datasets.layouts.bagel import BAGEL
from triptych.datasets.layouts.diffsynth import DIFFSYNTH
from triptych.datasets.layouts.diffusion_dpo import DIFFUSION_DPO
from triptych.datasets.layouts.hf import HF
from triptych.datasets.layouts.instruct_pix2pix import INSTRUCT_PIX2PIX
from triptych.datasets.layouts.lance import LANCE
from triptych.datasets.layouts.multiturn import MULTITURN
from triptych.datasets.layouts.musubi import MUSUBI
from triptych.datasets.layouts.nhr import NHR
from triptych.datasets.layouts.omnigen2 import OMNIGEN2
from triptych.datasets.layouts.preference import PREFERENCE
from triptych.datasets.layouts.simpletuner import SIMPLETUNER
from triptych.datasets.layouts.step1x import STEP1X
from triptych.datasets.layouts.webdataset import WEBDATASET

_ALL = (
    NHR,
    HF,
    DIFFSYNTH,
    BAGEL,
    PREFERENCE,
    DIFFUSION_DPO,
    WEBDATASET,
    LANCE,
    AI_TOOLKIT,
    MUSUBI,
    SIMPLETUNER,
    OMNIGEN2,
    STEP1X,
    INSTRUCT_PIX2PIX,
    MULTITURN,
)
FORMATS: Mapping[str, Layout] = MappingProxyType({layout.name: layout for layout in _ALL})
