"""The sets of scenarios an operator asks for by name: gaps, the two-sigma rule, a grid, and joint draws."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType

import numpy as np

from engine.market import Floats
from engine.positions import Book
from engine.risk.history_scenarios import correlation_to_one, gap_scenarios
from engine.risk.paths import JointModel, joint_paths, joint_scenarios, worst_on_paths
from engine.risk.scenarios import Scenarios
from engine.risk.stress import Progress, StressResult, stress
from engine.risk.valuation import PricingView

GRID: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "spot": tuple(map(float, np.log1p([-0.20, -0.10, -0.05, -0.02, 0.0, 0.02, 0.05, 0.10]))),
        "vol": (-0.05, 0.0, 0.05, 0.10, 0.25),
        "crypto": tuple(map(float, np.log1p([-0.5, -0.25, 0.0]))),
        "peg": (0.95, 1.0),
        "gas": (1.0, 5.0),
        "borrow": (0.0, 0.10),
        "liquidity": (1.0, 3.0),
        "days": (0.0, 30.0),
    }
)
"""Every combination is valued; `spot` and `crypto` are changes of the logarithm: -20 % to +10 %, and -50 % to 0."""

HORIZON = 21
"""Sessions of a joint draw and of a path."""

_TAIL, _QUANTILE = 0.025, 0.99


class Pack(StrEnum):
    """What can be asked for."""

    GAP = "gap"
    TWO_SD = "two-sd"
    GRID = "grid"
    JOINT = "joint"


@dataclass(frozen=True, slots=True)
class JointFigures:
    """
    What joint draws say of a book, USD and positive = loss.

    `quantile` is the 99 % loss, `shortfall` the mean of the worst 2.5 %, `beyond` the share of draws that lose
    more than the drawdown limit; `path_quantile` is the 99 % of the worst drawdown on the way.
    """

    name: str
    draws: int
    worst: float
    quantile: float
    shortfall: float
    beyond: float
    path_quantile: float
    paths: int


def named_pack(pack: Pack, view: PricingView, rule: Scenarios, *, crypto_beta: float, own_vol: float) -> Scenarios:
    """
    The scenarios of a pack other than the joint one.

    `rule` are D11's of this book; `own_vol` is the volatility of crypto that the index does not explain.
    """
    match pack:
        case Pack.GAP:
            one = correlation_to_one(view, crypto_beta=crypto_beta, crypto_idiosyncratic_vol=own_vol)
            return gap_scenarios(crypto_beta=crypto_beta).and_then(one)
        case Pack.TWO_SD:
            return rule
        case _:
            cells = Scenarios.grid(**GRID)
            return replace(cells, names=tuple(_written(cells, at) for at in range(len(cells))))


def joint_figures(
    book: Book,
    view: PricingView,
    model: JointModel,
    rng: np.random.Generator,
    *,
    draws: int,
    paths: int,
    loss_limit: float,
    progress: Progress | None = None,
) -> tuple[JointFigures, JointFigures]:
    """The figures at the model's correlation and at one; `loss_limit` is USD."""
    found = []
    for name, one in (("model correlation", False), ("correlation one", True)):
        moves = joint_scenarios(model, rng, draws, sessions=HORIZON, corr_one=one)
        result = stress(book, view, moves, progress=progress)
        days = joint_paths(model, rng, paths, sessions=HORIZON, corr_one=one)
        found.append(_figures(name, result, worst_on_paths(book, view, days, progress=progress), loss_limit))
    return found[0], found[1]


def _written(cells: Scenarios, at: int) -> str:
    spot, crypto = np.expm1(cells.spot[at]), np.expm1(cells.crypto[at])
    return (
        f"spot {spot:+.0%}, vol {100.0 * cells.vol[at]:+.0f}, crypto {crypto:+.0%}, peg {cells.peg[at]:g}, "
        f"gas x{cells.gas[at]:g}, borrow {cells.borrow[at]:+.0%}, spread x{cells.liquidity[at]:g}, {cells.days[at]:g} d"
    )


def _figures(name: str, result: StressResult, on_paths: Floats, loss_limit: float) -> JointFigures:
    losses = -result.total
    return JointFigures(
        name=name,
        draws=len(losses),
        worst=result.loss,
        quantile=float(np.quantile(losses, _QUANTILE)),
        shortfall=result.shortfall(_TAIL),
        beyond=float(np.mean(losses > loss_limit)),
        path_quantile=float(np.quantile(on_paths, _QUANTILE)),
        paths=len(on_paths),
    )
