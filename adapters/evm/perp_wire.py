"""Perpetual v2 as bytes and numbers: orders into clearing-house calls, its events into changes. No input, no output."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from adapters.evm.contract import Contract
from adapters.evm.erc20 import Token, approve_permit, bound, with_approval
from adapters.evm.wire import Found, Permit, events, plain_call, refused
from engine.errors import OrderRejected
from engine.instruments import LendingSupply, Perpetual
from engine.money import Currency, Money
from engine.orders import Address, Call, Order
from engine.ports import Receipt

DECIMALS = 18
_NEVER = 2**256 - 1
_NO_REFERRAL, _NO_PRICE_LIMIT = b"\0" * 32, 0
_UNITS = Currency("", DECIMALS)


@dataclass(frozen=True)
class Exchange:
    """
    One deployment: its clearing house and vault, the margin token, and base tokens by underlying.

    Sizes and prices have 18 decimals, margin those of its token.
    """

    name: str
    house: Contract
    vault: Contract
    balances: Contract
    margin: Token
    bases: Mapping[str, Address]
    safe: Address

    def perpetual(self, underlying: str) -> Perpetual:
        """The instrument of a listed market."""
        return Perpetual(self.name, underlying, self.margin.currency)

    @property
    def deposit(self) -> LendingSupply:
        """What the vault keeps for us, as an instrument: margin less or plus what trades realised."""
        return LendingSupply(self.name, self.margin.currency)

    def wad(self, units: int) -> int:
        """Margin units in 18 decimals."""
        return units * self._per_unit

    def units(self, wad: int) -> int:
        """18 decimals in margin units, rounded down as the vault does, losses too."""
        return wad // self._per_unit

    @property
    def _per_unit(self) -> int:
        return int(10 ** (DECIMALS - self.margin.currency.decimals))


@dataclass(frozen=True, slots=True)
class Transfer:
    """Margin paid in (+) or taken out (-), in its token's units."""

    units: int


@dataclass(frozen=True, slots=True)
class Trade:
    """A market order: signed base in 18 decimals, and the quote it may cost or must bring, fee included."""

    underlying: str
    base: int
    bound: int


@dataclass(frozen=True, slots=True)
class Step:
    """
    Something an account of ours did or had done to it, as logged: margin in units, the rest in 18 decimals.

    `margin` is what the deposit gained or lost with it: cash in or out, and what was realised since the step
    before. `underlying` is empty for a transfer, and for what was realised without either.
    """

    ordinal: int
    underlying: str
    base: int
    quote: int
    fee: int
    moved: int
    margin: int


def asked(exchange: Exchange, order: Order) -> Transfer | Trade:
    """The order in the exchange's terms. Raises `OrderRejected` for another shape, market or bound."""
    if len(order.legs) != 1:
        raise refused(order, "a perpetual order has exactly one leg")
    instrument, quantity = order.legs[0].instrument, order.legs[0].quantity
    if instrument == exchange.deposit:
        units = Money.of(quantity, exchange.margin.currency).units
        if units == 0:
            raise refused(order, "its quantity is zero")
        return Transfer(units)
    if not isinstance(instrument, Perpetual) or instrument not in map(exchange.perpetual, exchange.bases):
        raise refused(order, f"{instrument.id} is not traded on {exchange.name}")
    base = Money.of(quantity, instrument.unit).units
    if order.limit.currency != exchange.margin.currency or base * order.limit.units >= 0:
        raise refused(order, f"{base} of base for {order.limit} has no bound")
    return Trade(instrument.underlying, base, exchange.wad(abs(order.limit.units)))


def encode(exchange: Exchange, wanted: Transfer | Trade) -> tuple[Call, ...]:
    """The vault or house call; margin goes in between an exact approval and its reset."""
    if isinstance(wanted, Trade):
        return (plain_call(exchange.house.address, trade_data(exchange, wanted), said(exchange, wanted)),)
    function, units = ("deposit", wanted.units) if wanted.units > 0 else ("withdraw", -wanted.units)
    data = exchange.vault.encode(function, exchange.margin.address, units)
    call = plain_call(exchange.vault.address, data, said(exchange, wanted))
    if function == "deposit":
        return with_approval(exchange.margin, exchange.vault.address, units, exchange.name, call)
    return (call,)


def trade_data(exchange: Exchange, wanted: Trade) -> bytes:
    """`openPosition` for exactly that much base."""
    sells = wanted.base < 0
    terms = {
        "baseToken": exchange.bases[wanted.underlying],
        "isBaseToQuote": sells,
        "isExactInput": sells,
        "amount": abs(wanted.base),
        "oppositeAmountBound": wanted.bound,
        "deadline": _NEVER,
        "sqrtPriceLimitX96": _NO_PRICE_LIMIT,
        "referralCode": _NO_REFERRAL,
    }
    return exchange.house.encode("openPosition", terms)


def quit_closed(exchange: Exchange, underlying: str) -> Call:
    """Take a position out of a market that governance closed, at its closing price; anybody may."""
    data = exchange.house.encode("quitMarket", exchange.safe, exchange.bases[underlying])
    return plain_call(exchange.house.address, data, _said_quit(exchange, underlying))


def said(exchange: Exchange, wanted: Transfer | Trade) -> str:
    """An order in words."""
    if isinstance(wanted, Transfer):
        verb, way = ("deposit", "to") if wanted.units > 0 else ("withdraw", "from")
        return f"{verb} {exchange.margin.shown(abs(wanted.units))} {way} {exchange.name}"
    amount = f"{Money(abs(wanted.base), _UNITS).amount.normalize():f}"
    quote = f"{Money(wanted.bound, _UNITS).amount.normalize():,f} {exchange.margin.currency}"
    if wanted.base > 0:
        return f"buy {amount} {wanted.underlying} perp for at most {quote} on {exchange.name}"
    return f"sell {amount} {wanted.underlying} perp for at least {quote} on {exchange.name}"


def permits(exchange: Exchange) -> tuple[Permit, ...]:
    """Bounded trades of exact size in listed markets, margin of the vault itself, and quitting closed markets."""
    return (
        Permit(exchange.house, "openPosition", _trade_words(exchange)),
        Permit(exchange.house, "quitMarket", _quit_words(exchange)),
        Permit(exchange.vault, "deposit", _margin_words(exchange, 1)),
        Permit(exchange.vault, "withdraw", _margin_words(exchange, -1)),
        approve_permit(exchange.margin, exchange.vault.address, exchange.name),
    )


def steps(exchange: Exchange, receipt: Receipt, owed: int) -> list[Step]:
    """
    What a receipt did to our account, whoever made it: trades, liquidations, quits, transfers, funding.

    Parameters
    ----------
    owed : what the account had realised and not yet settled before, 18 decimals
    """
    known = {address: underlying for underlying, address in exchange.bases.items()}
    found: list[Step] = []
    gained, last = 0, -1
    for name, event in _logged(exchange, receipt):
        last = event.ordinal
        if name == "PnlRealized":
            gained += exchange.units(owed + event["amount"]) - exchange.units(owed)
            owed += event["amount"]
            continue
        if name in ("Deposited", "Withdrawn"):
            moved = event["amount"] if name == "Deposited" else -event["amount"]
            owed = 0 if name == "Withdrawn" else owed  # a withdrawal settles it into the balance
            found.append(Step(last, "", 0, 0, 0, moved, moved + gained))
        elif event["baseToken"] in known:
            found.append(_traded(event, known[event["baseToken"]], gained))
        gained = 0
    return [*found, Step(last, "", 0, 0, 0, 0, gained)] if gained else found


def daily_funding(market: Decimal, index: Decimal, most: Decimal) -> Decimal:
    """
    Funding of one day as a share of the index, positive when longs pay.

    Source: Curie `Exchange._getDeltaTwapX96`: market less index average, at most `most` of the index.

    >>> daily_funding(Decimal(2020), Decimal(2000), Decimal("0.1"))
    Decimal('0.01')
    """
    return max(-most, min(most, (market - index) / index))


def shown_price(base: int, quote: int) -> str:
    """Price of a trade to the cent."""
    return f"{(Decimal(abs(quote)) / Decimal(abs(base))).quantize(Decimal('0.01'), ROUND_FLOOR):,f}"


def _logged(exchange: Exchange, receipt: Receipt) -> list[tuple[str, Found]]:
    """Our account's events in order."""
    sources = {
        "PnlRealized": exchange.balances,
        "PositionChanged": exchange.house,
        "PositionClosed": exchange.house,
        "Deposited": exchange.vault,
        "Withdrawn": exchange.vault,
    }
    found = [(name, e) for name, source in sources.items() for e in events(source, name, receipt)]
    return sorted((each for each in found if each[1]["trader"] == exchange.safe), key=lambda each: each[1].ordinal)


def _traded(event: Found, underlying: str, gained: int) -> Step:
    if "closedPrice" in event.fields:
        base, quote, fee = -event["closedPositionSize"], event["closedPositionNotional"], 0
    else:
        base, fee = event["exchangedPositionSize"], event["fee"]
        quote = event["exchangedPositionNotional"] - fee
    return Step(event.ordinal, underlying, base, quote, fee, 0, gained)


def _said_quit(exchange: Exchange, underlying: str) -> str:
    return f"settle the {underlying} perp of the closed market on {exchange.name}"


def _trade_words(exchange: Exchange) -> Callable[[Mapping[str, Any]], str]:
    known = {address: underlying for underlying, address in exchange.bases.items()}

    def words(arguments: Mapping[str, Any]) -> str:
        terms = arguments["params"]
        if terms["baseToken"] not in known:
            raise _unlisted("its market is not listed")
        sells, bounded = terms["isBaseToQuote"], terms["oppositeAmountBound"]
        if sells != terms["isExactInput"] or terms["sqrtPriceLimitX96"] != _NO_PRICE_LIMIT:
            raise _unlisted("its size is not exact")
        if not 0 < bounded < 2**128:
            raise _unlisted("it accepts any price")
        base = -terms["amount"] if sells else terms["amount"]
        return said(exchange, Trade(known[terms["baseToken"]], base, bounded))

    return words


def _margin_words(exchange: Exchange, sign: int) -> Callable[[Mapping[str, Any]], str]:
    def words(arguments: Mapping[str, Any]) -> str:
        if arguments["token"] != exchange.margin.address:
            raise _unlisted(f"its margin is not {exchange.margin.currency}")
        return said(exchange, Transfer(sign * arguments["amount"]))

    return words


def _quit_words(exchange: Exchange) -> Callable[[Mapping[str, Any]], str]:
    known = {address: underlying for underlying, address in exchange.bases.items()}

    def words(arguments: Mapping[str, Any]) -> str:
        bound(exchange.safe, arguments["trader"], "trader")
        if arguments["baseToken"] not in known:
            raise _unlisted("its market is not listed")
        return _said_quit(exchange, known[arguments["baseToken"]])

    return words


def _unlisted(why: str) -> OrderRejected:
    return OrderRejected("perpetual call refused", why=why, todo="sign nothing; make the plan again")
