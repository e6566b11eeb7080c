"""One cell of `make rt-bench`, in the environment of llama.cpp: `python -m tb.engines.worker JOB RESULT`.

JOB and RESULT are JSON files. Each repetition is a process of its own, forked before llama.cpp has done anything, so
that its peak memory is its own. Tokens go in and out as numbers; no text is made, so none can be logged.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tb.engines.load import Load

PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024
MCL_CURRENT_AND_FUTURE = 3
RSS_POINTS = 32  # samples of the resident set over the tokens of a repetition
ERROR = 4  # level of an error in llama.cpp's log
SETTLE_S = 0.2  # the load runs so long before the first repetition


def rss_kib() -> int:
    """Resident set of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_KIB


def peak_kib() -> int:
    """Largest resident set of this process so far."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return 0


def lock_memory() -> str:
    """mlockall: every page of now and later is resident. `set`, or why it was refused."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mlockall(MCL_CURRENT_AND_FUTURE) == 0:
        return "set"
    return f"refused: {os.strerror(ctypes.get_errno()).lower()}"


def errors_only(lib: Any) -> Any:
    """Let llama.cpp print errors and nothing else; the callback must live as long as the library is used."""

    def say(level: int, text: bytes, _: Any) -> None:
        if level == ERROR:
            sys.stderr.write(text.decode(errors="replace"))

    callback = lib.llama_log_callback(say)
    lib.llama_log_set(callback, ctypes.c_void_p(0))
    return callback


def with_fields(parameters: Any, **values: int) -> Any:
    """Parameters of llama.cpp with these fields. Raises RuntimeError for one that this version does not have."""
    known = {field[0] for field in parameters._fields_}  # ctypes would take any name, without an effect
    for name, value in values.items():
        if name not in known:
            raise RuntimeError(f"this llama.cpp has no parameter {name}")
        setattr(parameters, name, value)
    return parameters


class Engine:
    """A model, a context and a sampler of llama.cpp. Raises RuntimeError where llama.cpp refuses."""

    def __init__(self, lib: Any, job: dict[str, Any], seed: int) -> None:
        self._lib, self._log = lib, errors_only(lib)
        lib.llama_backend_init()
        # Locked is without mmap: the file is read into memory of the process.
        mode = lib.LLAMA_LOAD_MODE_MLOCK if job["bounded"] else lib.LLAMA_LOAD_MODE_MMAP
        model = with_fields(lib.llama_model_default_params(), n_gpu_layers=0, load_mode=mode)
        self._model = lib.llama_model_load_from_file(job["model_file"].encode(), model)
        if not self._model:
            raise RuntimeError("llama.cpp does not load the model")
        self.loaded_kib = rss_kib()
        context = with_fields(
            lib.llama_context_default_params(),
            **dict.fromkeys(("n_ctx", "n_batch", "n_ubatch"), job["context"]),
            **dict.fromkeys(("n_threads", "n_threads_batch"), job["threads"]),
        )
        self._context = lib.llama_init_from_model(self._model, context)
        if not self._context:
            raise RuntimeError("llama.cpp makes no context of this length")
        self.vocabulary = lib.llama_vocab_n_tokens(lib.llama_model_get_vocab(self._model))
        self._sampler = self._chain(job["sampling"], seed)

    def _chain(self, sampling: dict[str, float], seed: int) -> Any:
        lib = self._lib
        chain = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
        if "top_k" in sampling:
            lib.llama_sampler_chain_add(chain, lib.llama_sampler_init_top_k(int(sampling["top_k"])))
        if "top_p" in sampling:
            lib.llama_sampler_chain_add(chain, lib.llama_sampler_init_top_p(sampling["top_p"], 1))
        if "temperature" in sampling:
            lib.llama_sampler_chain_add(chain, lib.llama_sampler_init_temp(sampling["temperature"]))
            lib.llama_sampler_chain_add(chain, lib.llama_sampler_init_dist(seed))
        else:
            lib.llama_sampler_chain_add(chain, lib.llama_sampler_init_greedy())
        return chain

    def decode(self, tokens: Any) -> None:
        """Run the model on these tokens (array of llama_token); they follow what is in the context."""
        if self._lib.llama_decode(self._context, self._lib.llama_batch_get_one(tokens, len(tokens))) != 0:
            raise RuntimeError("llama.cpp decodes no further token")

    def sample(self) -> int:
        """The next token, by the last logits. The end of a text does not end the measurement."""
        return int(self._lib.llama_sampler_sample(self._sampler, self._context, -1))


def repetition(job: dict[str, Any], number: int) -> dict[str, Any]:
    """Generate `tokens` tokens; times in ns, memory in KiB.

    A token's time is from the decoding of the token before it to the choice of this one (`total_ns`), `sample_ns` the
    part of the choice.
    """
    import llama_cpp as lib

    begin = time.perf_counter_ns()
    seed = job["seed"] + number
    locked = lock_memory() if job["bounded"] else "not asked for"
    engine = Engine(lib, job, seed)
    prompt = np.random.default_rng(seed).integers(0, engine.vocabulary, job["prompt"]).tolist()
    ready = time.perf_counter_ns()
    engine.decode((lib.llama_token * len(prompt))(*prompt))
    one = (lib.llama_token * 1)(engine.sample())
    first = time.perf_counter_ns()
    count, clock = job["tokens"], time.perf_counter_ns
    total, choice = np.zeros(count, np.int64), np.zeros(count, np.int64)
    every = max(1, count // RSS_POINTS)
    memory = [(0.0, engine.loaded_kib), ((ready - begin) / 1e9, rss_kib())]
    for place in range(count):
        if place % every == 0:
            memory.append(((clock() - begin) / 1e9, rss_kib()))
        start = clock()
        engine.decode(one)
        decoded = clock()
        one[0] = engine.sample()
        end = clock()
        total[place], choice[place] = end - start, end - decoded
    memory.append(((clock() - begin) / 1e9, rss_kib()))
    return {
        "total_ns": total.tolist(),
        "sample_ns": choice.tolist(),
        "start_s": (ready - begin) / 1e9,
        "first_token_ns": first - ready,
        "rss": memory,
        "peak_kib": peak_kib(),
        "mlockall": locked,
    }


def in_a_process(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `work` gives in a forked process, or {"error": why}."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        try:
            mine = work()
        except (RuntimeError, OSError, ValueError) as error:
            mine = {"error": str(error)}
        with os.fdopen(write, "w") as out:
            json.dump(mine, out)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        text = answer.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status != 0:
        return {"error": f"llama.cpp ended with status {status}"}
    found: dict[str, Any] = json.loads(text)
    return found


def run(job: dict[str, Any]) -> dict[str, Any]:
    """All repetitions of a cell under its load; stops at the first that fails (`error`)."""
    import llama_cpp as lib  # before the first fork: each repetition starts with the library in memory

    load = Load(job["load"] / 100, job["cpus"])
    load.begin()
    if job["bounded"]:
        os.sched_setaffinity(0, job["cpus"])
    done: list[dict[str, Any]] = []
    try:
        time.sleep(SETTLE_S if job["load"] else 0.0)
        for number in range(job["repetitions"]):
            done.append(in_a_process(lambda number=number: repetition(job, number)))  # type: ignore[misc]
            if "error" in done[-1]:
                break
    finally:
        share = load.end()
    return {
        "engine": f"llama-cpp-python {lib.__version__}",
        "built_for": lib.llama_print_system_info().decode().strip(),
        "load_share": share,
        "error": done[-1].get("error"),
        "repetitions": [one for one in done if "error" not in one],
    }


def main(arguments: list[str]) -> int:
    """Entry point; exit status 0 when RESULT was written."""
    job, result = map(Path, arguments)
    result.write_text(json.dumps(run(json.loads(job.read_text()))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
