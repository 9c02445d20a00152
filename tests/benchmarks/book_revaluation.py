"""A 200-leg book of both domains under 10,000 joint scenarios."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import numpy as np

from engine.instruments import Right, VanillaOption
from engine.positions import Book
from engine.risk.pricing_view import PricingView
from engine.risk.scenarios import Scenarios
from engine.risk.smile import Smile
from engine.risk.valuation import book_values
from tests.benchmarks.timing import Candidate, Row, duel
from tests.engine.risk import cross_domain

_LEGS, _SECONDS = 200, 0.5
_TENORS = (9, 23, 45, 72, 108, 164)


def market() -> PricingView:
    """The small market of the tests with six SPX expiries."""
    view, k = cross_domain.view(), np.linspace(-0.6, 0.3, 121)
    smiles = {}
    for days in _TENORS:
        expiry, years = cross_domain.ASOF + timedelta(days=days), days / 365
        vols = np.maximum(0.16 - 0.12 * k / np.sqrt(years + 0.05) + 0.3 * k * k, 0.06)
        smiles["SPXW", expiry] = Smile(expiry, years, view.spot * float(np.exp(0.03 * years)), 0.05, k, vols)
    return replace(view, smiles={**view.smiles, **smiles})


def book(seed: int = 404) -> Book:
    """One contract of every kind, and SPX, VIX and ether options to make two hundred."""
    rng = np.random.default_rng(seed)
    contracts, quantities = list(cross_domain.EVERY), list(cross_domain.QUANTITIES)
    held = {contract.unit for contract in contracts}
    kinds = (
        (cross_domain.PUT, 3800, 4990, 5),
        (cross_domain.CALL, 5010, 6000, 5),
        (cross_domain.VIX_CALL, 12, 60, 1),
        (cross_domain.LYRA_PUT, 1500, 4500, 50),
    )
    while len(contracts) < _LEGS:
        model, low, high, step = kinds[int(rng.choice(4, p=[0.45, 0.35, 0.1, 0.1]))]
        expiry = cross_domain.ASOF + timedelta(days=int(rng.choice(_TENORS)))
        strike = Decimal(int(rng.integers(low // step, high // step)) * step)
        right = Right(rng.choice(["P", "C"])) if model.underlying != "SPX" else model.right
        contract: VanillaOption = replace(
            model, strike=strike, right=right, expiry=expiry if model.underlying == "SPX" else model.expiry
        )
        if contract.unit not in held:
            held.add(contract.unit)
            contracts.append(contract)
            quantities.append(int(rng.choice([-20, -10, -5, 5, 10, 20])))
    return cross_domain.book(contracts, quantities)


def joint(count: int, seed: int = 405) -> Scenarios:
    """Joint shocks of every column, up to ten days on."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((8, count))
    return Scenarios.of(
        0.04 * z[0],
        0.04 * (-0.7 * z[0] + 0.7 * z[1]),
        rng.uniform(0.0, 8.0, count),
        crypto=0.1 * (0.5 * z[0] + 0.87 * z[2]),
        vix=0.1 * z[3],
        peg=1.0 - 0.01 * np.abs(z[4]),
        gas=np.exp(z[5]),
        borrow=0.01 * z[6],
        liquidity=np.exp(0.5 * z[7]),
    )


def run(*, quick: bool = False) -> list[Row]:
    """One row: seconds, judged by the clock and not by a ratio."""
    count = 1_000 if quick else 10_000
    held, view, scenarios = book(), market(), joint(count)
    assert len(held.positions) == _LEGS
    assert np.isfinite(book_values(held, view, scenarios)).all()
    name = f"{_LEGS} legs, {count:,} scenarios"
    rows = duel(
        "Book revaluation",
        {name: Candidate(lambda: book_values(held, view, scenarios))},
        [],
        items=_LEGS * count,
        rounds=5,
        yardstick="seconds",
    )
    return [replace(row, ratio=row.seconds, goal=_SECONDS, met=(row.seconds or 0.0) < _SECONDS) for row in rows]
