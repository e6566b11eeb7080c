"""vLLM, with the device beneath it or without, in its own environment: `python -m tb.engines.vllm_run JOB RESULT`.

JOB and RESULT are JSON files. Tokens go in and out as numbers; there is no tokenizer and no text. Scheduler, worker and
device model are in this process, so that both sides of the adapter reach the same device.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

Tokens = list[list[int]]
VOCABULARY = 512
GEOMETRY = {
    "vocab_size": VOCABULARY, "hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 32, "max_position_embeddings": 1024,
}  # fmt: skip
TRANSFER = {
    "kv_connector": "OffloadingConnector",
    "kv_role": "kv_both",
    "kv_connector_extra_config": {
        "spec_name": "KvCpuOffloadingSpec",
        "spec_module_path": "sw.vllm.spec",
        "kvcpu_transport": "sw.transport.model:ModelTransport",
        "kvcpu_slots": [0, 4096, 8192, 16384],
    },
}


class Watched:
    """Copies that the adapter makes, and its scheduler's side, seen from outside."""

    def __init__(self) -> None:
        self.stored = self.loaded = self.stored_bytes = self.loaded_bytes = 0
        self.managers: list[Any] = []

    def install(self) -> None:
        """Count from now on; vLLM must be there."""
        from sw.vllm import spec, transfer

        copies: Any = transfer.Transfer
        scheduler: Any = spec.KvCpuOffloadingManager
        write, read, begin = copies.write, copies.read, scheduler.__init__

        async def counted_write(one: Any, blocks: Sequence[Any], data: bytes) -> None:
            await write(one, blocks, data)
            self.stored, self.stored_bytes = self.stored + 1, self.stored_bytes + len(data)

        async def counted_read(one: Any, blocks: Sequence[Any], size: int) -> bytes:
            data: bytes = await read(one, blocks, size)
            self.loaded, self.loaded_bytes = self.loaded + 1, self.loaded_bytes + len(data)
            return data

        def noted(manager: Any, *rest: Any, **named: Any) -> None:
            begin(manager, *rest, **named)
            self.managers.append(manager)

        copies.write, copies.read, scheduler.__init__ = counted_write, counted_read, noted

    def counts(self) -> dict[str, int]:
        """vLLM blocks copied so far, each way."""
        return {"stored": self.stored, "loaded": self.loaded,
                "stored_bytes": self.stored_bytes, "loaded_bytes": self.loaded_bytes}  # fmt: skip

    def state(self) -> dict[str, Any]:
        """What the adapter holds: chunks, those that are still copied, slots in use by tier."""
        from sw.run import run

        if not self.managers:
            return {}
        core = self.managers[-1]._core
        return {
            "chunks": len(core),
            "copied": sum(chunk.copied for chunk in core._at.values()),
            "slots": run(core._driver.occupancy()),
        }

    def close(self) -> dict[str, Any]:
        """Shut the adapter down and say what is left in the directory."""
        if not self.managers:
            return {}
        self.managers[-1].shutdown()
        return self.state()


def save_model(folder: Path, seed: int) -> None:
    """A model of random weights, as vLLM loads it."""
    import torch  # type: ignore[import-not-found]
    import transformers  # type: ignore[import-not-found]

    torch.manual_seed(seed)
    transformers.LlamaForCausalLM(transformers.LlamaConfig(**GEOMETRY)).save_pretrained(folder)


def prompts(seed: int, count: int, length: int) -> Tokens:
    """Random prompts; no two of them share a prefix."""
    drawn: Tokens = np.random.default_rng(seed).integers(0, VOCABULARY, (count, length)).tolist()
    return drawn


class Engine:
    """One vLLM in this process."""

    def __init__(self, job: dict[str, Any]) -> None:
        from vllm import LLM, SamplingParams, TokensPrompt  # type: ignore[import-not-found]

        self._sampling, self._prompt = SamplingParams, TokensPrompt
        self._number = 0
        self._llm = LLM(
            job["model"],
            skip_tokenizer_init=True,
            enforce_eager=True,
            max_model_len=1024,
            dtype="float32",
            seed=job["seed"],
            num_gpu_blocks_override=job["blocks"],
            disable_log_stats=False,
            **({"kv_transfer_config": TRANSFER} if job["adapter"] else {}),
        )

    def generate(self, given: Tokens, count: int) -> Tokens:
        """The next `count` tokens of each prompt, greedy."""
        outputs = self._llm.generate(
            [self._prompt(prompt_token_ids=prompt) for prompt in given], self._parameters(count), use_tqdm=False
        )
        return [list(output.outputs[0].token_ids) for output in outputs]

    def generate_and_abort(self, given: Tokens, count: int, aborted: int, after: int) -> Tokens:
        """As `generate`, but after `after` steps the first `aborted` requests are aborted; the tokens of the others."""
        engine = self._llm.llm_engine
        names = []
        for prompt in given:
            self._number += 1
            names.append(f"check-{self._number}")
            engine.add_request(names[-1], self._prompt(prompt_token_ids=prompt), self._parameters(count))
        done: dict[str, list[int]] = {}
        steps = 0
        while engine.has_unfinished_requests():
            if steps == after:
                engine.abort_request(names[:aborted])
            for output in engine.step():
                if output.finished:
                    done[output.request_id] = list(output.outputs[0].token_ids)
            steps += 1
        return [done[name] for name in names[aborted:]]

    def preemptions(self) -> int:
        """How often the scheduler has preempted a request."""
        return sum(int(one.value) for one in self._llm.get_metrics() if one.name == "vllm:num_preemptions")

    def _parameters(self, count: int) -> Any:
        return self._sampling(detokenize=False, temperature=0, max_tokens=count, ignore_eos=True)


def scenarios(job: dict[str, Any], engine: Engine, watched: Watched) -> dict[str, Any]:
    """Everything that is checked: for each part its tokens, the copies and the preemptions of it."""
    sizes = job["sizes"]
    found: dict[str, Any] = {}

    def part(name: str, tokens: Tokens, before: tuple[dict[str, int], int]) -> None:
        counts, preempted = before
        now = watched.counts()
        found[name] = {
            "tokens": tokens,
            "preemptions": engine.preemptions() - preempted,
            "state": watched.state(),
            **{key: now[key] - counts[key] for key in now},
        }

    again = prompts(job["seed"], sizes["prompts"], sizes["length"])
    for number in range(sizes["rounds"]):
        before = watched.counts(), engine.preemptions()
        part(f"round {number + 1}", engine.generate(again, sizes["answer"]), before)
    before = watched.counts(), engine.preemptions()
    many = prompts(job["seed"] + 1, sizes["crowd"], sizes["crowd_length"])
    part("preemption", engine.generate(many, sizes["crowd_answer"]), before)
    before = watched.counts(), engine.preemptions()
    some = prompts(job["seed"] + 2, sizes["abort"], sizes["length"])
    part(
        "abort",
        engine.generate_and_abort(some, sizes["abort_answer"], sizes["abort"] // 2, sizes["abort_after"]),
        before,
    )
    before = watched.counts(), engine.preemptions()
    part("after abort", engine.generate(some, sizes["answer"]), before)
    return found


def main(arguments: list[str]) -> int:
    """Entry point; exit status 0 when RESULT was written."""
    ask, result = map(Path, arguments)
    job = json.loads(ask.read_text())
    if not Path(job["model"]).exists():
        save_model(Path(job["model"]), job["seed"])
    import vllm

    watched = Watched()
    if job["adapter"]:
        watched.install()
    engine = Engine(job)
    found = scenarios(job, engine, watched)
    left = watched.close()
    result.write_text(json.dumps({"version": vllm.__version__, "parts": found, "left": left}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
