"""The chain seam against an independent client: what web3.py reads and encodes is what we read and encode."""

import warnings

import pytest

from adapters.evm.contract import Contract
from adapters.evm.deploy_builder import account
from adapters.evm.world import open_world
from contracts_abi import load
from tests.journeys.conftest import skip_without_packages

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from web3 import HTTPProvider, Web3

pytestmark = pytest.mark.chain
OWNER = account(1).address


@pytest.fixture(scope="module")
def both():
    skip_without_packages()
    with open_world() as (chain, world):
        yield chain, world, Web3(HTTPProvider(chain.node.url))


def test_the_head_of_the_chain_is_the_same(both):
    chain, _, client = both
    ours, theirs = chain.block(), client.eth.get_block("latest")

    assert (ours.number, ours.hash, ours.timestamp) == (
        theirs["number"],
        theirs["hash"].to_0x_hex(),
        theirs["timestamp"],
    )
    assert chain.chain_id == client.eth.chain_id
    assert chain.balance(OWNER) == client.eth.get_balance(OWNER)


@pytest.mark.parametrize(
    ("name", "interface", "function", "arguments"),
    [
        ("USDC", "erc20", "approve", [OWNER, 12_345_678]),
        ("USDC", "erc20", "transfer", [OWNER, 2**255 + 1]),
        ("aave-cheap-pool", "aave-v3-pool", "supply", [OWNER, 10**6, OWNER, 0]),
        ("aave-cheap-pool", "aave-v3-pool", "borrow", [OWNER, 10**18, 2, 0, OWNER]),
        ("safe-singleton", "safe-1.4.1", "execTransaction",
         [OWNER, 0, b"\x01\x02", 1, 0, 0, 0, OWNER, OWNER, b"\x03" * 65]),
    ],
)  # fmt: skip
def test_call_data_is_the_same_to_the_byte(both, name, interface, function, arguments):
    _, world, client = both
    contract = client.eth.contract(address=world[name], abi=load(interface))

    assert Contract(world[name], load(interface)).encode(function, *arguments).hex() == contract.encode_abi(
        function, args=arguments
    ).removeprefix("0x")


@pytest.mark.parametrize("symbol", ["USDC", "WETH"])
def test_an_answer_is_read_the_same(both, symbol):
    chain, world, client = both
    theirs = client.eth.contract(address=world[symbol], abi=load("erc20"))

    for holder in (OWNER, world["aave-cheap-pool"], account(9).address):
        ours = Contract(world[symbol], load("erc20")).read(chain, "balanceOf", holder)
        assert ours == theirs.functions.balanceOf(holder).call()
