"""NPU files, ahead of time: a seam (:mod:`seam`) and one file or folder for each compiler.

A compiler runs in a child process, under a time limit, and nothing of a vendor's is shipped: the user installs an
extra, accepts its licence, and what comes out is said to be compiled, never measured.
"""

from edge_sdk.converters.compilers.compiling import CompileOptions as CompileOptions
from edge_sdk.converters.compilers.compiling import compile_file as compile_file
from edge_sdk.converters.compilers.emulation import Trial as Trial
from edge_sdk.converters.compilers.seam import Compilation as Compilation
