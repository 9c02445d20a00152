"""From a target to ordered orders: the hedge before what it protects, the broker before the vault."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_DOWN, ROUND_FLOOR, Decimal

from engine.instruments import Cash, LendingDebt, LendingSupply, VanillaOption
from engine.money import USD, Currency, Money
from engine.orders import Order, OrderId, OrderLeg
from engine.policy.allocation import Allocation
from engine.policy.condors import CondorOffer
from engine.policy.deleverage import Relief
from engine.policy.hedges import HedgeOffer
from engine.policy.roll_combo import RollProposal
from engine.policy.rolls import RollDue
from engine.policy.sleeve_cut import SleeveCut
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


def broker_orders(wanted: Allocation | None, venues: Venues, stem: str, rolls: Sequence[RollDue] = ()) -> list[Order]:
    """
    What takes risk off, then the hedges, then what they replace, then the condors they protect.

    Each order stands at the far side of the market it was decided on; `stem` makes the ids unique to the state
    the plan was made from. Rolls go out where nothing else does: what they were measured on would move.
    """
    moves = [(line, int(line.change)) for line in wanted.changes] if wanted is not None else []
    less = [(line, lots) for line, lots in moves if lots < 0]
    more = [(line, lots) for line, lots in moves if lots > 0]
    ordered = [
        *(_condor_order(line.terms, lots, venues) for line, lots in less if isinstance(line.terms, CondorOffer)),
        *(_hedge_order(line.terms, lots, venues) for line, lots in more if isinstance(line.terms, HedgeOffer)),
        *(_hedge_order(line.terms, lots, venues) for line, lots in less if isinstance(line.terms, HedgeOffer)),
        *(_condor_order(line.terms, lots, venues) for line, lots in more if isinstance(line.terms, CondorOffer)),
        *(_roll_order(due.decision.proposal, venues) for due in rolls if due.decision.proposal and not moves),
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


def _roll_order(roll: RollProposal, venues: Venues) -> Order:
    """One combo that closes a condor and opens the later one, all legs or none (D25)."""
    return Order(
        id=OrderId(""),
        venue=venues.broker,
        sleeve=Sleeve.CONDOR,
        role="core",
        legs=roll.legs,
        limit=roll.limit,
        arrival=roll.arrival,
        step=roll.log,
    )


def vault_orders(target: Target, option: VanillaOption | None, venues: Venues, stem: str) -> list[Order]:
    """
    What the vault does in one batch: mend loans (D17), fund and buy the put, free and send what must leave the
    sleeve (X05), supply, borrow, send the coins to the ramp.

    Prices are the decision's estimates; `priced` replaces them by the venues' own quotes.
    """
    orders = [order for relief in target.reliefs for order in _relief_orders(relief, venues, stem)]
    if target.put is not None and option is not None:
        quote = venues.tokens[venues.option_quote]
        quantity = Decimal(str(target.put.quantity)).quantize(_CONTRACT)
        cost = Money.rounded(-float(quantity) * target.put.unit_cost, quote)
        if venues.option_quote != "USDC":
            orders.append(_swap("swap", venues.tokens["USDC"], -cost, venues, stem))
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
    if target.cut is not None:
        orders += _cut_orders(target.cut, venues, stem)
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
        orders.append(_ramped(exact, currency, venues, stem, "ramp"))
    return orders


def _relief_orders(relief: Relief, venues: Venues, stem: str) -> list[Order]:
    """Idle coins into the loan, then round by round: collateral out, swapped, debt repaid (D17)."""
    name = f"relief-{relief.market}-{relief.asset.code}"
    orders = []
    if (exact := _down(relief.repay, relief.asset)) > 0:
        orders.append(_repaid(relief, exact, f"{name}-repay", stem))
    for code, tokens in sorted(relief.supply.items()):
        currency = venues.tokens[code]
        if (exact := _down(tokens, currency)) > 0:
            leg = OrderLeg(LendingSupply(relief.market, currency), exact)
            step = f"supply {exact.normalize():f} {code} to {relief.market}"
            cash = Money.of(-exact, currency)
            orders.append(_vault(stem, f"{name}-supply-{code}", "lending", relief.market, leg, cash, step))
    for at, one in enumerate(relief.rounds, start=1):
        source, repaid = venues.tokens[one.code], _down(one.repaid, relief.asset)
        if (exact := _down(one.withdrawn, source)) > 0:
            orders.append(_withdrawn(relief.market, exact, source, f"{name}-{at}-withdraw", stem))
        if source != relief.asset:
            bought = Money.of(repaid, relief.asset)
            orders.append(_swap(f"{name}-{at}-swap", source, bought, venues, stem))
        orders.append(_repaid(relief, repaid, f"{name}-{at}-repay", stem))
    return orders


def _repaid(relief: Relief, exact: Decimal, name: str, stem: str) -> Order:
    leg = OrderLeg(LendingDebt(relief.market, relief.asset), exact)
    step = f"repay {exact.normalize():f} {relief.asset} to {relief.market}"
    return _vault(stem, name, "lending", relief.market, leg, Money.of(-exact, relief.asset), step)


def _withdrawn(market: str, exact: Decimal, currency: Currency, name: str, stem: str) -> Order:
    leg, cash = OrderLeg(LendingSupply(market, currency), -exact), Money.of(exact, currency)
    step = f"withdraw {exact.normalize():f} {currency} from {market}"
    return _vault(stem, name, "lending", market, leg, cash, step)


def _cut_orders(cut: SleeveCut, venues: Venues, stem: str) -> list[Order]:
    """Collateral withdrawn, then coins sent to the off-ramp."""
    orders = []
    for (market, code), tokens in sorted(cut.withdraw.items()):
        currency = venues.tokens[code]
        orders.append(_withdrawn(market, _down(tokens, currency), currency, f"withdraw-{market}-{code}", stem))
    for code, tokens in sorted(cut.send.items()):
        currency = venues.tokens[code]
        orders.append(_ramped(_down(tokens, currency), currency, venues, stem, f"cut-{code}"))
    return [order for order in orders if order.legs[0].quantity]


def _ramped(exact: Decimal, currency: Currency, venues: Venues, stem: str, name: str) -> Order:
    leg, step = OrderLeg(Cash(currency), exact), f"send {exact.normalize():f} {currency} to the off-ramp"
    return _vault(stem, name, "ramp", venues.ramp, leg, Money.of(-exact, currency), step)


def bounded(order: Order, quoted: Money, slippage: Decimal) -> Order:
    """The order limited to the venue's quote less `slippage` of its size; its arrival mid stays."""
    worst = Money.rounded(quoted.amount - abs(quoted.amount) * slippage, quoted.currency, ROUND_FLOOR)
    return replace(order, limit=worst)


def _swap(name: str, source: Currency, needed: Money, venues: Venues, stem: str) -> Order:
    bought = OrderLeg(Cash(needed.currency), needed.amount)
    paid = Money.rounded(-needed.to_float(), source)
    step = f"swap {source} for {needed.amount.normalize():f} {needed.currency}"
    return _vault(stem, name, "swap", venues.swap, bought, paid, step)


def _vault(stem: str, name: str, role: str, venue: str, leg: OrderLeg, cash: Money, step: str) -> Order:
    return Order(OrderId(f"{stem}-{name}"), venue, Sleeve.DEFI, role, (leg,), cash, cash, step)


def _cash(points: float, lots: int, option: VanillaOption) -> Money:
    exact = Decimal(str(round(points, 4))) * option.multiplier * lots
    return Money.of(exact.quantize(Decimal("0.01")), USD)


def _down(tokens: float, currency: Currency) -> Decimal:
    places = Decimal(1).scaleb(-min(currency.decimals, 6))
    return Decimal(repr(tokens)).quantize(places, rounding=ROUND_DOWN)
