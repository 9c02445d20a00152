import json
import sys

import pytest
from eth_account import Account

from adapters.safe.keystore import unlock
from engine.errors import ApprovalError, ConfigError

SECRET, PASSPHRASE = b"\x11" * 32, "correct horse"


@pytest.fixture
def stored():
    return Account.encrypt(SECRET, PASSPHRASE, kdf="scrypt", iterations=2)


def written(folder, content, mode=0o600):
    path = folder / "owner.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    path.chmod(mode)
    return path


@pytest.mark.parametrize("passphrase", [PASSPHRASE, PASSPHRASE.encode()])
def test_the_passphrase_opens_the_key(tmp_path, stored, passphrase):
    assert unlock(written(tmp_path, stored), passphrase).address == Account.from_key(SECRET).address


def test_a_key_shows_its_address_only(tmp_path, stored):
    shown = repr(unlock(written(tmp_path, stored), PASSPHRASE))

    assert SECRET.hex() not in shown
    assert "_secret" not in shown


@pytest.mark.fault("F72")
def test_a_wrong_passphrase_is_refused_without_being_shown(tmp_path, stored):
    with pytest.raises(ApprovalError, match="stays locked") as refused:
        unlock(written(tmp_path, stored), "hunter2")
    assert "hunter2" not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.fault("F72")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_a_file_that_others_may_use_is_refused(tmp_path, stored, mode):
    with pytest.raises(ConfigError, match="others may use it"):
        unlock(written(tmp_path, stored, mode), PASSPHRASE)


@pytest.mark.fault("F72")
@pytest.mark.parametrize("cost", [{"n": 2**26}, {"r": 2**26}, {"p": 17}])
def test_a_scrypt_bomb_is_refused_at_once(tmp_path, stored, cost):
    stored["crypto"]["kdfparams"].update(cost)

    with pytest.raises(ConfigError, match="too much memory or time"):
        unlock(written(tmp_path, stored), PASSPHRASE)


def test_a_pbkdf2_bomb_is_refused_at_once(tmp_path):
    stored = Account.encrypt(SECRET, PASSPHRASE, kdf="pbkdf2", iterations=1)
    stored["crypto"]["kdfparams"]["c"] = 10**9

    with pytest.raises(ConfigError, match="too much memory or time"):
        unlock(written(tmp_path, stored), PASSPHRASE)


@pytest.mark.parametrize("cost", [{"n": "2"}, {"n": True}, {"n": -2}, {"n": None}])
def test_a_cost_that_is_no_number_is_refused(tmp_path, stored, cost):
    stored["crypto"]["kdfparams"].update(cost)

    with pytest.raises(ConfigError, match="not understood"):
        unlock(written(tmp_path, stored), PASSPHRASE)


@pytest.mark.parametrize("content", ["", "[]", "{}", "not json", " " * 70_000])
def test_what_is_no_keystore_is_refused(tmp_path, content):
    with pytest.raises(ConfigError, match=r"keystore|key derivation"):
        unlock(written(tmp_path, content), PASSPHRASE)


def test_a_file_nested_without_end_is_refused(tmp_path):
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000)  # what a fresh interpreter has; some libraries raise it until the stack runs out
    try:
        with pytest.raises(ConfigError, match="not a keystore"):
            unlock(written(tmp_path, "[" * 60_000), PASSPHRASE)
    finally:
        sys.setrecursionlimit(limit)


def test_a_link_a_folder_and_nothing_are_refused(tmp_path, stored):
    link = tmp_path / "link.json"
    link.symlink_to(written(tmp_path, stored))

    for path in (link, tmp_path, tmp_path / "missing.json"):
        with pytest.raises(ConfigError, match="refused"):
            unlock(path, PASSPHRASE)


def test_a_file_that_names_another_address_is_refused(tmp_path, stored):
    stored["address"] = "22" * 20

    with pytest.raises(ConfigError, match="not that of its key"):
        unlock(written(tmp_path, stored), PASSPHRASE)
