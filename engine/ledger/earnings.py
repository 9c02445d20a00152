"""What the books earned since an instant: realised results, what they cost, and the interest that fell due (X13)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime

from engine.entries import Account, Entry
from engine.instruments import Cash, Instrument, LendingDebt
from engine.ledger.accounts import kind_and_sleeve
from engine.ledger.lending import INTEREST
from engine.ledger.profit import profits
from engine.money import USD, Money
from engine.positions import Sleeve

Price = Callable[[Instrument], float]
"""USD per unit of a coin or a debt now."""


@dataclass(frozen=True, slots=True)
class Earnings:
    """
    USD of one stretch of the books.

    `realised` are closed gains of the condor engine after the costs of its own trades, negative for a loss; `fees`
    are gas and costs that the other engine bore, slippage included; `interest` what loans have cost.
    """

    realised: Money
    fees: Money
    interest: Money


NOTHING = Earnings(Money.zero(USD), Money.zero(USD), Money.zero(USD))


def earnings(entries: Iterable[Entry], since: datetime | None, price: Price) -> Earnings:
    """
    What was earned after `since`; nothing where there is no instant to count from.

    A position opened before and closed after counts with its whole result when it is closed.
    """
    if since is None:
        return NOTHING
    known = list(entries)
    new = [entry for entry in known if entry.at > since]
    before = _realised(entry for entry in known if entry.at <= since)
    fees, interest = Money.zero(USD), Money.zero(USD)
    for entry in new:
        for leg in entry.legs:
            borne = _expense(leg.account)
            if not borne:
                continue
            usd = Money.rounded(leg.amount.to_float() * _price(leg.instrument, price), USD)
            if isinstance(leg.instrument, LendingDebt) or borne == INTEREST:
                interest += usd
            else:
                fees += usd
    return Earnings(_realised(known) - before, fees, interest)


def _expense(account: Account) -> str:
    """The kind of an expense that no closed gain of the condor engine has borne, empty for any other account."""
    found = kind_and_sleeve(account, "expenses") if account.startswith("expenses:") else None
    return found[0] if found and (found[1] is not Sleeve.CONDOR or found[0] == INTEREST) else ""


def _price(instrument: Instrument, price: Price) -> float:
    return 1.0 if instrument == Cash(USD) else price(instrument)


def _realised(entries: Iterable[Entry]) -> Money:
    """Closed gains of the condor engine: dollars only, so that no rate is needed."""
    return profits(entries, _unmarked, date.max)[Sleeve.CONDOR].realised


def _unmarked(_instrument: Instrument, _day: date) -> Money:
    """Lots are matched by their cash; what is open is not asked."""
    return Money.zero(USD)
