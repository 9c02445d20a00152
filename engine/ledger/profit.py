"""What the journal earned, from lots and from flows: the other side of NAV (D34)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from engine.entries import Entry, Leg
from engine.instruments import Cash, Instrument, LendingDebt, LendingSupply
from engine.ledger.accounts import capital_sleeve, held_at
from engine.ledger.balances import valuation_day
from engine.ledger.lots import Lots, Trade, after, realised, split, unrealised
from engine.money import USD, Money
from engine.positions import Sleeve

Rate = Callable[[Instrument, date], Money]
"""USD per one whole unit (token, contract) on a day; a future or perpetual is worth nothing to hold."""


@dataclass(frozen=True, slots=True)
class Profit:
    """
    One sleeve's result since its first entry, in cents.

    `capital` is put in less taken out, each at its day's rate. NAV = capital + realised + unrealised +
    carried, where `carried` came without an exchange: interest, funding, variation, distributions, fees.
    """

    capital: Money
    realised: Money
    unrealised: Money
    carried: Money

    @property
    def nav(self) -> Money:
        """What the sleeve is worth by its own history."""
        return self.capital + self.realised + self.unrealised + self.carried


@dataclass(slots=True)
class _Running:
    capital: Money = field(default_factory=lambda: Money.zero(USD))
    carried: Money = field(default_factory=lambda: Money.zero(USD))
    lots: dict[Instrument, Lots] = field(default_factory=dict)


def profits(entries: Iterable[Entry], rate: Rate, today: date) -> Mapping[Sleeve, Profit]:
    """
    Result of every sleeve, lots first in, first out; tokens are lots too, bought at their day's rate.

    Parameters
    ----------
    rate : of tokens at each day of an entry, of everything held at `today`, and of what is put in as
        capital; the cash of an entry over several instruments is shared by their rates that day

    Returns
    -------
    The sum of `nav` over sleeves is that of holdings times marks, to the cent.
    """
    running = {sleeve: _Running() for sleeve in Sleeve}
    for entry in entries:
        for sleeve, state in running.items():
            _post(state, entry, sleeve, rate)
    return {sleeve: _closed(state, rate, today) for sleeve, state in running.items()}


def worth(held: Money, instrument: Instrument, rate: Rate, day: date) -> Money:
    """USD of a holding at a day's rate, to the cent."""
    if instrument == Cash(USD):
        return held
    return Money.rounded(held.amount * rate(instrument, day).amount, USD)


def _post(state: _Running, entry: Entry, sleeve: Sleeve, rate: Rate) -> None:
    day = valuation_day(entry.at)
    held = [leg for leg in entry.legs if (place := held_at(leg.account)) is not None and place[0] is sleeve]
    moved = [leg for leg in entry.legs if capital_sleeve(leg.account) is sleeve]
    if not held and not moved:
        return
    changes = _netted(held)
    values = {instrument: worth(amount, instrument, rate, day) for instrument, amount in changes.items()}
    capital = sum((-worth(leg.amount, leg.instrument, rate, day) for leg in moved), Money.zero(USD))
    money = sum((usd for instrument, usd in values.items() if _is_money(instrument)), Money.zero(USD))
    contracts = [instrument for instrument in changes if not _is_money(instrument)]
    state.capital += capital
    shares = _shares(money - capital, contracts, values)
    if not contracts:
        state.carried += money - capital
    for instrument, share in zip(contracts, shares, strict=True):
        _trade(state, entry, instrument, changes[instrument], share)
    for instrument in changes:
        if _is_money(instrument) and instrument != Cash(USD):
            _trade(state, entry, instrument, changes[instrument], -values[instrument])


def _is_money(instrument: Instrument) -> bool:
    return isinstance(instrument, Cash | LendingSupply | LendingDebt)


def _netted(legs: Sequence[Leg]) -> dict[Instrument, Money]:
    changes: dict[Instrument, Money] = {}
    for leg in legs:
        changes[leg.instrument] = changes.get(leg.instrument, Money.zero(leg.amount.currency)) + leg.amount
    return {instrument: change for instrument, change in changes.items() if change}


def _shares(cash: Money, contracts: Sequence[Instrument], values: Mapping[Instrument, Money]) -> list[Money]:
    """Cash of each contract: what it is worth with the opposite sign, and its part of the difference."""
    if not contracts:
        return []
    fair = [-values[instrument] for instrument in contracts]
    gap = cash - sum(fair, Money.zero(USD))
    weights = [abs(each.units) for each in fair]
    parts = split(gap, weights if any(weights) else [1] * len(weights))
    return [each + part for each, part in zip(fair, parts, strict=True)]


def _trade(state: _Running, entry: Entry, instrument: Instrument, held: Money, cash: Money) -> None:
    trade = Trade(entry.key, entry.at, instrument, held, cash, Money.zero(USD))
    state.lots[instrument] = after(state.lots.get(instrument, Lots()), trade)


def _closed(state: _Running, rate: Rate, today: date) -> Profit:
    zero = Money.zero(USD)
    gains = sum((realised(lots, USD) for lots in state.lots.values()), zero)
    open_gains = zero
    for instrument, lots in state.lots.items():
        held = Money(lots.units, instrument.unit)
        open_gains += unrealised(lots, worth(held, instrument, rate, today))
    return Profit(state.capital, gains, open_gains, state.carried)
