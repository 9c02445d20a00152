"""How the cost of capital answers each of its inputs, and what the next dollar from each source costs (D14)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.ledger.wacc import Capm, Source, wacc


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """Change of WACC (decimal per year) per unit of each input, the rest unmoved, equity re-levered."""

    risk_free: float
    premium: float
    beta_unlevered: float
    beta_debt: float
    k: Mapping[str, float]
    usd: Mapping[str, float]


def sensitivities(capm: Capm, equity_usd: float, debts: Sequence[Source]) -> Sensitivity:
    """
    Derivatives of the WACC of `wacc`.

    Returns
    -------
    `k` per unit of each debt's own cost: its weight. `usd` per dollar more of each source: marginal cost
    less WACC, over all capital.

    >>> from engine.ledger.wacc import Cost
    >>> found = sensitivities(Capm(0.042, 0.05, 0.42), 700_000, [Source("line", 300_000, Cost(rate=0.065))])
    >>> round(found.risk_free, 9), round(found.premium, 9), round(found.beta_unlevered, 9)
    (0.7, 0.42, 0.05)
    """
    debt = math.fsum(source.usd for source in debts)
    whole = equity_usd + debt
    rate = wacc(capm, equity_usd, debts).rate
    next_dollar = cost_of_next_dollar(capm, debts)
    return Sensitivity(
        risk_free=equity_usd / whole,
        premium=capm.levered(debt, equity_usd) * equity_usd / whole,
        beta_unlevered=capm.premium,
        beta_debt=-capm.premium * debt / whole,
        k={source.name: source.usd / whole for source in debts},
        usd={name: (cost - rate) / whole for name, cost in next_dollar.items()},
    )


def cost_of_next_dollar(
    capm: Capm, debts: Sequence[Source], *, marginal_k: Mapping[str, float] | None = None
) -> Mapping[str, float]:
    """
    What one more dollar from each source adds to the yearly cost of all capital, decimal.

    Parameters
    ----------
    debts : borrowing raises what equity asks, so each costs its k and (beta_U - beta_D) * premium
    marginal_k : k of the next dollar where it differs from the average (`wacc.marginal_cost`: our own
        draw raises a pool's rate on all we owe)

    >>> from engine.ledger.wacc import Cost
    >>> found = cost_of_next_dollar(Capm(0.042, 0.05, 0.42), [Source("line", 1e5, Cost(rate=0.065))])
    >>> {name: round(cost, 6) for name, cost in found.items()}
    {'equity': 0.063, 'line': 0.086}
    """
    own = marginal_k or {}
    levering = (capm.beta_unlevered - capm.beta_debt) * capm.premium
    equity = capm.risk_free + capm.beta_unlevered * capm.premium
    return {"equity": equity} | {s.name: own.get(s.name, s.cost.total) + levering for s in debts}
