"""The parent's side: start the child, bound what it may take, and read its answer."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from workloads.errors import InputError, InternalError
from workloads.onnx_import.report import Limits

_MAX_ANSWER_BYTES = 256 << 20
_MAX_DIAGNOSTIC_BYTES = 64 << 10
WALL_FACTOR = 6
"""Wall time that the parent waits, over the processor time the child may take: the machine may be busy."""


def run_child(path: Path, dims: Mapping[str, int], limits: Limits) -> dict[str, Any]:
    """Return the child's document for a model.

    Raises
    ------
    InputError
        For everything that is wrong with the model, including one that exhausts the limits or crashes the reader.
    """
    request = json.dumps({"path": str(path.resolve(strict=False)), "dims": dict(dims), **asdict(limits)})
    places = [str(Path(p).resolve()) for p in sys.path if p and Path(p).exists()]
    package_root = str(Path(__file__).resolve().parents[2])
    environment = {
        "PYTHONPATH": os.pathsep.join(dict.fromkeys([package_root, *places])),
        "PATH": os.environ.get("PATH", ""),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        # one thread: thread stacks of numerical libraries count as address space
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": "upb",
    }
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "workloads.onnx_import.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )
    try:
        answer, diagnostics = _converse(child, request.encode(), WALL_FACTOR * limits.seconds)
        if child.wait() in (-signal.SIGPROF, -signal.SIGXCPU):
            raise TimeoutError
    except TimeoutError:
        raise InputError(
            f"model '{path.name}': import did not finish in {limits.seconds:g} s of processor time, the bound; "
            "split the model or raise seconds"
        ) from None
    finally:
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout, child.stderr):
            if pipe:
                pipe.close()
    return _decode(answer, diagnostics, path, limits)


def _converse(child: subprocess.Popen[bytes], request: bytes, seconds: float) -> tuple[bytes, bytes]:
    """Send the request and return (answer, diagnostics), both bounded."""
    if child.stdin is None or child.stdout is None or child.stderr is None:
        raise InternalError("the import process has no pipes; report this as a bug")
    try:
        child.stdin.write(request)
        child.stdin.close()
    except BrokenPipeError:
        pass  # the child died at once; its exit is reported by the empty answer
    deadline = time.monotonic() + seconds
    parts: dict[Any, bytearray] = {child.stdout: bytearray(), child.stderr: bytearray()}
    with selectors.DefaultSelector() as selector:
        for pipe in parts:
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            if not ready and time.monotonic() >= deadline:
                raise TimeoutError
            for key, _ in ready:
                pipe = key.fileobj
                chunk = os.read(key.fd, 1 << 16)
                if not chunk:
                    selector.unregister(pipe)
                    continue
                bound = _MAX_ANSWER_BYTES if pipe is child.stdout else _MAX_DIAGNOSTIC_BYTES
                if len(parts[pipe]) + len(chunk) > bound and pipe is child.stdout:
                    raise InternalError(f"the import process wrote over {bound} bytes; report this as a bug")
                parts[pipe] += chunk[: bound - len(parts[pipe])]
    return bytes(parts[child.stdout]), bytes(parts[child.stderr])


def _decode(answer: bytes, diagnostics: bytes, path: Path, limits: Limits) -> dict[str, Any]:
    try:
        document = json.loads(answer)
    except ValueError:
        last = (diagnostics.decode("utf-8", "replace").strip().splitlines() or ["no message"])[-1]
        if "No module named 'onnx'" in last:
            raise InputError("onnx is not installed; run: pip install 'onnx>=1.16'") from None
        raise InputError(
            f"model '{path.name}': the import process ended without an answer within {limits.memory_bytes} bytes and "
            f"{limits.seconds:g} s ({last[:200]}); the model is damaged or over the bounds"
        ) from None
    if not isinstance(document, dict):
        raise InternalError("the import process wrote no object; report this as a bug")
    if "internal" in document:
        raise InternalError(f"model '{path.name}': {document['internal']}")
    if "error" in document:
        raise InputError(str(document["error"]))
    return document
