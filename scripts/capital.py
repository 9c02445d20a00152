"""What a desk's capital costs: equity by the capital asset pricing model, and every on-chain debt (D14)."""

from engine import cycle
from engine.instruments import LendingDebt
from engine.ledger.wacc import Capm, Source, Wacc, wacc
from engine.market import MarketSnapshot
from engine.policy.settings import Policy
from engine.positions import Book
from engine.risk.pricing_view import PricingView
from engine.risk.scenarios import Scenarios
from engine.risk.valuation import book_values, unit_values


def cost_of_capital(snapshot: MarketSnapshot, book: Book, view: PricingView, policy: Policy) -> Wacc:
    """Equity by the capital asset pricing model and every on-chain debt at its whole cost (D14)."""
    now = Scenarios.now()
    equity = float(book_values(book, view, now)[0])
    debts = []
    for position in book:
        instrument = position.instrument
        if isinstance(instrument, LendingDebt):
            owed = -float(position.quantity) * float(unit_values(instrument, view, now)[0])
            market = next(m for m in snapshot.chain.lending if m.name == instrument.market)
            terms = cycle.loan_terms(owed, market, policy)
            debts.append(
                Source(instrument.id, owed, terms.cost(market.borrow_rate, owed, tax=float(policy.capital.tax)))
            )
    debt = sum(source.usd for source in debts)
    unlevered = policy.capital.beta_levered / (1.0 + debt / equity)
    capm = Capm(snapshot.rates.rate(0.25), float(policy.capital.equity_premium), unlevered)
    return wacc(capm, equity, debts)


def debt_rate(capital: Wacc) -> float:
    """K of debt, decimal per year: the finance rate of MIRR; the whole cost of capital where nothing is owed."""
    owed = [(source, weight) for source, weight in zip(capital.sources[1:], capital.weights[1:], strict=True) if weight]
    weights = sum(weight for _, weight in owed)
    return sum(weight * source.cost.total for source, weight in owed) / weights if weights else capital.rate
