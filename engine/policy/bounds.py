"""Settings held to their ranges: every refusal names the key, what it said, what is allowed and whose rule it is."""

from collections.abc import Mapping
from decimal import Decimal

from engine.errors import ConfigError, LimitOutOfRange

Number = Decimal | float | int


def within(key: str, number: Number, low: Number, high: Number, *, rule: str) -> None:
    """
    Pass a setting in [low, high], ends included.

    Raises `LimitOutOfRange` for one outside, infinite or not a number.

    >>> within("limits.sleeve_cap", 0.2, 0, 0.25, rule="X05")
    """
    if not low <= number <= high:
        raise LimitOutOfRange(
            f"{key} = {number}", why=f"outside {low} to {high} ({rule})", todo=f"write a number from {low} to {high}"
        )


def whole(key: str, shares: Mapping[str, Decimal], *, rule: str) -> None:
    """
    Pass shares, decimals in [0, 1], that sum to exactly 100 %.

    Raises `LimitOutOfRange` for a share outside, `ConfigError` for another sum.

    >>> whole("waterfall", {"fees": Decimal("0.4"), "rest": Decimal("0.6")}, rule="X13")
    """
    for name, share in shares.items():
        within(f"{key}.{name}", share, 0, 1, rule=rule)
    total = sum(shares.values(), Decimal(0))
    if total != 1:
        written = ", ".join(f"{name} {share:%}" for name, share in shares.items())
        raise ConfigError(
            f"{key} = {total:%}", why=f"{written} do not sum to 100 % ({rule})", todo="let the shares sum to 100 %"
        )
