"""The throw-away copy a simulation stands on: of the workspace's chain, of any node, or of a dumped state."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import sleep

from adapters.evm.anvil import start_anvil
from adapters.evm.chain import Chain, connect
from adapters.evm.fork import Fork, Mark
from adapters.evm.shock import Stage
from adapters.files.observation import OffchainMarket
from adapters.safe.simulation import NONCE_SLOT, as_if_approved
from engine.errors import ConfigError, InputError
from engine.orders import Plan, VaultBatch
from engine.policy.settings import Policy
from scripts import chain as local_chain
from scripts import flow
from scripts.desk import Desk, open_desk, open_journal
from scripts.seats import policy_of
from scripts.setup import executor_key
from scripts.workspace import (
    LEDGER,
    SETTINGS,
    Workspace,
    call_policy_of,
    journal_of,
    load,
    market_of,
    rpc_of,
)

_BROKER = "paper-broker.json"
_ORDERS = "order:"
_READS, _BETWEEN_READS = 8, 0.15  # seconds: a node is done with writing its state well within their product


@dataclass(slots=True)
class Base:
    """
    What every scenario starts from: a marked fork, copies of the books, and the plan.

    `origin` says what was copied, without an address that may hold a key; `breaks` is where the books and this
    chain disagree before anything is done.
    """

    where: Workspace
    fork: Fork
    policy: Policy
    market: OffchainMarket
    plan: Plan | None
    scratch: Path
    origin: str
    block: int
    mark: Mark
    breaks: tuple[str, ...] = ()

    def desk(self, name: str) -> Desk:
        """A desk on the fork with copies of broker and journal of its own, gone with the scratch folder."""
        root = self.scratch / name
        root.mkdir()
        for kept in (LEDGER, _BROKER):
            if (self.scratch / kept).exists():
                shutil.copyfile(self.scratch / kept, root / kept)
        standing = self.where.standing
        return open_desk(
            root,
            self.fork.chain,
            standing.addresses,
            safe=standing.safe,
            ramp=standing.ramp,
            pinned=standing.pinned,
            executor=executor_key(),
            policy=self.policy,
            market=self.market,
            journal=open_journal(root / LEDGER),
            role=call_policy_of(self.where),
            feeds=self.where.settings.feeds,
        )

    def stage(self, desk: Desk) -> Stage:
        """What shocks are applied to."""
        venues = desk.onchain
        return Stage(self.fork, self.where.standing.addresses, venues.lending, venues.options, venues.swaps)

    def restore(self) -> None:
        """Back to where every scenario starts."""
        self.mark = self.fork.back(self.mark)


@contextmanager
def based(root: Path, plan: Plan | None, *, rpc: str = "", state: Path | None = None) -> Iterator[Base]:
    """
    The base of a simulation; the fork and every copy are gone at the end, and the original never hears of it.

    Raises
    ------
    VenueUnavailable : the node does not answer
    ConfigError : another chain than the configured one, or the desk's Safe is not there or not as set up
    PlanChanged, OrderRejected : the plan's bytes are not what it shows
    """
    where = load(root)
    with TemporaryDirectory(prefix="hedge-fork-") as scratch, _copied(where, rpc, state) as (chain, origin, block):
        policy = _copy_books(where, Path(scratch))
        if not chain.code(where.standing.safe):
            raise ConfigError(
                f"{origin} refused",
                why=f"the desk's Safe {where.standing.safe} has no code there",
                todo="name the chain this workspace was set up on, or a copy of it",
            )
        fork = Fork(chain)
        chain.warp(chain.block().timestamp + 1)
        chain.mine_to_final()
        base = Base(
            where=where,
            fork=fork,
            policy=policy,
            market=market_of(where),
            plan=plan,
            scratch=Path(scratch),
            origin=origin,
            block=block,
            mark=fork.mark(),
        )
        desk = base.desk("base")
        try:
            _as_configured(where, desk)
            if plan is not None:
                flow.reviewed(desk, plan)
                for batch in plan.batches:
                    _approved(fork, desk, batch)
            flow.accrue(desk)
            base.breaks = tuple(str(each) for each in flow.differences(desk))
        finally:
            desk.journal.close()
        base.mark = fork.mark()
        yield base


@contextmanager
def _copied(where: Workspace, rpc: str, state: Path | None) -> Iterator[tuple[Chain, str, int]]:
    wanted = where.settings.chain.chain_id
    if rpc and state is not None:
        raise InputError("--rpc and --state refused", why="there is one chain to copy", todo="give one of them")
    if state is not None:
        with TemporaryDirectory(prefix="hedge-state-") as folder:
            copy = Path(folder) / "state.json"
            copy.write_bytes(_whole_dump(state))
            with start_anvil(state=copy, chain_id=wanted) as chain:
                yield chain, f"state {state.name} of chain {wanted}", chain.height()
        return
    url = local_chain.node_named(rpc) if rpc else rpc_of(where)
    with connect(url, expected_chain_id=wanted) as source:
        block = source.height()
    with start_anvil(fork=url, fork_block=block, chain_id=wanted) as chain:
        yield chain, f"chain {wanted}", block


def _whole_dump(state: Path) -> bytes:
    """The file's content; a node that runs writes it anew each second, and in between it is a part."""
    for attempt in range(_READS):
        sleep(_BETWEEN_READS * min(attempt, 1))
        try:
            content = state.read_bytes()
            found = json.loads(content)
            break
        except OSError as absent:
            raise _no_dump(state, str(absent)) from None
        except (ValueError, RecursionError) as broken:
            why = str(broken)
    else:
        raise _no_dump(state, why)
    if not isinstance(found, dict) or not {"accounts", "blocks"} <= found.keys():
        raise _no_dump(state, "it holds no accounts and blocks")
    return content


def _no_dump(state: Path, why: str) -> InputError:
    return InputError(
        f"--state {state} refused", why=f"it is no dumped state: {why}", todo="name a file of anvil --dump-state"
    )


def _copy_books(where: Workspace, scratch: Path) -> Policy:
    """
    Copies of journal and paper broker, and the policy in force: the originals are only read.

    Of the journal what a decision reads: entries, plans with what became of them, and orders sent.
    """
    if not (where.settings.ledger.url.get_secret_value() or (where.root / LEDGER).is_file()):
        raise ConfigError(f"{LEDGER} not found", why="the workspace has no ledger", todo="run `hedge init` anew")
    with journal_of(where) as kept, open_journal(scratch / LEDGER) as copy:
        policy = policy_of(where, kept)
        copy.post(kept.entries())
        for sent in kept.intents(_ORDERS):
            copy.intend(sent.key, sent.text, sent.at)
        for plan in kept.plans():
            copy.save_plan(plan.digest, plan.document, plan.history[0][1])
            for state, at in plan.history[1:]:
                copy.advance(plan.digest, state, at)
    if (where.root / _BROKER).is_file():
        shutil.copyfile(where.root / _BROKER, scratch / _BROKER)
    return policy


def _as_configured(where: Workspace, desk: Desk) -> None:
    asked, terms = where.settings.vault, desk.vault.terms()
    for key, configured, found in (
        ("vault.safe", asked.safe, str(terms.safe)),
        ("vault.threshold", str(asked.threshold), str(terms.threshold)),
    ):
        if configured != found:
            raise ConfigError(
                f"{SETTINGS}: {key} = {configured}", why=f"the chain says {found}", todo="find out who changed it"
            )


def _approved(fork: Fork, desk: Desk, batch: VaultBatch) -> None:
    """Write into the copy that a quorum has approved the batch's hash, as rehearsals do; the nonce stays."""
    transaction, terms = batch.transaction, desk.vault.terms()
    written = as_if_approved(transaction, sorted(terms.owners)[: terms.threshold])[transaction.safe]["stateDiff"]
    for slot, word in written.items():
        if int(slot, 16) != NONCE_SLOT:
            fork.store(desk.vault.address, int(slot, 16), bytes.fromhex(word.removeprefix("0x")))
