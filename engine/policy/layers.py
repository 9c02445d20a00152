"""The layers as data: what each is for, what it may hold, for how long, and its share of the hedge budget."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from engine.errors import ConfigError, UnknownKey
from engine.instruments import MARKET_ZONE
from engine.policy.bands import HORIZONS, Band, GapPolicy, Horizons
from engine.policy.bounds import whole
from engine.policy.outer_layer import OuterMode
from engine.policy.wings import BANDS, BeyondBreakEven, OutOfTheMoney, WingRule


class Role(StrEnum):
    """What a layer is for."""

    CORE = "core condor"
    OVERLAY = "short overlay"
    OUTER = "outer wings"
    TAIL = "tail"
    VIX = "VIX hedge"
    DEFI = "sleeve protection"


class Kind(StrEnum):
    """What a layer may hold (S01, S18-S20, S29, S30)."""

    IRON_CONDOR = "iron condor"
    INDEX_PUT = "index put"
    INDEX_CALL = "index call"
    VIX_FUTURE = "VIX future"
    VIX_CALL_SPREAD = "VIX call spread"
    VIX_FUND = "VIX fund"
    COIN_PUT = "coin put"
    COIN_CALL = "coin call"
    COLLATERAL = "collateral"


class Arming(StrEnum):
    """What switches a layer on: nothing, the age of the condor it protects (S22), or a rule."""

    STANDING = "always"
    AGE = "by age"
    RULE = "by rule"


class Combine(StrEnum):
    """Whether one of the two add-rules is enough for the outer wings or both are needed (X15)."""

    ANY = "any"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Layer:
    """
    One layer of the book.

    `dte` are the calendar days to expiry it may be opened with, `share` the part of the hedge budget it may
    spend (0 for a layer that earns its keep), `wings` where its long strikes go. A `paced` layer grows in
    steps whatever the regime (S24).
    """

    name: str
    role: Role
    dte: Band
    menu: tuple[Kind, ...]
    share: Decimal
    source: str
    wings: WingRule | None = None
    arming: Arming = Arming.RULE
    paced: bool = False

    def adds_risk(self, mode: OuterMode) -> bool:
        """Whether opening it adds risk: condors sold do, and outer wings in every mode but buying tails (X04, X17)."""
        if self.role is Role.OUTER:
            return mode is not OuterMode.BUY_TAIL
        return self.role in {Role.CORE, Role.OVERLAY}


_SHORT, _INTERMEDIATE, _STRUCTURAL = (
    replace(band, name=name) for band, name in zip(HORIZONS, ("outer-short", "outer-intermediate", "tail"), strict=True)
)
_NEAR_WINGS, _FAR_WINGS, _TAIL_WINGS = (band.rule for band in BANDS)
_TAILS = (Kind.INDEX_PUT, Kind.INDEX_CALL)
_VIX = (Kind.VIX_FUTURE, Kind.VIX_CALL_SPREAD, Kind.VIX_FUND)


def _budget(percent: int) -> Decimal:
    return Decimal(percent) / 100


# fmt: off
DEFAULT = (
    Layer("core", Role.CORE, Band("core", 30, 60), (Kind.IRON_CONDOR,), _budget(0), "S01, S02, S04, S05, X01",
          _FAR_WINGS, Arming.STANDING),
    Layer("overlay", Role.OVERLAY, Band("overlay", 15, 20), (Kind.IRON_CONDOR,), _budget(0), "S06, X01, D24"),
    Layer("outer-short", Role.OUTER, _SHORT, _TAILS, _budget(10), "S10, S11, X03, X04", _NEAR_WINGS),
    Layer("outer-intermediate", Role.OUTER, _INTERMEDIATE, _TAILS, _budget(15), "S09, S11, X03, X04", _FAR_WINGS),
    Layer("tail", Role.TAIL, _STRUCTURAL, (Kind.INDEX_PUT,), _budget(20), "S09, S11, X03", _TAIL_WINGS),
    Layer("vix-first", Role.VIX, Band("vix-first", 0, 60), _VIX, _budget(25), "S22, S18-S20", None, Arming.AGE),
    Layer("vix-second", Role.VIX, Band("vix-second", 15, 120), _VIX, _budget(15), "S21, S23", paced=True),
    Layer("vix-increment", Role.VIX, Band("vix-increment", 15, 120), (Kind.VIX_CALL_SPREAD,), _budget(10), "S24",
          paced=True),
    Layer("defi-protection", Role.DEFI, Band("defi-protection", 7, 120),
          (Kind.COIN_PUT, Kind.COIN_CALL, Kind.COLLATERAL), _budget(5), "S29, S30, S66"),
)
# fmt: on
"""The layers of the default policy; budget shares and windows of VIX and sleeve layers are its own choice."""

_APART = ((Role.CORE, Role.OVERLAY), (Role.OUTER, Role.TAIL))
"""Roles whose windows must not overlap: the condor books, and the outer horizons (X01)."""


@dataclass(frozen=True, slots=True)
class LayerTable:
    """
    Every layer of a policy, and how the outer ones are traded.

    Raises `ConfigError` where a name stands twice, a window of days overlaps another of its kind (X01), or the
    shares of the hedge budget do not sum to 100 %.
    """

    layers: tuple[Layer, ...] = DEFAULT
    outer_mode: OuterMode = OuterMode.BUY_TAIL  # X04
    combine: Combine = Combine.ANY  # X15
    gaps: GapPolicy = GapPolicy.NEAREST  # X01

    def __post_init__(self) -> None:
        names = [layer.name for layer in self.layers]
        for name in names:
            if names.count(name) > 1:
                raise ConfigError(f"layers.{name}", why="the name stands twice", todo="rename one of them")
        whole("hedge.budget", {layer.name: layer.share for layer in self.layers}, rule="S57, D10")
        for roles in _APART:
            self._horizons(roles)

    def horizon(self, days: int) -> str | None:
        """The outer or tail layer that what has so many days left belongs to; None in a gap left empty (X01)."""
        band = self._horizons(_APART[1]).band(days)
        return band.name if band else None

    def _horizons(self, roles: Collection[Role]) -> Horizons:
        bands = [replace(layer.dte, name=layer.name) for layer in self.layers if layer.role in roles]
        return Horizons(bands, self.gaps)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __getitem__(self, name: str) -> Layer:
        for layer in self.layers:
            if layer.name == name:
                return layer
        known = ", ".join(layer.name for layer in self.layers)
        raise UnknownKey(f"layers.{name}", why="there is no such layer", todo=f"use one of {known}")

    def menu(self, name: str, *, futures: bool) -> tuple[Kind, ...]:
        """What the layer may hold in this account: listed funds only where there are no futures (X11)."""
        barred = Kind.VIX_FUND if futures else Kind.VIX_FUTURE
        return tuple(kind for kind in self[name].menu if kind is not barred)


def days_to_expiry(trade: datetime, settles: datetime) -> int:
    """
    Calendar days from the trade's date to that of the last settlement, both in New York (S02).

    >>> from datetime import UTC
    >>> days_to_expiry(datetime(2024, 1, 3, 2, tzinfo=UTC), datetime(2024, 2, 16, 14, 30, tzinfo=UTC))
    45
    """
    return (settles.astimezone(MARKET_ZONE).date() - trade.astimezone(MARKET_ZONE).date()).days


def widened(rule: WingRule, scale: float) -> WingRule:
    """
    The wing rule with its distances times `scale`, >= 1: an event before expiry pushes wings out (S80, D24b).

    `engine.pricing.events.wing_scale` gives the scale. Raises `ConfigError` where wings would reach past 100 %.

    >>> widened(OutOfTheMoney(0.05, 0.07), 1.2).far
    0.084
    """
    if not scale >= 1.0:
        raise ConfigError(f"wing scale {scale}", why="an event never narrows wings (D24b)", todo="give 1 or more")
    near, far = rule.near * scale, rule.far * scale
    return OutOfTheMoney(near, far) if isinstance(rule, OutOfTheMoney) else BeyondBreakEven(near, far, rule.basis)
