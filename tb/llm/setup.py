"""The stack of a run: tiers so small that blocks move all the time, a model, keys and files."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sw.driver import Driver
from sw.driver.types import Caps
from sw.llm.config import Limits, LlmConfig
from sw.llm.micro.kvformat import BlockLayout
from sw.llm.micro.plan import DevicePlan
from sw.llm.models import PACKAGE, PUBLIC_KEY
from sw.llm.package import Header, Quantisation, TrustedKey, TrustStore
from sw.llm.package.format import parse
from sw.llm.system import LlmSetup, SystemConfig
from sw.regs import registers as regs
from sw.signing import PrivateKey, PublicKey
from tb.llm.workload import CLASSES, Prompt

CYCLES_PER_TOKEN = 5_000  # a step takes longer than a full-size scan
CHUNK_TOKENS = 4
WCET_CYCLES = 37_500  # of a chunk, lookups and bytes included
AUDIT = "audit.jsonl"


@dataclass(frozen=True, slots=True)
class Model:
    """A signed model, and who is trusted to have signed it."""

    package: bytes
    key: PublicKey

    @property
    def header(self) -> Header:
        """What the package says of itself, to choose sizes before the service verifies it."""
        return parse(self.package).header


def shipped() -> Model:
    """The model that the project ships."""
    return Model(PACKAGE.read_bytes(), PublicKey.load(PUBLIC_KEY))


def blocks(header: Header, tokens: int, block_tokens: int) -> int:
    """Blocks that so many tokens take: one for each layer, kv head and begun block of tokens."""
    return header.layers * header.kv_heads * -(-tokens // block_tokens)


def plan(header: Header, prompts: Sequence[Prompt], caps: Caps) -> tuple[DevicePlan, int]:
    """Tiers for a workload, and the most blocks that one chunk inserts.

    The fast tiers hold a small part of what the prompts need together, so that blocks are evicted, looked up in slow
    tiers and promoted again; the slowest holds everything.
    """
    size = caps.block_tokens
    form = Quantisation(header.quantisation)
    inserts = 2 * blocks(header, size, size)
    total = sum(blocks(header, len(p.text) + 1 + p.max_tokens, size) for p in prompts)
    slots = (max(inserts, total // 6), max(inserts, total // 9), max(inserts, total // 9), total + 4 * inserts)
    return DevicePlan(slots, BlockLayout(form, header.head_dim, size).block_bytes), inserts


async def press(driver: Driver, slots: Sequence[int]) -> None:
    """Pressure begins early and makes room for half a tier, so that blocks keep moving."""
    for tier, count in enumerate(slots[:-1]):
        await driver.registers.write(regs.TIER_LOW[tier], count // 4)
        await driver.registers.write(regs.TIER_HIGH[tier], count // 2)


def system_config(
    model: Model, prompts: Sequence[Prompt], caps: Caps, folder: Path, *, seed: int, trace: bool
) -> SystemConfig:
    """The configuration of a run; token file, trust store and audit log go into `folder`.

    Raises:
        TrustError: the folder is open to others.
    """
    trust = TrustStore(folder / "trust")
    trust.add(TrustedKey(model.key, "model-vendor", None))
    device, inserts = plan(model.header, prompts, caps)
    randoms = random.Random(seed)
    return SystemConfig(
        key=PrivateKey(randoms.randbytes(32)),
        llm=LlmSetup(
            plan=device,
            trust=trust,
            config=LlmConfig(Limits(), CLASSES),
            cycles_per_token=CYCLES_PER_TOKEN,
            chunk_tokens=CHUNK_TOKENS,
            inserts_per_step=inserts,
        ),
        audit_path=folder / AUDIT,
        random=randoms.getrandbits,
        trace=trace,
    )
