"""Compiled twins of the array kernels, for the optional extra `fast`; nothing here loads numba by itself."""

from importlib.util import find_spec

from engine.errors import InputError

COMPILED_FROM = 10_000_000
"""Prices from which compiling pays: numba costs about 1.2 s a process, and saves some 50 ns a price."""


def installed() -> bool:
    """Whether the extra is there; asking does not import it."""
    return find_spec("numba") is not None


def compiles(fast: bool | None, count: int) -> bool:
    """
    Whether work of `count` prices runs compiled.

    Parameters
    ----------
    fast : True or False decides; None compiles from `COMPILED_FROM` prices on if the extra is installed

    Raises
    ------
    InputError
        Compiled work was asked for and the extra is not installed.

    >>> compiles(None, 100), compiles(False, 10**9)
    (False, False)
    """
    if fast is None:
        return count >= COMPILED_FROM and installed()
    if fast and not installed():
        raise InputError(
            "compiled pricing refused",
            why="numba is not installed",
            todo="install the extra `fast`, or leave the choice to the size of the work",
        )
    return fast
