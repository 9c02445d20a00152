"""What sized hedges do beside the ratio: delta and vega alone, and how well each layer explains the loss (D10)."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.errors import InputError
from engine.market import Floats
from engine.policy.hedge_ratio import HedgeNeed, HedgeUnit, Sensitivities


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
