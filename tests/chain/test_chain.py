"""The chain seam: what a node may say, and what we make of it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from adapters.evm.anvil import start_anvil
from adapters.evm.chain import Chain, Reverted, connect
from adapters.evm.deploy_builder import Builder, account
from adapters.evm.http_node import HttpNode
from adapters.evm.reverts import reason_of
from adapters.evm.world import World, open_world
from engine.errors import ChainMismatch, ConfigError, OrderRejected, OutcomeUnknown, VenueUnavailable

pytestmark = pytest.mark.chain

USDC = 10**6


@contextmanager
def node_that_hangs_up() -> Iterator[str]:
    """Takes one request whole and closes without a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with server.accept()[0] as connection:
                connection.recv(65536)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


def signed_transfer(chain: Chain, *, nonce: int, gas: int = 21_000, sender: int = 6) -> bytes:
    signed = account(sender).sign_transaction(
        {
            "chainId": chain.chain_id,
            "nonce": nonce,
            "gas": gas,
            "maxFeePerGas": 10**10,
            "maxPriorityFeePerGas": 10**9,
            "to": account(7).address,
            "value": 1,
            "data": b"",
            "type": 2,
        }
    )
    return bytes(signed.raw_transaction)


def test_a_send_without_an_answer_is_unknown() -> None:
    with node_that_hangs_up() as url, pytest.raises(OutcomeUnknown):
        HttpNode(url).ask("eth_sendRawTransaction", ["0x00"])


def test_a_send_without_a_connection_was_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"

    with pytest.raises(VenueUnavailable):
        HttpNode(url).ask("eth_sendRawTransaction", ["0x00"])


def test_a_read_without_an_answer_may_be_tried_again() -> None:
    with node_that_hangs_up() as url, pytest.raises(VenueUnavailable):
        HttpNode(url).ask("eth_blockNumber", [])


def test_another_chain_than_configured_is_refused(local: tuple[Chain, World]) -> None:
    chain, _ = local
    assert isinstance(chain.node, HttpNode)

    with pytest.raises(ChainMismatch):
        connect(chain.node.url, expected_chain_id=1)


def test_warp_sets_the_clock_and_blocks_follow_a_second_apart(local: tuple[Chain, World]) -> None:
    chain, _ = local
    instant = datetime(2018, 2, 5, 21, 0, tzinfo=UTC)

    assert chain.warp(instant).at == instant
    assert chain.mine(3).at == instant + timedelta(seconds=3)
    with pytest.raises(ConfigError, match="cannot go back"):
        chain.warp(instant)


def test_a_block_is_final_two_blocks_later(local: tuple[Chain, World]) -> None:
    chain, _ = local
    sent = chain.send_raw(signed_transfer(chain, nonce=0))
    before = chain.mined(sent)

    chain.mine_to_final()
    after = chain.mined(sent)

    assert (before.status, before.final, after.final) == (1, False, True)
    assert chain.height() - after.block == 2


def test_a_used_nonce_is_unknown_and_a_poor_sender_is_rejected(local: tuple[Chain, World]) -> None:
    chain, _ = local
    raw = signed_transfer(chain, nonce=0)
    sent = chain.send_raw(raw)
    chain.mined(sent)

    with pytest.raises(OutcomeUnknown, match=sent):
        chain.send_raw(raw)
    with pytest.raises(OrderRejected):
        chain.send_raw(signed_transfer(chain, nonce=1, gas=20_000))


def test_an_unmined_transaction_has_no_receipt(local: tuple[Chain, World]) -> None:
    chain, _ = local

    assert chain.receipt("0x" + "11" * 32) is None
    assert chain.transaction("0x" + "11" * 32) is None
    with pytest.raises(OutcomeUnknown):
        chain.mined("0x" + "11" * 32, seconds=0.01)


@pytest.mark.parametrize("backend", ["anvil", "in-process"])
def test_a_refusal_is_told_in_the_contracts_words(cached_world: World, backend: str) -> None:
    with open_world("anvil" if backend == "anvil" else "in-process") as (chain, world):
        text = world.contract("aave-cheap-pool")
        with pytest.raises(Reverted) as told:
            text.read(chain, "borrow", world["DAI"], 1, 2, 0, account(1).address)
        with pytest.raises(Reverted) as custom:
            world.contract("lyra-market").read(chain, "settleExpiredBoard", 7)

    assert told.value.reason.isdigit()  # Aave names its errors by number
    assert custom.value.reason.startswith("InvalidBoardId(")
    assert "boardId=7" in custom.value.reason


def test_bytes_we_cannot_name_are_shown() -> None:
    assert reason_of(bytes.fromhex("deadbeef00")) == "0xdeadbeef00"
    assert reason_of(b"") == "no reason given"


def test_many_reads_are_answered_at_one_block(local: tuple[Chain, World]) -> None:
    chain, world = local
    usdc, susd = world.contract("USDC"), world.contract("sUSD")

    answers = chain.read_many(
        [usdc.query("symbol"), usdc.query("decimals"), susd.query("decimals"), susd.query("symbol")]
    )

    assert answers == ["USDC", 6, 18, "sUSD"]


@pytest.mark.parametrize("backend", ["anvil", "in-process"])
def test_a_snapshot_takes_back_what_followed_and_works_once(cached_world: World, backend: str) -> None:
    with open_world("anvil" if backend == "anvil" else "in-process") as (chain, world):
        usdc, owner = world.contract("USDC"), account(5).address
        world.mint(chain, "USDC", owner, USDC)
        taken = chain.snapshot()
        world.mint(chain, "USDC", owner, USDC)

        chain.revert(taken)

        assert usdc.read(chain, "balanceOf", owner) == USDC
        world.mint(chain, "USDC", owner, USDC)
        assert usdc.read(chain, "balanceOf", owner) == 2 * USDC
        with pytest.raises(ConfigError, match="works once"):
            chain.revert(taken)


def test_a_fork_reads_the_base_chain_and_writes_beside_it(local: tuple[Chain, World]) -> None:
    chain, world = local
    owner = account(5).address
    world.mint(chain, "USDC", owner, 7)

    with start_anvil(fork=chain, chain_id=31338) as fork:
        world.mint(fork, "USDC", owner, 100)
        forked = world.contract("USDC").read(fork, "balanceOf", owner)

    assert forked == 107
    assert world.contract("USDC").read(chain, "balanceOf", owner) == 7


def test_an_event_is_decoded_from_its_own_contract_only(local: tuple[Chain, World]) -> None:
    chain, world = local
    usdc, dai = world.contract("USDC"), world.contract("DAI")
    world.mint(chain, "USDC", account(5).address, 9)

    logs = Builder(chain, account(5)).send(usdc, "transfer", account(6).address, 4)
    found = usdc.events("Transfer", logs)

    assert [(event["to"], event["value"]) for event in found] == [(account(6).address, 4)]
    assert dai.events("Transfer", logs) == []
    assert chain.logs(address=usdc.address, topics=[usdc.topic("Transfer")], first=found[0].block) == logs
