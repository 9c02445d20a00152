"""The tail of the normal law with its exponential taken out, so that far wings keep all their digits."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx

Floats = NDArray[np.float64]

NUMERATOR = (
    0.3989422804004076,
    10.72045471287541,
    141.0417227828317,
    1175.3177802532268,
    6784.903304635148,
    28042.741243744338,
    82991.0325559516,
    170274.643059424,
    221940.28082804522,
    143082.7181179464,
)
DENOMINATOR = (
    1.0,
    26.872194899654602,
    354.53917028131,
    2972.9569716411866,
    17358.76974687494,
    73185.06534607688,
    224337.88714922726,
    491483.42725352343,
    733810.5898628266,
    672207.5450641243,
    286165.4362358928,
)
"""
Coefficients, highest power first, of the quotient that meets the function at the twenty Chebyshev
points of (d - 4) / (d + 4) on [0, 38.6]; its error there is 9e-17. All are positive: no digit cancels.
"""

_POLYNOMIAL_FROM = 1024
_SQRT_HALF = 0.7071067811865476
_P = tuple(np.array(part) for part in NUMERATOR)
_Q = tuple(np.array(part) for part in DENOMINATOR[1:])


def scaled_tail(distance: Floats) -> Floats:
    """
    N(-d) exp(d^2 / 2), where N is the normal distribution function.

    Parameters
    ----------
    distance : standard deviations d from the mean, 0 <= d <= 40

    Returns
    -------
    The shape of `distance`, correct to 1e-15 relative. Short arrays go through scipy's `erfcx`, whose
    cost per element is higher and whose cost per call is lower; the two differ by 1e-15 at most.

    Source
    ------
    The function is half of erfcx(d / sqrt 2), see NIST DLMF 7.2 and 7.8 (Mills' ratio).

    >>> float(scaled_tail(np.array([0.0]))[0])
    0.5
    """
    if distance.size < _POLYNOMIAL_FROM:
        return np.asarray(0.5 * erfcx(distance * _SQRT_HALF))
    above: Floats = distance * _P[0]
    below: Floats = distance + _Q[0]
    for part in _P[1:-1]:
        np.add(above, part, out=above)
        np.multiply(above, distance, out=above)
    for part in _Q[1:]:
        np.multiply(below, distance, out=below)
        np.add(below, part, out=below)
    np.add(above, _P[-1], out=above)
    np.divide(above, below, out=above)
    return above
