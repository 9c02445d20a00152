"""`hedge policy propose|vote|execute|committee`: how a change of the policy comes into force (S89, X09)."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

if TYPE_CHECKING:
    from adapters.safe.keystore import OwnerKey
    from adapters.sql.journal import SqlJournal
    from engine.policy.committee import Committee
    from engine.policy.committee_record import Act, Register, Tabled
    from scripts.workspace import Workspace

_SCHEMA = "hedge.committee/1"
_WORKSPACE = typer.Option(Path(), "-C", help="Workspace folder.")
_KEY = typer.Option(..., "--key", help="Encrypted keystore of one member.")
_PASSPHRASE = typer.Option("fd:0", "--passphrase", help="Where to read it: fd:N, file:PATH or env:NAME.")
_DIGEST = typer.Argument(..., help="The policy's digest, or its beginning.")
_JSON = typer.Option(False, "--json", help="One JSON document.")


class _Sitting(NamedTuple):
    workspace: "Workspace"
    committee: "Committee"
    journal: "SqlJournal"
    register: "Register"


def propose(
    file: Path = typer.Argument(..., help="Policy file."),
    workspace: Path = _WORKSPACE,
    key: Path = _KEY,
    passphrase: str = _PASSPHRASE,
    why: str = typer.Option("", "--why", help="What is said for it."),
    as_json: bool = _JSON,
) -> None:
    """Put a policy to the vote. Exit 10 where it awaits votes; what only lowers risk waits for nobody."""
    from adapters.files.config import policy_digest
    from adapters.files.policy_file import read_policy, written
    from engine.policy.committee_record import Act, Deed
    from engine.policy.risk_direction import raising

    policy = read_policy(file)
    with _sitting(workspace) as sitting:
        now, raised = _now(), raising(sitting.register.policy, policy)
        tabled = _act(
            sitting,
            Act(Deed.PROPOSE, policy_digest(policy), "", now, now, why=why, text=written(policy), raises=raised),
            key,
            passphrase,
        )
        _end(sitting, tabled, now, as_json=as_json)


def vote(
    digest: str = _DIGEST,
    against: bool = typer.Option(False, "--against", help="Vote against it."),
    workspace: Path = _WORKSPACE,
    key: Path = _KEY,
    passphrase: str = _PASSPHRASE,
    why: str = typer.Option("", "--why", help="What is said for the vote."),
    as_json: bool = _JSON,
) -> None:
    """Vote on a policy, once. Exit 10 until it may be executed."""
    from engine.policy.committee_record import Act, Deed

    with _sitting(workspace) as sitting:
        proposal, now = sitting.register.latest(digest).proposal, _now()
        act = Act(Deed.VOTE, proposal.digest, "", proposal.opened, now, not against, why)
        _end(sitting, _act(sitting, act, key, passphrase), now, as_json=as_json)


def execute(
    digest: str = _DIGEST,
    workspace: Path = _WORKSPACE,
    key: Path = _KEY,
    passphrase: str = _PASSPHRASE,
    as_json: bool = _JSON,
) -> None:
    """Put a policy in force once its votes and its time lock are there; the record first, then the file."""
    from engine.policy.committee_record import Act, Deed
    from scripts.seats import policy_path

    with _sitting(workspace) as sitting:
        tabled, now = sitting.register.latest(digest), _now()
        if tabled is not sitting.register.executed:  # the record is there, the file may not be
            proposal = tabled.proposal
            act = Act(Deed.EXECUTE, proposal.digest, "", proposal.opened, now)
            tabled = _act(sitting, act, key, passphrase)
        path = policy_path(sitting.workspace)
        partial = path.with_suffix(".partial")
        partial.write_text(tabled.opening.text, encoding="utf-8")
        partial.replace(path)
        _end(sitting, tabled, now, as_json=as_json)


def committee(workspace: Path = _WORKSPACE, as_json: bool = _JSON) -> None:
    """Every policy before the committee: its stage, its votes, what it raises, and which one is in force."""
    from scripts.output import emit_json, say, table

    with _sitting(workspace) as sitting:
        now = _now()
        rows = [_row(sitting, tabled, now) for tabled in sitting.register.tabled]
        force = sitting.register.executed
        quorum = str(sitting.committee.quorum)
    standing = force.proposal.digest if force is not None else "the default policy"
    if as_json:
        emit_json({"schema": _SCHEMA, "status": "shown", "next": [], "quorum": quorum, "in_force": standing,
                   "proposals": rows})  # fmt: skip
        return
    say(f"{quorum} members must agree; in force: {standing}")
    if not rows:
        return
    columns = ("policy", "stage", "proposed", "raises risk in", "votes", "says")
    table(
        "Before the committee",
        columns,
        [
            (row["digest"][:12], row["stage"], row["opened"], ", ".join(row["raises"]) or "nothing",
             ", ".join(f"{who}: {side}" for who, side in row["votes"].items()), row["why"])
            for row in rows
        ],
    )  # fmt: skip


@contextmanager
def _sitting(folder: Path) -> Iterator[_Sitting]:
    from scripts.seats import register_of, seated
    from scripts.workspace import journal_of, load

    workspace = load(folder)
    members, journal = seated(workspace), journal_of(workspace)
    try:
        yield _Sitting(workspace, members, journal, register_of(members, journal))
    finally:
        journal.close()


def _act(sitting: _Sitting, act: "Act", key: Path, passphrase: str) -> "Tabled":
    """The act of the key's owner, signed and recorded."""
    from dataclasses import replace

    from adapters.safe.ballots import sign_act
    from adapters.safe.keystore import unlock
    from scripts.approve import read_passphrase
    from scripts.seats import recorded

    owner: OwnerKey = unlock(key, read_passphrase(passphrase))
    named = replace(act, member=owner.address)
    return recorded(sitting.journal, sitting.register, replace(named, signature=sign_act(named, owner)))


def _end(sitting: _Sitting, tabled: "Tabled", now: datetime, *, as_json: bool) -> None:
    """Say where the proposal stands; exit 10 while it waits."""
    from engine.policy.committee import Stage
    from scripts.exits import AWAITS_APPROVAL
    from scripts.output import emit_json, say

    row = _row(sitting, tabled, now)
    short, where = row["digest"][:12], sitting.workspace.root
    following = {
        Stage.VOTING: [f"hedge policy vote {short} -C {where} --key FILE"],
        Stage.LOCKED: [f"hedge policy execute {short} -C {where} --key FILE"],
        Stage.READY: [f"hedge policy execute {short} -C {where} --key FILE"],
    }.get(row["stage"], [])
    if as_json:
        emit_json({"schema": _SCHEMA, "status": row["stage"], "next": following, **row})
    else:
        say(f"policy {row['digest']}: {row['stage']}, {row['approvals']} of {sitting.committee.quorum} for it")
        say(f"raises risk in: {', '.join(row['raises']) or 'nothing'}")
        say(f"votes until {row['votes_until']}, locked until {row['locked_until']}, lapses {row['lapses']}")
        for line in following:
            say(f"next: {line}")
    if row["stage"] in {Stage.VOTING, Stage.LOCKED}:
        raise typer.Exit(AWAITS_APPROVAL)


def _row(sitting: _Sitting, tabled: "Tabled", now: datetime) -> dict[str, Any]:
    from engine.policy.committee import stage, tally

    members, proposal = sitting.committee, tabled.proposal
    closes = proposal.opened + members.voting
    return {
        "digest": proposal.digest,
        "stage": stage(members, proposal, now).value,
        "by": proposal.by,
        "why": tabled.opening.why,
        "opened": proposal.opened.isoformat(timespec="seconds"),
        "votes_until": closes.isoformat(timespec="seconds"),
        "locked_until": (closes + members.lock).isoformat(timespec="seconds"),
        "lapses": (closes + members.lock + members.grace).isoformat(timespec="seconds"),
        "raises": list(tabled.opening.raises),
        "approvals": proposal.approvals,
        "votes": dict(tally(members, proposal)),
        "executed": proposal.executed.isoformat(timespec="seconds") if proposal.executed else None,
    }


def _now() -> datetime:
    return datetime.now(UTC)
