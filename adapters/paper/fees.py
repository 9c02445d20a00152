"""What a retail broker charges for index options, each part a dated fact in a table."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from engine.instruments import VanillaOption
from engine.money import USD, Money


@dataclass(frozen=True, slots=True)
class FeeTable:
    """
    USD per contract, by part. Rounded to the cent per order, as a statement shows it.

    Source: published price lists of a large US retail broker (commission, fixed tier) and of the
    exchange and clearing house for SPX/SPXW and VIX customer orders, as of 2025. They change: set your own.
    """

    commission: Decimal = Decimal("0.65")
    exchange_spx: Decimal = Decimal("0.45")
    exchange_vix: Decimal = Decimal("0.30")
    regulatory: Decimal = Decimal("0.02905")
    clearing: Decimal = Decimal("0.025")

    @property
    def index_option(self) -> float:
        """All parts for one SPX option contract, USD: what a decision expects to pay."""
        return float(sum((self.commission, self.exchange_spx, self.regulatory, self.clearing)))

    def per_contract(self, option: VanillaOption) -> dict[str, Decimal]:
        """Each part for one contract of this option."""
        exchange = self.exchange_vix if option.underlying == "VIX" else self.exchange_spx
        return {
            "commission": self.commission,
            "exchange": exchange,
            "regulatory": self.regulatory,
            "clearing": self.clearing,
        }

    def order(self, legs: list[tuple[VanillaOption, int]]) -> dict[str, Money]:
        """Each part for an order of these legs, rounded half up to the cent."""
        parts: dict[str, Decimal] = {}
        for option, quantity in legs:
            for part, rate in self.per_contract(option).items():
                parts[part] = parts.get(part, Decimal(0)) + rate * abs(quantity)
        return {part: Money.rounded(total, USD, ROUND_HALF_UP) for part, total in parts.items()}
