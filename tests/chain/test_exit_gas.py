"""What leaving costs in gas is what the vault burns on the local chain."""

import pytest

from engine.instruments import Cash
from engine.money import Money
from engine.risk.view import EXIT_GAS
from tests.chain.vault_stage import SUSD, USDC, WETH, debt, order, stage, supply

pytestmark = [pytest.mark.chain]


@pytest.mark.requirement("D11")
def test_exit_gas_is_what_each_venue_burns():
    with stage() as s:
        s.run((s.lyra, order("lyra", s.put(), "10", Money.of("-2100", SUSD))))
        s.run((s.cheap, supply("aave-cheap", WETH, "20")))
        s.run((s.cheap, debt("aave-cheap", USDC, "-10000")))

        burnt = {
            "option": s.run((s.lyra, order("lyra", s.put(), "-10", Money.of("700", SUSD)))).gas_used,
            "debt": s.run((s.cheap, debt("aave-cheap", USDC, "9000"))).gas_used,
            "supply": s.run((s.cheap, supply("aave-cheap", WETH, "-5"))).gas_used,
            "cash": s.run((s.uniswap, order("uniswap", Cash(WETH), "-2", Money.of("3900", USDC)))).gas_used,
        }

    assert burnt == pytest.approx({kind: EXIT_GAS[kind] for kind in burnt}, rel=0.1)
