"""What a light command may load: each verb imports its own."""

import subprocess
import sys

import pytest

from scripts.hedge import app, run
from scripts.verbs import VERBS

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


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_of_the_table_is_there_and_its_line_fits_a_terminal(name, capsys):
    assert run(app, [name, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"Usage: hedge {name} ")

    assert run(app, ["--help"]) == 0
    assert f"  {name:<9}  {VERBS[name].summary}\n" in capsys.readouterr().out


def test_a_verb_mistyped_is_met_with_the_nearest(capsys):
    assert run(app, ["margn"]) == 2
    assert "Did you mean 'margin'?" in capsys.readouterr().err
