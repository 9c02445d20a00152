"""Where each day's result came from, per engine and blended, to the cent (D36)."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from engine.entries import Entry, Leg
from engine.errors import DoesNotReconcile
from engine.instruments import Cash, FundShare, Future, Instrument, LendingDebt, LendingSupply, VanillaOption
from engine.ledger.accounts import capital_sleeve, held_at, kind_and_sleeve, suspended_in
from engine.ledger.balances import book as book_of
from engine.ledger.explained import PARTS, scaled, unit_explained, unit_gain, unit_worth
from engine.money import USD, Money
from engine.positions import Book, Position, Sleeve
from engine.risk.pricing_view import PricingView

COSTS = ("fees", "gas", "slippage", "mev")
NAMES = (*PARTS, "carry", "trading", *COSTS, "residual")
"""Every part, in the order shown. `carry` is interest, funding, distributions, swap fees and emissions;
`trading` what the day's own trades gained from their arrival mid to the close."""

FLAGGED_FROM = 0.02
"""Share of gross from which a residual is flagged (D36)."""

_CARRY = frozenset({"interest", "funding", "commitment", "dividends", "withholding"})
_VOLATILITY = frozenset({"VIX"})

EngineOf = Callable[[Instrument, Sleeve], str]
"""Which engine bears an instrument held in a sleeve."""


@dataclass(frozen=True, slots=True)
class Attributed:
    """
    One engine's day, or all of them.

    `parts` sum to `actual`, the change of NAV less capital put in, exactly. `hypothetical` revalues
    yesterday's positions in today's market; `theoretical` is what their greeks say of the same moves.
    """

    actual: Money
    hypothetical: Money
    theoretical: Money
    parts: Mapping[str, Money]

    @property
    def gross(self) -> Money:
        """Sum of all parts but the residual, each without its sign."""
        return Money(sum(abs(part.units) for name, part in self.parts.items() if name != "residual"), USD)

    @property
    def flagged(self) -> bool:
        """Whether the residual exceeds 2 % of gross: the model does not explain the day."""
        return abs(self.parts["residual"].units) > FLAGGED_FROM * self.gross.units


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A market and the positions held in it at one valuation point."""

    view: PricingView
    book: Book


def engine_of(instrument: Instrument, sleeve: Sleeve) -> str:
    """
    `condor`, `hedge`, `defi`, `financing` or `transit`; gas is an engine of its own, by its account.

    >>> engine_of(FundShare("UVXY"), Sleeve.CONDOR), engine_of(Cash(USD), Sleeve.DEFI)
    ('hedge', 'defi')
    """
    if sleeve is Sleeve.TRANSIT:
        return "transit"
    if isinstance(instrument, LendingDebt):
        return "financing"
    volatile = isinstance(instrument, VanillaOption | Future) and instrument.underlying in _VOLATILITY
    if sleeve is Sleeve.CONDOR:
        return "hedge" if volatile or isinstance(instrument, FundShare) else "condor"
    return "defi"


def attribute(
    before: Snapshot,
    after: Snapshot,
    entries: Iterable[Entry],
    *,
    engine: EngineOf = engine_of,
    settled: Mapping[Instrument, float] | None = None,
) -> tuple[Mapping[str, Attributed], Attributed]:
    """
    The day's result by engine and blended; every part of the blend is the sum over engines.

    Parameters
    ----------
    entries : exactly those between the two valuation points
    settled : USD per unit of what expired in between, which today's market no longer prices

    Raises
    ------
    DoesNotReconcile unless yesterday's book and the entries make today's book: a result cannot be taken
    apart while positions are unexplained.
    MissingQuote where either market does not price a position.

    Source: D36; hypothetical and risk-theoretical results as in the P/L attribution test of the
    trading-book rules (BCBS d457, MAR32).
    """
    posted = tuple(entries)
    _require_continuity(before.book, after.book, posted)
    worth = _Worth(before.view, after.view, settled or {})
    parts: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    moved: defaultdict[str, float] = defaultdict(float)
    for position in before.book:
        bearer = engine(position.instrument, position.sleeve)
        moved[bearer] += float(position.quantity) * worth.gain(position.instrument)
        for name, usd in scaled(worth.explained(position.instrument), float(position.quantity)).items():
            parts[bearer][name] += usd
        parts[bearer]["trading"] -= float(position.quantity) * worth.paid_in_cash(position.instrument)
    known = {position.instrument.id: position.instrument for position in (*before.book, *after.book)}
    for entry in posted:
        for bearer, name, usd in _entry_parts(entry, worth, _bearers(entry, engine, known), engine):
            parts[bearer][name] += usd
    engines = {bearer: _rounded(parts[bearer], moved[bearer]) for bearer in sorted(parts)}
    return engines, _blend(engines.values())


@dataclass(frozen=True, slots=True)
class _Worth:
    before: PricingView
    after: PricingView
    settled: Mapping[Instrument, float]

    def unit(self, instrument: Instrument) -> float:
        """USD per unit in today's NAV; what settled is no longer there."""
        return 0.0 if instrument in self.settled else unit_worth(instrument, self.after)

    def gain(self, instrument: Instrument) -> float:
        if instrument in self.settled:
            return self.settled[instrument] - unit_worth(instrument, self.before)
        return unit_gain(instrument, self.before, self.after)

    def explained(self, instrument: Instrument) -> Mapping[str, float]:
        if instrument in self.settled:
            return {"delta": self.gain(instrument)}
        return unit_explained(instrument, self.before, self.after)

    def paid_in_cash(self, instrument: Instrument) -> float:
        """What a unit gained that NAV does not carry: variation, or a settlement, that the entries bring as cash."""
        held_then = unit_worth(instrument, self.before)
        return self.gain(instrument) - (self.unit(instrument) - held_then)


def _entry_parts(
    entry: Entry, worth: _Worth, bearers: Mapping[Sleeve, str], engine: EngineOf
) -> Iterable[tuple[str, str, float]]:
    """Costs and carry by their accounts, what is in suspense unexplained; the rest that a sleeve gained is trading."""
    traded: defaultdict[Sleeve, float] = defaultdict(float)
    for leg in entry.legs:
        usd = float(leg.amount.amount) * worth.unit(leg.instrument) if leg.amount else 0.0
        if (place := held_at(leg.account)) is not None:
            traded[place[0]] += usd
        elif (sleeve := capital_sleeve(leg.account)) is not None:
            traded[sleeve] += usd
        elif (named := _flow(leg)) is not None:
            kind, sleeve = named
            if kind == "depeg":
                continue
            traded[sleeve] += usd
            name = _part(kind, leg)
            yield ("gas" if name == "gas" else bearers.get(sleeve, engine(leg.instrument, sleeve))), name, -usd
        elif (sleeve := suspended_in(leg.account)) is not None:
            traded[sleeve] += usd
            yield bearers.get(sleeve, engine(leg.instrument, sleeve)), "residual", -usd
    for sleeve, usd in traded.items():
        if usd:
            yield bearers.get(sleeve, engine(Cash(USD), sleeve)), "trading", usd


def _bearers(entry: Entry, engine: EngineOf, known: Mapping[str, Instrument]) -> dict[Sleeve, str]:
    """
    The engine of each sleeve's part of an entry: that of its first instrument which is not money.

    Where only money moved, the instrument it was paid for, if the entry names it: variation, funding.
    """
    found: dict[Sleeve, str] = {}
    named = known.get(entry.evidence.get("instrument", ""))
    for leg in entry.legs:
        if (place := held_at(leg.account)) is not None:
            sleeve = place[0]
            if not isinstance(leg.instrument, Cash | LendingSupply):
                found.setdefault(sleeve, engine(leg.instrument, sleeve))
            elif named is not None:
                found.setdefault(sleeve, engine(named, sleeve))
    return found


def _flow(leg: Leg) -> tuple[str, Sleeve] | None:
    return kind_and_sleeve(leg.account, "income") or kind_and_sleeve(leg.account, "expenses")


def _part(kind: str, leg: Leg) -> str:
    if leg.account.startswith("income:") or kind in _CARRY:
        return "carry"
    return kind if kind in COSTS else "fees"


def _rounded(parts: Mapping[str, float], moved: float) -> Attributed:
    """Cents; the residual takes up the rounding, so that the parts sum to the result exactly."""
    theoretical = sum(parts.get(name, 0.0) for name in PARTS)
    actual = _usd(moved + sum(usd for name, usd in parts.items() if name not in PARTS))
    named = {name: _usd(parts.get(name, 0.0)) for name in NAMES if name != "residual"}
    named["residual"] = actual - sum(named.values(), Money.zero(USD))
    return Attributed(actual, _usd(moved), _usd(theoretical), named)


def _blend(engines: Iterable[Attributed]) -> Attributed:
    rows, zero = tuple(engines), Money.zero(USD)
    return Attributed(
        sum((row.actual for row in rows), zero),
        sum((row.hypothetical for row in rows), zero),
        sum((row.theoretical for row in rows), zero),
        {name: sum((row.parts[name] for row in rows), zero) for name in NAMES},
    )


def _usd(amount: float) -> Money:
    return Money.rounded(amount, USD)


def _require_continuity(before: Book, after: Book, entries: tuple[Entry, ...]) -> None:
    made = {_place(p): p.held for p in before.plus(book_of(entries))}
    found = {_place(p): p.held for p in after}
    differ = sorted(str(place) for place in made.keys() | found.keys() if made.get(place) != found.get(place))
    if differ:
        raise DoesNotReconcile(
            f"{len(differ)} position(s) of the day are unexplained",
            why=f"yesterday's book and the entries do not make today's: {'; '.join(differ[:3])}",
            todo="pass exactly the entries between the two valuation points",
        )


def _place(position: Position) -> tuple[str, str, str]:
    return position.sleeve.value, position.venue, position.instrument.id
