from pathlib import Path

import pytest

from adapters.evm.capabilities import CAPABILITIES, Proof, capability, matrix
from contracts_abi import sources
from engine.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]


def test_the_document_is_the_table():
    assert (ROOT / "docs" / "venues.md").read_text(encoding="utf-8") == matrix()


def test_every_venue_is_tested_by_the_suite_it_claims():
    suites = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "chain").glob("test_*.py"))
    adapters = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "adapters" / "evm").glob("*.py"))

    assert all(f"class {each.adapter}" in adapters for each in CAPABILITIES)
    assert suites.count("(OnchainVenueContract)") >= 2 * len(CAPABILITIES) - 2


def test_what_ran_against_our_own_contracts_says_so():
    own = {each.venue for each in CAPABILITIES if each.proof is Proof.OWN}

    assert own == {"vaults", "squeeth", "opyn", "hegic"}
    unpublished = {name.partition("-")[0] for name, row in sources()["contract"].items() if "package" not in row}
    assert unpublished == {"erc", "squeeth", "opyn", "hegic"}


def test_an_adapter_without_a_table_is_refused():
    with pytest.raises(ConfigError, match="publishes no capabilities"):
        capability(object())
