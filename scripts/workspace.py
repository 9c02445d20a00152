"""A workspace on disk: settings, policy, addresses, co-signers, ledger and plans of one desk."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from adapters.evm.chain import connect
from adapters.files.config import Settings, load_settings
from adapters.files.observation import OffchainMarket, demo_day, recorded_day
from adapters.safe import role_document
from adapters.safe.roles import Role
from adapters.sql.journal import SqlJournal
from adapters.sql.storage import database_url
from engine.errors import ConfigError, InputError, PlanChanged, VenueUnavailable
from engine.orders import Address, Plan, PlanApproval
from engine.plan.canonical import parse
from scripts import chain as local_chain
from scripts.anchored import require_whole
from scripts.desk import Desk, open_desk
from scripts.seats import policy_of
from scripts.setup import Standing, executor_key

SETTINGS = "hedge.toml"
STANDING = "contracts.json"
LEDGER = "ledger.sqlite"
CALL_POLICY = "call-policy.json"


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where one desk keeps its things."""

    root: Path
    settings: Settings
    standing: Standing
    market: dict[str, str]

    @property
    def plans(self) -> Path:
        """Folder of plans and approvals."""
        return self.root / "plans"


def load(root: Path) -> Workspace:
    """The workspace in a folder. Raises `ConfigError` when the folder is none, or is damaged."""
    settings = load_settings(root / SETTINGS)
    path = root / STANDING
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        standing = Standing(
            Address(found["safe"]),
            Address(found["ramp"]),
            {Address(a): pin for a, pin in found["pinned"].items()},
            {name: Address(a) for name, a in found["addresses"].items()},
        )
        market = dict(found["market"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as broken:
        raise ConfigError(
            f"{STANDING} cannot be read",
            why=f"{type(broken).__name__}: {broken}",
            todo="run `hedge init` in a new folder",
        ) from None
    return Workspace(root.resolve(), settings, standing, market)


def ledger_url(workspace: Workspace) -> str:
    """The database of the journal: the one configured, else a file in the folder."""
    return workspace.settings.ledger.url.get_secret_value() or database_url(workspace.root / LEDGER)


def journal_of(workspace: Workspace) -> SqlJournal:
    """The workspace's journal. Raises `SchemaMismatch` where the database has another schema, or none."""
    return SqlJournal(ledger_url(workspace))


def market_of(workspace: Workspace) -> OffchainMarket:
    """The market the workspace stands on: a recorded chain file, or a modelled day."""
    if "chain" in workspace.market:
        return recorded_day(Path(workspace.market["chain"]))
    return demo_day(date.fromisoformat(workspace.market["day"]))


def call_policy_of(workspace: Workspace) -> Role:
    """
    What the owners let the vault call (`call-policy.json`).

    Raises `ConfigError` where the file is gone, damaged, or says anything that is not understood.
    """
    path = workspace.root / CALL_POLICY
    try:
        return role_document.parse(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as broken:
        raise ConfigError(
            f"{CALL_POLICY} cannot be read", why=str(broken), todo="restore the owners' file; nothing was signed"
        ) from None


@contextmanager
def opened(root: Path) -> Iterator[tuple[Workspace, Desk]]:
    """
    The desk of a workspace, wired to its running chain.

    Raises `LedgerError` where the journal is not what was written (fault F16), `VenueUnavailable` when the chain is
    down.
    """
    workspace = load(root)
    journal = journal_of(workspace)
    require_whole(workspace.root, journal)
    chain = connect(rpc_of(workspace), expected_chain_id=workspace.settings.chain.chain_id)
    try:
        desk = open_desk(
            workspace.root,
            chain,
            workspace.standing.addresses,
            safe=workspace.standing.safe,
            ramp=workspace.standing.ramp,
            pinned=workspace.standing.pinned,
            executor=executor_key(),
            policy=policy_of(workspace, journal),
            market=market_of(workspace),
            journal=journal,
            role=call_policy_of(workspace),
            feeds=workspace.settings.feeds,
        )
        _as_configured(workspace, desk)
        yield workspace, desk
    finally:
        chain.close()
        journal.close()


def _as_configured(workspace: Workspace, desk: Desk) -> None:
    """Raise `ConfigError` unless the Safe and its threshold on chain are those of the settings."""
    asked, terms = workspace.settings.vault, desk.vault.terms()
    for key, configured, found in (
        ("vault.safe", asked.safe, str(terms.safe)),
        ("vault.threshold", str(asked.threshold), str(terms.threshold)),
    ):
        if configured != found:
            raise ConfigError(
                f"{SETTINGS}: {key} = {configured}",
                why=f"the chain says {found}",
                todo="find out who changed it before anything is signed",
            )


def rpc_of(workspace: Workspace) -> str:
    """The node to talk to: the one this folder's chain runs on, else the configured one."""
    if workspace.settings.chain.rpc != "local":
        return workspace.settings.chain.rpc
    running = local_chain.running(workspace.root)
    if running is None:
        raise VenueUnavailable(
            "the local chain is down", why="nothing was sent", todo=f"run `hedge chain up -C {workspace.root.name}`"
        )
    return str(running["url"])


def read_plan(path: Path) -> Plan:
    """The plan in a file. Raises `InputError` when there is none, `PlanChanged` when it was edited."""
    return parse(_document(path, "plan"))


def approval_path(plan_path: Path, owner: Address) -> Path:
    """Where one owner's approval of a plan is kept, beside the plan."""
    return plan_path.with_name(f"{plan_path.stem}-{owner}.approval.json")


def save_approval(path: Path, approval: PlanApproval) -> None:
    """Write an approval: signatures only, nothing secret."""
    document = {
        "schema": "hedge.approval/1",
        "owner": approval.owner,
        "plan": approval.plan_digest,
        "plan_signature": approval.plan_signature,
        "transactions": dict(approval.transaction_signatures),
    }
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)


def read_approvals(plan_path: Path) -> list[PlanApproval]:
    """Every approval that lies beside a plan."""
    return [read_approval(path) for path in sorted(plan_path.parent.glob(f"{plan_path.stem}-*.approval.json"))]


def read_approval(path: Path) -> PlanApproval:
    """The approval in a file. Raises `PlanChanged` where it is not whole."""
    document = _document(path, "approval")
    try:
        return PlanApproval(
            Address(document["owner"]),
            document["plan"],
            document["plan_signature"],
            dict(document["transactions"]),
        )
    except (KeyError, TypeError, ValueError) as broken:
        raise PlanChanged(
            f"approval {path.name} refused", why=f"it is not whole: {broken}", todo="let that owner approve again"
        ) from broken


def _document(path: Path, kind: str) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as absent:
        raise InputError(
            f"{kind} {path.name} not read", why=str(absent.strerror), todo="name an existing file"
        ) from None
    except ValueError as broken:
        raise PlanChanged(
            f"{kind} {path.name} refused", why=f"it is not JSON: {broken}", todo="make a new one"
        ) from None
    if not isinstance(document, dict):
        raise PlanChanged(f"{kind} {path.name} refused", why="it is not a document", todo="make a new one")
    return document
