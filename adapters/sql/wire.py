"""Entries and instruments as canonical text, and back. Pure."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from adapters.sql.schema import written_instant
from engine.entries import Account, Entry, EntryStatus, Leg
from engine.instruments import Instrument, from_terms, terms
from engine.money import Money

_WRITE = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def canonical(value: object) -> str:
    """
    One text per value: keys sorted, no spaces, no floats.

    >>> canonical({"b": "2", "a": ["1"]})
    '{"a":["1"],"b":"2"}'
    """
    return _WRITE(value)


def instrument_text(instrument: Instrument) -> str:
    """Terms as canonical text; equal instruments have one text, whatever zone or zeros they were given in."""
    written = terms(instrument)
    if "expiry" in written:
        written["expiry"] = datetime.fromisoformat(written["expiry"]).astimezone(UTC).isoformat()
    for name in ("strike", "multiplier"):
        if name in written:
            written[name] = format(Decimal(written[name]).normalize(), "f")
    return canonical(written)


def read_instrument(text: str) -> Instrument:
    """The instrument of `instrument_text`."""
    return from_terms(json.loads(text))


def digest(text: str) -> str:
    """SHA-256 of a text in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def entry_body(entry: Entry, digests: Mapping[Instrument, str]) -> str:
    """The whole entry as canonical text; legs name instruments by digest."""
    return canonical(
        {
            "key": entry.key,
            "at": written_instant(entry.at),
            "memo": entry.memo,
            "status": entry.status.value,
            "evidence": dict(entry.evidence),
            "legs": [
                {
                    "account": leg.account,
                    "instrument": digests[leg.instrument],
                    "units": str(leg.amount.units),
                }
                for leg in entry.legs
            ],
        }
    )


def same_content(left: str, right: str) -> bool:
    """
    Whether two entry bodies say the same happened: same status, same legs in any order.

    Where and when it was seen may differ: a transaction mined again sits at another place in another
    block, and that is evidence, never identity (fault F99).
    """
    return left == right or _content(json.loads(left)) == _content(json.loads(right))


def read_leg(account: str, units: str, instrument: Instrument) -> Leg:
    """One leg from its columns."""
    return Leg(Account(account), Money(int(units), instrument.unit), instrument)


def read_entry(key: str, at: str, memo: str, status: str, evidence: str, legs: tuple[Leg, ...]) -> Entry:
    """One entry from its columns; raises what `Entry` raises."""
    return Entry(key, datetime.fromisoformat(at), memo, legs, json.loads(evidence), EntryStatus(status))


def _content(body: Mapping[str, Any]) -> tuple[str, list[tuple[str, str, str]]]:
    legs = sorted((leg["account"], leg["instrument"], leg["units"]) for leg in body["legs"])
    return body["status"], legs
