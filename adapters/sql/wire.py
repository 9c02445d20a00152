"""Entries and instruments as canonical text, and back. Pure."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, fields
from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain
from json.encoder import encode_basestring
from typing import NamedTuple

from adapters.sql.schema import written_instant
from engine.entries import Account, Entry, EntryStatus, Leg
from engine.errors import InputError
from engine.instruments import Instrument, from_terms, terms
from engine.money import Money

_WRITE = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode
quoted = encode_basestring
"""A text as canonical JSON."""

_KEPT = 100_000
_ALWAYS = ("currency", "decimals")


def canonical(value: object) -> str:
    """
    One text per value: keys sorted, no spaces, no floats.

    >>> canonical({"b": "2", "a": ["1"]})
    '{"a":["1"],"b":"2"}'
    """
    return _WRITE(value)


def instrument_text(instrument: Instrument) -> str:
    """
    Terms as canonical text; equal instruments have one text, whatever zone or zeros they were given in.

    A term that a later version adds is left out where it has its default, so that the text, and with it the digest in
    every journal, stays what it was.
    """
    written = terms(instrument)
    for field in fields(instrument):
        if (
            field.name not in _ALWAYS
            and field.default is not MISSING
            and getattr(instrument, field.name) == field.default
        ):
            del written[field.name]
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


class Sides:
    """
    How the legs of one account in one instrument are written, worked out once.

    Legs mostly share their instrument objects, so an object seen before is found by its identity; it is kept, so that
    no other can take that identity.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[str, int], tuple[Instrument, str, str]] = {}
        self.known: dict[Instrument, str] = {}

    def of(self, account: str, instrument: Instrument) -> tuple[Instrument, str, str]:
        """The instrument, the digest of its text, and a leg's canonical text up to its units."""
        return self._seen.get((account, id(instrument))) or self._met(account, instrument)

    def _met(self, account: str, instrument: Instrument) -> tuple[Instrument, str, str]:
        name = self.known.get(instrument)
        if name is None:
            name = self.known[instrument] = digest(instrument_text(instrument))
        if len(self._seen) >= _KEPT:
            self._seen.clear()
        side = instrument, name, leg_text(account, name, "").removesuffix('"}')
        self._seen[account, id(instrument)] = side
        return side


Side = tuple[str, str, str]
"""A leg as it stands in the file: account, digest of the instrument's text, units."""


class Said(NamedTuple):
    """What an entry that is posted says happened."""

    status: str
    legs: Sequence[Side]


class Written(NamedTuple):
    """An entry's columns as they stand in the file, its legs, and all of it as one text."""

    key: str
    at: str
    memo: str
    status: str
    evidence: str
    legs: Sequence[Side]
    body: str


def written(entry: Entry, sides: Sides) -> Written:
    """
    An entry as text, the same for the same entry; legs name instruments by digest.

    The body is `canonical` of its parts, put together by hand: an import writes millions of them. Raises `InputError`
    for text that no database can hold.
    """
    at, status, key, memo = written_instant(entry.at), entry.status.value, entry.key, entry.memo
    evidence = _object(entry.evidence) if entry.evidence else "{}"
    legs, texts = [], []
    for leg in entry.legs:
        _, name, opening = sides.of(leg.account, leg.instrument)
        units = str(leg.amount.units)
        legs.append((leg.account, name, units))
        texts.append(f'{opening}{units}"}}')
    body = entry_text(key, at, memo, status, evidence, texts)
    if not body.isascii() or "\\u0000" in body:
        _require_text(entry, body)
    return Written(key, at, memo, status, evidence, legs, body)


def entry_text(key: str, at: str, memo: str, status: str, evidence: str, legs: Iterable[str]) -> str:
    """`canonical` of an entry, from its columns and its legs' texts."""
    return (
        f'{{"at":"{at}","evidence":{evidence},"key":{quoted(key)},"legs":[{",".join(legs)}],'
        f'"memo":{quoted(memo)},"status":"{status}"}}'
    )


def leg_text(account: str, name: str, units: str) -> str:
    """`canonical` of a leg, from its account, its instrument's digest and its units."""
    return f'{{"account":{quoted(account)},"instrument":"{name}","units":"{units}"}}'


def same_content(left: Said | Written, right: Said | Written) -> bool:
    """
    Whether two entries say the same happened: same status, same legs in any order.

    Where and when it was seen may differ: a transaction mined again sits at another place in another
    block, and that is evidence, never identity (fault F99).
    """
    return left.status == right.status and sorted(left.legs) == sorted(right.legs)


def read_leg(account: str, units: str, instrument: Instrument) -> Leg:
    """One leg from its columns."""
    return Leg(Account(account), Money(int(units), instrument.unit), instrument)


def read_entry(key: str, at: str, memo: str, status: str, evidence: str, legs: tuple[Leg, ...]) -> Entry:
    """One entry from its columns; raises what `Entry` raises."""
    return Entry(key, datetime.fromisoformat(at), memo, legs, json.loads(evidence), EntryStatus(status))


def _object(texts: Mapping[str, str]) -> str:
    return "{" + ",".join([f"{quoted(name)}:{quoted(text)}" for name, text in sorted(texts.items())]) + "}"


def _require_text(entry: Entry, body: str) -> None:
    texts = (entry.key, entry.memo, *(leg.account for leg in entry.legs), *chain(*entry.evidence.items()))
    if any("\0" in text for text in texts) or any("\ud800" <= letter <= "\udfff" for letter in body):
        raise InputError(
            f"entry {entry.key!r} refused",
            why="it holds a NUL or half a surrogate pair, which is no text",
            todo="clean the venue's message before posting it",
        )
