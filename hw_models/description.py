"""The YAML edge of accelerator descriptions: presets, files, overrides, JSON Schema (contract §6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from hw_models.accelerator import Accelerator
from hw_models.yaml_edge import YamlDocument, YamlPath, parse_yaml, read_yaml
from workloads.errors import InputError
from workloads.nearest import nearest

Mistake = tuple[YamlPath, str]


@dataclass(frozen=True, slots=True)
class AcceleratorRow:
    """One line of the catalogue."""

    name: str
    summary: str
    source: str


def preset_names() -> tuple[str, ...]:
    """Return the names of the shipped descriptions, sorted."""
    files = resources.files("hw_models.presets").iterdir()
    return tuple(sorted(f.name.removesuffix(".yaml") for f in files if f.name.endswith(".yaml")))


def cluster_names() -> tuple[str, ...]:
    """Return the names of the shipped clusters of cores, sorted; `hw_models.cluster_description` reads them."""
    files = resources.files("hw_models.clusters").iterdir()
    return tuple(sorted(f.name.removesuffix(".yaml") for f in files if f.name.endswith(".yaml")))


def list_accelerators() -> tuple[AcceleratorRow, ...]:
    """Return name, summary and source of every preset, sorted by name."""
    rows = []
    for name in preset_names():
        tree = _document(name).tree
        rows.append(AcceleratorRow(tree["name"], tree["summary"], tree["source"]))
    return tuple(rows)


def load_accelerator(name_or_path: str | Path, overrides: Sequence[str] = ()) -> Accelerator:
    """Return the accelerator of a preset or of a description file.

    Parameters
    ----------
    name_or_path : str or Path
        A preset name, or a file: a text with a path separator or the suffix ``.yaml`` / ``.yml`` is a file.
    overrides : sequence of str
        ``PATH=VALUE``, applied in order before anything is checked; see `hw_models.description_paths` for short paths.

    Raises
    ------
    InputError
        With every mistake of the file and the overrides, each with file, line, path and remedy.

    Examples
    --------
    >>> load_accelerator("edge_int8", ["core.rows=64"]).core.array.rows
    64
    """
    return _load(str(name_or_path), tuple(overrides), isinstance(name_or_path, Path))


@lru_cache(maxsize=64)
def _preset(name: str, overrides: tuple[str, ...]) -> Accelerator:
    return _resolve(_document(name), overrides)


def _load(name: str, overrides: tuple[str, ...], is_file: bool) -> Accelerator:
    if not is_file and name in preset_names():
        return _preset(name, overrides)
    suffix = Path(name).suffix.lower()
    if suffix == ".cfg":
        raise InputError(
            f"accelerator file '{name}': is a SCALE-Sim configuration, which goes with a topology .csv as workload; "
            f"name one, or a .yaml description"
        )
    if not is_file and suffix not in (".yaml", ".yml") and Path(name).name == name:
        if name in cluster_names():
            raise InputError(_cluster_refusal(name))
        hint = nearest(name, (*preset_names(), *cluster_names()))
        hint = hint or f"; use one of {', '.join(preset_names())}, or of the clusters {', '.join(cluster_names())}"
        raise InputError(f"accelerator '{name}' is unknown{hint} (or name a .yaml file)")
    if suffix not in (".yaml", ".yml"):
        raise InputError(f"accelerator file '{name}': suffix is '{suffix}', bound is .yaml, .yml; rename or convert it")
    return _resolve(read_yaml(name), overrides)


def clock_names(name_or_path: str) -> tuple[str, ...]:
    """Return the names of the clock domains of a description that loads, the reference clock first."""
    document = _document(name_or_path) if name_or_path in preset_names() else read_yaml(name_or_path)
    return tuple(str(clock["name"]) for clock in document.tree["clocks"])


def _document(name: str) -> YamlDocument:
    """Return the parsed preset `name`."""
    text = (resources.files("hw_models.presets") / f"{name}.yaml").read_text(encoding="utf-8")
    return parse_yaml(text, f"{name}.yaml")


def _resolve(document: YamlDocument, overrides: tuple[str, ...]) -> Accelerator:
    """Apply overrides, check, build."""
    from pydantic import ValidationError

    from hw_models.description_build import build
    from hw_models.description_schema import AcceleratorNode

    if not isinstance(document.tree, dict):
        raise InputError(f"{document.origin}: is not a mapping; start with name: and see docs/accelerators.md")
    if "cores" in document.tree and "shared" in document.tree:
        raise InputError(_cluster_refusal(document.origin))
    tree, lines = _copy(document.tree), dict(document.lines)
    changed = _apply(tree, overrides)
    try:
        node = AcceleratorNode.model_validate(tree)
    except ValidationError as error:
        mistakes = [_explain(item, tree) for item in error.errors(include_url=False)]
        raise _refusal(document, changed, mistakes) from None
    sources, mistakes = _sources(tree, changed)
    machine, more = build(node, sources)
    mistakes += more
    if mistakes or machine is None:
        raise _refusal(YamlDocument(document.origin, tree, lines), changed, mistakes)
    return machine


def _cluster_refusal(name: str) -> str:
    """Return why a cluster is no accelerator, and where it is one."""
    return (
        f"accelerator '{name}': is a cluster of cores, a single core is needed here; whole networks run on it with "
        f"tilewright sim NETWORK --arch {name}, and `like` in its file names the description of each core"
    )


def _copy(value: Any) -> Any:
    """Return a deep copy of a plain tree (depth is bounded by the reader)."""
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value


def _apply(tree: Any, overrides: tuple[str, ...]) -> dict[YamlPath, str]:
    """Apply the overrides to `tree`; return the override text of each path set."""
    from hw_models.description_paths import pick_clock, put, resolve, settle_dram, settle_energy

    changed: dict[YamlPath, str] = {}
    problems: list[str] = []
    for text in overrides:
        subject = f"--set {text}"
        short, separator, value = text.partition("=")
        try:
            if not separator or not short.strip() or not value.strip():
                raise InputError(f"{subject}: expected PATH=VALUE, for example core.rows=64")
            plain, domain = pick_clock(tree, short.strip(), subject)
            path = resolve(plain, leaves_only=True, subject=subject)
            if domain is not None:
                path = (path[0], domain, *path[2:])
            put(tree, path, parse_yaml(value.strip(), subject).tree, subject)
            settle_energy(tree, path, f"override {text}")
            settle_dram(tree, path)
            changed[path] = subject
        except InputError as error:
            problems.append(str(error))
    if problems:
        raise InputError(problems[0] if len(problems) == 1 else _listing(f"{len(problems)} overrides", problems))
    return changed


def _sources(tree: Any, changed: dict[YamlPath, str]) -> tuple[tuple[tuple[str, str], ...], list[Mistake]]:
    """Return the source of every figure that the tree states, and the mistakes in its `sources`.

    The longest path in `sources` that covers a leaf wins; an override is its own source; the rest is `source`.
    """
    from hw_models.description_paths import dotted, names, resolve, walk

    stated: dict[tuple[str, ...], str] = {}
    mistakes: list[Mistake] = []
    for key, text in tree.get("sources", {}).items():
        try:
            stated[names(resolve(key, leaves_only=False, subject="sources"))] = text
        except InputError as error:
            mistakes.append((("sources", key), str(error)))
    rows: list[tuple[str, str]] = []
    for path, leaf in walk():
        prose = path[-1] in ("name", "summary", "source")
        if not leaf or prose or "energy" in path[1:] or not _has(tree, path):
            continue
        if path in changed:
            rows.append((dotted(path), f"override {changed[path].removeprefix('--set ')}"))
            continue
        full = names(path)
        cover = max((key for key in stated if full[: len(key)] == key), key=len, default=None)
        rows.append((dotted(path), tree["source"] if cover is None else stated[cover]))
    return tuple(rows), mistakes


def _has(tree: Any, path: YamlPath) -> bool:
    """Tell whether the plain tree states `path`."""
    node = tree
    for part in path:
        if isinstance(part, str):
            if not isinstance(node, dict) or part not in node:
                return False
        elif not isinstance(node, list) or not node:
            return False
        node = node[part]
    return True


def _explain(item: Any, tree: Any) -> Mistake:
    """Return path and message (§3.6) of one pydantic error."""
    from hw_models.description_paths import names, walk
    from hw_models.description_schema import NOT_YET

    path: YamlPath = tuple(item["loc"])
    kind, value, context = item["type"], item["input"], item.get("ctx", {})
    key = next((part for part in reversed(path) if isinstance(part, str)), "")
    if kind == "extra_forbidden":
        if key in NOT_YET:
            return path, f"{NOT_YET[key]}: not simulated yet; remove the key"
        parent = names(path)[:-1]
        siblings = [names(p)[-1] for p, _ in walk() if names(p)[:-1] == parent]
        hint = nearest(key, siblings) or "; use one of " + ", ".join(siblings)
        return path, f"key '{key}' is unknown{hint}"
    if kind == "missing":
        return path, f"key '{key}' is missing; add it"
    if kind == "quantity":
        return path, str(context["message"])
    if kind == "literal_error":
        expected = str(context["expected"]).replace(" or ", ", ")
        known = [word.strip(" '") for word in expected.split(",")]
        hint = nearest(value, known) if isinstance(value, str) else ""
        return path, f"value is {value!r}, bound is {', '.join(known)}{hint or '; choose one'}"
    wanted = {
        "int_type": "an integer without unit or quotes is needed",
        "bool_type": "true or false is needed",
        "string_type": "text is needed",
        "list_type": "a list is needed; start each item with '- '",
        "model_type": "a mapping is needed",
        "dict_type": "a mapping is needed",
    }
    shown = f"{value!r:.60}" if not isinstance(value, dict | list) else f"a {type(value).__name__}"
    if kind in wanted:
        return path, f"value is {shown}, {wanted[kind]}"
    return path, f"value is {shown}: {item['msg'][0].lower()}{item['msg'][1:]}; correct it"


def _refusal(document: YamlDocument, changed: dict[YamlPath, str], mistakes: list[Mistake]) -> InputError:
    """Return one error that lists every mistake with its place, in file order."""
    from hw_models.description_paths import dotted

    def line(path: YamlPath) -> int:
        return next((document.lines[path[:n]] for n in range(len(path), -1, -1) if path[:n] in document.lines), 0)

    texts = []
    for path, message in sorted(mistakes, key=lambda m: (line(m[0]), str(m[0]))):
        by_override = next((changed[p] for p in changed if path[: len(p)] == p[: len(path)]), None)
        place = document.where(path) if by_override is None or path == () else by_override
        label = f"{dotted(path)}: " if path else ""
        texts.append(f"{place}: {label}{message}")
    unique = list(dict.fromkeys(texts))
    unnamed = [text for text in changed.values() if not any(text in line for line in unique)]
    with_ = f" (with {', '.join(unnamed)})" if unnamed else ""
    title = f"{document.origin}: {len(unique)} mistakes{with_}"
    return InputError(unique[0] + with_ if len(unique) == 1 else _listing(title, unique))


def _listing(title: str, texts: list[str]) -> str:
    return "\n  ".join([title, *texts])


def description_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a description file."""
    from hw_models.description_schema import AcceleratorNode

    schema = AcceleratorNode.model_json_schema(mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema
