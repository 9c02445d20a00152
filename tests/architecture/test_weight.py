"""What a light command may load: each verb imports its own."""

import subprocess
import sys

import pytest

HEAVY = ("web3", "pandas", "scipy", "sqlmodel", "sqlalchemy", "exchange_calendars", "numpy", "eth_account", "jinja2")


@pytest.mark.parametrize("arguments", [["--help"], ["market", "--help"], ["market", "inspect", "--help"], ["--bogus"]])
def test_help_and_usage_errors_load_nothing_heavy(arguments):
    program = (
        "import sys; from scripts.hedge import app, run\n"
        f"run(app, {arguments!r})\n"
        f"heavy = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )

    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stderr
