"""Test tokens that anyone permitted may mint; `mint` funds an account with them."""

from adapters.evm.chain import Chain
from adapters.evm.contract import Contract
from adapters.evm.deploy_builder import Builder
from engine.orders import Address

DECIMALS = {"USDC": 6, "DAI": 18, "sUSD": 18, "WETH": 18, "sETH": 18}
STABLES = ("USDC", "DAI", "sUSD")

_MINT = {
    "type": "function",
    "name": "mint",
    "inputs": [{"name": "account", "type": "address"}, {"name": "amount", "type": "uint256"}],
    "outputs": [],
}


def deploy_tokens(builder: Builder) -> dict[str, Address]:
    """Every token by its symbol: USDC (6 decimals), DAI, sUSD (Lyra's quote), WETH, sETH (Lyra's base)."""
    return {
        "USDC": builder.create("lyra-avalon", "TestERC20SetDecimals", "USD Coin", "USDC", 6).address,
        "DAI": builder.create("lyra-avalon", "TestERC20SetDecimals", "Dai Stablecoin", "DAI", 18).address,
        "sUSD": builder.create("lyra-avalon", "TestERC20Fail", "Synth sUSD", "sUSD").address,
        "sETH": builder.create("lyra-avalon", "TestERC20Fail", "Synth sETH", "sETH").address,
        "WETH": builder.create("aave-v3-core", "WETH9Mocked").address,
    }


def mint(chain: Chain, book: dict[str, Address], symbol: str, to: str, amount: int) -> None:
    """Give `to` that many smallest units of a test token (local chains only)."""
    Builder(chain).send(Contract(book[symbol], [_MINT]), "mint", to, amount)
