"""Two-phase entries and corrections: nothing is erased, everything is reversed."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from engine.entries import Entry, EntryStatus, Leg
from engine.errors import LedgerError
from engine.ledger.posting import entry_for
from engine.orders import Fill

_VOID = ":void"
_AGAIN = "~"
_CORRECTED = ":corrected:"


def reversed_entry(
    entry: Entry,
    *,
    at: datetime,
    reason: str,
    posted: Iterable[Entry],
    suffix: str = "reversed",
    evidence: Mapping[str, str] | None = None,
) -> Entry:
    """
    The entry that takes back what stands of `entry`, leg by leg: itself, or the last correction of it.

    Reversing a final entry is itself final; reversing one in flight has the status `void`, so that
    neither counts among final entries and both cancel among all.

    Parameters
    ----------
    posted : the journal

    Raises
    ------
    LedgerError for one that is taken back already, and for an entry that is itself a reversal: take back a wrong
    correction by posting the event again under a new revision, never by undoing the undoing.
    """
    _require_original(entry)
    journal = tuple(posted)
    standing = _standing(entry, journal)
    if _taken_back(standing, journal):
        raise LedgerError(f"entry {standing.key!r} is not reversed", why="it is taken back already", todo="do nothing")
    return _reversal(standing, at=at, reason=reason, suffix=suffix, evidence=evidence)


def _reversal(entry: Entry, *, at: datetime, reason: str, suffix: str, evidence: Mapping[str, str] | None) -> Entry:
    in_flight = entry.status is EntryStatus.IN_FLIGHT
    return Entry(
        key=f"{entry.key}:{suffix}",
        at=at,
        memo=f"reverses {entry.key}: {reason}",
        legs=tuple(Leg(leg.account, -leg.amount, leg.instrument) for leg in entry.legs),
        evidence={**(evidence or {}), "reverses": entry.key},
        status=EntryStatus.VOID if in_flight else EntryStatus.FINAL,
    )


def void(entry: Entry, *, at: datetime, reason: str) -> Entry:
    """Takes back an entry in flight whose evidence did not become final (faults F24, F25)."""
    if entry.status is not EntryStatus.IN_FLIGHT:
        raise LedgerError(
            f"entry {entry.key!r} cannot be voided",
            why=f"it is {entry.status}",
            todo="reverse it with `reversed_entry`, which leaves both in the books",
        )
    return _reversal(entry, at=at, reason=reason, suffix="void", evidence=None)


def open_in_flight(entries: Iterable[Entry], key: str | None = None) -> tuple[Entry, ...]:
    """Entries still in flight, in order of posting; only those of one business key if given."""
    in_flight: dict[str, Entry] = {}
    for entry in entries:
        if entry.status is EntryStatus.IN_FLIGHT:
            in_flight[entry.key] = entry
        elif entry.status is EntryStatus.VOID:
            in_flight.pop(entry.key.removesuffix(_VOID), None)
    return tuple(e for e in in_flight.values() if key is None or e.key.rpartition("@")[0] == key)


def resolved(fill: Fill, entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """
    What to post for a sighting of `fill`, given what the journal already holds.

    Nothing where this sighting, or the final fill, is already posted. Otherwise the reversal of every
    other sighting still in flight, then the entry itself: a fill seen again in another block
    replaces the first sighting, a final one replaces them all.
    """
    posted = tuple(entries)
    keys = {entry.key for entry in posted}
    if fill.key in keys:
        return ()
    entry = entry_for(fill)
    in_flight = open_in_flight(posted, fill.key)
    stale = [seen for seen in in_flight if _sighting(seen) != entry.key]
    reason = "now final" if fill.final else "seen in another block"
    taken_back = tuple(void(seen, at=fill.at, reason=reason) for seen in stale)
    return taken_back if len(stale) < len(in_flight) else (*taken_back, _unused(entry, keys))


def finalised(entry: Entry, entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """
    What to post for a final entry that may have been in flight before: nothing where it is posted already.

    Whatever is in flight under the same business key is voided, whatever its amounts were.
    """
    posted = tuple(entries)
    if entry.key in {seen.key for seen in posted}:
        return ()
    early = open_in_flight(posted, entry.key)
    return (*(void(seen, at=entry.at, reason="now final") for seen in early), entry)


def correction(original: Entry, fill: Fill, *, revision: str, posted: Iterable[Entry]) -> tuple[Entry, ...]:
    """
    A broker's correction of an execution: what stands is reversed, and the corrected fill posted.

    Nothing for a revision that was seen before, or that comes later than one above it. What was taken back already is
    not taken back twice.

    Parameters
    ----------
    original : the entry first posted under the execution's base id, never a correction or a reversal
    revision : the broker's own suffix of the correction, for example `02` (fault F32); they rise
    posted : the journal

    Raises
    ------
    LedgerError for a correction of a correction: name the execution itself, and the new revision.
    """
    _require_original(original)
    journal = tuple(posted)
    standing = _standing(original, journal)
    if standing is not original and _rank(revision) <= _rank(standing.key.rpartition(_CORRECTED)[2]):
        return ()
    evidence = {**fill.evidence, "order": str(fill.order_id), "corrects": original.key}
    corrected = replace(entry_for(fill), key=f"{original.key}{_CORRECTED}{revision}", evidence=evidence)
    if _taken_back(standing, journal):
        return (corrected,)
    reason, suffix = f"corrected by {revision}", f"reversed:{revision}"
    return _reversal(standing, at=fill.at, reason=reason, suffix=suffix, evidence=None), corrected


def _standing(original: Entry, posted: Iterable[Entry]) -> Entry:
    """The correction of the highest revision, the entry itself where there is none."""
    opening = f"{original.key}{_CORRECTED}"
    revisions = [entry for entry in posted if entry.key.startswith(opening) and not entry.evidence.get("reverses")]
    return max(revisions, key=lambda entry: _rank(entry.key.removeprefix(opening)), default=original)


def _taken_back(entry: Entry, journal: Iterable[Entry]) -> bool:
    return any(other.evidence.get("reverses") == entry.key for other in journal)


def _rank(revision: str) -> tuple[int, str]:
    """The order of revisions: `9` before `10`, `02` before `03`."""
    return len(revision.lstrip("0")), revision.lstrip("0")


def _require_original(entry: Entry) -> None:
    if found := entry.evidence.get("reverses") or entry.evidence.get("corrects"):
        raise LedgerError(
            f"entry {entry.key!r} is not corrected",
            why=f"it corrects {found!r} itself",
            todo="correct the original entry under a new revision",
        )


def _sighting(entry: Entry) -> str:
    return entry.key.partition(_AGAIN)[0]


def _unused(entry: Entry, keys: set[str]) -> Entry:
    """A block may come back after a reorg: seeing a fill in it once more needs a key of its own."""
    again = 1
    while (key := entry.key if again == 1 else f"{entry.key}{_AGAIN}{again}") in keys:
        again += 1
    return replace(entry, key=key)
