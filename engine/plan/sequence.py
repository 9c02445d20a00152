"""From a target to ordered orders: the hedge before what it protects, the broker before the vault."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_DOWN, ROUND_FLOOR, Decimal

from engine.instruments import Cash, LendingDebt, LendingSupply, VanillaOption
from engine.money import USD, Currency, Money
from engine.orders import Order, OrderId, OrderLeg
from engine.policy.allocation import Allocation
from engine.policy.condors import CondorOffer
from engine.policy.hedges import HedgeOffer
from engine.policy.target import Target
from engine.positions import Sleeve

_CONTRACT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Venues:
    """Names the orders carry, and the tokens of the chain by code."""

    broker: str
    options: str
    swap: str
    ramp: str
    tokens: Mapping[str, Currency]
    option_quote: str


def broker_orders(wanted: Allocation | None, venues: Venues, stem: str) -> list[Order]:
    """
    What takes risk off, then the hedges, then what they replace, then the condors they protect.

    Each order stands at the far side of the market it was decided on; `stem` makes the ids unique to the state
    the plan was made from.
    """
    if wanted is None:
        return []
    moves = [(line, int(line.change)) for line in wanted.changes]
    less = [(line, lots) for line, lots in moves if lots < 0]
    more = [(line, lots) for line, lots in moves if lots > 0]
    ordered = [
        *(_condor_order(line.terms, lots, venues) for line, lots in less if isinstance(line.terms, CondorOffer)),
        *(_hedge_order(line.terms, lots, venues) for line, lots in more if isinstance(line.terms, HedgeOffer)),
        *(_hedge_order(line.terms, lots, venues) for line, lots in less if isinstance(line.terms, HedgeOffer)),
        *(_condor_order(line.terms, lots, venues) for line, lots in more if isinstance(line.terms, CondorOffer)),
    ]
    return [replace(order, id=OrderId(f"{stem}-{order.role}-{at}")) for at, order in enumerate(ordered, start=1)]


def _hedge_order(hedge: HedgeOffer, lots: int, venues: Venues) -> Order:
    """Options bought at their ask, or sold as far below mid."""
    crossed = hedge.ask if lots > 0 else 2.0 * hedge.mid - hedge.ask
    return Order(
        id=OrderId(""),
        venue=venues.broker,
        sleeve=Sleeve.CONDOR,
        role="hedge",
        legs=(OrderLeg(hedge.option, Decimal(lots)),),
        limit=_cash(-crossed, lots, hedge.option),
        arrival=_cash(-hedge.mid, lots, hedge.option),
        step=f"{'buy' if lots > 0 else 'sell'} {abs(lots)} {hedge.option.id}",
    )


def _condor_order(offer: CondorOffer, lots: int, venues: Venues) -> Order:
    """Condors sold for what crossing brings, or bought back for what it then costs."""
    crossed = offer.credit if lots > 0 else 2.0 * offer.mid_credit - offer.credit
    first = offer.condor.put_short
    return Order(
        id=OrderId(""),
        venue=venues.broker,
        sleeve=Sleeve.CONDOR,
        role="core",
        legs=tuple(
            OrderLeg(leg, Decimal(quantity * lots))
            for leg, quantity in zip(offer.condor.legs, offer.condor.quantities, strict=True)
        ),
        limit=_cash(crossed, lots, first),
        arrival=_cash(offer.mid_credit, lots, first),
        step=f"{'sell' if lots > 0 else 'buy back'} {abs(lots)} condors {offer.id}",
    )


def vault_orders(target: Target, option: VanillaOption | None, venues: Venues, stem: str) -> list[Order]:
    """
    What the vault does in one batch: fund and buy the put, supply, borrow, send the coins to the ramp.

    Prices are the decision's estimates; `priced` replaces them by the venues' own quotes.
    """
    orders: list[Order] = []
    if target.put is not None and option is not None:
        quote = venues.tokens[venues.option_quote]
        quantity = Decimal(str(target.put.quantity)).quantize(_CONTRACT)
        cost = Money.rounded(-float(quantity) * target.put.unit_cost, quote)
        if venues.option_quote != "USDC":
            orders.append(_swap(-cost, venues, stem))
        orders.append(
            _vault(
                stem,
                "put",
                "hedge",
                venues.options,
                OrderLeg(option, quantity),
                cost,
                f"buy {quantity} {option.id}",
            )
        )
    if target.loan is not None:
        for code, tokens in sorted(target.supplies.items()):
            currency = venues.tokens[code]
            exact = _down(tokens, currency)
            if exact <= 0:
                continue
            supply = LendingSupply(target.loan.market, currency)
            orders.append(
                _vault(
                    stem,
                    f"supply-{code}",
                    "lending",
                    target.loan.market,
                    OrderLeg(supply, exact),
                    Money.of(-exact, currency),
                    f"supply {exact.normalize():f} {code} to {target.loan.market}",
                )
            )
        debt = target.loan.debt
        currency = venues.tokens[target.loan.asset]
        exact = _down(debt, currency)
        orders.append(
            _vault(
                stem,
                "borrow",
                "lending",
                target.loan.market,
                OrderLeg(LendingDebt(target.loan.market, currency), -exact),
                Money.of(exact, currency),
                f"borrow {exact.normalize():f} {currency} from {target.loan.market}",
            )
        )
        orders.append(
            _vault(
                stem,
                "ramp",
                "ramp",
                venues.ramp,
                OrderLeg(Cash(currency), exact),
                Money.of(-exact, currency),
                f"send {exact.normalize():f} {currency} to the off-ramp",
            )
        )
    return orders


def bounded(order: Order, quoted: Money, slippage: Decimal) -> Order:
    """The order limited to the venue's quote less `slippage` of its size; its arrival mid stays."""
    worst = Money.rounded(quoted.amount - abs(quoted.amount) * slippage, quoted.currency, ROUND_FLOOR)
    return replace(order, limit=worst)


def _swap(needed: Money, venues: Venues, stem: str) -> Order:
    source = venues.tokens["USDC"]
    bought = OrderLeg(Cash(needed.currency), needed.amount)
    paid = Money.rounded(-needed.to_float(), source)
    step = f"swap USDC for {needed.amount.normalize():f} {needed.currency}"
    return _vault(stem, "swap", "swap", venues.swap, bought, paid, step)


def _vault(stem: str, name: str, role: str, venue: str, leg: OrderLeg, cash: Money, step: str) -> Order:
    return Order(OrderId(f"{stem}-{name}"), venue, Sleeve.DEFI, role, (leg,), cash, cash, step)


def _cash(points: float, lots: int, option: VanillaOption) -> Money:
    exact = Decimal(str(round(points, 4))) * option.multiplier * lots
    return Money.of(exact.quantize(Decimal("0.01")), USD)


def _down(tokens: float, currency: Currency) -> Decimal:
    places = Decimal(1).scaleb(-min(currency.decimals, 6))
    return Decimal(repr(tokens)).quantize(places, rounding=ROUND_DOWN)
