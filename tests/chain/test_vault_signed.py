"""What is signed: rehearsed before, one of several, listed until it is spent, within the owners' policy."""

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from eth_utils.crypto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.evm.chain import Chain, Reverted
from adapters.evm.contract import Contract
from adapters.evm.deploy_builder import Builder, account
from adapters.evm.http_node import HttpNode
from adapters.evm.transactions import Executor, GasPolicy
from adapters.evm.wire import hex0x
from adapters.safe.alternatives import Alternatives
from adapters.safe.detached import Sheet, collect, write
from adapters.safe.eip712 import rehash, safe_tx
from adapters.safe.multisend import encode_batch
from adapters.safe.outstanding import Standing, outstanding, unexplained
from adapters.safe.role_document import document, parse
from adapters.safe.role_scope import allowance_key, role_of
from adapters.safe.roles import Allowance
from adapters.safe.signatures import pack, sign_transaction
from adapters.safe.simulation import rehearse, try_execution
from adapters.safe.state import identity
from adapters.safe.vault import SafeVault
from contracts_abi import load
from engine.errors import ConfigError, OrderRejected, OutcomeUnknown, PlanChanged, VenueUnavailable
from engine.instruments import Cash
from engine.money import Money
from engine.orders import Call, OrderId, VaultBatch
from engine.ports import SignedSafeTx
from tests.chain.vault_stage import AT, RAMP, SUSD, USDC, WETH, Stage, buy, debt, order, owner, stage, supply

pytestmark = [pytest.mark.chain]
NOBODY = account(7).address


@pytest.fixture(scope="module")
def built() -> Iterator[Stage]:
    with stage() as made:
        yield made


@pytest.fixture
def s(built: Stage) -> Iterator[Stage]:
    snapshot = built.chain.snapshot()
    built.remembered.clear()
    yield built
    built.chain.request("evm_setAutomine", True)
    built.chain.revert(snapshot)


def wrapped(s: Stage, calls: list[Call], *, nonce: int = 0):
    """A well-formed batch that the vault itself would perhaps not propose."""
    data = encode_batch(calls, deadline=s.deadline(), router=s.settings.router)
    safe, to = s.holder.safe, s.settings.multi_send
    return safe_tx(chain_id=s.chain.chain_id, safe=safe, to=to, value=0, data=data, operation=1, nonce=nonce)


class TestRehearsal:
    def test_no_signature_is_needed_and_nothing_stays(self, s):
        tx = s.small()

        found = s.vault.rehearse(tx)

        assert found.slots == {5}
        assert {s.holder.safe, s.world["WETH"]} <= found.written
        assert s.vault.state().nonce == 0
        assert s.safe.read(s.chain, "approvedHashes", owner(1).address, bytes.fromhex(tx.hash[2:])) == 0

    def test_a_batch_for_a_later_nonce_is_rehearsed_as_if_it_were_its_turn(self, s):
        assert s.vault.rehearse(s.small(nonce=7)).slots == {5}
        assert s.vault.rehearse(s.vault.cancel(7)).slots == {5}

    def test_a_spent_nonce_is_not_rehearsed(self, s):
        s.vault.execute(s.sign(s.vault.cancel(0)))

        with pytest.raises(OrderRejected, match="nonce 0 is spent, the Safe is at 1"):
            s.small(nonce=0)

    def test_the_failing_call_of_several_is_named(self, s):
        calls = [*s.cheap.calls(supply("aave-cheap", WETH, "1")), *s.cheap.calls(debt("aave-cheap", USDC, "-1000000"))]
        pool = s.world["aave-cheap-pool"]

        with pytest.raises(OrderRejected, match=rf"would revert: call 0xa415bcad to {pool}: 36"):
            s.vault.propose(calls, deadline=s.deadline())

    @pytest.mark.fault("F62")
    def test_a_delegatecall_into_the_safes_own_storage_is_seen(self, s):
        # Bybit's shape: code that writes slot 0 runs as the Safe; PUSH20 nobody, PUSH0, SSTORE
        thief = account(8).address
        s.chain.request("anvil_setCode", thief, "0x73" + NOBODY[2:] + "5f5500")
        swapped = replace(s.settings, multi_send=thief)
        grab = safe_tx(
            chain_id=s.chain.chain_id, safe=s.holder.safe, to=thief, value=0, data=b"\1", operation=1, nonce=0
        )
        signed = s.sign(grab)

        quorum = [owner(1).address, owner(2).address]
        with pytest.raises(OrderRejected, match=r"writes the Safe's own storage at \['0x0'\]"):
            rehearse(s.chain, s.safe, grab, quorum)
        with pytest.raises(OrderRejected, match=r"writes the Safe's own storage at \['0x0'\]"):
            try_execution(s.chain, s.safe, s.vault.calldata(signed), sender=owner(4).address, transaction=grab)
        with pytest.raises(OrderRejected, match="neither a batch"):
            s.vault.rehearse(grab)
        with pytest.raises(ConfigError, match="MultiSendCallOnly"):
            SafeVault(s.chain, swapped, [])

    def test_prices_that_moved_between_signing_and_sending_stop_it_before_gas(self, s):
        signed = s.sign(
            s.vault.propose(s.uniswap.calls(buy(SUSD, "1000", Money.of("-1001", USDC))), deadline=s.deadline())
        )
        front_run(s, 40_000_000)

        with pytest.raises(OrderRejected, match=rf"would revert: call 0x5023b4df to {s.world['uniswap-router']}"):
            s.vault.execute(signed)
        assert s.remembered == []

    def test_a_node_that_does_not_trace_is_not_believed(self, s):
        class Blind(HttpNode):
            def ask(self, method, params):
                if method.startswith("debug_"):
                    return {"error": {"code": -32601, "message": "the method does not exist"}}
                return super().ask(method, params)

        with Chain(Blind(s.chain.node.url, finality_depth=2)) as blind:
            vault = SafeVault(blind, s.settings, s.permits)
            with pytest.raises(VenueUnavailable, match="shows no storage"):
                vault.rehearse(s.small())


def front_run(s: Stage, dollars: int) -> None:
    """A stranger buys sUSD with USDC, which moves the pool against us."""
    who = Builder(s.chain, account(6))
    s.world.mint(s.chain, "USDC", who.address, dollars * 10**6)
    who.send(s.tokens["USDC"].contract, "approve", s.world["uniswap-router"], dollars * 10**6)
    terms = (s.world["USDC"], s.world["sUSD"], 100, who.address, dollars * 10**6, 0, 0)
    who.send(s.uniswap.router, "exactInputSingle", terms)


@pytest.mark.fault("F46")
class TestSandwich:
    def ordered_by_tip(self, s: Stage, raws: list[tuple[int, dict]]) -> list[dict]:
        """Send all into one block, the highest tip first; returns the receipts in the order given."""
        s.chain.request("evm_setAutomine", False)
        hashes = [
            s.chain.request(
                "eth_sendTransaction",
                {**call, "maxPriorityFeePerGas": hex(tip), "maxFeePerGas": hex(tip + 10**11), "gas": hex(3_000_000)},
            )
            for tip, call in raws
        ]
        s.chain.request("evm_mine")
        s.chain.request("evm_setAutomine", True)
        return [s.chain.request("eth_getTransactionReceipt", name) for name in hashes]

    @pytest.mark.parametrize(("dollars", "mined"), [(40_000_000, "0x0"), (1_000, "0x1")])
    def test_it_costs_no_more_than_the_bound_or_nothing_happens(self, s, dollars, mined):
        limit = Money.of("-1003", USDC)
        signed = s.sign(s.vault.propose(s.uniswap.calls(buy(SUSD, "1000", limit)), deadline=s.deadline()))
        thief = account(6).address
        s.world.mint(s.chain, "USDC", thief, dollars * 10**6)
        Builder(s.chain, account(6)).send(
            s.tokens["USDC"].contract, "approve", s.world["uniswap-router"], dollars * 10**6
        )
        front = s.uniswap.router.encode(
            "exactInputSingle", (s.world["USDC"], s.world["sUSD"], 100, thief, dollars * 10**6, 0, 0)
        )
        held, bought = s.balance("USDC"), s.balance("sUSD")

        receipts = self.ordered_by_tip(
            s,
            [
                (10**9, {"from": owner(4).address, "to": s.holder.safe, "data": hex0x(s.vault.calldata(signed))}),
                (10**10, {"from": thief, "to": s.world["uniswap-router"], "data": hex0x(front)}),
            ],
        )

        assert [receipt["transactionIndex"] for receipt in receipts] == ["0x1", "0x0"]
        assert [receipt["status"] for receipt in receipts] == [mined, "0x1"]
        spent, got = held - s.balance("USDC"), s.balance("sUSD") - bought
        assert (spent, got) == (0, 0) if mined == "0x0" else 0 < spent <= 1003 * 10**6
        assert got in (0, 1000 * 10**18)
        assert s.vault.state().nonce == int(mined, 16)


class TestAlternatives:
    def proposed(self, s: Stage) -> Alternatives:
        rungs = [s.cheap.calls(supply("aave-cheap", WETH, quantity)) for quantity in ("1", "2", "3")]
        return s.vault.propose_alternatives(rungs, deadline=s.deadline())

    def test_one_is_carried_out_and_the_others_are_void_here_and_there(self, s):
        rungs = self.proposed(s)
        signed = [s.sign(tx) for tx in rungs.transactions]

        receipt = s.vault.execute(signed[1])

        assert s.cheap.balances(s.holder.safe, block=receipt.block) == {"aave-cheap supply WETH": 2 * 10**18}
        for other in (signed[0], signed[2], signed[3]):
            with pytest.raises(OrderRejected, match="nonce 0, the Safe is at 1"):
                s.vault.execute(other)
            with pytest.raises(Reverted, match="GS026"):
                s.as_stranger(other)

    def test_the_cancel_that_was_signed_with_them_voids_all(self, s):
        rungs = self.proposed(s)
        signed = [s.sign(tx) for tx in rungs.transactions]

        s.vault.execute(signed[-1])

        assert rungs.transactions[-1] == rungs.cancel == s.vault.cancel(0)
        for other in signed[:-1]:
            with pytest.raises(Reverted, match="GS026"):
                s.as_stranger(other)
        assert s.cheap.balances(s.holder.safe) == {}

    @pytest.mark.parametrize(
        ("bend", "why"),
        [
            (lambda a, s: Alternatives((), a.cancel), "no batch"),
            (lambda a, s: Alternatives((a.batches[0], a.batches[0]), a.cancel), "one and the same"),
            (lambda a, s: Alternatives(a.batches, s.vault.cancel(1)), "two could happen"),
            (lambda a, s: Alternatives((*a.batches, s.small(nonce=1)), a.cancel), "two could happen"),
        ],
    )
    def test_what_does_not_exclude_each_other_is_refused(self, s, bend, why):
        with pytest.raises(OrderRejected, match=why):
            bend(self.proposed(s), s)


@pytest.mark.fault("F67")
class TestOutstanding:
    def sheet(self, s: Stage, index: int, *transactions, hours: int = 0) -> Sheet:
        given = {tx.hash: hex0x(sign_transaction(tx, owner(index))) for tx in transactions}
        made = AT + timedelta(hours=hours)
        return Sheet(s.chain.chain_id, s.holder.safe, owner(index).address, made, given)

    def test_every_signed_nonce_is_listed_with_what_it_would_do(self, s, tmp_path):
        now, later, unsigned = s.small(), s.small("2", nonce=1), s.small("3", nonce=2)
        cancel = s.vault.cancel(0)
        sheets = [self.sheet(s, 1, now, cancel, later, unsigned), self.sheet(s, 2, now, cancel, later, hours=1)]
        paths = [write(sheet, tmp_path / f"{sheet.owner}.json") for sheet in sheets]
        carried = list(collect(paths, chain_id=s.chain.chain_id, safe=s.holder.safe).values())

        found = outstanding(s.vault, [now, cancel, later, unsigned, s.small("4")], carried)

        by_hash = {each.hash: each for each in found}
        assert [each.nonce for each in found] == [0, 0, 1, 2]
        assert by_hash[now.hash].effects[1] == "supply 1 WETH to aave-cheap"
        assert by_hash[cancel.hash].effects == ("burn nonce 0",)
        assert {each.hash: each.standing for each in found} == {
            now.hash: Standing.NOW,
            cancel.hash: Standing.NOW,
            later.hash: Standing.LATER,
            unsigned.hash: Standing.UNSIGNED,
        }
        assert [by_hash[tx.hash].voidable for tx in (now, later)] == [True, False]
        assert (by_hash[now.hash].since, by_hash[now.hash].signed) == (AT, 2)
        assert "2 of 2-of-3 signed" in str(by_hash[now.hash])

    def test_a_spent_nonce_and_a_dead_batch_are_left_out(self, s):
        first, dying = s.small(), s.small("2", nonce=1, deadline=s.deadline(60))
        sheets = [self.sheet(s, index, first, dying) for index in (1, 2)]
        s.vault.execute(s.sign(first))
        assert [each.nonce for each in outstanding(s.vault, [first, dying], sheets)] == [1]

        s.chain.warp(s.chain.block().at + timedelta(seconds=61))

        assert outstanding(s.vault, [first, dying], sheets) == ()

    def test_what_no_vault_would_propose_is_listed_as_such(self, s):
        takeover = s.administer("addOwnerWithThreshold", NOBODY, 1)
        sheets = [self.sheet(s, index, takeover) for index in (1, 2)]

        (found,) = outstanding(s.vault, [takeover], sheets)

        assert (found.listed, found.standing) == (False, Standing.NOW)
        assert "neither a batch" in found.effects[0]

    def test_signatures_of_strangers_and_over_other_bytes_do_not_count(self, s):
        tx = s.small()
        sheets = [self.sheet(s, 7, tx), self.sheet(s, 1, tx)]

        assert outstanding(s.vault, [tx], sheets[:1]) == ()
        assert outstanding(s.vault, [replace(tx, data=s.small("2").data)], sheets) == ()
        assert unexplained([], sheets) == {tx.hash}
        assert unexplained([tx], sheets) == frozenset()


class TestPolicy:
    def role(self, s: Stage, **changes):
        listed = {permit.contract.address for permit in s.permits}
        kinds = {at: identity(s.chain, at) for at in listed}
        terms = {"chain_id": s.chain.chain_id, "avatar": s.holder.safe, "payees": [RAMP], "identities": kinds}
        return role_of(s.permits, **(terms | changes))

    def vault(self, s: Stage, role) -> SafeVault:
        return SafeVault(s.chain, s.settings, s.permits, s.vault.executor, role=role)

    def test_the_exported_policy_lets_every_venue_work(self, s):
        role = parse(json.loads(json.dumps(document(self.role(s)))))
        calls = [
            *s.uniswap.calls(buy(SUSD, "1000", Money.of("-1010", USDC))),
            *s.lyra.calls(order("lyra", s.put(), "1", Money.of("-300", SUSD))),
            *s.cheap.calls(supply("aave-cheap", WETH, "20")),
            *s.cheap.calls(debt("aave-cheap", USDC, "-10000")),
            *s.ramp.calls(order("ramp", Cash(USDC), "10000", Money.of("-10000", USDC))),
        ]
        vault = self.vault(s, role)

        assert vault.execute(s.sign(vault.propose(calls, deadline=s.deadline()))).final
        assert {target.identity for target in role.targets} == {"plain", "eip1967"}

    @pytest.mark.fault("F62")
    def test_what_a_permit_overlooks_the_policy_refuses(self, s):
        generous = replace(s.permits[0], contract=s.tokens["WETH"].contract, function="transfer", words=lambda _: "")
        vault = SafeVault(s.chain, s.settings, [*s.permits, generous], role=self.role(s))
        weth = s.tokens["WETH"]
        theft = Call(weth.address, weth.contract.encode("transfer", NOBODY, 1), 0, "")

        with pytest.raises(OrderRejected, match=r"recipient .* is not what EQUAL_TO allows"):
            vault.propose([theft], deadline=s.deadline())
        with pytest.raises(OrderRejected, match=r"recipient .* is not what EQUAL_TO allows"):
            vault.derive(wrapped(s, [theft]))

    def test_an_allowance_is_used_up_by_what_the_chain_shows_whoever_sent_it(self, s):
        now = int(s.chain.block().at.timestamp())
        three = Allowance(balance=3 * 10**18, refill=10**18, max_refill=3 * 10**18, period=3600, timestamp=now)
        weth = s.world["WETH"]
        vault = self.vault(s, self.role(s, allowances={weth: three}))
        first, second = (
            vault.propose(s.cheap.calls(supply("aave-cheap", WETH, "2")), deadline=s.deadline(7200), nonce=n)
            for n in (0, 1)
        )
        assert vault.allowances()[allowance_key(weth)].balance == 3 * 10**18
        s.as_stranger(s.sign(first))

        assert vault.allowances()[allowance_key(weth)].balance == 10**18
        with pytest.raises(
            OrderRejected, match="takes 2000000000000000000 of an allowance that has 1000000000000000000 left"
        ):
            vault.execute(s.sign(second))
        assert s.remembered == []
        s.chain.warp(s.chain.block().at + timedelta(hours=1))
        assert vault.execute(s.sign(second)).final

    def test_what_reached_the_safe_through_another_contract_must_be_known(self, s):
        now = int(s.chain.block().at.timestamp())
        weth = s.world["WETH"]
        role = self.role(s, allowances={weth: Allowance(balance=3 * 10**18, timestamp=now)})
        vault = self.vault(s, role)
        tx = vault.propose(s.cheap.calls(supply("aave-cheap", WETH, "2")), deadline=s.deadline())
        relay(s, s.vault.calldata(s.sign(tx)))

        with pytest.raises(OrderRejected, match="through another contract"):
            vault.allowances()
        told = SafeVault(s.chain, s.settings, s.permits, role=role, proposed=lambda: [tx])
        assert told.allowances()[allowance_key(weth)].balance == 10**18

    def test_an_owners_own_transaction_is_read_as_its_one_call(self, s):
        now = int(s.chain.block().at.timestamp())
        role = self.role(s, allowances={s.world["WETH"]: Allowance(balance=5, timestamp=now)})
        s.as_stranger(s.sign(s.administer("changeThreshold", 2)))

        assert self.vault(s, role).allowances()[allowance_key(s.world["WETH"])].balance == 5

    @pytest.mark.fault("F63")
    def test_a_policy_of_another_safe_or_of_another_kind_of_code_is_refused_at_start(self, s):
        good = self.role(s)

        for bad, why in (
            (replace(good, avatar=NOBODY), "it is for Safe"),
            (replace(good, chain_id=1), "on chain 1"),
            (self.role(s, identities={}), "is eip1967 code, not plain"),
        ):
            with pytest.raises(ConfigError, match=why):
                self.vault(s, bad)

    @pytest.mark.fault("F62")
    def test_a_batch_within_a_batch_is_refused(self, s):
        inner = wrapped(s, list(s.cheap.calls(supply("aave-cheap", WETH, "1"))))
        nested = Call(s.settings.multi_send, inner.data, 0, "harmless")

        with pytest.raises(OrderRejected, match="not on the list"):
            s.vault.derive(wrapped(s, [nested]))

    @pytest.mark.fault("F62")
    @pytest.mark.parametrize(
        "function", ["enableModule", "setGuard", "setFallbackHandler", "swapOwner", "execTransaction"]
    )
    def test_the_safes_own_functions_are_refused_among_good_calls(self, s, function):
        good = s.cheap.calls(supply("aave-cheap", WETH, "1"))
        selector = next(e for e in load("safe-1.4.1") if e["name"] == function)
        hidden = Call(s.holder.safe, Contract(s.holder.safe, [selector]).encode(function, *blank(selector)), 0, "x")

        with pytest.raises(OrderRejected, match="not on the list"):
            s.vault.derive(wrapped(s, [good[0], hidden, *good[1:]]))

    @pytest.mark.fault("F62")
    def test_an_inner_call_with_shifted_offsets_is_refused(self, s):
        settle = s.lyra.market.settler.encode("settleOptions", [1])
        shifted = settle[:4] + (64).to_bytes(32, "big") + bytes(32) + settle[36:]

        with pytest.raises(OrderRejected, match="canonical"):
            s.vault.derive(wrapped(s, [Call(s.lyra.market.settler.address, shifted, 0, "")]))

    @pytest.mark.fault("F63")
    def test_a_look_alike_of_a_listed_contract_is_refused(self, s):
        good = s.cheap.calls(supply("aave-cheap", WETH, "1"))[1]
        alike = good.to[:8] + "".join("1" if c == "0" else "0" for c in good.to[8:10]) + good.to[10:]

        with pytest.raises(OrderRejected, match="not on the list"):
            s.vault.derive(wrapped(s, [replace(good, to=alike)]))


def blank(entry: dict) -> list[object]:
    """Arguments that encode, whatever they mean."""
    by_kind = {"address": NOBODY, "bytes": b"", "uint256": 1, "uint8": 0}
    return [by_kind[part["type"]] for part in entry["inputs"]]


def relay(s: Stage, data: bytes) -> None:
    """Send call data to the Safe through a contract of somebody's: calldata copied, then CALL to the Safe."""
    code = "365f5f375f5f365f5f73" + s.holder.safe[2:] + "5af100"
    s.chain.request("anvil_setCode", account(8).address, "0x" + code)
    Builder(s.chain, account(5)).send_data(account(8).address, data)
    assert s.vault.state().nonce == 1


@pytest.mark.fault("F60")
class TestEdited:
    def test_a_byte_anywhere_in_an_approved_batch_voids_it(self, s):
        signed = s.sign(s.small())
        tx, raw = signed.transaction, signed.transaction.data

        @settings(max_examples=60)
        @given(st.integers(0, len(raw) - 1), st.integers(1, 255))
        def voids(at: int, flip: int) -> None:
            bent = raw[:at] + bytes([raw[at] ^ flip]) + raw[at + 1 :]
            with pytest.raises(PlanChanged):
                s.vault.derive(replace(tx, data=bent))
            rehashed = replace(tx, data=bent, hash=hex0x(rehash(replace(tx, data=bent))))
            with pytest.raises(OrderRejected):
                s.vault.execute(SignedSafeTx(rehashed, signed.signatures))

        voids()
        assert s.remembered == []

    @pytest.mark.parametrize("part", ["amount", "to", "value", "deadline", "order of calls", "nonce"])
    def test_a_plan_that_shows_something_else_than_its_bytes_is_refused(self, s, part):
        tx = s.small()
        said = s.vault.derive(tx)
        batch = VaultBatch("b", (OrderId("o"),), said.deadline, said.calls, tx, s.vault.cancel(tx.nonce))
        call, other = said.calls[1], s.vault.derive(s.small("2")).calls[1]
        edited = {
            "amount": replace(batch, calls=(said.calls[0], replace(call, data=other.data), said.calls[2])),
            "to": replace(batch, calls=(said.calls[0], replace(call, to=NOBODY), said.calls[2])),
            "value": replace(batch, calls=(said.calls[0], replace(call, value=1), said.calls[2])),
            "deadline": replace(batch, deadline=said.deadline + timedelta(seconds=1)),
            "order of calls": replace(batch, calls=said.calls[::-1]),
            "nonce": replace(batch, cancel=s.vault.cancel(1)),
        }[part]

        assert s.vault.confirm(batch) == said
        with pytest.raises(PlanChanged, match="do not say what the plan shows"):
            s.vault.confirm(edited)


class TestForeign:
    @pytest.mark.fault("F98")
    def test_what_a_stranger_did_to_us_leaves_nonce_and_signatures_as_they_are(self, s):
        signed = s.sign(s.small())
        who = Builder(s.chain, account(6))
        s.world.mint(s.chain, "WETH", who.address, 10**18)
        who.send(s.tokens["WETH"].contract, "approve", s.world["aave-cheap-pool"], 10**18)
        who.send(s.cheap.pool.contract, "supply", s.world["WETH"], 10**18, s.holder.safe, 0)

        assert s.vault.state().nonce == 0
        receipt = s.vault.execute(signed)
        assert s.cheap.balances(s.holder.safe, block=receipt.block)["aave-cheap supply WETH"] >= 2 * 10**18

    @pytest.mark.fault("F99")
    def test_mined_again_at_another_place_by_another_sender_it_is_the_same_fill(self, s):
        asked = supply("aave-cheap", WETH, "1")
        signed = s.sign(s.small())
        data = s.vault.calldata(signed)
        before = s.chain.snapshot()
        first = s.vault.execute(signed)
        (one,) = s.cheap.read(asked, first)
        s.chain.revert(before)
        s.chain.request("evm_setAutomine", False)
        noise = s.tokens["USDC"].contract.encode("approve", NOBODY, 1)
        common = {"gas": hex(3_000_000), "maxFeePerGas": hex(10**12)}
        s.chain.request(
            "eth_sendTransaction",
            {
                "from": account(6).address,
                "to": s.world["USDC"],
                "data": hex0x(noise),
                **common,
                "maxPriorityFeePerGas": hex(10**11),
            },
        )
        s.chain.request(
            "eth_sendTransaction",
            {
                "from": account(5).address,
                "to": s.holder.safe,
                "data": hex0x(data),
                **common,
                "maxPriorityFeePerGas": hex(1),
            },
        )
        s.chain.request("evm_mine")
        s.chain.request("evm_setAutomine", True)

        second = s.vault.execute(signed)
        (other,) = s.cheap.read(asked, second)

        assert (second.transaction_hash, second.sender) != (first.transaction_hash, first.sender)
        assert second.logs[0]["logIndex"] != first.logs[0]["logIndex"]
        assert other.key == one.key
        assert other.changes == one.changes


@pytest.mark.fault("F55")
def test_while_the_chain_stands_still_nothing_is_sent_and_no_wait_is_endless(s):
    signed = s.sign(s.small())
    node = s.chain.node
    with Chain(HttpNode(node.url, timeout=0.4, finality_depth=2)) as halted:
        executor = Executor(halted, owner(4), remember=s.remember, policy=GasPolicy(wait_seconds=0.5), local=True)
        vault = SafeVault(halted, s.settings, s.permits, executor)
        os.kill(node.process.pid, signal.SIGSTOP)
        try:
            with pytest.raises((VenueUnavailable, OutcomeUnknown)):
                vault.execute(signed)
        finally:
            os.kill(node.process.pid, signal.SIGCONT)

    assert s.remembered == []
    assert s.vault.state().nonce == 0


@pytest.mark.fault("F48")
def test_the_vault_can_be_given_an_option_by_safe_mint(s):
    # ERC-721 receivers answer 0x150b7a02; a Safe does so by its fallback handler only
    receiver = [
        {
            "type": "function",
            "name": "onERC721Received",
            "inputs": [
                {"name": n, "type": t}
                for n, t in (("a", "address"), ("b", "address"), ("c", "uint256"), ("d", "bytes"))
            ],
            "outputs": [{"name": "", "type": "bytes4"}],
        }
    ]

    said = Contract(s.holder.safe, receiver).read(s.chain, "onERC721Received", NOBODY, NOBODY, 1, b"")

    assert said == keccak(text="onERC721Received(address,address,uint256,bytes)")[:4]


def test_gas_refund_fields_are_zero_and_so_a_failing_batch_keeps_its_nonce(s):
    signed = s.sign(s.small())
    name, arguments = s.safe.decode_call(s.vault.calldata(signed))

    fields = ("safeTxGas", "baseGas", "gasPrice", "gasToken", "refundReceiver")
    assert name == "execTransaction"
    assert [arguments[each] for each in fields] == [0, 0, 0, "0x" + "0" * 40, "0x" + "0" * 40]


def test_what_is_packed_for_a_quorum_is_exactly_the_quorum(s):
    tx = s.small()
    given = {owner(i).address: sign_transaction(tx, owner(i)) for i in (1, 2, 3)}

    assert len(pack(tx, given, s.vault.terms()).signatures) == 2 * 65
