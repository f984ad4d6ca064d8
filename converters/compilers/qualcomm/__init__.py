"""Qualcomm's Hexagon NPU (HTP): LiteRT's compiler plugin on the QNN libraries that the package onnxruntime-qnn has.

Both are on PyPI, and work offline on x86-64 Linux. The plugin is linked to a library for another accelerator (LPAI)
that the package lacks and that is not used here: :mod:`libraries` puts another of its libraries in that place.
"""
