"""The journal as a table: one row per leg, every cell text, for a data frame or a spreadsheet."""

import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC

from engine.entries import Entry
from engine.ledger.balances import valuation_day

COLUMNS = (
    "entry",
    "key",
    "at",
    "day",
    "status",
    "memo",
    "leg",
    "account",
    "kind",
    "instrument",
    "amount",
    "units",
    "decimals",
    "evidence",
)
"""
`entry` counts entries in order of posting and `leg` the legs of one, from 1; `at` is UTC and `day` the valuation day
(D15); `amount` = `units` / 10^`decimals`, exact, in units of the instrument; `evidence` is one JSON object.
"""

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")


def rows(entries: Iterable[Entry]) -> Iterator[tuple[str, ...]]:
    """
    The cells of each leg, in the order of `COLUMNS`.

    >>> from datetime import datetime
    >>> from engine.instruments import Cash
    >>> from engine.ledger.posting import capital
    >>> from engine.money import USD, usd
    >>> from engine.positions import Position, Sleeve
    >>> put_in = Position(Cash(USD), usd(100), Sleeve.CONDOR, "paper")
    >>> first, _ = rows([capital(put_in, key="c1", at=datetime(2026, 1, 2, tzinfo=UTC))])
    >>> first[6:13]
    ('1', 'assets:condor:paper', 'cash', 'USD', '100.00', '10000', '2')
    """
    for number, entry in enumerate(entries, start=1):
        head = (
            str(number),
            entry.key,
            entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
            valuation_day(entry.at).isoformat(),
            entry.status.value,
            entry.memo,
        )
        evidence = json.dumps(dict(entry.evidence), sort_keys=True, ensure_ascii=False)
        for ordinal, leg in enumerate(entry.legs, start=1):
            yield (
                *head,
                str(ordinal),
                leg.account,
                leg.instrument.kind,
                leg.instrument.id,
                f"{leg.amount.amount:f}",
                str(leg.amount.units),
                str(leg.amount.currency.decimals),
                evidence,
            )


def as_cell(text: str) -> str:
    """
    A cell that no spreadsheet takes for a formula: what begins like one, and is no number, gets an apostrophe.

    What begins with an apostrophe gets another, so that taking one off gives back every cell (fault F74).

    >>> as_cell("=1+1"), as_cell("-12.50"), as_cell("'quoted")
    ("'=1+1", '-12.50', "''quoted")
    """
    return f"'{text}" if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text) else text
