"""Joint shocks of both domains, as columns: what may happen to a book, never what it is worth then."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import product

import numpy as np
from numpy.typing import ArrayLike

from engine.errors import InputError
from engine.market import Floats

_UNMOVED = {"peg": 1.0, "gas": 1.0, "liquidity": 1.0}
_NOT_NEGATIVE = ("days", "peg", "gas", "liquidity")


@dataclass(frozen=True, slots=True, eq=False)
class Scenarios:
    """
    Joint shocks, one array element per scenario.

    `spot` and `crypto` are changes of the logarithm of SPX and of every token that is no stablecoin;
    `vol` is the change of 30-day at-the-money SPX volatility in decimals (0.05 = five points); `vix` is
    the change of ln VIX at 30 days beyond what `spot` brings by beta; `days` is calendar time that
    passes. `peg` multiplies the price of every stablecoin, `gas` the price of gas, `liquidity` the half
    spread at which positions are closed; `borrow` is added to every variable borrow rate (decimal per
    year). All arrays have one length; `names` is empty or has it too.

    Raises `InputError` for a shock that is not finite, or is negative where that has no meaning.
    """

    spot: Floats
    vol: Floats
    days: Floats
    crypto: Floats
    vix: Floats
    peg: Floats
    gas: Floats
    borrow: Floats
    liquidity: Floats
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in SHOCKS:
            column = getattr(self, name)
            broken = ~np.isfinite(column) | ((column < 0) & (name in _NOT_NEGATIVE))
            if broken.any():
                at = int(np.flatnonzero(broken)[0])
                raise InputError(
                    f"scenario {self.names[at] if self.names else at} refused",
                    why=f"{name} = {column[at]:g} has no meaning",
                    todo="give finite shocks; days, peg, gas and liquidity are not negative",
                )

    def __len__(self) -> int:
        return len(self.spot)

    @classmethod
    def of(
        cls,
        spot: ArrayLike = 0.0,
        vol: ArrayLike = 0.0,
        days: ArrayLike = 0.0,
        *,
        names: Sequence[str] = (),
        **others: ArrayLike,
    ) -> "Scenarios":
        """
        Scenarios from columns or single numbers, broadcast to one length; what is not named stays unmoved.

        >>> Scenarios.of([-0.05, 0.05], peg=0.88).peg.tolist()
        [0.88, 0.88]
        """
        given = {"spot": spot, "vol": vol, "days": days} | others
        if unknown := sorted(given.keys() - set(SHOCKS)):
            raise InputError(
                f"shock {unknown[0]!r} refused", why="no such shock", todo=f"use one of {', '.join(SHOCKS)}"
            )
        columns = [np.atleast_1d(np.asarray(given.get(name, _UNMOVED.get(name, 0.0)), float)) for name in SHOCKS]
        filled = zip(SHOCKS, (np.array(column) for column in np.broadcast_arrays(*columns)), strict=True)
        return cls(**dict(filled), names=tuple(names))

    @classmethod
    def now(cls) -> "Scenarios":
        """Nothing moves, no time passes."""
        return cls.of(names=("now",))

    @classmethod
    def grid(cls, **axes: Sequence[float]) -> "Scenarios":
        """
        Every combination of the given shocks, the last axis fastest, named by its values.

        >>> Scenarios.grid(spot=[-0.1, 0.0], vol=[0.0, 0.1]).names[0]
        'spot -0.1, vol 0'
        """
        cells = list(product(*axes.values()))
        columns: Mapping[str, ArrayLike] = dict(zip(axes, np.array(cells, float).T, strict=True))
        names = [", ".join(f"{axis} {value:g}" for axis, value in zip(axes, cell, strict=True)) for cell in cells]
        return cls.of(names=names, **columns)

    def as_debtor(self) -> "Scenarios":
        """The scenarios as a debtor sees them: a stablecoin below par must still be bought back near it (D21)."""
        return replace(self, peg=np.maximum(self.peg, 1.0))

    def take(self, at: ArrayLike) -> "Scenarios":
        """The scenarios at these positions, in this order."""
        rows = np.atleast_1d(np.asarray(at, np.intp))
        named = tuple(self.names[row] for row in rows) if self.names else ()
        return replace(self, names=named, **{name: getattr(self, name)[rows] for name in SHOCKS})

    def and_then(self, others: "Scenarios") -> "Scenarios":
        """These scenarios followed by `others`; names are kept only if both have them."""
        names = self.names + others.names if self.names and others.names else ()
        joined = {name: np.concatenate([getattr(self, name), getattr(others, name)]) for name in SHOCKS}
        return Scenarios(**joined, names=names)


SHOCKS = tuple(field.name for field in fields(Scenarios) if field.name != "names")
"""Names of the shocks, in the order of the columns."""
