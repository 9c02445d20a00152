"""A line of credit in the books: what was drawn, and what it costs each day (S35)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from engine.entries import Entry, Leg
from engine.errors import InputError
from engine.instruments import Cash, LendingDebt
from engine.ledger.accounts import assets, cash_leg, expenses, held_leg
from engine.ledger.posting import exchange
from engine.money import Money
from engine.positions import Position, Sleeve

INTEREST, COMMITMENT = "interest", "commitment"
_YEAR = 365


@dataclass(frozen=True, slots=True)
class LineAccount:
    """
    What the books need of a line: its limit, its simple rate and the fee on what is not drawn, ACT/365.

    Collateral, haircut, covenant and call days are `engine.risk.credit_line`'s: how much may be drawn is
    decided before, what was drawn is posted here.
    """

    name: str
    limit: Money
    rate: Decimal
    commitment: Decimal

    def __post_init__(self) -> None:
        if self.limit.units <= 0 or self.commitment < 0 or not self.rate.is_finite():
            raise InputError(
                f"credit line {self.name!r} refused",
                why=f"limit {self.limit}, rate {self.rate}, commitment {self.commitment}",
                todo="give a limit above zero, a finite rate and a fee that is not negative",
            )

    @property
    def debt(self) -> LendingDebt:
        """The instrument that counts what is owed; a position in it is negative."""
        return LendingDebt(self.name, self.limit.currency)


def drawn(line: LineAccount, amount: Money, *, owed: Money, to: tuple[Sleeve, str], at: datetime, key: str) -> Entry:
    """
    Money drawn (+) or repaid (-).

    Parameters
    ----------
    owed : principal and interest before, >= 0
    to : sleeve and venue that receive or pay the cash; the debt stands in the same sleeve

    Raises
    ------
    InputError for a draw beyond the limit or a repayment beyond what is owed.
    """
    if not amount or not 0 <= (owed + amount).units <= max(line.limit.units, owed.units):
        raise InputError(
            f"draw of {amount} on {line.name}",
            why=f"{owed} is owed of a limit of {line.limit}",
            todo="draw or repay less",
        )
    sleeve, venue = to
    cash = Position(Cash(amount.currency), amount, sleeve, venue)
    debt = Position(line.debt, Money(-amount.units, line.debt.unit), sleeve, line.name)
    verb = "drawn on" if amount.units > 0 else "repaid to"
    return Entry(key, at, f"{amount} {verb} {line.name}", exchange([cash, debt]))


def charges(line: LineAccount, principal: Mapping[date, Money], through: date) -> tuple[Money, Money]:
    """
    Interest and commitment fee of one day, both positive, such that no cent is lost over any span.

    Each is the difference of two rounded running totals: the days of a year at one balance sum to
    balance times rate, rounded once.

    Parameters
    ----------
    principal : owed from each day on, >= 0, the first day the line's opening; days in between carry it on
    through : the night after this day is charged
    """
    opened = min(principal, default=through)
    if through < opened or any(p.units < 0 or p.units > line.limit.units for p in principal.values()):
        raise InputError(
            f"charges of {line.name} on {through}",
            why="the line was not open, or its principal is outside its limit",
            todo="pass what was owed since it opened",
        )
    interest, fee = _running(line, principal, through)
    interest_before, fee_before = _running(line, principal, through - timedelta(days=1))
    currency = line.limit.currency
    return Money(interest - interest_before, currency), Money(fee - fee_before, currency)


def charged(
    line: LineAccount, interest: Money, fee: Money, day: date, *, sleeve: Sleeve, venue: str, at: datetime
) -> Entry:
    """One night's charges: interest is added to the debt, the commitment fee paid from cash at `venue`."""
    owed = Position(line.debt, Money(-interest.units, line.debt.unit), sleeve, line.name)
    accrued = (held_leg(owed), Leg(expenses(INTEREST, sleeve), -owed.held, line.debt)) if interest else ()
    paid = (cash_leg(assets(sleeve, venue), -fee), cash_leg(expenses(COMMITMENT, sleeve), fee)) if fee else ()
    return Entry(f"charges:{line.name}:{day.isoformat()}", at, f"charges of {line.name}", (*accrued, *paid))


def _running(line: LineAccount, principal: Mapping[date, Money], through: date) -> tuple[int, int]:
    """Rounded totals of interest and fee from the opening through a day, in smallest units."""
    owed_days = undrawn_days = 0
    days = sorted(principal)
    for day, until in zip(days, [*days[1:], through + timedelta(days=1)], strict=True):
        nights = max((min(until, through + timedelta(days=1)) - day).days, 0)
        owed_days += principal[day].units * nights
        undrawn_days += (line.limit - principal[day]).units * nights
    return round(Fraction(line.rate) * owed_days / _YEAR), round(Fraction(line.commitment) * undrawn_days / _YEAR)
