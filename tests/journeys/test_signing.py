"""Owners whose keys are elsewhere approve through the command, and what they signed stays in sight until spent."""

import json
import sys

import pytest

from adapters.evm.chain import connect
from adapters.evm.contract import Contract
from adapters.evm.deploy_builder import Builder, account
from adapters.evm.deploy_safe import deploy_safe
from adapters.safe.eip712 import safe_tx
from adapters.safe.keystore import from_secret
from adapters.safe.signatures import Terms, pack, sign_transaction
from adapters.safe.simulation import execution
from adapters.safe.state import read_state
from contracts_abi import load
from scripts.setup import PASSPHRASE
from tests.journeys.conftest import hedge, skip_without_packages, within

pytestmark = [pytest.mark.journey, pytest.mark.chain, pytest.mark.timeout(240)]


def owner(index: int):
    return from_secret(bytes(account(index).key))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A workspace whose Safe has a Safe among its owners: accounts 1, 2, 3 and one of accounts 6 and 8; 2 of 4."""
    skip_without_packages()
    made = tmp_path_factory.mktemp("signing") / "desk"
    hedge("init", made, check=0)
    yield made
    within("chain", "down", "-C", made)


@pytest.fixture(scope="module")
def nested(folder):
    standing = json.loads((folder / "contracts.json").read_text(encoding="utf-8"))
    url = json.loads((folder / "chain" / "running.json").read_text(encoding="utf-8"))["url"]
    with connect(url) as chain:
        inner = deploy_safe(chain, standing["addresses"], [account(i).address for i in (6, 8)], 2, salt=7)
        outer = Contract(standing["safe"], load("safe-1.4.1"))
        data = outer.encode("addOwnerWithThreshold", inner.address, 2)
        state = read_state(chain, outer.address)
        tx = safe_tx(
            chain_id=chain.chain_id, safe=outer.address, to=outer.address, value=0, data=data, operation=0, nonce=0
        )
        terms = Terms(chain.chain_id, outer.address, frozenset(state.owners), 2, 0)
        given = {owner(i).address: sign_transaction(tx, owner(i)) for i in (1, 2)}
        Builder(chain, account(5)).send_data(outer.address, execution(outer, tx, pack(tx, given, terms).signatures))
        chain.mine_to_final()
    return inner.address


@pytest.fixture(scope="module")
def plan(folder, nested):
    noticed = within("plan", "new", "-C", folder, "--json")
    assert (noticed.returncode, "is of no plan of ours" in noticed.stderr) == (
        23,
        True,
    )  # the change of owners, told once
    ran = within("plan", "new", "-C", folder, "--json")
    assert ran.returncode == 10, ran.stderr
    return json.loads(ran.stdout)["path"]


@pytest.fixture(scope="module")
def device(tmp_path_factory):
    """A program that holds an account's key, as a hardware wallet's does."""
    at = tmp_path_factory.mktemp("devices")

    def made(index: int) -> str:
        path = at / f"device-{index}.py"
        path.write_text(
            "import sys\nfrom eth_keys.datatypes import PrivateKey\n"
            f"made = PrivateKey(bytes.fromhex('{bytes(account(index).key).hex()}'))"
            ".sign_msg_hash(bytes.fromhex(sys.stdin.readline()[2:])).to_bytes()\n"
            "print('0x' + made[:64].hex() + f'{made[64] + 27:02x}')\n",
            encoding="utf-8",
        )
        return f"'{sys.executable}' '{path}'"

    return made


def outstanding(folder):
    ran = within("plan", "outstanding", "-C", folder, "--json")
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def keystores(folder, *indices):
    """Encrypted keys of accounts, as options."""
    from eth_account import Account

    (folder / "passphrase").write_text(PASSPHRASE, encoding="utf-8")
    options = []
    for index in indices:
        path = folder / "keys" / f"account-{index}.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(Account.encrypt(account(index).key, PASSPHRASE, kdf="scrypt", iterations=4096)))
        options += ["--key", path]
    return options


@pytest.fixture(scope="module")
def told(folder, nested, plan, device):
    """The plan's way with what each step answered: refusals first, then the two owners, then the execution."""
    stranger, known = owner(7).address, owner(3).address
    before = sorted(path.name for path in (folder / "plans").iterdir())
    wrong = {
        "stranger": ("--command", device(7), "--owner", stranger),
        "other key": ("--command", device(7), "--owner", known),
        "no owner named": ("--command", device(3)),
        "relative": ("--command", "relative", "--owner", known),
        "checksum": ("--command", device(3), "--owner", known.lower()),
        "nobody": (),
        "two at once": keystores(folder, 1, 3),
    }
    secret = ("--passphrase", f"file:{folder / 'passphrase'}", "-C", folder)
    steps = {name: within("approve", plan, *options, *secret) for name, options in wrong.items()}
    assert sorted(path.name for path in (folder / "plans").iterdir()) == before
    listed = {"none": outstanding(folder)}
    steps["program"] = within("approve", plan, "--command", device(2), "--owner", owner(2).address, *secret, "--json")
    listed["one"] = outstanding(folder)
    steps["too early"] = within("apply", plan, "-C", folder)
    steps["contract"] = within("approve", plan, "--contract", nested, *keystores(folder, 6, 8), *secret, "--json")
    listed["both"] = outstanding(folder)
    steps["shown"] = within("plan", "outstanding", "-C", folder)
    steps["applied"] = within("apply", plan, "-C", folder, "--json")
    listed["spent"] = outstanding(folder)
    return steps, listed


@pytest.mark.parametrize(
    ("step", "code", "words"),
    [
        ("stranger", 11, "no owner of the Safe today"),
        ("other key", 11, "signed something else, or with another key"),
        ("no owner named", 2, "--command and --owner belong together"),
        ("relative", 78, "no absolute path"),
        ("checksum", 2, "checksum"),
        ("nobody", 2, "0 signers refused"),
        ("two at once", 2, "2 signers refused"),
        ("too early", 10, "1 of 2 approvals"),
    ],
)
def test_what_is_no_owners_signature_leaves_no_file_and_says_why(told, step, code, words):
    ran = told[0][step]

    assert ran.returncode == code
    assert words in ran.stderr


def test_a_program_and_a_contract_that_own_the_safe_approve_and_the_plan_is_carried_out(told, nested):
    steps, _ = told

    assert json.loads(steps["program"].stdout)["owner"] == owner(2).address
    assert json.loads(steps["contract"].stdout)["owner"] == nested
    assert json.loads(steps["applied"].stdout)["status"] == "applied"


@pytest.mark.fault("F67")
def test_a_signed_nonce_is_told_with_what_it_could_do_until_it_is_spent(told):
    steps, listed = told

    assert (listed["none"]["status"], listed["none"]["signed"]) == ("nothing outstanding", [])
    assert {row["standing"] for row in listed["one"]["signed"]} == {"signatures are missing"}
    assert [row["standing"] for row in listed["both"]["signed"]] == ["anybody can send it now"] * 2
    (batch,) = [row for row in listed["both"]["signed"] if row["deadline"]]
    (cancel,) = [row for row in listed["both"]["signed"] if row["deadline"] is None]
    assert (batch["nonce"], batch["signed"], batch["threshold"], batch["voidable"]) == (1, 2, 2, True)
    assert any("supply" in words for words in batch["effects"])
    assert cancel["effects"] == ["burn nonce 1"]
    assert "anybody can send it now" in " ".join(steps["shown"].stdout.split())
    assert (listed["spent"]["signed"], listed["spent"]["unexplained"]) == ([], [])
