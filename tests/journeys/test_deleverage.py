"""A loan that owes more than it should is mended on the chain itself: proposed, signed, applied, agreed to the unit."""

import pytest

from adapters.evm.deploy_builder import account
from adapters.safe.keystore import from_secret
from engine.instruments import LendingDebt
from engine.ledger import balances
from engine.ledger.reconcile import digest
from engine.pricing.health import HealthBand
from scripts import flow
from scripts.desk import TOKENS
from scripts.reconciling import adoption, compare
from scripts.setup import OWNER_ACCOUNTS
from scripts.syncing import sync

pytestmark = [pytest.mark.journey, pytest.mark.chain, pytest.mark.timeout(240)]
MORE, KEPT = 68_000, 6_000
"""DAI that the vault is made to borrow beside its plan, and what of it stays in the vault."""


def as_vault(desk, to, data):
    """A transaction of the Safe that none of its owners signed: it bends the chain, for what comes next."""
    safe = desk.vault.address
    desk.chain.request("anvil_impersonateAccount", safe)
    sent = {"from": safe, "to": to, "data": "0x" + data.hex()}
    desk.chain.mined(desk.chain.request("eth_sendTransaction", sent))
    desk.chain.request("anvil_stopImpersonatingAccount", safe)


@pytest.mark.requirement("D17", "S30")
def test_idle_coins_and_then_collateral_repay_until_the_stressed_limit_holds(prepared, opened):
    desk = opened()
    flow.apply(desk, prepared.plan, prepared.approvals, lambda _step, _state: None)
    market = next(one for one in desk.onchain.lending if one.name == "aave-cheap")
    unit, safe = 10 ** TOKENS["DAI"].decimals, desk.vault.address
    dai = next(token for token in desk.tokens if token.currency.code == "DAI")
    desk.chain.request("anvil_setBalance", safe, hex(10**18))
    as_vault(desk, market.addresses.pool, market.pool.contract.encode("borrow", dai.address, MORE * unit, 2, 0, safe))
    as_vault(desk, dai.address, dai.contract.encode("transfer", account(7).address, (MORE - KEPT) * unit))
    desk.chain.mine_to_final()
    sync(desk)
    found = compare(desk)
    desk.journal.post(adoption(desk, found, confirmed=digest(found.stopping), reason="drawn by hand"))
    flow.accrue(desk)
    assert flow.differences(desk) == ()
    owed = balances.book(desk.journal.entries()).held(LendingDebt("aave-cheap", TOKENS["DAI"]))

    proposal = flow.propose(desk)

    (relief,) = proposal.decision.target.reliefs
    assert relief.band is HealthBand.DELEVERAGE
    assert relief.health == pytest.approx(market.health(safe), rel=1e-4)
    assert KEPT - 304 < relief.repay < KEPT  # 60 USD of gas five times over, at 0.99, stay idle
    assert len(relief.rounds) > 1  # one withdrawal alone would leave the loan liquidatable
    assert relief.after[1] == pytest.approx(1.5)
    assert {order.role for order in proposal.plan.orders} == {"lending", "swap"}
    assert "the loan at aave-cheap has health" in proposal.plan.notes[len(proposal.decision.snapshot.modelled)]

    keys = [from_secret(bytes(account(index).key)) for index in OWNER_ACCOUNTS[:2]]
    approvals = [flow.sign(desk, proposal.plan, key) for key in keys]
    outcome = flow.apply(desk, proposal.plan, approvals, lambda _step, _state: None)

    repaid = relief.repay + sum(one.repaid for one in relief.rounds)
    assert not outcome.unfilled
    assert flow.differences(desk) == ()
    assert market.health(safe) == pytest.approx(relief.after[0], rel=1e-4)
    now = balances.book(desk.journal.entries()).held(LendingDebt("aave-cheap", TOKENS["DAI"]))
    assert float(now.amount - owed.amount) == pytest.approx(repaid, abs=1.0)
    again = flow.decide(desk).target.reliefs
    assert not again or all(one.band is HealthBand.OPEN and not one.rounds for one in again)
