"""Pinned packages: only the pinned bytes get in, and every interface is the published one."""

from pathlib import Path

import pytest
from eth_utils.address import to_checksum_address

import contracts_abi
from adapters.evm import packages
from adapters.evm.packages import Artifact, admit, fetch, missing, pins
from engine.errors import ConfigError, VenueUnavailable

pytestmark = pytest.mark.chain


def test_a_tarball_with_another_hash_never_reaches_the_cache(tmp_path: Path) -> None:
    forged = tmp_path / "forged.tgz"
    forged.write_bytes(b"not what was published")
    cache = tmp_path / "a cache with spaces"

    with pytest.raises(ConfigError, match="sha512"):
        admit(forged, pins()["safe-contracts"], cache)

    assert not cache.exists()


def test_each_interface_says_its_chain_version_licence_and_its_address_or_why_it_has_none() -> None:
    listed = contracts_abi.sources()

    for name, contract in listed["contract"].items():
        said = {**listed["package"].get(contract.get("package"), {}), **contract}
        assert all(said.get(part) for part in ("home", "version", "licence")), name
        assert bool(contract["address"]) != bool(contract.get("reason")), name
        assert not contract["address"] or to_checksum_address(contract["address"]) == contract["address"], name


def test_what_is_fetched_and_checks_out_is_not_fetched_again(
    fetched_packages: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEDGE_NPM", "/nowhere/npm")
    said: list[str] = []

    fetch(progress=said.append)

    assert said
    assert all(line.endswith("there already") for line in said)


def test_without_npm_the_error_names_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEDGE_NPM", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ConfigError, match="hedge chain fetch"):
        fetch(tmp_path / "empty")


def test_an_npm_that_fails_may_be_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "npm"
    broken.write_text("#!/bin/sh\necho no network >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("HEDGE_NPM", str(broken))

    with pytest.raises(VenueUnavailable, match="no network"):
        fetch(tmp_path / "empty")


def test_a_package_changed_in_the_cache_is_refused_and_counts_as_missing(
    fetched_packages: None, tmp_path: Path
) -> None:
    pin = pins()["uniswap-v3-core"]
    content = bytearray((packages.default_cache() / pin.file).read_bytes())
    content[100] ^= 1
    (tmp_path / pin.file).write_bytes(content)

    assert pin in missing(tmp_path)
    with pytest.raises(ConfigError, match="not the pinned one"):
        packages.artifact("uniswap-v3-core", "UniswapV3Factory", tmp_path)


@pytest.mark.fault("F65")
def test_every_interface_we_hold_is_part_of_the_published_one(fetched_packages: None) -> None:
    rows = contracts_abi.sources()["contract"]
    for name, row in rows.items():
        if "package" not in row:
            continue
        published = packages.artifact(row["package"], row["artifact"]).abi
        theirs = {_shape(entry) for entry in published}

        assert {_shape(entry) for entry in contracts_abi.load(name)} <= theirs, name


def test_an_interface_without_a_package_says_where_it_was_published() -> None:
    rows = {name: row for name, row in contracts_abi.sources()["contract"].items() if "package" not in row}

    assert rows
    assert all(row["source"].startswith("https://") and row["licence"] and row["home"] for row in rows.values())
    assert all(contracts_abi.load(name) for name in rows)


@pytest.mark.fault("F65")
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'"name": "transfer"', b'"name": "many_msg_babbage"'),  # another function under the name we call
        (b'"recipient"', b'"amount"'),  # parameters that say something else
        (b"address", b"uint160"),  # the same bytes, another selector
        (b" ", b"  "),
    ],
)
def test_an_interface_that_was_tampered_with_is_refused(tmp_path, monkeypatch, before, after) -> None:
    original = Path(contracts_abi.__file__).parent
    text = (original / "erc20.json").read_bytes()
    assert before in text
    (tmp_path / "erc20.json").write_bytes(text.replace(before, after, 1))
    monkeypatch.setattr(contracts_abi, "files", lambda _: tmp_path)

    with pytest.raises(ConfigError, match="interface erc20 refused: the file is not the one"):
        contracts_abi.load.__wrapped__("erc20")
    (tmp_path / "erc20.json").write_bytes(text)
    assert contracts_abi.load.__wrapped__("erc20") == contracts_abi.load("erc20")


def test_an_interface_that_nobody_listed_is_refused() -> None:
    with pytest.raises(ConfigError, match="unknown"):
        contracts_abi.load("erc21")


def test_a_library_is_linked_at_each_of_its_places() -> None:
    hole = "__$" + "0" * 34 + "$__"
    twice = Artifact("A", [], f"0x60{hole}61{hole}", {"Lib": (1, 22)})

    assert twice.linked({"Lib": "0x" + "ab" * 20}).hex() == "60" + "ab" * 20 + "61" + "ab" * 20


def _shape(entry: dict[str, object]) -> str:
    def parts(of: object) -> str:
        assert isinstance(of, list)
        return ",".join(
            f"{part['type']} {part['name']}{part.get('indexed', '')}({parts(part.get('components', []))})"
            for part in of
        )

    return f"{entry['type']} {entry.get('name')} {parts(entry.get('inputs', []))} {parts(entry.get('outputs', []))}"
