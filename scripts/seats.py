"""The committee of a workspace: its seats, its record in the journal, and the policy it has put in force (S89)."""

import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.files.config import CommitteeSettings, load_policy, policy_digest
from adapters.files.policy_file import read_policy_text
from adapters.safe.ballots import genuine
from adapters.sql.journal import SqlJournal
from engine.errors import ConfigError
from engine.policy.committee import Committee, Mode
from engine.policy.committee_record import Act, Register, Tabled
from engine.policy.consensus import Quorum
from engine.policy.settings import Policy

if TYPE_CHECKING:
    from scripts.workspace import Workspace

COMMITTEE = "committee"
"""The journal's topic of every act."""


def committee_of(settings: CommitteeSettings) -> Committee | None:
    """The committee of the settings, None where nobody sits. Raises `ConfigError` for a quorum beyond its seats."""
    if not settings.members:
        return None
    if settings.needed > len(set(settings.members)):
        raise ConfigError(
            f"committee.needed = {settings.needed}",
            why=f"{len(set(settings.members))} members have a seat (S89)",
            todo="name as many members as must agree",
        )
    return Committee(
        frozenset(settings.members),
        Quorum(settings.needed, len(set(settings.members))),
        timedelta(hours=settings.voting_hours),
        timedelta(hours=settings.lock_hours),
        timedelta(hours=settings.grace_hours),
        Mode.PAPER,
        settings.auto_approve,
    )


def seated(workspace: "Workspace") -> Committee:
    """The workspace's committee. Raises `ConfigError` where nobody has a seat."""
    found = committee_of(workspace.settings.committee)
    if found is None:
        raise ConfigError("committee.members = []", why="nobody has a seat", todo="list the addresses of its members")
    return found


def register_of(committee: Committee, journal: SqlJournal) -> Register:
    """Every proposal as the journal's record has it; acts that no member signed count for nothing."""
    acts = (Act.read(json.loads(note.text)) for note in journal.notes(COMMITTEE))
    return Register(committee, understood, genuine).replay(acts)


def understood(text: str) -> tuple[str, Policy]:
    """A policy's text as its digest and itself. Raises `ConfigError` for one that means nothing."""
    policy = read_policy_text(text, "the proposed policy")
    return policy_digest(policy), policy


def recorded(journal: SqlJournal, register: Register, act: Act) -> Tabled:
    """What an act makes of its proposal, once it is in the journal; one that is refused is not written."""
    tabled = register.take(act)
    journal.note(COMMITTEE, json.dumps(act.document(), sort_keys=True), act.at)
    return tabled


def policy_of(workspace: "Workspace", journal: SqlJournal) -> Policy:
    """
    The policy the workspace decides by.

    Raises `ConfigError` where a committee is seated and the file is not what it executed last: nobody else changes
    the numbers of the method.
    """
    path = policy_path(workspace)
    policy = load_policy(path if path.is_file() else None)
    committee = committee_of(workspace.settings.committee)
    if committee is not None:
        register = register_of(committee, journal)
        if policy_digest(policy) != policy_digest(register.policy):
            stands = policy_digest(register.policy)[:12] if register.executed else "the default policy"
            raise ConfigError(
                f"{path.name} {policy_digest(policy)[:12]} refused",
                why=f"the committee has not executed it; {stands} is in force (S89)",
                todo=f"hedge policy propose {path} -C {workspace.root}",
            )
    return policy


def policy_path(workspace: "Workspace") -> Path:
    """Where the workspace's policy is."""
    return workspace.root / workspace.settings.policy.file
