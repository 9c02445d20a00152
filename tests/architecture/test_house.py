"""Rules of the house that a linter does not hold."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SKIP = {".lock", ".gz", ".png"}
HOSTS = re.compile(r"p[y]pi\.org|python[h]osted\.org|registry\.[n]pmjs|deb\.[d]ebian\.org")


def tracked():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if name]


def test_no_committed_file_names_a_package_index_or_a_home_of_this_machine():
    home = re.compile(rf"(^|[^A-Za-z0-9_.]){re.escape(str(ROOT.parent))}/")
    for path in tracked():
        if path.suffix in SKIP or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        assert not HOSTS.search(text), path
        assert not home.search(text), path


def test_there_is_no_lock_that_carries_addresses():
    names = {path.name for path in tracked()}

    assert not names & {"uv.lock", "poetry.lock", "Pipfile.lock"}


def test_no_unfinished_work_is_committed():
    unfinished = re.compile("TO[D]O|FIX[M]E|NotImplemented[E]rror")
    for path in tracked():
        if path.suffix == ".py" and path.is_file():
            assert not unfinished.search(path.read_text(encoding="utf-8")), path
