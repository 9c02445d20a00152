"""Signature files: one per owner, whole or refused."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from adapters.evm.wire import address, hex0x
from adapters.safe.detached import Sheet, collect, read, sheet_of, write
from adapters.safe.keystore import from_secret
from engine.errors import ApprovalError, InputError
from engine.orders import PlanApproval

SAFE = address("0x" + "5a" * 20)
ONE, TWO = from_secret(b"\1" * 32), from_secret(b"\2" * 32)
MADE = datetime(2025, 3, 3, 15, tzinfo=UTC)
SIGNATURE = hex0x(ONE.sign(bytes(32)))
APPROVAL = PlanApproval(ONE.address, "ab" * 32, SIGNATURE, {"0x" + "cd" * 32: SIGNATURE})
SHEET = sheet_of(APPROVAL, chain_id=10, safe=SAFE, made=MADE)


def test_what_was_written_is_read(tmp_path):
    assert read(write(SHEET, tmp_path / "one.json")) == SHEET
    assert SHEET.approval == APPROVAL


def test_signatures_outside_a_plan_approve_none(tmp_path):
    loose = replace(SHEET, plan_digest="", plan_signature="")

    assert read(write(loose, tmp_path / "one.json")) == loose
    with pytest.raises(ApprovalError, match="approve no plan"):
        _ = loose.approval


def test_a_file_holds_no_more_than_addresses_hashes_and_signatures(tmp_path):
    secret = (b"\1" * 32).hex()

    assert secret not in write(SHEET, tmp_path / "one.json").read_text()


def test_signatures_are_never_overwritten(tmp_path):
    path = write(SHEET, tmp_path / "one.json")

    with pytest.raises(InputError, match="not written"):
        write(replace(SHEET, transactions={}), path)
    assert read(path) == SHEET


def test_each_owner_brings_a_file(tmp_path):
    other = replace(SHEET, owner=TWO.address)
    paths = [write(SHEET, tmp_path / "a.json"), write(other, tmp_path / "b.json")]

    assert collect(paths, chain_id=10, safe=SAFE) == {ONE.address: SHEET, TWO.address: other}


@pytest.mark.parametrize("place", [{"chain_id": 1}, {"safe": address("0x" + "5b" * 20)}])
def test_signatures_for_another_safe_or_chain_are_refused(tmp_path, place):
    with pytest.raises(ApprovalError, match="it is for Safe"):
        collect([write(SHEET, tmp_path / "a.json")], **({"chain_id": 10, "safe": SAFE} | place))


def test_two_files_of_one_owner_that_differ_are_refused(tmp_path):
    paths = [write(SHEET, tmp_path / "a.json"), write(replace(SHEET, transactions={}), tmp_path / "b.json")]

    with pytest.raises(ApprovalError, match="another file holds other signatures"):
        collect(paths, chain_id=10, safe=SAFE)


@pytest.mark.fault("F60")
@pytest.mark.parametrize(
    "change",
    [
        {"schema": "hedge.signatures/2"},
        {"safe": SAFE.lower()},
        {"owner": ONE.address.swapcase()},
        {"owner": 5},
        {"chain_id": "10"},
        {"chain_id": True},
        {"made": "2025-03-03T15:00:00"},
        {"made": 5},
        {"plan": "AB" * 32},
        {"plan_signature": SIGNATURE[:-2]},
        {"transactions": {"0x" + "CD" * 32: SIGNATURE}},
        {"transactions": {"0x" + "cd" * 32: SIGNATURE + "0"}},
        {"transactions": {"0x" + "cd" * 32: "0x" + "00" * 9000}},
        {"transactions": []},
        {"extra": 1},
    ],
)
def test_a_file_edited_by_hand_is_refused(tmp_path, change):
    path = write(SHEET, tmp_path / "one.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | change))

    with pytest.raises(ApprovalError, match=r"one\.json refused"):
        read(path)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "[" * 100_000, " " * (1 << 20) + "{}", '{"schema": 1, "schema": 2}']
)
def test_what_is_no_signature_file_is_refused(tmp_path, content):
    (tmp_path / "one.json").write_text(content)

    with pytest.raises(ApprovalError, match="no document of"):
        read(tmp_path / "one.json")


def test_a_name_that_stands_twice_is_refused(tmp_path):
    path = write(SHEET, tmp_path / "one.json")
    path.write_text(path.read_text().replace('"chain_id": 10', '"chain_id": 1, "chain_id": 10'))

    with pytest.raises(ApprovalError, match="no document of"):
        read(path)


def test_a_link_a_folder_and_nothing_are_refused(tmp_path):
    link = tmp_path / "link.json"
    link.symlink_to(write(SHEET, tmp_path / "one.json"))

    for path in (link, tmp_path, tmp_path / "missing.json"):
        with pytest.raises(ApprovalError, match="refused"):
            read(path)


def test_a_sheet_is_a_value():
    assert Sheet(10, SAFE, ONE.address, MADE, {}) == Sheet(10, SAFE, ONE.address, MADE, {})
