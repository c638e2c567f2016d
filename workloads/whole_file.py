"""Write a file whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from workloads.errors import InputError


def write_whole(path: Path | str, content: str | bytes) -> Path:
    """Write `content` to `path` and return it; a reader, or a full disk, never leaves half of it behind.

    A symbolic link keeps pointing to the file that it names. What is not a regular file (a pipe, ``/dev/stdout``) is
    written to as it is.

    Raises
    ------
    InputError
        If it cannot be written; what stood there before is still there.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    target = Path(os.path.realpath(path))
    try:
        if target.exists() and not target.is_file():
            if target.is_dir():
                raise InputError(f"output '{path}': is a directory, a file is needed; name a file in it")
            with target.open("wb", buffering=0) as stream:
                view = memoryview(data)
                while view:
                    view = view[stream.write(view) or 0 :]
            return Path(path)
        handle, name = tempfile.mkstemp(prefix=f".{target.name[:80]}.", suffix=".part", dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
            partial = Path(name)
            partial.chmod(target.stat().st_mode & 0o7777 if target.exists() else 0o666 & ~_umask())
            partial.replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(
            f"output '{path}': cannot be written ({reason}); check the path and its permissions"
        ) from error
    return Path(path)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
