"""One rebalance in one process: who owns what, and whether three books agree, open and settled."""

from datetime import date
from typing import NamedTuple

import pytest

from adapters.evm.anvil import start_anvil
from adapters.evm.contract import Contract
from adapters.evm.deploy_builder import account
from adapters.evm.world import open_world
from adapters.files.observation import demo_day
from adapters.safe.keystore import from_secret
from contracts_abi import load
from engine.errors import AlreadyApplied, ThresholdNotMet
from engine.instruments import LendingDebt, LendingSupply, VanillaOption
from engine.ledger import balances
from engine.money import usd
from engine.policy.settings import Policy
from engine.positions import Sleeve
from scripts import flow
from scripts.desk import open_journal
from scripts.reporting import Story
from scripts.setup import OWNER_ACCOUNTS, furnish
from scripts.walk import open_options, walk
from tests.journeys.conftest import skip_without_packages

pytestmark = [pytest.mark.journey, pytest.mark.chain, pytest.mark.timeout(240)]


class Opened(NamedTuple):
    """A desk after its first plan was applied, and what was true then; later tests move it on."""

    desk: object
    world: object
    proposal: object
    keys: list
    outcome: object
    approvals: list
    breaks: tuple
    owned: dict


def owned(desk, world):
    """The option tokens of the vault and their owner, and the kinds of instrument in the sleeve's book."""
    token = Contract(world["lyra-option-token"], load("lyra-option-token"))
    found = token.read(desk.chain, "getOwnerPositions", desk.vault.address)
    return {
        "options": len(found),
        "owners": {token.read(desk.chain, "ownerOf", each["positionId"]) for each in found},
        "kinds": {type(p.instrument) for p in balances.book(desk.journal.entries()).of(Sleeve.DEFI)},
    }


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """A desk after its first plan was applied: desk, world, proposal, keys, outcome."""
    skip_without_packages()
    root = tmp_path_factory.mktemp("desk")
    with open_world() as (base, world), start_anvil(fork=base) as chain, open_journal(root / "l.sqlite") as journal:
        desk, _ = furnish(root, chain, world, market=demo_day(date(2018, 4, 25)), policy=Policy(), journal=journal)
        proposal = flow.propose(desk)
        keys = [from_secret(bytes(account(index).key)) for index in OWNER_ACCOUNTS]
        approvals = [flow.sign(desk, proposal.plan, key) for key in keys[:2]]
        with pytest.raises(ThresholdNotMet):
            flow.apply(desk, proposal.plan, approvals[:1], lambda _step, _state: None)
        outcome = flow.apply(desk, proposal.plan, approvals, lambda _step, _state: None)
        yield Opened(desk, world, proposal, keys, outcome, approvals, flow.differences(desk), owned(desk, world))


def test_one_signature_changed_nothing_and_two_carried_the_plan_out_once(opened):
    desk, proposal, outcome, approvals = opened.desk, opened.proposal, opened.outcome, opened.approvals

    assert not outcome.unfilled
    assert len(outcome.fills) == len(proposal.plan.orders)
    with pytest.raises(AlreadyApplied):
        flow.apply(desk, proposal.plan, approvals, lambda _step, _state: None)


def test_the_cheap_market_lends_and_the_dear_one_refuses_with_its_shortfall(opened):
    cheap, dear = opened.proposal.decision.target.loans

    assert cheap.accepted
    assert cheap.edge_bps > 0
    assert cheap.health >= 1.5
    assert not dear.accepted
    assert dear.edge_bps < 0
    assert any(f"short by {-dear.edge_bps:,.0f} bp" in reason for reason in dear.reasons)


def test_the_safe_owns_the_option_and_the_lending_position(opened):
    assert opened.owned["options"] == 1
    assert opened.owned["owners"] == {opened.desk.vault.address}
    assert {VanillaOption, LendingSupply, LendingDebt} <= opened.owned["kinds"]


def test_journal_broker_and_chain_agree_to_the_unit_open_and_settled(opened):
    assert opened.breaks == ()
    desk, proposal = opened.desk, opened.proposal
    story = Story(
        opened=desk.observe(),
        opened_book=balances.book(desk.journal.entries()),
        proposal=proposal,
        fills=opened.outcome.fills,
        approvals=opened.approvals,
    )
    said = []

    walk(desk, opened.world, opened.keys[:2], story, said.append)

    assert flow.differences(desk) == ()
    assert not open_options(balances.book(desk.journal.entries()))
    assert balances.imbalance(desk.journal.entries()) == {}
    assert any("arrived at the broker" in line for line in said)
    assert any("sell" in line for line in said)
    assert [point.on for point in story.nav] == sorted({point.on for point in story.nav})


def test_a_break_is_named_when_the_broker_holds_what_the_journal_does_not(opened):
    desk = opened.desk
    desk.broker.deposit(usd("0.01"))

    (found,) = flow.differences(desk)

    assert "USD" in str(found)
    desk.broker.deposit(usd("-0.01"))
    assert flow.differences(desk) == ()
