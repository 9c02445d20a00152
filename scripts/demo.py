"""`hedge demo`: one whole rebalance on a fresh local chain, from observation to settlement and report."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from adapters.evm.chain import Chain
    from adapters.evm.world import World
    from adapters.files.observation import OffchainMarket
    from engine.policy.settings import Policy
    from scripts.steps import Steps

DAY = "2018-04-25"
"""The recorded day the demo stands on unless told otherwise: VIX closed near 18."""


def demo(
    chain_file: Path | None = typer.Option(None, "--chain", help="A recorded SPX chain instead of the modelled one."),
    day: str = typer.Option(DAY, "--day", help="Recorded day to stand on, 2014 to 2018."),
    policy_file: Path | None = typer.Option(None, "--policy", help="Policy file; the default policy otherwise."),
    rpc: str = typer.Option("", "--rpc", help="Fork this node, which must carry the base world."),
    backend: str = typer.Option("auto", "--backend", help="auto, anvil or in-process."),
    out: Path = typer.Option(Path("demo"), "--out", help="Folder for the report, ledger and plans."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document on standard output."),
) -> None:
    """Run one whole rebalance on a local chain and go on to its settlement."""
    from datetime import date

    from adapters.files.config import load_policy
    from adapters.files.observation import demo_day, recorded_day
    from engine.errors import InputError
    from scripts.output import emit_json
    from scripts.steps import Steps

    policy = load_policy(policy_file)
    try:
        stand = date.fromisoformat(day)
    except ValueError:
        raise InputError(f"--day {day!r} refused", why="it is no date", todo="write it as 2018-04-24") from None
    steps = Steps(quiet=as_json)
    market = recorded_day(chain_file) if chain_file else demo_day(stand)
    with _local_chain(rpc, backend) as (chain, world, words):
        steps.done("market", f"SPX {market.spx.spot:,.2f}, VIX {market.vix:.2f}, as of {market.asof.isoformat()}")
        for label in market.modelled:
            steps.say(f"modelled: {label}")
        steps.done("chain", words)
        document = _run(out, chain, world, market=market, policy=policy, steps=steps, settle=chain_file is None)
    if as_json:
        emit_json(document)


def _run(
    out: Path,
    chain: "Chain",
    world: "World",
    *,
    market: "OffchainMarket",
    policy: "Policy",
    steps: "Steps",
    settle: bool,
) -> "dict[str, Any]":
    from adapters.evm.deploy_builder import account
    from adapters.html.page import render
    from adapters.safe.keystore import unlock
    from engine.ledger import balances
    from engine.ledger.reconcile import require_agreement
    from scripts import flow
    from scripts.desk import open_journal
    from scripts.reporting import Story, compose
    from scripts.setup import PASSPHRASE, THRESHOLD, furnish, write_cosigners
    from scripts.walk import mark, walk

    root = out.resolve()
    _clear(root)
    journal = open_journal(root / "ledger.sqlite")
    desk, _ = furnish(root, chain, world, market=market, policy=policy, journal=journal)
    steps.done(
        "funding", f"Safe {desk.vault.address} of {len(desk.vault.terms().owners)} owners, {THRESHOLD} must sign"
    )
    story = Story(opened=desk.observe(), opened_book=balances.book(journal.entries()))
    mark(desk, story)
    proposal = flow.propose(desk)
    path = flow.save_plan(desk, proposal.plan)
    steps.done("plan", f"{proposal.plan.digest[:8]} in {path.name}, valid until {proposal.plan.deadline.isoformat()}")
    for order in proposal.plan.orders:
        steps.say(f"{order.venue:>10}: {order.step}, at worst {order.limit}")
    for decision in proposal.decision.target.loans:
        verdict = f"borrows {decision.debt:,.0f} {decision.asset}" if decision.accepted else "; ".join(decision.reasons)
        steps.say(f"{decision.market:>10}: {verdict}")
    keys = [unlock(path, PASSPHRASE) for path in write_cosigners(root / "keys")[:THRESHOLD]]
    approvals = [flow.sign(desk, proposal.plan, key) for key in keys]
    steps.done("approvals", ", ".join(f"{approval.owner[:10]}…" for approval in approvals))
    outcome = flow.apply(desk, proposal.plan, approvals, steps.progress)
    for fill in outcome.fills:
        steps.say(f"filled: {fill.memo}")
    require_agreement(flow.differences(desk))
    steps.done("reconciled", f"journal, broker and chain agree to the unit after {len(journal.entries())} entries")
    story.opened, story.opened_book = desk.observe(), balances.book(journal.entries())
    story.proposal, story.fills, story.approvals = proposal, outcome.fills, approvals
    if settle:
        walk(desk, world, keys, story, steps.say)
        require_agreement(flow.differences(desk))
        story.settled = True
        steps.done("settled", f"both books settled on {desk.market.day}; journal, broker and chain agree to the unit")
    report = compose(desk, story)
    target = root / "report.html"
    target.write_text(render(report), encoding="utf-8")
    steps.done("report", str(target))
    return steps.summary(report, proposal.plan.digest, target, owners={account(i).address: i for i in (1, 2, 3)})


def _local_chain(rpc: str, backend: str) -> "AbstractContextManager[tuple[Chain, World, str]]":
    from contextlib import contextmanager

    from adapters.evm.anvil import start_anvil
    from adapters.evm.packages import anvil_binary
    from adapters.evm.world import base_world, open_world
    from engine.errors import ConfigError, InputError

    if backend not in ("auto", "anvil", "in-process"):
        raise InputError(f"--backend {backend!r} refused", why="no such backend", todo="use auto, anvil or in-process")

    def can_fork() -> bool:
        try:
            anvil_binary()
        except ConfigError:
            if backend == "anvil" or rpc:
                raise
            return False
        return backend != "in-process"

    @contextmanager
    def opened() -> "Iterator[tuple[Chain, World, str]]":
        if not can_fork():
            with open_world("in-process") as (chain, world):
                yield chain, world, "a fresh in-process copy of the base world (this backend cannot fork)"
        elif rpc:
            world = base_world()
            with start_anvil(fork=rpc) as chain:
                _require_world(chain, world)
                yield chain, world, "an anvil fork of the node named"
        else:
            with open_world() as (base, world), start_anvil(fork=base) as chain:
                yield chain, world, "an anvil fork of the local base chain"

    return opened()


def _require_world(chain: "Chain", world: "World") -> None:
    from engine.errors import ConfigError

    absent = [name for name in ("safe-singleton", "lyra-market", "aave-cheap-pool") if not chain.code(world[name])]
    if absent:
        raise ConfigError(
            "--rpc refused",
            why=f"it does not carry the base world: no code at {', '.join(absent)}",
            todo="start one with `hedge chain up` and name its URL",
        )


def _clear(root: Path) -> None:
    """Make the folder ready; files of an earlier demo go, anything else stays."""
    root.mkdir(parents=True, exist_ok=True)
    for name in ("ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm", "paper-broker.json", "report.html"):
        (root / name).unlink(missing_ok=True)
    for plan in (root / "plans").glob("plan-*.json"):
        plan.unlink()
