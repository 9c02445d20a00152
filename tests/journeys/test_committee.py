"""A change of the policy from proposal to force, as three members go through it, and what the desk makes of it."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from eth_account import Account

from adapters.files.config import policy_digest
from adapters.files.policy_file import written
from adapters.safe.keystore import from_secret
from engine.errors import ConfigError
from engine.policy.settings import Policy
from scripts import committee
from scripts.desk import open_journal
from scripts.seats import COMMITTEE, policy_of
from scripts.workspace import LEDGER, SETTINGS, STANDING, load
from tests.journeys.conftest import within

KEYS = tuple(from_secret(bytes([number]) * 32) for number in (1, 2, 3, 4))
MEMBERS, STRANGER = KEYS[:3], KEYS[3]
T0 = datetime(2026, 3, 2, 15, tzinfo=UTC)
HOUR = timedelta(hours=1)
RAISED = Policy.model_validate({"limits": {"drawdown_2sd": "7%"}})
LOWERED = Policy.model_validate({"limits": {"drawdown_2sd": "5%"}})

pytestmark = pytest.mark.journey


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A workspace of three members, two of whom must agree, at an hour the test sets."""
    seats = ", ".join(f'"{key.address}"' for key in MEMBERS)
    (tmp_path / SETTINGS).write_text(f"[committee]\nmembers = [{seats}]\nneeded = 2\n", encoding="utf-8")
    standing = {"safe": "", "ramp": "", "pinned": {}, "addresses": {}, "market": {"day": "2018-04-25"}}
    (tmp_path / STANDING).write_text(json.dumps(standing), encoding="utf-8")
    (tmp_path / "policy.toml").write_text(written(Policy()), encoding="utf-8")
    open_journal(tmp_path / LEDGER).close()
    for number, key in enumerate(KEYS, start=1):
        path = tmp_path / f"key-{number}.json"
        secret = bytes([number]) * 32
        path.touch(mode=0o600)
        path.write_text(json.dumps(Account.encrypt(secret, "open", kdf="scrypt", iterations=2)), encoding="utf-8")
        assert Account.from_key(secret).address == key.address
    (tmp_path / "words").write_text("open", encoding="utf-8")
    return Sitting(tmp_path, monkeypatch)


class Sitting:
    def __init__(self, root, monkeypatch):
        self.root, self._patch = root, monkeypatch
        self.at(T0)

    def at(self, instant):
        self._patch.setattr(committee, "_now", lambda: instant)

    def __call__(self, verb, *arguments, member=1):
        key = [] if verb == "committee" else ["--key", self.root / f"key-{member}.json"]
        words = [] if verb == "committee" else ["--passphrase", f"file:{self.root / 'words'}"]
        ran = within("policy", verb, *arguments, "-C", self.root, *key, *words, "--json")
        return ran.returncode, json.loads(ran.stdout) if ran.stdout else ran.stderr

    def propose(self, policy, member=1):
        path = self.root / "proposed.toml"
        path.write_text(written(policy), encoding="utf-8")
        return self("propose", path, "--why", "a wetter spring", member=member)

    def in_force(self):
        workspace = load(self.root)
        journal = open_journal(self.root / LEDGER)
        try:
            return policy_of(workspace, journal)
        finally:
            journal.close()

    def acts(self):
        journal = open_journal(self.root / LEDGER)
        try:
            return [json.loads(note.text)["deed"] for note in journal.notes(COMMITTEE)]
        finally:
            journal.close()


@pytest.mark.requirement("S89", "X09")
def test_a_raise_of_risk_passes_proposal_votes_time_lock_and_execution(desk):
    digest = policy_digest(RAISED)

    code, said = desk.propose(RAISED)
    assert (code, said["status"], said["raises"]) == (10, "voting", ["limits.drawdown_2sd"])

    desk.at(T0 + HOUR)
    assert desk("vote", digest, member=1)[0] == 10
    assert desk("vote", digest, "--against", member=3)[1]["approvals"] == 1
    assert desk("vote", digest, member=2)[1]["approvals"] == 2

    desk.at(T0 + 2 * HOUR)  # the window of two hours has ended, the lock of one has not
    code, said = desk("execute", digest)
    assert (code, "time lock ends at 2026-03-02 18:00" in said) == (10, True)
    assert desk.in_force() == Policy()

    desk.at(T0 + 3 * HOUR)
    code, said = desk("execute", digest[:10])
    assert (code, said["status"]) == (0, "executed")
    assert desk.in_force() == RAISED

    _, seen = desk("committee")
    assert seen["in_force"] == digest
    assert sorted(seen["proposals"][0]["votes"].values()) == ["against", "for", "for"]
    assert desk.acts() == ["propose", "vote", "vote", "vote", "execute"]


@pytest.mark.requirement("S89", "X17")
def test_a_change_that_only_lowers_risk_waits_for_nobody(desk):
    code, said = desk.propose(LOWERED)
    assert (code, said["status"], said["raises"]) == (0, "ready", [])

    assert desk("execute", policy_digest(LOWERED))[0] == 0
    assert desk.in_force() == LOWERED


@pytest.mark.requirement("S89")
def test_with_too_few_votes_nothing_comes_into_force(desk):
    desk.propose(RAISED)
    desk("vote", policy_digest(RAISED), member=1)
    desk.at(T0 + 3 * HOUR)

    code, said = desk("execute", policy_digest(RAISED))

    assert code == 11
    assert "1 of 2-of-3 voted for it; it is rejected" in said
    assert desk.in_force() == Policy()


@pytest.mark.requirement("S89")
def test_a_policy_file_that_nobody_voted_on_is_not_decided_by(desk):
    (desk.root / "policy.toml").write_text(written(RAISED), encoding="utf-8")

    with pytest.raises(ConfigError, match=r"policy\.toml .*the committee has not executed it.*S89"):
        desk.in_force()


@pytest.mark.requirement("S89")
def test_a_stranger_neither_proposes_nor_votes_and_nobody_votes_twice(desk):
    assert "no seat on the committee" in desk.propose(RAISED, member=4)[1]
    desk.propose(RAISED)
    digest = policy_digest(RAISED)

    assert "no seat on the committee" in desk("vote", digest, member=4)[1]
    assert desk("vote", digest, member=2)[0] == 10
    assert "has voted on it" in desk("vote", digest, member=2)[1]
    assert desk.acts() == ["propose", "vote"]


@pytest.mark.requirement("S89")
def test_a_vote_that_its_member_did_not_sign_is_recorded_and_counts_for_nothing(desk):
    desk.propose(RAISED)
    desk("vote", policy_digest(RAISED), member=2)
    journal = open_journal(desk.root / LEDGER)
    forged = json.loads(journal.notes(COMMITTEE)[-1].text) | {"member": MEMBERS[2].address}
    journal.note(COMMITTEE, json.dumps(forged), T0)
    journal.close()

    assert desk("committee")[1]["proposals"][0]["approvals"] == 1


@pytest.mark.requirement("S89", "X17")
def test_a_lowering_proposed_before_a_lower_one_came_into_force_is_a_raise_now(desk):
    lowest = Policy.model_validate({"limits": {"drawdown_2sd": "4%"}})
    desk.propose(LOWERED)
    desk.propose(lowest)
    assert desk("execute", policy_digest(lowest))[0] == 0

    code, said = desk("execute", policy_digest(LOWERED))

    assert code == 11
    assert "it raises risk (X17)" in said
    assert desk.in_force() == lowest


def test_an_execution_whose_file_was_not_written_is_finished_by_running_it_again(desk):
    desk.propose(LOWERED)
    desk("execute", policy_digest(LOWERED))
    (desk.root / "policy.toml").write_text(written(Policy()), encoding="utf-8")

    assert desk("execute", policy_digest(LOWERED))[0] == 0
    assert desk.in_force() == LOWERED
    assert desk.acts() == ["propose", "execute"]
