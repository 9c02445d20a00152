"""
Published packages the local chain is built from: fetched once, checked by our own hash, read in place.

`contracts_abi/SOURCES.toml` pins name, version and tarball SHA-512 of each. `fetch` brings them into a
cache with npm; nothing is installed, no script of theirs runs, and a tarball that is not the pinned one
never reaches the cache. `Package` reads artifacts straight from a checked tarball.
"""

import base64
import gzip
import hashlib
import io
import json
import os
import platform
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from adapters.evm.abi import Abi
from contracts_abi import sources
from engine.errors import ConfigError, VenueUnavailable

ANVIL = "anvil-linux-amd64"
"""The one anvil package pinned; on other platforms set `$ANVIL_BIN` or put `anvil` on PATH."""

FETCH_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Pin:
    """One package at one version; `sha512` of its tarball in base64, as npm's `dist.integrity` has it."""

    key: str
    name: str
    version: str
    sha512: str
    licence: str

    @property
    def file(self) -> str:
        """The tarball's file name, as npm makes it."""
        return f"{self.name.removeprefix('@').replace('/', '-')}-{self.version}.tgz"


@dataclass(frozen=True, slots=True)
class Artifact:
    """A compiled contract: `links` maps each library's name to the offsets (bytes) of its address."""

    name: str
    abi: Abi
    bytecode: str
    links: Mapping[str, tuple[int, ...]]

    def linked(self, libraries: Mapping[str, str]) -> bytes:
        """
        Creation code with every library's address filled in.

        >>> Artifact("A", [], "0x60" + "__$" + "0" * 34 + "$__" + "00", {"Lib": (1,)}).linked(
        ...     {"Lib": "0x" + "ab" * 20}).hex() == "60" + "ab" * 20 + "00"
        True
        """
        code = self.bytecode.removeprefix("0x")
        for library, offsets in self.links.items():
            address = libraries[library].removeprefix("0x").lower()
            for offset in offsets:
                code = code[: 2 * offset] + address + code[2 * offset + 40 :]
        return bytes.fromhex(code)


class Package:
    """A checked tarball, held unpacked in memory while a world is built."""

    def __init__(self, pin: Pin, tarball: bytes) -> None:
        self.pin = pin
        self._tar = tarfile.TarFile(fileobj=io.BytesIO(gzip.decompress(tarball)))
        self._paths = {
            Path(member.name).stem: member.name.removeprefix("package/")
            for member in self._tar.getmembers()
            if member.name.endswith(".json") and "/artifacts/contracts/" in member.name
        }

    def read(self, path: str) -> bytes:
        """The bytes of a file, named from the package's root. Raises `ConfigError`."""
        try:
            opened = self._tar.extractfile(f"package/{path}")
        except KeyError:
            opened = None
        if opened is None:
            raise ConfigError(
                f"{path} not found", why=f"{self.pin.name} {self.pin.version} has no such file", todo="correct it"
            )
        return opened.read()

    def artifact(self, path: str) -> Artifact:
        """A compiled contract by its path in the package, or by its bare name where that is unique."""
        found: dict[str, Any] = json.loads(self.read(path if "/" in path else self._paths.get(path, path)))
        links = {
            library: tuple(int(place["start"]) for place in places)
            for by_library in found.get("linkReferences", {}).values()
            for library, places in by_library.items()
        }
        return Artifact(found["contractName"], found["abi"], found["bytecode"], links)


def pins() -> dict[str, Pin]:
    """Every pinned package by its short key; anvil only where the pinned binary runs."""
    table = sources()["package"]
    all_of_them = {
        key: Pin(key, row["name"], row["version"], row["sha512"], row["licence"]) for key, row in table.items()
    }
    if not anvil_is_pinned_here():
        del all_of_them[ANVIL]
    return all_of_them


def anvil_is_pinned_here() -> bool:
    """Whether the pinned anvil binary is for this machine."""
    return platform.system() == "Linux" and platform.machine() in {"x86_64", "AMD64"}


def default_cache() -> Path:
    """`$HEDGE_CACHE`, else `.cache/hedge` in the checkout."""
    chosen = os.environ.get("HEDGE_CACHE")
    return Path(chosen) if chosen else Path(__file__).resolve().parents[2] / ".cache" / "hedge"


def missing(cache: Path | None = None) -> list[Pin]:
    """Packages whose checked tarball is not in the cache."""
    folder = cache or default_cache()
    return [pin for pin in pins().values() if not _is_pinned(folder / pin.file, pin)]


def fetch(cache: Path | None = None, *, progress: Callable[[str], None] = lambda _: None) -> list[Path]:
    """
    Bring every pinned package into `cache`, one by one; what is there and checks out is kept.

    Parameters
    ----------
    cache : folder, made if absent; `default_cache()` if None
    progress : told one line per package

    Raises
    ------
    ConfigError : npm is not there, or a tarball is not the pinned one
    VenueUnavailable : npm could not fetch; safe to try again
    """
    folder = cache or default_cache()
    folder.mkdir(parents=True, exist_ok=True)
    for pin in pins().values():
        if _is_pinned(folder / pin.file, pin):
            progress(f"{pin.name} {pin.version}: there already")
            continue
        progress(f"{pin.name} {pin.version}: fetching")
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            admit(_npm_pack(pin, Path(scratch)), pin, folder)
    return [folder / pin.file for pin in pins().values()]


def admit(tarball: Path, pin: Pin, cache: Path) -> Path:
    """Put a tarball obtained elsewhere into the cache if it is the pinned one, else raise `ConfigError`."""
    found = _sha512(tarball.read_bytes())
    if found != pin.sha512:
        raise ConfigError(
            f"tarball of {pin.name} {pin.version} refused",
            why=f"its sha512 is {found[:16]}..., pinned is {pin.sha512[:16]}...",
            todo="do not use it; find out why the registry serves another file",
        )
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=cache, delete=False) as copy:
        copy.write(tarball.read_bytes())
    os.replace(copy.name, cache / pin.file)  # noqa: PTH105 - atomic, and over an existing file
    return cache / pin.file


@lru_cache(maxsize=8)
def package(key: str, cache: Path | None = None) -> Package:
    """A package by its short key, e.g. ``lyra-avalon``, checked again as it is read."""
    pin = pins()[key]
    path = (cache or default_cache()) / pin.file
    if not path.is_file():
        raise ConfigError(f"{pin.name} {pin.version} is not here", why="not fetched", todo="run `hedge chain fetch`")
    tarball = path.read_bytes()
    if _sha512(tarball) != pin.sha512:
        raise ConfigError(
            f"{pin.name} {pin.version} refused",
            why="the cached tarball is not the pinned one",
            todo="run `hedge chain fetch`",
        )
    return Package(pin, tarball)


def artifact(key: str, path: str, cache: Path | None = None) -> Artifact:
    """A compiled contract of a package, e.g. ``artifact("safe-contracts", "Safe")``."""
    return package(key, cache).artifact(path)


def anvil_binary(cache: Path | None = None) -> Path:
    """
    Where anvil is: `$ANVIL_BIN`, PATH, or unpacked from its checked tarball into the cache.

    Raises `ConfigError` that says what to do when it is nowhere.
    """
    if chosen := os.environ.get("ANVIL_BIN"):
        if not os.access(chosen, os.X_OK):
            raise ConfigError("ANVIL_BIN refused", why=f"{chosen} cannot be run", todo="correct or unset it")
        return Path(chosen)
    if found := shutil.which("anvil"):
        return Path(found)
    if not anvil_is_pinned_here():
        raise ConfigError(
            "anvil is not here",
            why="no package is pinned for this platform",
            todo="install Foundry, set ANVIL_BIN, or use the in-process chain",
        )
    folder, pin = cache or default_cache(), pins()[ANVIL]
    unpacked = folder / f"anvil-{pin.version}"
    if not unpacked.is_file():
        content = package(ANVIL, cache).read("bin/anvil")
        package.cache_clear()  # 44 MB that nobody reads twice
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as copy:
            copy.write(content)
        Path(copy.name).chmod(0o755)
        os.replace(copy.name, unpacked)  # noqa: PTH105 - atomic, and over an existing file
    return unpacked


def lock_hash() -> str:
    """SHA-256 over the contract pins and the code that builds the world: names the world's cache file."""
    digest = hashlib.sha256()
    for key, row in sorted(sources()["package"].items()):
        if key != ANVIL:
            digest.update(f"{key} {row['sha512']}\n".encode())
    here = Path(__file__).parent
    for recipe in [*sorted(here.glob("deploy_*.py")), here / "world.py"]:
        digest.update(recipe.read_bytes())
    return digest.hexdigest()


def _npm_pack(pin: Pin, scratch: Path) -> Path:
    npm = os.environ.get("HEDGE_NPM") or shutil.which("npm")
    if npm is None:
        raise ConfigError(
            "npm is not here",
            why="neither HEDGE_NPM nor PATH names it",
            todo="install Node.js or set HEDGE_NPM, then run `hedge chain fetch`",
        )
    command = [npm, "pack", f"{pin.name}@{pin.version}", "--pack-destination", str(scratch), "--ignore-scripts"]
    try:
        done = subprocess.run(  # noqa: S603 - our own words and a pinned name
            [*command, "--silent"], cwd=scratch, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise VenueUnavailable(
            f"{pin.name} not fetched", why=str(error), todo="run `hedge chain fetch` again"
        ) from error
    tarballs = list(scratch.glob("*.tgz"))
    if done.returncode != 0 or len(tarballs) != 1:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise VenueUnavailable(
            f"{pin.name} {pin.version} not fetched",
            why=said[-1] if said else f"npm ended with {done.returncode}",
            todo="check the network, then run `hedge chain fetch` again",
        )
    return tarballs[0]


def _is_pinned(path: Path, pin: Pin) -> bool:
    return path.is_file() and _sha512(path.read_bytes()) == pin.sha512


def _sha512(content: bytes) -> str:
    return base64.b64encode(hashlib.sha512(content).digest()).decode()
