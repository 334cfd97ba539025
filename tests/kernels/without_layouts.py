"""Gluon kernels as ordinary Triton kernels, which Triton's interpreter can run without a GPU.

A layout says which thread holds a number and changes none, so the kernels' modules are loaded once more with a
stand-in for Gluon that ignores layouts. What remains unchecked is what the compiler makes of them.
"""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType, SimpleNamespace
from unittest import mock

import triton
import triton.experimental.gluon
import triton.language as tl

MODULES = ("intdim.kernels.butterflies_gluon", "intdim.kernels.blocks_gluon")


class Layout:
    """Any layout: it is made, and asked for its bases, in the source of the kernels."""

    def __init__(self, *arguments):
        self.reg_bases = self.lane_bases = self.warp_bases = []
        self.shape = [32]


def jit(function=None, **options):
    """``triton.jit``; the interpreter knows constants by the name that Triton's own language gives them."""
    if function is None:
        return lambda function: jit(function, **options)
    made = triton.jit(function, **options)
    rewrite = made.rewrite

    def renamed():
        function = rewrite()
        function.__annotations__ = {name: kind.replace("gl.", "tl.") for name, kind in function.__annotations__.items()}
        return function

    made.rewrite = renamed
    return made


def stand_in() -> tuple[ModuleType, ModuleType]:
    """A ``gluon`` and a ``gluon.language`` of which all that takes a layout drops it."""
    gluon, language = ModuleType("gluon"), ModuleType("gluon.language")
    language.__getattr__ = lambda name: getattr(tl, name)  # when it is used: the interpreter replaces what is in tl
    language.arange = lambda start, end, layout: tl.arange(start, end)
    language.zeros = lambda shape, dtype, layout: tl.zeros(shape, dtype)
    language.convert_layout = lambda value, layout, assert_trivial=False: value
    language.SliceLayout = language.DistributedLinearLayout = Layout
    gluon.jit, gluon.constexpr_function, gluon.language = jit, lambda function: function, language
    return gluon, language


def load() -> SimpleNamespace:
    """Return the modules of the kernels, without layouts, by the last part of their names."""
    gluon, language = stand_in()
    names = {"triton.experimental.gluon": gluon, "triton.experimental.gluon.language": language}
    made = {}
    with mock.patch.dict(sys.modules, names), mock.patch.object(triton.experimental, "gluon", gluon):
        for name in MODULES:
            spec = importlib.util.find_spec(name)
            module = sys.modules[name] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            module.tl = tl  # the interpreter looks for it
            made[name.rpartition(".")[2]] = module
    return SimpleNamespace(**made)
