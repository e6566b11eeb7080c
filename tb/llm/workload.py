"""Who asks what, when: the prompts of a run."""

from __future__ import annotations

import random
from dataclasses import dataclass

from sw.llm.backend import Sampling
from sw.llm.config import ClassBudget

US = 1_000
MS = 1_000_000
SINGLE_TOKENS = 48  # of output; fewer when the context has no more room
LEAST_TOKENS = 16
CLASSES = (ClassBudget(450 * US, 1_200 * US), ClassBudget(500 * US, 1_600 * US), None, None)
"""Interactive and batch; two classes are left for LLM_BUDGET."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """One inference to ask for.

    Attributes:
        tenant: who asks.
        text: the prompt.
        max_tokens: of output.
        cls: class, 0 interactive, 1 batch.
        deadline_ns: from acceptance on.
        arrival_ns: from the beginning of the workload on.
        sampling: how tokens are chosen.
    """

    tenant: str
    text: bytes
    max_tokens: int
    cls: int
    deadline_ns: int
    arrival_ns: int
    sampling: Sampling


_PREAMBLE = "The device keeps a directory of every KV-cache block. "
_QUESTIONS = (
    ("The directory ", 24, 0, (0, 0, 0)),
    (_PREAMBLE + "A lookup ", 28, 1, (0, 0, 0)),
    (_PREAMBLE + "A block that moves ", 28, 0, (800, 0, 0)),
    ("Every refusal has ", 24, 1, (1000, 40, 0)),
    (_PREAMBLE + "The fence ", 28, 0, (900, 0, 900)),
    ("make sim ", 24, 1, (700, 50, 950)),
)
"""Text, tokens, class, and temperature, top-k and top-p: every way of sampling, three prompts with one beginning."""


def default(seed: int) -> list[Prompt]:
    """Two tenants, two classes, every way of sampling; the seed decides arrivals and samples."""
    draw = random.Random(seed)
    prompts = []
    for number, (text, tokens, cls, (temperature, top_k, top_p)) in enumerate(_QUESTIONS):
        prompts.append(
            Prompt(
                tenant=f"tenant-{'ab'[number % 2]}",
                text=text.encode(),
                max_tokens=tokens,
                cls=cls,
                deadline_ns=(25, 50)[cls] * MS,
                arrival_ns=draw.randrange(400) * US if number else 0,
                sampling=Sampling(draw.getrandbits(64), temperature, top_k, top_p),
            )
        )
    return sorted(prompts, key=lambda prompt: prompt.arrival_ns)


def longest_prompt(context: int) -> int:
    """Bytes of the longest prompt that leaves room for an output worth looking at."""
    return context - 1 - LEAST_TOKENS


def single(text: str, seed: int, context: int) -> list[Prompt]:
    """One prompt of the user's, greedy."""
    prompt = text.encode()
    tokens = min(SINGLE_TOKENS, context - 1 - len(prompt))
    return [Prompt("tenant-a", prompt, tokens, 0, 50 * MS, 0, Sampling(seed))]
