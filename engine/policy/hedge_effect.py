"""What sized hedges do beside the ratio: delta and vega alone, and how well each layer explains the loss (D10)."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.errors import InputError
from engine.market import Floats, MarketSnapshot
from engine.orders import OrderLeg
from engine.policy.candidates import MULTIPLIER
from engine.policy.condors import CondorOffer
from engine.policy.hedge_ratio import HedgeNeed, HedgeUnit, Sensitivities, hedge_need, hedge_unit
from engine.policy.hedges import HedgeOffer
from engine.policy.vix_means import condor_book
from engine.risk.pricing_view import PricingView
from engine.risk.scenarios import Scenarios

_SESSIONS = 504
"""Recorded sessions on which hedges are judged: the older half is fitted, the newer one judges."""


def hedge_effects(
    condors: Sequence[tuple[CondorOffer, int]],
    hedges: Sequence[tuple[HedgeOffer, int]],
    snapshot: MarketSnapshot,
    view: PricingView,
) -> str:
    """
    In words, what these hedges offset of the condors' delta and vega, and what each kind explains of their losses.

    The losses are those of today's book in the moves of the index and of VIX on each recorded session of two years.

    Source: D10.
    """
    days = recorded_sessions(snapshot)
    need = hedge_need(condor_book(condors), view, days)
    units = [
        hedge_unit(
            offer.id,
            [OrderLeg(offer.option, Decimal(1))],
            view,
            days,
            cost=offer.ask * MULTIPLIER,
            layer=f"{offer.option.underlying} options",
        )
        for offer, _ in hedges
    ]
    lots = [count for _, count in hedges]
    fitted = np.arange(len(days)) < len(days) // 2
    delta, vega = delta_vega_ratios(need, units, lots)
    explained = [f"{layer} {_share(r2)}" for layer, r2 in layer_effects(need, units, lots, fitted).items()]
    return (
        f"hedges offset {_share(delta)} of the condors' delta and {_share(vega)} of their vega; of their losses in the "
        f"last {np.count_nonzero(~fitted)} sessions, fitted on those before, they explain {', '.join(explained)} (D10)"
    )


def recorded_sessions(snapshot: MarketSnapshot) -> Scenarios:
    """One scenario per recorded session, the oldest first: what the index and VIX did between two closes."""
    spot, vix = snapshot.histories["SPX"], snapshot.histories["VIX"]
    _, at, of = np.intersect1d(spot.days, vix.days, return_indices=True)
    recent = slice(-_SESSIONS - 1, None)
    moves, changes = np.diff(np.log(spot.values[at][recent])), np.diff(vix.values[of][recent]) / 100.0
    return Scenarios.of(moves, changes, 1.0)


def delta_vega_ratios(
    need: HedgeNeed, units: Sequence[HedgeUnit], quantities: ArrayLike
) -> tuple[float | None, float | None]:
    """
    Shares of the book's delta and of its vega that the hedges offset: 1 = neutral, None where the book has none.

    They say what the hedges do to small moves; the scenario ratio alone sizes them.
    """
    held = np.asarray(quantities, float)
    book, hedges = need.sensitivities, [unit.sensitivities for unit in units]

    def offset(greek: str, whole: Sensitivities) -> float | None:
        total = float(getattr(whole, greek))
        return -float(held @ np.array([getattr(one, greek) for one in hedges])) / total if total else None

    return offset("delta", book), offset("vega", book)


def layer_effects(
    need: HedgeNeed, units: Sequence[HedgeUnit], quantities: ArrayLike, fitted: NDArray[np.bool_]
) -> Mapping[str, float | None]:
    """
    Out-of-sample R^2 of each layer held: how much of the book's loss its gain explains where it was not fitted.

    Parameters
    ----------
    need, units : valued on the same scenarios, recorded days for instance
    fitted : the scenarios that the regression may see; it is judged on the others

    Returns
    -------
    By layer, see `out_of_sample_r2`; layers of which nothing is held are left out.
    """
    gains: dict[str, Floats] = {}
    for unit, quantity in zip(units, np.asarray(quantities, float), strict=True):
        if quantity:
            gains[unit.layer] = gains.get(unit.layer, np.zeros(len(need.losses))) + quantity * unit.gains
    return {layer: out_of_sample_r2(need.losses, gain, fitted) for layer, gain in gains.items()}


def out_of_sample_r2(losses: ArrayLike, gains: ArrayLike, fitted: NDArray[np.bool_]) -> float | None:
    """
    1 - sum (L - a - b G)^2 / sum (L - mean)^2 over what was not fitted; a, b and the mean come from what was.

    At most 1; negative where the hedge predicts worse than the fitted mean. None where the losses out of sample
    equal that mean or the gains do not move in sample.

    Source
    ------
    D10; J. Y. Campbell & S. B. Thompson, "Predicting excess stock returns out of sample", RFS 21 (2008).

    >>> losses = [1.0, 3.0, 5.0, 9.0]
    >>> out_of_sample_r2(losses, [0.0, 1.0, 2.0, 4.0], np.array([True, True, False, False]))
    1.0
    """
    loss, gain = np.asarray(losses, float), np.asarray(gains, float)
    if fitted.sum() < 2 or fitted.all():
        raise InputError("no R^2", why="two fitted and one other scenario are needed", todo="split the sample")
    seen, spread = gain[fitted] - gain[fitted].mean(), float(((loss - loss[fitted].mean())[~fitted] ** 2).sum())
    if not np.any(seen) or spread == 0.0:
        return None
    slope = float(seen @ loss[fitted]) / float(seen @ seen)
    missed = loss - loss[fitted].mean() - slope * (gain - gain[fitted].mean())
    return 1.0 - float((missed[~fitted] ** 2).sum()) / spread


def _share(value: float | None) -> str:
    return "nothing to tell" if value is None else f"{value:.0%}"
