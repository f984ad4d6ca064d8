"""An environment with a compiler that does what a test says: Qualcomm's program and packages, no byte of theirs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

SOCS = '< LiteRtCompilerPlugin > "Qualcomm" | "SM8350", "SM8650"'
# What the real program prints before it dies or does its work.
_PROGRAM = """#!{python}
import os, shutil, signal, sys, time
flags = dict(word[2:].split("=", 1) for word in sys.argv[1:])
if flags["cmd"] == "info":
    print({socs!r})
    sys.exit(0)
{deed}
"""
DEEDS = {
    "dies": "os.kill(os.getpid(), signal.SIGSEGV)",
    "fails": "print('ERROR: [Qnn] Stride is 0'); sys.exit(1)",
    "hangs": "print('so far'); sys.stdout.flush(); time.sleep(600)",
    "nothing": (
        "shutil.copy(flags['model'], flags['o']); print('ERROR: [Qnn] Unsupported input tensor type.');"
        "print('Partitioned subgraph<0>, selected 0 ops, from a total of 3 ops.')"
    ),
    "writes nothing": "sys.exit(0)",
    "writes rubbish": "open(flags['o'], 'wb').write(b'rubbish')",
    "lies": (
        "shutil.copy(flags['model'], flags['o']);"
        "print('Partitioned subgraph<0>, selected 2 ops, from a total of 3 ops.')"
    ),
}
_LIBRARIES = ("libQnnHtp.so", "libQnnIr.so", "libQnnSaver.so", "libQnnSystem.so")


def environment(folder: Path, deed: str, *, without: str = "") -> Path:
    """A folder that passes for an environment; ``without`` names a file or package that it lacks."""
    litert, qnn = folder / "ai_edge_litert", folder / "onnxruntime_qnn"
    program = litert / "tools" / "apply_plugin_main"
    plugin = litert / "vendors" / "qualcomm" / "compiler" / "libLiteRtCompilerPlugin_Qualcomm.so"
    for path in (program, plugin, *(qnn / name for name in _LIBRARIES)):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.name != without:
            path.write_bytes(b"")
    program.write_text(_PROGRAM.format(python=sys.executable, socs=SOCS, deed=DEEDS[deed]))
    program.chmod(0o755)
    packages = {"ai-edge-litert": ["2.3.0", str(litert)], "onnxruntime-qnn": ["2.7.0", str(qnn)]}
    answer = {name: None if name == without else found for name, found in packages.items()}
    python = folder / "bin" / "python"
    python.parent.mkdir()
    python.write_text(f"#!/bin/sh\necho '{json.dumps(answer)}'\n")
    python.chmod(0o755)
    return folder


_TOOLKIT = """
class RKNN:
    def __init__(self, verbose): pass
    def config(self, target_platform): return 0
    def load_tflite(self, model): return 0
    def build(self, do_quantization): return {build}
    def export_rknn(self, path):
        print("E RKNN: [20:33:41.337] Unkown op target: 0")
        {export}
        return 0
"""
TOOLKITS: dict[str, dict[str, object]] = {
    "works": {"build": 0, "export": "open(path, 'wb').write(b'RKNN' + bytes(60))"},
    "writes nothing": {"build": 0, "export": "pass"},
    "writes rubbish": {"build": 0, "export": "open(path, 'wb').write(b'oops')"},
    "fails": {"build": -1, "export": "pass"},
    "raises": {"build": "1 / 0", "export": "pass"},
    "connects": {"build": "__import__('socket').create_connection(('192.0.2.1', 80), 1)", "export": "pass"},
}


def toolkit(folder: Path, deed: str) -> Path:
    """An interpreter that finds a package rknn-toolkit2 that does what the name says."""
    package = folder / "site" / "rknn" / "api"
    package.mkdir(parents=True)
    (folder / "site" / "rknn" / "__init__.py").write_text("")
    (package / "__init__.py").write_text(_TOOLKIT.format(**TOOLKITS[deed]))
    metadata = folder / "site" / "rknn_toolkit2-2.5.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: rknn-toolkit2\nVersion: 2.5.0\n")
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={folder}/site exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    return python
