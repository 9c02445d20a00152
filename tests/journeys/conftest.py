"""The whole job, run once and looked at by many tests."""

import json
import os
import subprocess
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.journeys.prepared import opened, prepared

__all__ = ["opened", "prepared"]

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"


def hedge(*arguments, cwd=ROOT, check=None, **changes):
    """Run the command as a user does, compiled modules kept; the result carries output, error and exit code."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    ran = subprocess.run(
        [sys.executable, "-m", "scripts.hedge", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env={**kept, "PYTHONPATH": str(ROOT), **changes},
        stdin=subprocess.DEVNULL,
    )
    if check is not None:
        assert ran.returncode == check, ran.stderr
    return ran


class Ran(NamedTuple):
    """What a run of the command ended with and said."""

    returncode: int
    stdout: str
    stderr: str


def within(*arguments, cwd=".", check=None, **changes):
    """Run the command in this process, which spares its imports; the result is that of `hedge`."""
    from scripts.hedge import app, run

    out, err = StringIO(), StringIO()
    with pytest.MonkeyPatch.context() as patch, chdir(cwd), redirect_stdout(out), redirect_stderr(err):
        for name, value in changes.items():
            patch.setenv(name, value)
        code = run(app, [*map(str, arguments)])
    if check is not None:
        assert code == check, err.getvalue()
    return Ran(code, out.getvalue(), err.getvalue())


def skip_without_packages():
    from adapters.evm.packages import missing

    if missing():
        pytest.skip("the pinned contract packages are not fetched: run `hedge chain fetch`")


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """The settled demo: its JSON document and its folder."""
    skip_without_packages()
    out = tmp_path_factory.mktemp("settled demo")  # a path with a space
    ran = hedge("demo", "--json", "--out", out, check=0)
    return json.loads(ran.stdout), out


@pytest.fixture(scope="session")
def desk(tmp_path_factory):
    """A workspace with its own chain, stopped at the end."""
    skip_without_packages()
    folder = tmp_path_factory.mktemp("desks") / "desk"
    hedge("init", folder, check=0)
    yield folder
    hedge("chain", "down", "-C", folder)
