"""The process that opens a model: bounds itself, then reads, checks, folds, lowers and writes one JSON document.

Run as ``python -m workloads.onnx_import.child`` with a JSON request on standard input. It imports onnx; its parent
does not.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import stat
import sys
from pathlib import Path
from typing import Any


def _limit(memory_bytes: int, seconds: float) -> None:
    """Bound address space, processor time, files written and core dumps of this process."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    signal.setitimer(signal.ITIMER_PROF, seconds)  # finer than the limit below; ends the process by default
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 2))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    """Return the document for a request; every refusal of the input is an ``error`` in it."""
    _limit(int(request["memory_bytes"]), float(request["seconds"]))
    from workloads.errors import InputError, InternalError
    from workloads.onnx_import.graph import read_graph
    from workloads.onnx_import.lower import convert
    from workloads.onnx_import.report import CheckReport
    from workloads.onnx_import.skim import skim

    path = Path(request["path"])
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise InputError(f"model '{path.name}': is not a regular file; give the path of an .onnx file")
            if status.st_size > int(request["file_bytes"]):
                raise InputError(
                    f"model '{path.name}': {status.st_size} bytes, bound is {request['file_bytes']}; "
                    "export it without weights"
                )
            if status.st_size == 0:
                raise InputError(f"model '{path.name}': the file is empty; export it again")
            serialised = skim(file, path.name, status.st_size, int(request["graph_bytes"]))
        graph = read_graph(serialised, path, request["dims"], int(request["nodes"]))
        done = convert(graph, f"imported from ONNX, opset {graph.opset}")
    except InputError as error:
        return {"error": str(error)}
    except InternalError as error:
        return {"internal": str(error)}
    except OSError as error:
        return {"error": f"model '{path.name}': cannot be read ({error.strerror}); check the path and its permissions"}
    except RecursionError:
        return {"error": f"model '{path.name}': its structure is nested too deeply; flatten it"}
    except MemoryError:
        return {
            "error": f"model '{path.name}': needs over {request['memory_bytes']} bytes to import, the bound; "
            "split the model or raise memory_bytes"
        }
    parameters = done.network.parameters if done.network else 0
    check = CheckReport(path.name, graph.opset, done.nodes, parameters, done.problem, done.notes)
    return {"check": check.to_json(), "network": done.network.to_json() if done.network else None}


def main() -> None:
    """Answer the request on standard input."""
    request = json.load(sys.stdin)
    document = _answer(request)
    sys.stdout.write(json.dumps(document))
    sys.stdout.flush()
    os._exit(0)  # nothing to clean up, and no destructor of a hostile model's objects to wait for


if __name__ == "__main__":
    main()
