"""`hedge chain` and its note of where it runs: a note that outlived its chain is never acted on."""

import json
import subprocess
import sys

import pytest

from scripts.chain import running
from tests.journeys.conftest import within

pytestmark = pytest.mark.journey


@pytest.fixture
def bystander():
    """A process of somebody else."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def noted(folder, text):
    (folder / "chain").mkdir()
    (folder / "chain" / "running.json").write_text(text, encoding="utf-8")


def test_a_process_that_took_over_the_number_of_a_chain_that_is_gone_is_left_alone(tmp_path, bystander):
    noted(tmp_path, json.dumps({"pid": bystander.pid, "url": "http://127.0.0.1:9", "chain_id": 31337}))

    ran = within("chain", "down", "-C", tmp_path)

    assert (ran.returncode, ran.stdout) == (0, "no chain was running\n")
    assert bystander.poll() is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{}",
        "[" * 5_000,
        *(
            json.dumps({"pid": 4, "url": "http://127.0.0.1:9", "chain_id": 31337} | wrong)
            for wrong in (
                {"pid": "x"}, {"pid": None}, {"pid": True}, {"pid": 0}, {"pid": 1}, {"pid": -1}, {"pid": 2**80},
                {"url": 5}, {"url": "ftp://x"}, {"chain_id": "31337"},
            )
        ),
    ],
)  # fmt: skip
def test_a_note_that_is_none_says_that_nothing_runs(tmp_path, text):
    noted(tmp_path, text)

    assert running(tmp_path) is None
    assert within("chain", "down", "-C", tmp_path).stdout == "no chain was running\n"
    assert within("chain", "status", "-C", tmp_path).stdout == "status: down\n"


@pytest.mark.parametrize("place", ["/dev/null/x", "/proc/x"])
def test_a_place_where_no_chain_can_be_kept_is_refused_in_one_line(place):
    ran = within("chain", "up", "-C", place)

    assert (ran.returncode, ran.stdout) == (78, "")
    assert f"-C {place} refused: no chain can be kept there" in ran.stderr
    assert len(ran.stderr.strip().splitlines()) == 1
