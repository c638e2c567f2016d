"""AccelForge's workload files (``workload: {rank_sizes, bits_per_value, einsums}``), read strictly, one einsum a layer.

An einsum is text, ``O[n,k,p] = I[n,c,H:p+r] * W[k,c,r]``, or its verbose form with ``tensor_accesses``. A projection is
a list of rank variables (the rank is the variable's name in capitals) or a mapping from rank to a sum of variables.
Sizes come from ``rank_sizes`` or ``iteration_space_shape`` (``0 <= m < 128``). Refused by name: templates, set
expressions beyond one tensor's name, copies, persistent tensors, and einsums that are no plain product.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from workloads.importers.cursor import Cursor
from workloads.importers.records import MAX_DIM_SIZE, ForeignProblem, ForeignTensor
from workloads.loop_nest import Axis

_SUM = re.compile(r"\s*(?:(\d+)\s*\*\s*)?([A-Za-z]\w*)\s*")
_BOUND = re.compile(r"\s*0\s*<=\s*(\w+)\s*<\s*(\d+)\s*")
_REFERENCE = re.compile(r"\s*([A-Za-z]\w*)\s*\[([^\]]*)\]\s*")
ROLES = ("input", "weight", "output")
_Terms = tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Einsum:
    """A layer and the general names (input, weight, output) that machine files use for its tensors."""

    layer: ForeignProblem
    renames: tuple[tuple[str, str], ...]


@dataclass
class _Access:
    tensor: str
    ranks: list[tuple[str, _Terms]]
    output: bool


def read_einsums(top: Cursor) -> tuple[Einsum, ...]:
    """Return the einsums of a workload file, in its order.

    Raises
    ------
    InputError
        With every mistake of the file.
    """
    outer = top.fields(("workload",), ("renames",))
    top.finish()
    if "renames" in outer:
        outer["renames"].fail("maps names by set expressions", "supported: renames inside an einsum, {weight: W}")
    fields = outer["workload"].fields(
        ("einsums",), ("rank_sizes", "iteration_space_shape", "bits_per_value", "persistent_tensors", "version")
    )
    if "persistent_tensors" in fields:
        fields["persistent_tensors"].fail("keeps tensors over several einsums", "supported: each einsum on its own")
    top.finish()
    ranks = {key: e.integer(1, MAX_DIM_SIZE, "elements") for key, e in _entries(fields, "rank_sizes").items()}
    bounds = _bounds(_entries(fields, "iteration_space_shape").values())
    bits = _bits(fields)
    found = [_einsum(item, ranks, bounds, bits) for item in fields["einsums"].items()]
    if not found:
        fields["einsums"].fail("is empty", "give one or more einsums")
    top.finish()
    return tuple(einsum for einsum in found if einsum is not None)


def _entries(fields: dict[str, Cursor], key: str) -> dict[str, Cursor]:
    return fields[key].entries() if key in fields else {}


def _bounds(cursors: object) -> dict[str, int]:
    found: dict[str, int] = {}
    for cursor in list(cursors):  # type: ignore[call-overload]
        match = _BOUND.fullmatch(cursor.value) if isinstance(cursor.value, str) else None
        if match is None or int(match[2]) < 1:
            cursor.fail(f"is '{cursor.value}'", "supported: 0 <= VARIABLE < SIZE")
        else:
            found[match[1]] = int(match[2])
    return found


def _bits(fields: dict[str, Cursor]) -> dict[str, int]:
    found = {}
    for name, cursor in _entries(fields, "bits_per_value").items():
        if not re.fullmatch(r"[A-Za-z]\w*", name):
            cursor.fail("is keyed by a set expression", "supported: All, or the name of a tensor")
        found[name] = cursor.integer(1, 1024, "bits")
    return found


def _einsum(item: Cursor, ranks: dict[str, int], outer: dict[str, int], bits: dict[str, int]) -> Einsum | None:
    before = len(item.mistakes)
    if isinstance(item.value, str):
        accesses, name, renames, bounds = _concise(item, item.value), "", {}, dict(outer)
    else:
        fields = item.fields(
            (), ("name", "einsum", "tensor_accesses", "renames", "iteration_space_shape", "rank_sizes")
        )
        name = str(fields["name"].value) if "name" in fields else ""
        if ("einsum" in fields) == ("tensor_accesses" in fields):
            item.fail("has both or neither of einsum and tensor_accesses", "give one of them")
            return None
        accesses = _concise(fields["einsum"], fields["einsum"].value) if "einsum" in fields else [
            access for access in (_verbose(a) for a in fields["tensor_accesses"].items()) if access is not None
        ]  # fmt: skip
        bounds = outer | _bounds(fields["iteration_space_shape"].items() if "iteration_space_shape" in fields else [])
        ranks = ranks | {k: e.integer(1, MAX_DIM_SIZE, "elements") for k, e in _entries(fields, "rank_sizes").items()}
        known = [access.tensor for access in accesses]
        renames = {key: e.choice(known) for key, e in _entries(fields, "renames").items()}
    if len(item.mistakes) > before:
        return None
    outputs = [access.tensor for access in accesses if access.output]
    if len(outputs) != 1 or len(accesses) < 2:
        item.fail(f"writes {outputs} of {len(accesses)} tensors", "supported: one output, one or more inputs")
        return None
    sizes = _sizes(item, accesses, ranks, bounds)
    if len(item.mistakes) > before:
        return None
    tensors = []
    for access in accesses:
        axes = tuple(Axis(terms, 1 + sum(c * (sizes[v] - 1) for c, v in terms)) for _, terms in access.ranks)
        width = bits.get(access.tensor, bits.get("All", 8))
        tensors.append(ForeignTensor(access.tensor, axes, width, width, access.output))
    inputs = [access.tensor for access in accesses if not access.output]
    given = dict(zip(("input", "weight"), inputs, strict=False)) | {"output": outputs[0]} | renames
    layer = ForeignProblem(name or outputs[0], tuple(sizes.items()), tuple(tensors))
    return Einsum(layer, tuple(given.items()))


def _concise(cursor: Cursor, text: object) -> list[_Access]:
    left, equals, right = text.partition("=") if isinstance(text, str) else ("", "", "")
    if not equals:
        cursor.fail(f"is '{text}'", "supported: O[n,k] = A[n,c] * B[c,k]")
        return []
    found = []
    for part, output in ((left, True), *((p, False) for p in re.split(r"\*(?![^\[]*\])", right))):
        match = _REFERENCE.fullmatch(part)
        if match is None:
            cursor.fail(f"has the factor '{part.strip()}'", "supported: NAME[variable, RANK: variable + variable]")
            continue
        ranks = []
        for index in filter(None, (piece.strip() for piece in match[2].split(","))):
            rank, colon, expression = index.partition(":")
            ranks.append((rank.strip() if colon else index.upper(), _terms(cursor, expression if colon else index)))
        found.append(_Access(match[1], ranks, output))
    return [*found[1:], *found[:1]]


def _verbose(item: Cursor) -> _Access | None:
    fields = item.fields(("name", "projection"), ("output",))
    if len(fields) < 2:
        return None
    projection = fields["projection"]
    if isinstance(projection.value, dict):
        ranks = [(rank, _terms(entry, entry.value)) for rank, entry in projection.entries().items()]
    else:
        ranks = [(str(entry.value).upper(), _terms(entry, entry.value)) for entry in projection.items()]
    output = fields["output"].boolean() if "output" in fields else False
    return _Access(fields["name"].text(r"[A-Za-z]\w*", "a name"), ranks, output)


def _terms(cursor: Cursor, text: object) -> _Terms:
    found: list[tuple[int, str]] = []
    for part in str(text).split("+"):
        match = _SUM.fullmatch(part)
        if match is None or int(match[1] or 1) < 1:
            cursor.fail(f"is the index '{text}'", "supported: a sum of rank variables, each with a whole coefficient")
            return ()
        if any(name == match[2] for _, name in found):
            cursor.fail(f"uses {match[2]} twice in one index", "supported: each variable once")
        found.append((int(match[1] or 1), match[2]))
    return tuple(found)


def _sizes(
    item: Cursor, accesses: list[_Access], ranks: dict[str, int], bounds: dict[str, int]
) -> dict[str, int]:  # fmt: skip
    """Return the size of each rank variable: a bound of its own, or the size of a rank that it alone indexes."""
    sizes: dict[str, int] = {}
    everything = [(rank, terms) for access in accesses for rank, terms in access.ranks]
    variables = dict.fromkeys(name for _, terms in everything for _, name in terms)
    for name in variables:
        alone = [ranks[rank] for rank, terms in everything if terms == ((1, name),) and rank in ranks]
        given = [*([bounds[name]] if name in bounds else []), *alone]
        if not given:
            item.fail(f"has no size for {name}", "give it in rank_sizes or iteration_space_shape")
            continue
        sizes[name] = min(given)
    for rank, terms in everything:
        if len(terms) > 1 and rank in ranks and all(name in sizes for _, name in terms):
            reach = 1 + sum(c * (sizes[name] - 1) for c, name in terms)
            if reach > ranks[rank]:
                item.fail(
                    f"reaches index {reach - 1} of rank {rank}", f"its size is {ranks[rank]}; correct one of them"
                )
    return sizes
