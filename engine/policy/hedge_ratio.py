"""How much of the stress loss the hedges bring back, and what each hedge charges for it (D10)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.errors import InputError
from engine.instruments import FundShare, Instrument
from engine.market import Floats
from engine.money import Money
from engine.orders import OrderLeg
from engine.positions import Book, Position, Sleeve
from engine.risk.arb_packages import Carry, arb_packages
from engine.risk.drawdown import vol_response
from engine.risk.scenarios import Scenarios
from engine.risk.smile import atm_vol_at
from engine.risk.valuation import PricingView, book_values

_BUMP = 1e-4  # of ln spot and of volatility
_THIRTY_DAYS = 30.0 / 365.0
_SESSION = 1.0 / 252.0


@dataclass(frozen=True, slots=True)
class Sensitivities:
    """USD per unit of ln spot (`delta`: dollar delta) and per unit of 30-day volatility (`vega`: 1.00 = 100 points)."""

    delta: float = 0.0
    vega: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class HedgeUnit:
    """
    One unit of something that may be bought as a hedge.

    `gains` are USD per unit in each scenario of the need, positive = it gains; `cost` is USD per unit paid for
    holding it whatever happens (half spread, fees, expected decay), > 0, on either side; `lot` is the smallest
    quantity and `most` the largest, in units; `layer` groups it for reports; `legs` are its contracts per unit.
    """

    name: str
    layer: str
    gains: Floats
    cost: float
    lot: float = 1.0
    most: float = np.inf
    sensitivities: Sensitivities = Sensitivities()
    legs: tuple[OrderLeg, ...] = ()

    def __post_init__(self) -> None:
        sizes = np.isfinite(self.cost) and self.cost > 0 and np.isfinite(self.lot) and self.lot > 0
        if not (sizes and self.most >= 0 and np.isfinite(self.gains).all()):
            raise InputError(
                f"hedge {self.name} refused",
                why=f"cost {self.cost}, lot {self.lot}, most {self.most} or a gain has no meaning",
                todo="give a positive cost and lot, and a finite gain in each scenario",
            )


@dataclass(frozen=True, slots=True, eq=False)
class HedgeNeed:
    """
    What there is to hedge: `losses` in USD per scenario of the book without its hedge layers, positive = loss.

    `reference` is the position of z* among the scenarios; `weights` (>= 0) are those of the down half, one per
    scenario, all equal where empty.
    """

    scenarios: Scenarios
    losses: Floats
    reference: int = 0
    weights: Floats = field(default_factory=lambda: np.empty(0))
    sensitivities: Sensitivities = Sensitivities()

    def __post_init__(self) -> None:
        count = len(self.scenarios)
        shaped = len(self.losses) == count and len(self.weights) in {0, count} and 0 <= self.reference < count
        if not (shaped and np.isfinite(self.losses).all() and (self.weights >= 0).all()):
            raise InputError(
                "hedge need refused",
                why="losses, weights and reference do not fit the scenarios",
                todo="give one finite loss per scenario",
            )

    @property
    def reference_loss(self) -> float:
        """USD lost at z*, negative = the book gains there."""
        return float(self.losses[self.reference])

    @property
    def down(self) -> NDArray[np.bool_]:
        """The scenarios of lower spot and no lower volatility."""
        return np.asarray((self.scenarios.spot < 0) & (self.scenarios.vol >= 0))

    @property
    def down_weights(self) -> Floats:
        """Weights of the down half, summing to 1 where there is one; 0 elsewhere."""
        weights = np.where(self.down, self.weights if len(self.weights) else 1.0, 0.0)
        return np.asarray(weights / weights.sum() if weights.sum() > 0 else weights)


@dataclass(frozen=True, slots=True)
class Relief:
    """What one unit of stress relief costs: USD of `cost` per USD gained at z*, infinite where it gains nothing."""

    unit: HedgeUnit
    cost_per_relief: float


def target_ratio(score: float) -> float:
    """
    The hedge ratio to reach: clip(1 + 0.3 score, 0.7, 1.3).

    `score` is the signals' opinion in [-1, 1], positive = more hedge; beyond it saturates. Raises `InputError`
    where it is not a number.

    Source
    ------
    D10, S53, X10: 1:0.7, 1:1 and 1:1.3 are the scores -1, 0 and +1.

    >>> [target_ratio(score) for score in (-1, 0, 0.5, 1)]
    [0.7, 1.0, 1.15, 1.3]
    """
    if np.isnan(score):
        raise InputError("hedge score refused", why="it is not a number", todo="an unseen signal is a zero score")
    return float(np.clip(1.0 + 0.3 * score, 0.7, 1.3))


def stress_grid(
    view: PricingView,
    *,
    deviations: Sequence[float] = (-4, -3, -2, -1, 0, 1, 2),
    vols: Sequence[float] = (0.0, 0.05, 0.1),
) -> Scenarios:
    """
    The scenarios a hedge is sized on: first z*, then one-session spot moves times volatility changes.

    z* is two standard deviations down in one session with the response of volatility of D11.

    Parameters
    ----------
    deviations : spot moves in one-session standard deviations of 30-day at-the-money volatility
    vols : changes of that volatility beyond its response to the spot move, decimals
    """
    session = atm_vol_at(view.smiles, _THIRTY_DAYS) * np.sqrt(_SESSION)
    spot = np.repeat(np.array([-2.0, *deviations]) * session, [1] + [len(vols)] * len(deviations))
    beyond = np.concatenate([[0.0], np.tile(np.asarray(vols, float), len(deviations))])
    names = ["reference"] + [f"{d:+g} SD, vol {v:+g}" for d in deviations for v in vols]
    return Scenarios.of(spot, vol_response(spot) + beyond, 1.0, names=names)


def hedge_need(
    book: Book,
    view: PricingView,
    scenarios: Scenarios,
    *,
    hedges: Collection[Instrument] = (),
    carry: Carry | None = None,
    reference: int = 0,
) -> HedgeNeed:
    """
    The losses of the book without its hedge layers, conversions and reversals set apart first (D27).

    Parameters
    ----------
    hedges : instruments whose positions are hedge layers
    carry : yields and stability fees by which packages are recognised; none are charged where absent
    reference : position of z* among `scenarios`
    """
    riskful = arb_packages(book, carry or Carry(view.asof)).rest
    bare = Book(tuple(p for p in riskful if p.instrument not in hedges))
    now, then = _values(bare, view, scenarios)
    return HedgeNeed(scenarios, now - then, reference, sensitivities=sensitivities(bare, view))


def hedge_unit(
    name: str,
    legs: Sequence[OrderLeg],
    view: PricingView,
    scenarios: Scenarios,
    *,
    cost: float,
    layer: str = "",
    lot: float = 1.0,
    most: float = np.inf,
) -> HedgeUnit:
    """A hedge whose gains come from revaluing its legs (contracts per unit, signed) in each scenario."""
    book = Book(
        tuple(
            Position(leg.instrument, Money.of(leg.quantity, leg.instrument.unit), Sleeve.CONDOR, "menu") for leg in legs
        )
    )
    now, then = _values(book, view, scenarios)
    return HedgeUnit(name, layer or name, then - now, cost, lot, most, sensitivities(book, view), tuple(legs))


def sensitivities(book: Book, view: PricingView) -> Sensitivities:
    """Dollar delta and vega of a book by central differences of full revaluation."""
    bumped = Scenarios.of(spot=[_BUMP, -_BUMP, 0.0, 0.0], vol=[0.0, 0.0, _BUMP, -_BUMP])
    up, down, dearer, cheaper = book_values(book, view, bumped)
    return Sensitivities(float(up - down) / (2 * _BUMP), float(dearer - cheaper) / (2 * _BUMP))


def hedge_ratio(need: HedgeNeed, units: Sequence[HedgeUnit], quantities: ArrayLike) -> float:
    """
    h: what the hedges gain at z* over what the rest of the book loses there.

    Raises `InputError` where the book loses nothing at z*: there is no ratio to nothing.
    """
    if need.reference_loss <= 0:
        raise InputError(
            "no hedge ratio", why="the book loses nothing in the reference scenario", todo="hold no hedge for it"
        )
    return float(np.asarray(quantities, float) @ reference_gains(need, units)) / need.reference_loss


def reference_gains(need: HedgeNeed, units: Sequence[HedgeUnit]) -> Floats:
    """USD each unit gains at z*. Raises `InputError` where a unit was valued on other scenarios."""
    for unit in units:
        if len(unit.gains) != len(need.scenarios):
            raise InputError(
                f"hedge {unit.name} refused",
                why=f"it has {len(unit.gains)} gains for {len(need.scenarios)} scenarios",
                todo="value it on the scenarios of the need",
            )
    return np.array([unit.gains[need.reference] for unit in units])


def rank_by_relief(need: HedgeNeed, units: Sequence[HedgeUnit]) -> tuple[Relief, ...]:
    """The menu by what a dollar of relief at z* costs, cheapest first; equal ones in their given order (X11)."""
    gains = reference_gains(need, units)
    costs = [unit.cost / gain if gain > 0 else np.inf for unit, gain in zip(units, gains, strict=True)]
    return tuple(sorted(map(Relief, units, costs), key=lambda relief: relief.cost_per_relief))


def for_account(units: Sequence[HedgeUnit], *, futures: bool) -> tuple[HedgeUnit, ...]:
    """The menu this account may trade: listed funds only where it has no futures (X11)."""
    return tuple(
        unit for unit in units if not (futures and any(isinstance(leg.instrument, FundShare) for leg in unit.legs))
    )


def scaled(need: HedgeNeed, times: float) -> HedgeNeed:
    """The need of `times` the book."""
    greeks = Sensitivities(need.sensitivities.delta * times, need.sensitivities.vega * times)
    return replace(need, losses=need.losses * times, sensitivities=greeks)


def _values(book: Book, view: PricingView, scenarios: Scenarios) -> tuple[float, Floats]:
    return float(book_values(book, view, Scenarios.now())[0]), book_values(book, view, scenarios)
