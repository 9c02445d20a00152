"""A workspace after its chain was stopped and started: the same desk, and the owners' call policy beside it."""

import json

import pytest

from tests.journeys.conftest import hedge, skip_without_packages

pytestmark = [pytest.mark.journey, pytest.mark.chain, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def again(tmp_path_factory):
    """A workspace whose chain was stopped and started once."""
    skip_without_packages()
    folder = tmp_path_factory.mktemp("again") / "desk"
    hedge("init", folder, check=0)
    hedge("chain", "down", "-C", folder, check=0)
    hedge("chain", "up", "-C", folder, check=0)
    yield folder
    hedge("chain", "down", "-C", folder)


def test_a_chain_that_forgot_its_past_is_planned_on_and_reconciles(again):
    planned = hedge("plan", "new", "-C", again, "--json", check=10)

    assert json.loads(planned.stdout)["orders"]
    assert json.loads(hedge("reconcile", "-C", again, "--json", check=0).stdout)["breaks"] == []


def closed(policy):
    """Nothing is open: not one function of any target."""
    return {**policy, "targets": [{**target, "functions": []} for target in policy["targets"]]}


def elsewhere(policy):
    return {**policy, "avatar": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"}


def more(policy):
    return {**policy, "everything": True}


@pytest.mark.fault("F62")
@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (closed, 21, "the call policy does not open it"),
        (elsewhere, 78, "it is for Safe 0x70997970C51812dc3A010C7d01b50e0d17dc79C8"),
        (more, 78, "something in it is unknown"),
        (None, 78, "call-policy.json cannot be read"),
    ],
    ids=["closed", "another Safe", "unknown key", "gone"],
)
def test_the_owners_call_policy_is_the_files_word_and_nobody_elses(again, change, code, words):
    path = again / "call-policy.json"
    kept = path.read_text(encoding="utf-8")
    path.unlink()
    if change is not None:
        path.write_text(json.dumps(change(json.loads(kept))), encoding="utf-8")
    try:
        refused = hedge("plan", "new", "-C", again)
    finally:
        path.write_text(kept, encoding="utf-8")

    assert (refused.returncode, words in refused.stderr) == (code, True), refused.stderr
