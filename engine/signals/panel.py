"""Readings of one instant, some of them missing: what every rule and vote looks at."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum


class Family(StrEnum):
    """Which kind of evidence a reading is; a committee of signals has one seat per family (D29)."""

    TECHNICAL = "technical"
    FUNDAMENTAL = "fundamental"
    ONCHAIN = "on-chain"
    VOLATILITY = "volatility"
    LIQUIDITY = "liquidity"


@dataclass(frozen=True, slots=True)
class Reading:
    """
    One signal at one instant.

    `value` is None where it could not be had, and `why` then says why; otherwise `why` says in words
    what the number means. `inputs` names the observations it was made from, `as_of` and `released`
    are the latest of theirs. `source` gives the S- or D-id of its definition. A truth is 1.0 or 0.0.
    `lost` marks an unseen reading for which somebody does supply the observations: worse than one that
    nobody ever had.
    """

    signal: str
    family: Family
    value: float | None
    unit: str
    inputs: tuple[str, ...]
    source: str
    as_of: datetime | None = None
    released: datetime | None = None
    why: str = ""
    lost: bool = False

    @property
    def seen(self) -> bool:
        """Whether there is a number."""
        return self.value is not None

    def age_days(self, at: datetime) -> float | None:
        """Days from the period it describes to `at`, None where it is unseen."""
        return None if self.as_of is None else (at - self.as_of).total_seconds() / 86_400.0


@dataclass(frozen=True, slots=True)
class SignalPanel(Mapping[str, Reading]):
    """Every reading of one instant, by signal name."""

    at: datetime
    readings: Mapping[str, Reading]

    @classmethod
    def of(cls, at: datetime, readings: Iterable[Reading]) -> "SignalPanel":
        """A panel of these readings, ordered by name."""
        found = {reading.signal: reading for reading in readings}
        return cls(at, dict(sorted(found.items())))

    def __getitem__(self, signal: str) -> Reading:
        return self.readings[signal]

    def __iter__(self) -> Iterator[str]:
        return iter(self.readings)

    def __len__(self) -> int:
        return len(self.readings)

    def value(self, signal: str) -> float | None:
        """The number of a signal, None where it is unseen or there is no such signal."""
        reading = self.readings.get(signal)
        return None if reading is None else reading.value

    @property
    def inputs(self) -> tuple[str, ...]:
        """Every observation that some seen reading was made from."""
        return tuple(sorted({name for reading in self.readings.values() if reading.seen for name in reading.inputs}))

    def without(self, observation: str) -> "SignalPanel":
        """This panel with one input taken away: every reading made from it is lost."""
        gone = f"{observation} taken away"
        return SignalPanel(
            self.at,
            {
                name: replace(reading, value=None, as_of=None, released=None, why=gone, lost=True)
                if observation in reading.inputs
                else reading
                for name, reading in self.readings.items()
            },
        )
