"""A desk between two runs while others act: what they did is posted once, and what they must not do stops new risk."""

from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.evm.contract import Contract
from adapters.evm.deploy_builder import Builder, account
from adapters.evm.foreign_events import ForeignKind
from adapters.evm.wire import as_bytes
from adapters.evm.world import advance
from adapters.safe.eip712 import safe_tx
from adapters.safe.keystore import from_secret
from adapters.safe.signatures import pack, sign_transaction
from contracts_abi import load
from engine.errors import (
    DoesNotReconcile,
    SnapshotExpired,
    VenueError,
    VenueUnavailable,
)
from engine.instruments import Cash, VanillaOption
from engine.ledger import balances
from engine.ledger.suspense import in_suspense
from engine.money import Money
from engine.positions import Sleeve
from scripts import flow
from scripts.desk import TOKENS
from scripts.reconciling import require_no_break
from scripts.remembered import proposed
from scripts.syncing import require_calm, sync

pytestmark = [pytest.mark.journey, pytest.mark.chain, pytest.mark.timeout(240)]
USDC = TOKENS["USDC"]


def stranger(prepared):
    return Builder(prepared.chain, account(5))


def applied(desk, prepared):
    return flow.apply(desk, prepared.plan, prepared.approvals, lambda _step, _state: None)


def options_on_chain(desk):
    held = balances.book(desk.journal.entries()).of(Sleeve.DEFI)
    return [position for position in held if isinstance(position.instrument, VanillaOption)]


def packed(desk, prepared):
    (batch,) = prepared.plan.batches
    name = batch.transaction.hash
    given = {each.owner: as_bytes(each.transaction_signatures[name]) for each in prepared.approvals}
    return desk.vault.calldata(pack(batch.transaction, given, desk.vault.terms()))


@pytest.mark.fault("F98")
def test_tokens_a_stranger_sent_stand_in_suspense_once_and_the_desk_goes_on(prepared, opened):
    desk = opened()
    prepared.world.mint(desk.chain, "USDC", account(5).address, 12_500_000)
    token = next(token for token in desk.tokens if token.currency == USDC)
    stranger(prepared).send(token.contract, "transfer", desk.vault.address, 12_500_000)
    desk.chain.mine_to_final()

    (found,) = sync(desk)
    again = opened()

    assert sync(again) == ()
    assert (found.kind, found.alarms) == (ForeignKind.DEPOSIT, False)
    assert in_suspense(again.journal.entries()) == {(Sleeve.DEFI, Cash(USDC)): Money.of("12.5", USDC)}
    assert found.entries[0].evidence["by"] == account(5).address
    require_calm([found])
    require_no_break(again)
    assert flow.propose(again).plan.orders


@pytest.mark.fault("F98")
def test_what_a_stranger_settled_for_the_safe_leaves_the_book_as_if_we_had_asked(prepared, opened):
    desk = opened()
    applied(desk, prepared)
    (put,) = options_on_chain(desk)
    money = put.instrument.strike - 100
    advance(desk.chain, prepared.world, at=put.instrument.expiry + timedelta(minutes=1), eth_usd=money)
    stranger(prepared).send(prepared.world.contract("lyra-short-collateral"), "settleOptions", [1])
    desk.chain.mine_to_final()

    (found,) = sync(desk)
    flow.accrue(desk)

    assert (found.kind, found.alarms) == (ForeignKind.SETTLEMENT, False)
    paid = [leg.amount for leg in found.entries[0].legs if leg.instrument == Cash(TOKENS["sUSD"])]
    assert Money.of(100 * put.held.amount, TOKENS["sUSD"]) in paid
    assert options_on_chain(desk) == []
    assert flow.differences(desk) == ()
    assert sync(desk) == ()


@pytest.mark.fault("F20")
def test_a_signed_batch_that_a_stranger_sent_is_our_plan_and_its_gas_is_not_ours(prepared, opened):
    desk = opened()
    ether = desk.chain.balance(desk.executor.sender.address)
    stranger(prepared).send_data(desk.vault.address, packed(desk, prepared))
    desk.chain.mine_to_final()

    assert sync(desk) == ()
    outcome = applied(desk, prepared)

    assert len(outcome.fills) == len(prepared.plan.orders)
    assert desk.chain.balance(desk.executor.sender.address) == ether
    assert not [entry for entry in desk.journal.entries() if entry.key.startswith("gas:")]
    assert flow.differences(desk) == ()
    assert sync(desk) == ()


@pytest.mark.fault("F20")
@pytest.mark.fault("F99")
@pytest.mark.parametrize("synced_first", [True, False])
def test_dust_in_front_of_and_behind_a_batch_that_a_stranger_sent_keeps_nothing_out_of_the_books(
    prepared, opened, synced_first
):
    desk = opened()
    sender = Contract(prepared.standing.addresses["safe-multi-send-call-only"], load("safe-multi-send-call-only-1.4.1"))
    prepared.world.mint(desk.chain, "USDC", sender.address, 8)
    usdc = next(token.contract for token in desk.tokens if token.currency == USDC)
    dust = [(usdc.address, usdc.encode("transfer", desk.vault.address, units)) for units in (3, 5)]
    acts = [dust[0], (desk.vault.address, packed(desk, prepared)), dust[1]]
    heads = [b"\0" + as_bytes(to) + bytes(32) + len(data).to_bytes(32) + data for to, data in acts]
    stranger(prepared).send(sender, "multiSend", b"".join(heads))
    desk.chain.mine_to_final()

    found = sync(desk) if synced_first else ()
    outcome = applied(desk, prepared)
    found = found or sync(desk)

    assert len(outcome.fills) == len(prepared.plan.orders)
    assert [(event.kind, event.alarms) for event in found] == [(ForeignKind.DEPOSIT, False)]
    assert flow.differences(desk) == ()
    assert in_suspense(desk.journal.entries()) == {(Sleeve.DEFI, Cash(USDC)): Money(8, USDC)}
    assert sync(desk) == ()


@pytest.mark.fault("F53")
def test_a_plan_is_stale_once_its_owners_changed_between_approval_and_execution(prepared, opened):
    desk = opened()
    safe, owners, threshold = desk.vault.address, (account(1).address, account(2).address), 3
    data = desk.vault.contract.encode("changeThreshold", threshold)
    swap = safe_tx(chain_id=desk.chain.chain_id, safe=safe, to=safe, value=0, data=data, operation=0, nonce=0)
    given = {who: sign_transaction(swap, from_secret(bytes(account(at).key))) for at, who in enumerate(owners, start=1)}
    stranger(prepared).send_data(safe, desk.vault.calldata(pack(swap, given, desk.vault.terms())))
    desk.chain.mine_to_final()

    news = sync(desk)

    assert [(found.kind, found.alarms) for found in news] == [(ForeignKind.EXECUTION, True)]
    with pytest.raises(DoesNotReconcile, match="is of no plan of ours"):
        require_calm(news)
    with pytest.raises(SnapshotExpired, match="Safe nonce was 0 when it was made and is 1 now"):
        applied(desk, prepared)
    assert desk.journal.intents("order:") == ()


@pytest.mark.fault("F98")
def test_tokens_taken_without_a_deed_of_the_safe_are_posted_and_stop_new_risk(prepared, opened):
    desk = opened()
    safe, token = desk.vault.address, next(token for token in desk.tokens if token.currency == USDC)
    data = "0x" + token.contract.encode("transfer", account(5).address, 7_000_000).hex()
    desk.chain.request("anvil_setBalance", safe, hex(10**18))
    desk.chain.request("anvil_impersonateAccount", safe)
    desk.chain.mined(desk.chain.request("eth_sendTransaction", {"from": safe, "to": token.address, "data": data}))
    desk.chain.request("anvil_stopImpersonatingAccount", safe)
    desk.chain.mine_to_final()

    news = sync(desk)

    assert [found.kind for found in news] == [ForeignKind.WITHDRAWAL]
    assert in_suspense(desk.journal.entries()) == {(Sleeve.DEFI, Cash(USDC)): Money.of(-7, USDC)}
    assert flow.differences(desk) == ()
    with pytest.raises(DoesNotReconcile, match=r"new risk refused: 1 deed.* 7 USDC taken from the vault"):
        require_calm(news)


@pytest.mark.fault("F27")
def test_gas_of_ours_that_died_before_it_was_booked_is_booked_by_the_next_run(prepared, opened):
    desk = opened()
    token = next(token for token in desk.tokens if token.currency == USDC)
    receipt = desk.executor.send(token.address, token.contract.encode("approve", account(6).address, 0))
    assert flow.differences(desk) != ()

    assert sync(opened()) == ()

    (paid,) = [entry for entry in desk.journal.entries() if entry.key.startswith("gas:")]
    assert -paid.legs[1].amount.units == receipt.gas_used * receipt.gas_price_wei
    assert flow.differences(desk) == ()


@pytest.mark.fault("F19")
@pytest.mark.fault("F23")
def test_a_batch_that_was_remembered_and_never_left_is_sent_by_the_next_run_and_posted_once(
    prepared, opened, monkeypatch
):
    desk = opened()

    def gone(_):
        raise VenueUnavailable("the node is gone", why="nothing was sent", todo="run it again")

    with monkeypatch.context() as broken:
        broken.setattr(type(desk.chain), "send_raw", lambda _self, raw: gone(raw))
        with pytest.raises(VenueUnavailable, match="the node is gone"):
            applied(desk, prepared)
    assert len(desk.unsettled()) == 1
    with pytest.raises(VenueUnavailable, match="executor is busy"):
        opened().executor.send(desk.tokens[0].address, desk.tokens[0].contract.encode("approve", account(6).address, 0))

    again = opened()
    outcome = applied(again, prepared)

    assert len(outcome.fills) == len(prepared.plan.orders)
    assert again.unsettled() == ()
    assert len(again.journal.intents("raw:")) == 1
    assert flow.differences(again) == ()


@pytest.mark.fault("F28")
def test_a_plan_is_done_only_once_the_vaults_balances_moved_as_its_fills_say(prepared, opened, monkeypatch):
    desk = opened()
    sound, seen = flow.proven, []

    def one_unit_off(chain, holder, name, receipt, fills, tokens):
        seen.append(name)
        off = replace(fills[0], changes=(replace(fills[0].changes[0], held=fills[0].changes[0].held + Money(1, USDC)),))
        return sound(chain, holder, name, receipt, [off, *fills[1:]], tokens)

    monkeypatch.setattr(flow, "proven", one_unit_off)
    swap = next(order for order in prepared.plan.orders if order.role == "swap")
    assert prepared.plan.batches[0].order_ids[0] == swap.id
    with pytest.raises(VenueError, match="does not add up"):
        applied(desk, prepared)

    assert seen == [prepared.plan.batches[0].transaction.hash]
    assert not [entry for entry in desk.journal.entries() if entry.key.startswith("chain:")]
    monkeypatch.undo()
    applied(desk, prepared)
    assert flow.differences(desk) == ()


def test_every_transaction_of_a_written_plan_is_known_as_ours(prepared, opened):
    known = {transaction.hash for transaction in proposed(opened().journal)}

    (batch,) = prepared.plan.batches
    assert known == {batch.transaction.hash, batch.cancel.hash}
