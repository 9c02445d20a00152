"""From days to expiry to the horizon they belong to: a total function, gaps included (X01, S11)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from engine.errors import ConfigError, InputError


class GapPolicy(StrEnum):
    """Where a tenor between two bands belongs."""

    NEAREST = "nearest_band"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Band:
    """Calendar days to expiry from `shortest` to `longest`, both included; None for no end."""

    name: str
    shortest: int
    longest: int | None

    def holds(self, days: int) -> bool:
        """Whether so many days lie inside."""
        return self.shortest <= days and (self.longest is None or days <= self.longest)

    def distance(self, days: int) -> int:
        """Days to the nearer end, 0 inside."""
        if days < self.shortest:
            return self.shortest - days
        return 0 if self.longest is None else max(days - self.longest, 0)


HORIZONS = (Band("short", 0, 7), Band("intermediate", 15, 45), Band("structural", 60, None))
"""The three horizons of outer and hedge layers (S11)."""


@dataclass(frozen=True, slots=True)
class Horizons:
    """
    Bands by rising days, and what happens in their gaps.

    Raises `ConfigError` where two bands overlap or one ends before it begins.
    """

    bands: Sequence[Band] = HORIZONS
    gaps: GapPolicy = GapPolicy.NEAREST

    def __post_init__(self) -> None:
        for band in self.bands:
            if band.shortest < 0 or (band.longest is not None and band.longest < band.shortest):
                raise ConfigError(
                    f"layers.{band.name}.dte = [{band.shortest}, {band.longest}]",
                    why="a band begins at zero or later and does not end before it begins (X01)",
                    todo="correct its ends",
                )
        ordered = sorted(self.bands, key=lambda band: band.shortest)
        for before, after in pairwise(ordered):
            if before.longest is None or before.longest >= after.shortest:
                raise ConfigError(
                    f"layers.{after.name}.dte = [{after.shortest}, {after.longest}]",
                    why=f"it overlaps band {before.name}, which ends at {before.longest} (X01)",
                    todo="let each day belong to one band",
                )

    def band(self, days: int) -> Band | None:
        """
        The band of a tenor in calendar days; in a gap the nearest, the shorter one where two are as near.

        None only in a gap that the policy leaves empty. Raises `InputError` for a tenor below zero.

        >>> [Horizons().band(days).name for days in (7, 11, 12, 46, 53, 400)]
        ['short', 'short', 'intermediate', 'intermediate', 'structural', 'structural']
        """
        if days < 0:
            raise InputError(f"{days} days to expiry refused", why="it has expired", todo="settle it first")
        nearest = min(self.bands, key=lambda band: (band.distance(days), band.shortest), default=None)
        if nearest is None or (self.gaps is GapPolicy.NONE and not nearest.holds(days)):
            return None
        return nearest
