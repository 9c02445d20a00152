"""Files we are asked to write: none that holds something else than a page or a table is ever replaced."""

from pathlib import Path

from engine.errors import InputError

_DATABASE = b"SQLite format 3\0"


def require_replaceable(path: Path) -> None:
    """Raises `InputError` where `path` is a folder, a device or a database."""
    if not path.exists():
        return
    if not path.is_file():
        raise InputError(f"{path} refused", why="it is no plain file", todo="name a file to write")
    with path.open("rb") as there:
        if there.read(len(_DATABASE)) == _DATABASE:
            raise InputError(f"{path} refused", why="it is a database", todo="name another file; nothing was written")
