"""C yardsticks, compiled when both their sources and a compiler are there; peers in plain Python around them."""

import ctypes
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

SOURCES = Path(__file__).resolve().parents[3] / "shared" / "bench"
_FLAGS = ["-O3", "-march=native", "-ffast-math", "-fopenmp-simd", "-shared", "-fPIC"]


@cache
def compiled(name: str) -> ctypes.CDLL | None:
    """The yardstick `name`.c as a library; None without its source or a C compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    source = SOURCES / f"{name}.c"
    if compiler is None or not source.exists():
        return None
    library = Path(tempfile.mkdtemp(prefix="bench-")) / f"{name}.so"
    made = subprocess.run([compiler, *_FLAGS, "-o", library, source, "-lm"], capture_output=True, check=False)
    return ctypes.CDLL(str(library)) if made.returncode == 0 else None


def pointer(array: np.ndarray) -> ctypes.c_void_p:
    """Address of a C-contiguous array."""
    assert array.flags.c_contiguous
    return array.ctypes.data_as(ctypes.c_void_p)
