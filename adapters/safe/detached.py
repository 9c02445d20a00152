"""
One owner's signatures as a file of their own, so that no two keys ever meet on one machine.

An owner signs where the key is and hands on this file, which holds nothing secret; whoever executes reads
one file per owner and needs no key at all.
"""

import json
import os
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adapters.evm.wire import address
from engine.errors import ApprovalError, InputError
from engine.orders import Address, PlanApproval

SCHEMA = "hedge.signatures/1"
_FIELDS = {"schema", "chain_id", "safe", "owner", "made", "plan", "plan_signature", "transactions"}
_LARGEST_FILE, _MOST_BRACKETS = 1 << 20, 2  # bytes; a document within a document, so that nothing nests deep
_HASH = re.compile(r"0x[0-9a-f]{64}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_SIGNATURE = re.compile(r"0x(?:[0-9a-f]{2}){65,8192}")


@dataclass(frozen=True, slots=True)
class Sheet:
    """
    What one owner signed for one Safe: transactions by their hash and, with them, the plan they belong to.

    `plan_digest` and `plan_signature` are empty for transactions signed outside a plan. `made` is what the
    signing machine's clock said. Nothing here is verified yet: `signatures.verify` and `agreeing` do.
    """

    chain_id: int
    safe: Address
    owner: Address
    made: datetime
    transactions: Mapping[str, str]
    plan_digest: str = ""
    plan_signature: str = ""

    @property
    def approval(self) -> PlanApproval:
        """The same as an approval of its plan. Raises `ApprovalError` if it names none."""
        if not self.plan_digest:
            raise ApprovalError(
                f"signatures of {self.owner} refused", why="they approve no plan", todo="let the owner approve it"
            )
        return PlanApproval(self.owner, self.plan_digest, self.plan_signature, self.transactions)


def sheet_of(approval: PlanApproval, *, chain_id: int, safe: Address, made: datetime) -> Sheet:
    """An approval as its owner hands it on."""
    signatures = dict(approval.transaction_signatures)
    return Sheet(chain_id, safe, approval.owner, made, signatures, approval.plan_digest, approval.plan_signature)


def write(sheet: Sheet, path: Path) -> Path:
    """
    Write the sheet into a new file, durable when this returns.

    Raises `InputError` where a file of that name exists: signatures are never overwritten.
    """
    document = {
        "schema": SCHEMA,
        "chain_id": sheet.chain_id,
        "safe": sheet.safe,
        "owner": sheet.owner,
        "made": sheet.made.astimezone(UTC).isoformat(),
        "plan": sheet.plan_digest,
        "plan_signature": sheet.plan_signature,
        "transactions": dict(sorted(sheet.transactions.items())),
    }
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    except OSError as refused:
        raise InputError(
            f"{path.name} not written", why=refused.strerror or "it cannot be made", todo="name a new file"
        ) from None
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(json.dumps(document, indent=1) + "\n")
        file.flush()
        os.fsync(file.fileno())
    return path


def read(path: Path) -> Sheet:
    """The sheet in a file. Raises `ApprovalError` for anything but exactly what `write` writes."""
    document = _document(path)
    try:
        sheet = _sheet(document)
    except (KeyError, TypeError, ValueError, AttributeError) as broken:
        raise _unfit(path, f"it is not whole: {broken}") from broken
    return sheet


def collect(paths: Iterable[Path], *, chain_id: int, safe: Address) -> dict[Address, Sheet]:
    """
    One sheet per owner, for this Safe on this chain.

    Raises `ApprovalError` for a sheet of another Safe or chain, and for two of one owner and one plan that
    differ: then somebody signed twice, and which counts is not ours to choose.
    """
    found: dict[Address, Sheet] = {}
    for path in sorted(paths):
        sheet = read(path)
        if (sheet.chain_id, sheet.safe) != (chain_id, safe):
            raise _unfit(path, f"it is for Safe {sheet.safe} on chain {sheet.chain_id}")
        if found.setdefault(sheet.owner, sheet) != sheet:
            raise _unfit(path, f"another file holds other signatures of {sheet.owner}")
    return found


def _document(path: Path) -> dict[str, Any]:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as broken:
        raise _unfit(path, broken.strerror or "it cannot be opened") from None
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise _unfit(path, "it is not a regular file")
        raw = os.read(handle, _LARGEST_FILE + 1)
    finally:
        os.close(handle)
    fits = len(raw) <= _LARGEST_FILE and raw.count(b"[") + raw.count(b"{") <= _MOST_BRACKETS
    try:
        document = json.loads(raw, object_pairs_hook=_each_once) if fits else None
    except ValueError:
        document = None
    if not isinstance(document, dict) or document.get("schema") != SCHEMA or set(document) != _FIELDS:
        raise _unfit(path, f"it is no document of {SCHEMA}")
    return document


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a name stands twice")
    return dict(pairs)


def _sheet(document: dict[str, Any]) -> Sheet:
    transactions = {_fits(_HASH, name): _fits(_SIGNATURE, raw) for name, raw in document["transactions"].items()}
    planned = bool(document["plan"])
    made = datetime.fromisoformat(document["made"])
    if made.tzinfo is None or type(document["chain_id"]) is not int:
        raise ValueError("chain_id is no number or made is no instant")
    return Sheet(
        chain_id=document["chain_id"],
        safe=_spelled(document["safe"]),
        owner=_spelled(document["owner"]),
        made=made,
        transactions=transactions,
        plan_digest=_fits(_DIGEST, document["plan"]) if planned else "",
        plan_signature=_fits(_SIGNATURE, document["plan_signature"]) if planned else "",
    )


def _fits(pattern: re.Pattern[str], raw: str) -> str:
    if not pattern.fullmatch(raw):
        raise ValueError(f"{raw[:12]!r} is not of its form")
    return raw


def _spelled(raw: str) -> Address:
    if raw != address(raw):
        raise ValueError(f"address {raw} has a wrong checksum")
    return Address(raw)


def _unfit(path: Path, why: str) -> ApprovalError:
    return ApprovalError(f"signature file {path.name} refused", why=why, todo="let that owner sign again")
