"""Every `hedge` and `make` command that the documents show exists as shown."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
SHOWN = re.compile(r"(?:^|`)(hedge [a-z][^`#\n]*|make [a-z]+)", re.MULTILINE)
MENTIONED = re.compile(r"`hedge ([a-z]+(?: [a-z]+)*)")


def shown():
    """Each command once, with alternatives such as `fetch|up` written out."""
    found = set()
    for page in PAGES:
        for command in SHOWN.findall(page.read_text(encoding="utf-8")):
            words = command.split()
            choices = next((word for word in words if re.fullmatch(r"[a-z]+(\|[a-z]+)+", word)), None)
            for choice in choices.split("|") if choices else [None]:
                found.add(" ".join(choice if word == choices else word for word in words))
    return sorted(found)


@pytest.mark.parametrize("command", [c for c in shown() if c.startswith("hedge ")])
def test_a_documented_command_and_its_options_exist(command):
    words = command.replace("[", " ").replace("]", " ").split()[1:]
    verbs = [word for word in words if re.fullmatch("[a-z]+", word)]
    options = [word for word in words if word.startswith("-")]

    ran = subprocess.run(
        [sys.executable, "-m", "scripts.hedge", *verbs, "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert ran.returncode == 0, ran.stderr
    for option in options:
        assert option.split("=")[0] in ran.stdout, f"{command}: {option} is not an option"


@pytest.mark.parametrize("command", [c for c in shown() if c.startswith("make ")])
def test_a_documented_make_target_exists(command):
    target = command.split()[1]

    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


def test_the_exit_codes_of_the_readme_are_those_of_the_program():
    from engine import errors
    from scripts.exits import exit_code

    table = (ROOT / "README.md").read_text(encoding="utf-8")
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.EngineError) and kind is not errors.EngineError
    ]
    for kind in kinds:
        code = exit_code(kind.__new__(kind))
        assert re.search(rf"\b{code}\b", table), f"{kind.__name__} ends with {code}, which the README does not list"


@pytest.mark.parametrize("folder", ["engine", "adapters", "scripts"])
def test_every_command_that_a_message_sends_its_reader_to_exists(folder):
    from typer._click.core import Context
    from typer.main import get_command

    from scripts.hedge import app

    for source in sorted((ROOT / folder).rglob("*.py")):
        for words in MENTIONED.findall(source.read_text(encoding="utf-8")):
            command = get_command(app)
            for word in words.split():
                if not hasattr(command, "get_command"):
                    break
                found = command.get_command(Context(command), word)
                assert found, f"{source.relative_to(ROOT)} names `hedge {words}`"
                command = found
