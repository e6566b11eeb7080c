"""Records the interface of vLLM that the adapter is written against.

    python -m tests.vllm.record DIRECTORY > tests/vllm/interface.json

DIRECTORY holds an unpacked wheel. Nothing of it is imported: its sources are parsed.
"""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from typing import Any

MODULES: dict[str, tuple[str, ...]] = {
    "vllm.v1.kv_hints.protocol": ("KvHintAction", "KvHintsEnvelope"),
    "vllm.v1.kv_offload.config": (
        *("OffloadingCacheConfig", "OffloadingConfig", "OffloadingGroupConfig"),
        *("OffloadingModelConfig", "OffloadingParallelConfig"),
    ),
    "vllm.v1.kv_offload.base": (
        *("CanonicalKVCacheRef", "CanonicalKVCacheTensor", "CanonicalKVCaches", "GPULoadStoreSpec"),
        *("LoadStoreSpec", "Locality", "LookupResult", "Medium", "OffloadPolicy", "OffloadingEvent"),
        *("OffloadingManager", "OffloadingSpec", "OffloadingWorker", "PrepareStoreOutput", "ReqContext"),
        *("RequestOffloadingContext", "ScheduleEndContext", "TransferResult"),
    ),
    "vllm.v1.kv_offload.tiering.base": ("JobResult", "SecondaryTierManager", "TransferJob"),
}
_KINDS = {"ABC": "abstract", "Enum": "enum", "NamedTuple": "tuple", "Struct": "data"}


class NotVllm(Exception):
    """The directory is no unpacked wheel of vLLM, or of another one than expected."""


def record(directory: Path) -> dict[str, Any]:
    """The version, and of every class its kind, fields, members and methods.

    Raises:
        NotVllm: a source or a class is missing.
    """
    modules = {}
    for module, names in MODULES.items():
        classes = {node.name: node for node in _parse(directory, module).body if isinstance(node, ast.ClassDef)}
        missing = sorted(set(names) - set(classes))
        if missing:
            raise NotVllm(f"{module} has no {', '.join(missing)}")
        modules[module] = {name: _class(classes[name]) for name in names}
    return {"vllm": _version(directory), "modules": modules}


def _parse(directory: Path, module: str) -> ast.Module:
    path = directory.joinpath(*module.split(".")).with_suffix(".py")
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError) as error:
        raise NotVllm(f"{path}: {error}") from None


def _version(directory: Path) -> str:
    for node in _parse(directory, "vllm._version").body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            return node.value.value
    raise NotVllm("vllm/_version.py has no version")


def _class(node: ast.ClassDef) -> dict[str, Any]:
    bases = [ast.unparse(base).split(".")[-1] for base in node.bases]
    decorators = {ast.unparse(decorator).split("(")[0] for decorator in node.decorator_list}
    kind = next((_KINDS[base] for base in bases if base in _KINDS), "class")
    if "dataclass" in decorators:
        kind = "data"
    found: dict[str, Any] = {"kind": kind}
    if kind == "enum":
        found["members"] = [ast.unparse(target) for n in node.body if isinstance(n, ast.Assign) for target in n.targets]
    if kind in ("data", "tuple"):
        found["fields"] = [
            {"name": n.target.id, "default": n.value is not None}
            for n in node.body
            if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name) and _in_constructor(n)
        ]
    if kind in ("abstract", "class"):
        found["methods"] = {n.name: _method(n) for n in node.body if isinstance(n, ast.FunctionDef)}
    return found


def _in_constructor(node: ast.AnnAssign) -> bool:
    value = ast.unparse(node.value) if node.value else ""
    return "ClassVar" not in ast.unparse(node.annotation) and "init=False" not in value


def _method(node: ast.FunctionDef) -> dict[str, Any]:
    decorators = {ast.unparse(decorator) for decorator in node.decorator_list}
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    without = len(positional) - len(arguments.defaults)
    parameters = [
        {"name": argument.arg, "default": number >= without} for number, argument in enumerate(positional) if number
    ]
    parameters += [
        {"name": argument.arg, "default": default is not None, "keyword": True}
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    ]
    return {
        "abstract": "abstractmethod" in decorators,
        "kind": next((kind for kind in ("classmethod", "property") if kind in decorators), "method"),
        "parameters": parameters,
    }


def main() -> int:
    """Print the record of the directory named on the command line."""
    if len(sys.argv) != 2:
        print("usage: python -m tests.vllm.record DIRECTORY", file=sys.stderr)
        return 2
    try:
        found = record(Path(sys.argv[1]))
    except NotVllm as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
