"""Planner for Python: does this language model, at this quantization, with this context, fit on that hardware, and how fast will it be.

    import planner

    answer = planner.estimate(model="deepseek-r1-distill-qwen-1.5b", quant="Q4_K_M", gpu="rtx 4090", context=131072)
    answer["memory"]["total_bytes"], answer["throughput"]["decode_tokens_per_s"]

Requests take the flags of the command line in snake_case; answers are its JSON as dictionaries (the schemas are in docs/schema). What is not
known is None. Bad input is an Error whose text says what was wrong in one line. Everything may be called from many threads.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import json
import os
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

__all__ = ["Catalog", "Error", "Request", "check", "engines", "estimate", "estimate_many", "gpus", "inspect", "models", "quants", "show", "version"]

_ABI = 1
_CHECK_FAILED = 1


class Error(Exception):
    """Bad input. `status` is the exit status of the command line: 2 bad usage or an unknown name, 3 a file that cannot be used."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Request(TypedDict, total=False):
    """What `estimate` takes most often; every other flag of `planner estimate` is taken too."""

    model: str
    quant: str
    gpu: str | list[str]
    gpus: int
    engine: str
    backend: str
    context: int
    depth: int
    prompt: int
    concurrency: int
    kv_type: str
    kv_type_k: str
    kv_type_v: str
    flash_attn: str
    gpu_layers: int | str
    n_cpu_moe: int
    solve: bool
    explain: bool


def _load() -> ctypes.CDLL:
    beside = sorted(pathlib.Path(__file__).parent.glob("*planner_c.*"))
    name = os.environ.get("PLANNER_LIBRARY") or (str(beside[0]) if beside else ctypes.util.find_library("planner_c"))
    if not name:
        raise ImportError("the library planner_c was not found; PLANNER_LIBRARY may say where it is")
    library = ctypes.CDLL(name)
    if library.planner_abi() != _ABI:
        raise ImportError(f"{name} has interface {library.planner_abi()}, this package needs {_ABI}")
    answer = ctypes.POINTER(ctypes.c_void_p)
    catalog = ctypes.c_void_p
    text = ctypes.c_char_p
    signatures: dict[str, list[Any]] = {
        "planner_open": [ctypes.POINTER(text), ctypes.c_size_t, ctypes.POINTER(catalog), answer],
        "planner_estimate": [catalog, text, answer],
        "planner_batch": [catalog, text, answer],
        "planner_models": [catalog, text, answer],
        "planner_gpus": [catalog, text, answer],
        "planner_quants": [catalog, text, answer],
        "planner_engines": [catalog, text, answer],
        "planner_show": [catalog, text, answer],
        "planner_inspect": [text, answer],
        "planner_check": [catalog, text, text, ctypes.c_double, answer],
    }
    for function, arguments in signatures.items():
        getattr(library, function).argtypes = arguments
        getattr(library, function).restype = ctypes.c_int
    for function in ("planner_close", "planner_free"):
        getattr(library, function).argtypes = [ctypes.c_void_p]
        getattr(library, function).restype = None
    library.planner_version.argtypes = []
    library.planner_version.restype = text
    return library


_library = _load()


def version() -> str:
    """The library's version: "0.1.0"."""
    return str(_library.planner_version().decode())


def _take(answer: ctypes.c_void_p) -> str:
    if not answer.value:
        raise MemoryError("the library had no memory for an answer")
    try:
        return ctypes.string_at(answer.value).decode()
    finally:
        _library.planner_free(answer)


def _call(function: str, *arguments: Any, fine: tuple[int, ...] = (0,)) -> str:
    answer = ctypes.c_void_p()
    status = getattr(_library, function)(*arguments, ctypes.byref(answer))
    text = _take(answer)
    if status not in fine:
        raise Error(json.loads(text)["error"], status)
    return text


def _encoded(text: str) -> bytes:
    data = text.encode()
    if b"\0" in data:
        raise Error("a text has a zero character in it", 2)
    return data


def _request(request: Mapping[str, Any], flags: Mapping[str, Any]) -> str:
    asked = {**request, **flags}
    if isinstance(asked.get("gpu"), str):
        asked["gpu"] = [asked["gpu"]]
    return json.dumps(asked)


class Catalog:
    """The facts, with the .yaml files of `folders` over them (docs/data.md). Without folders: the facts that are compiled in."""

    def __init__(self, folders: Iterable[str | os.PathLike[str]] = ()) -> None:
        self._handle = ctypes.c_void_p()
        paths = [_encoded(os.fspath(folder)) for folder in folders]
        if not paths:
            return
        answer = ctypes.c_void_p()
        status = _library.planner_open((ctypes.c_char_p * len(paths))(*paths), len(paths), ctypes.byref(self._handle), ctypes.byref(answer))
        if status != 0:
            raise Error(json.loads(_take(answer))["error"], status)

    def __del__(self) -> None:
        handle = getattr(self, "_handle", None)
        if handle:
            _library.planner_close(handle)

    def estimate(self, request: Request | Mapping[str, Any] | None = None, /, **flags: Any) -> dict[str, Any]:
        """One question answered: "planner.estimate/1". `flags` are laid over `request`."""
        answer: dict[str, Any] = json.loads(_call("planner_estimate", self._handle, _encoded(_request(request or {}, flags))))
        return answer

    def estimate_many(self, requests: Iterable[Request | Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Many, in order, at the library's speed. One that cannot be answered gives {"schema": "planner.error/1", "line": N, "error": ...} in its place."""
        lines = "".join(_request(request, {}) + "\n" for request in requests)
        return [json.loads(line) for line in _call("planner_batch", self._handle, _encoded(lines)).splitlines()]

    def _list(self, kind: str, text: str) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = json.loads(_call(f"planner_{kind}", self._handle, _encoded(text)))[kind]
        return entries

    def models(self, text: str = "") -> list[dict[str, Any]]:
        """The models that have every word of `text` in name, family, license ..."""
        return self._list("models", text)

    def gpus(self, text: str = "") -> list[dict[str, Any]]:
        """The devices: GPUs, unified machines, CPU platforms, nodes."""
        return self._list("gpus", text)

    def quants(self, text: str = "") -> list[dict[str, Any]]:
        """The quantizations."""
        return self._list("quants", text)

    def engines(self, text: str = "") -> list[dict[str, Any]]:
        """The inference engines."""
        return self._list("engines", text)

    def show(self, name: str) -> dict[str, Any]:
        """One entry by any of its names: "planner.show/1"."""
        entry: dict[str, Any] = json.loads(_call("planner_show", self._handle, _encoded(name)))
        return entry

    def check(self, log: str, tolerance: float = 0.05, model: str | None = None) -> dict[str, Any]:
        """An engine's log (its text) against the prediction: "planner.check/1". "holds" tells whether all is within the relative tolerance; `model` is
        for logs that do not say which one they are of."""
        named = None if model is None else _encoded(model)
        comparison: dict[str, Any] = json.loads(_call("planner_check", self._handle, _encoded(log), named, tolerance, fine=(0, _CHECK_FAILED)))
        return comparison


def inspect(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What a GGUF file, a config.json or a folder with one holds: "planner.inspect/1"."""
    inspection: dict[str, Any] = json.loads(_call("planner_inspect", _encoded(os.fspath(path))))
    return inspection


_builtin = Catalog()
estimate = _builtin.estimate
estimate_many = _builtin.estimate_many
models = _builtin.models
gpus = _builtin.gpus
quants = _builtin.quants
engines = _builtin.engines
show = _builtin.show
check = _builtin.check
