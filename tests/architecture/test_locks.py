"""The locks carry hashes, satisfy the project file, and name no index."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)==([^\s;]+)\s*(?:;\s*(.*?))?\s*\\?$")


def pins(name):
    """Every pinned version by package: several where environments differ."""
    found = {}
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        if match := PIN.match(line):
            found.setdefault(canonicalize_name(match[1]), []).append(match[2])
    return found


RUN_EXTRAS = {"demo", "local-chain"}
"""What `make demo` installs; the other extras are the operator's choice and the tests' need."""


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def needed(*, dev):
    declared = project()
    yield from declared["project"]["dependencies"]
    for name, extra in declared["project"]["optional-dependencies"].items():
        if dev or name in RUN_EXTRAS:
            yield from extra
    yield from declared["dependency-groups"]["build"]
    if dev:
        yield from declared["dependency-groups"]["dev"]


@pytest.mark.parametrize(("lock", "dev"), [("requirements.lock", False), ("requirements-dev.lock", True)])
def test_the_lock_satisfies_the_project_file(lock, dev):
    locked = pins(lock)

    for text in needed(dev=dev):
        requirement = Requirement(text)
        versions = locked.get(canonicalize_name(requirement.name), [])
        assert versions, f"{requirement.name} is not in {lock}"
        for version in versions:
            assert requirement.specifier.contains(version, prereleases=True), f"{lock}: {text} against {version}"


def test_the_build_backend_is_in_the_lock():
    backend = {canonicalize_name(Requirement(r).name) for r in project()["build-system"]["requires"]}

    assert backend <= set(pins("requirements.lock"))


def test_the_test_lock_pins_what_the_run_lock_pins():
    run, dev = pins("requirements.lock"), pins("requirements-dev.lock")

    assert {name: versions for name, versions in dev.items() if name in run} == run


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock", "requirements-npm.lock"])
def test_every_pin_carries_hashes_and_no_index_address(lock):
    text = (ROOT / lock).read_text(encoding="utf-8")

    assert not re.search(r"://|--index|--extra-index|--find-links|^-i ", text, re.MULTILINE)
    for block in re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]:
        assert "--hash=sha256:" in block, block.splitlines()[0]
