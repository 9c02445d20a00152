"""Success is the Safe's own word and the balances themselves; a status of 1 and a token's event are not."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from adapters.evm.deploy_builder import Builder, account
from adapters.evm.erc20 import Token
from adapters.evm.proof import balance_changes, cash_expected, proven
from adapters.evm.wire import Holder, change, events
from engine.errors import VenueError
from engine.money import Currency, Money
from tests.chain.own_contracts import create
from tests.chain.vault_stage import SUSD, USDC, WETH, Stage, buy, order, stage, supply

pytestmark = [pytest.mark.chain]


@pytest.fixture(scope="module")
def built() -> Iterator[Stage]:
    with stage() as made:
        yield made


@pytest.fixture
def s(built: Stage) -> Iterator[Stage]:
    """The stage, put back afterwards."""
    snapshot = built.chain.snapshot()
    yield built
    built.chain.request("evm_setAutomine", True)
    built.chain.revert(snapshot)


def done(s: Stage):
    """A batch of a swap, an option and a deposit: its hash, receipt and fills."""
    asked = [
        (s.uniswap, buy(SUSD, "1000", Money.of("-1010", USDC))),
        (s.lyra, order("lyra", s.put(), "10", Money.of("-2100", SUSD))),
        (s.cheap, supply("aave-cheap", WETH, "1")),
    ]
    receipt = s.run(*asked)
    fills = [fill for venue, wanted in asked for fill in venue.read(wanted, receipt)]
    return s.holder.execution(receipt), receipt, fills


def test_a_batch_whose_balances_moved_as_its_fills_say_is_proven(s):
    name, receipt, fills = done(s)

    assert proven(s.chain, s.holder, name, receipt, fills, list(s.tokens.values())) == {}
    assert set(cash_expected(fills)) == {USDC, SUSD, WETH}


@pytest.mark.fault("F27")
def test_a_receipt_without_the_safes_word_on_this_very_transaction_proves_nothing(s):
    name, receipt, fills = done(s)
    tokens = list(s.tokens.values())

    for wrong in (replace(receipt, status=0), replace(receipt, logs=receipt.logs[:-1])):
        with pytest.raises(VenueError, match="carries no ExecutionSuccess of it"):
            proven(s.chain, s.holder, name, wrong, fills, tokens)
    with pytest.raises(VenueError, match="carries no ExecutionSuccess of it"):
        proven(s.chain, s.holder, "0x" + "11" * 32, receipt, fills, tokens)


@pytest.mark.fault("F28")
def test_an_execution_in_which_nothing_happened_is_no_fill(s):
    _, _, fills = done(s)
    idle = s.vault.execute(s.sign(s.vault.cancel(1)))

    with pytest.raises(VenueError, match="USDC moved 0, its fills say"):
        proven(s.chain, s.holder, s.holder.execution(idle), idle, fills, list(s.tokens.values()))


def test_a_token_that_moved_without_a_fill_is_seen(s):
    name, receipt, fills = done(s)

    with pytest.raises(VenueError, match="WETH moved -1000000000000000000, its fills say 0"):
        proven(s.chain, s.holder, name, receipt, fills[:2], list(s.tokens.values()))


def test_what_others_sent_in_the_same_block_is_not_ours(s):
    s.world.mint(s.chain, "USDC", account(8).address, 5)
    calls = s.cheap.calls(supply("aave-cheap", USDC, "7"))
    data = s.vault.calldata(s.sign(s.vault.propose(calls, deadline=s.deadline())))
    s.chain.request("evm_setAutomine", False)
    sent = [
        (account(8), s.world["USDC"], s.tokens["USDC"].contract.encode("transfer", s.holder.safe, 5)),
        (account(5), s.holder.safe, data),
    ]
    hashes = [transaction(s, *each) for each in sent]
    s.chain.mine()
    receipts = [s.chain.mined(name) for name in hashes]

    assert receipts[0].block_hash == receipts[1].block_hash
    moved = [balance_changes(s.chain, [s.tokens["USDC"]], s.holder.safe, receipt)[USDC] for receipt in receipts]
    assert moved == [5, -7 * 10**6]


def transaction(s: Stage, sender, to: str, data: bytes) -> str:
    fields = {"chainId": s.chain.chain_id, "gas": 3_000_000, "maxFeePerGas": 10**11, "maxPriorityFeePerGas": 10**9}
    signed = sender.sign_transaction({**fields, "nonce": s.chain.nonce(sender.address), "to": to, "data": data})
    return s.chain.send_raw(bytes(signed.raw_transaction))


def around(s: Stage, receipt, code: str, *, front: int = 0, behind: int = 0):
    """The receipt as if a stranger had sent us tokens in front of the Safe's first deed and behind its word."""
    me, him = ("0x" + who[2:].lower().rjust(64, "0") for who in (s.holder.safe, account(5).address))
    token = s.tokens[code].contract

    def sent(units: int) -> list[dict]:
        topics, data = [token.topic("Transfer"), him, me], "0x" + units.to_bytes(32).hex()
        return [{**receipt.logs[0], "address": token.address, "topics": topics, "data": data}] if units else []

    return replace(receipt, logs=(*sent(front), *receipt.logs, *sent(behind)))


@pytest.mark.fault("F20")
@pytest.mark.fault("F99")
def test_what_a_stranger_sends_along_is_told_apart_and_denies_none_of_our_fills(s):
    """Balances are what they are: a stranger's gift is shown by fills that say as much less."""
    name, receipt, fills = done(s)
    tokens, usdc, sold = list(s.tokens.values()), s.tokens["USDC"], cash_expected(fills)[USDC]
    short = [replace(fills[0], changes=(change(usdc.cash, sold - 3), *fills[0].changes[1:]), fees={}), *fills[1:]]

    assert proven(s.chain, s.holder, name, around(s, receipt, "USDC", front=3), short, tokens) == {usdc: 3}
    assert proven(s.chain, s.holder, name, around(s, receipt, "USDC", behind=3), short, tokens) == {}
    for wrong in (receipt, around(s, receipt, "USDC", front=2), around(s, receipt, "WETH", front=3)):
        with pytest.raises(VenueError, match="does not add up"):
            proven(s.chain, s.holder, name, wrong, short, tokens)
    taken = [replace(fills[0], changes=(change(usdc.cash, sold + 3), *fills[0].changes[1:]), fees={}), *fills[1:]]
    with pytest.raises(VenueError, match="does not add up"):
        proven(s.chain, s.holder, name, around(s, receipt, "USDC", front=3), taken, tokens)


@pytest.mark.fault("F99")
def test_what_stands_behind_the_safes_word_is_not_read_for_an_order(s):
    name, receipt, fills = done(s)
    asked = supply("aave-cheap", WETH, "1")
    twice = replace(receipt, logs=receipt.logs * 2)
    word = next(at for at, found in s.holder.executions(receipt).items() if found == name)

    only = s.holder.only(twice, name)

    assert s.holder.own(receipt, name) == range(word + 1)
    assert s.holder.own(receipt, "0x" + "11" * 32) == range(0)
    assert len(only.logs) == len(twice.logs)
    assert s.cheap.read(asked, only)[0].key == fills[2].key


@pytest.mark.fault("F50")
def test_a_token_that_keeps_a_fee_on_transfer_does_not_move_what_its_event_says(s):
    someone = Builder(s.chain, account(8))
    contract = create(someone, "odd_token", 10**12, 6, 100, (1).to_bytes(32))
    token = Token(Currency("FEE", 6), contract.address)
    logs = someone.send(contract, "transfer", s.holder.safe, 10**6)
    receipt = s.chain.mined(str(logs[0]["transactionHash"]))

    (said,) = events(token.contract, "Transfer", receipt)
    moved = balance_changes(s.chain, [token], s.holder.safe, receipt)

    assert said["value"] == 10**6
    assert moved[token.currency] == 990_000


@pytest.mark.fault("F99")
def test_a_fill_sent_by_a_contract_that_logs_something_in_front_has_the_same_key(s):
    _, receipt, fills = done(s)
    front = {**receipt.logs[0], "address": "0x" + "77" * 20}
    shifted = replace(receipt, transaction_hash="0x" + "22" * 32, logs=(front, *receipt.logs))
    asked = supply("aave-cheap", WETH, "1")

    (again,) = s.cheap.read(asked, shifted)

    assert again.key == fills[2].key
    assert again.evidence["log"] != fills[2].evidence["log"]


def test_two_of_our_transactions_in_one_receipt_keep_their_own_names(s):
    first, second = "0x" + "01" * 32, "0x" + "02" * 32
    name, receipt, _ = done(s)
    word = receipt.logs[-1]
    logs = tuple({**word, "topics": [word["topics"][0], each]} for each in (first, second))
    one, two = (replace(receipt, logs=each) for each in ((word, *logs), logs))
    holder = Holder(1, s.holder.safe)

    assert holder.executions(one) == {0: name, 1: first, 2: second}
    assert holder.key(two, 0) == f"chain:1:{s.holder.safe}:{second}:1"
    assert holder.execution(two) == second
    bare = replace(receipt, logs=({**word, "topics": word["topics"][:1], "data": first + "00" * 32},))
    assert holder.executions(bare) == {0: first}  # as Safe 1.3.0 logs it
