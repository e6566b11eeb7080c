"""The figures: name, unit, target, which way is better. One list for table, JSON, page and ratchets."""

from dataclasses import dataclass
from enum import Enum


class Sense(Enum):
    """How a value compares with its target."""

    AT_LEAST = ">="
    AT_MOST = "<="
    REPORT = "report"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `limit` is what bounds it, whatever the design; `part` the measurement that gives it."""

    name: str
    part: str
    unit: str
    sense: Sense
    target: float | None
    limit: str

    def met(self, value: float) -> bool:
        """Whether `value` reaches the target."""
        if self.target is None:
            return True
        return value >= self.target if self.sense is Sense.AT_LEAST else value <= self.target

    @property
    def shown_target(self) -> str:
        """The target as a table shows it."""
        return "report" if self.target is None else f"{self.sense.value} {self.target:,g}"


def _at_least(name: str, part: str, unit: str, target: float, limit: str) -> Row:
    return Row(name, part, unit, Sense.AT_LEAST, target, limit)


def _at_most(name: str, part: str, unit: str, target: float, limit: str) -> Row:
    return Row(name, part, unit, Sense.AT_MOST, target, limit)


ROWS: tuple[Row, ...] = (
    _at_least("lookup_throughput", "directory", "hits/cycle", 0.95, "1.0: one directory read port"),
    _at_most("lookup_latency", "steps", "cycles", 6, "hash, two cycles of each memory, compare"),
    _at_least("lookup_throughput_in_scan", "directory", "hits/cycle", 0.80, "1.0: one directory read port"),
    _at_most("scan_cycles", "directory", "cycles", 4160, "4,096: one row a cycle"),
    _at_most("scan_cycles_loaded", "directory", "cycles", 5500, "about 4,400: lookups take the banks' cycles"),
    _at_most("step_to_decision", "steps", "cycles", 12, "write, judge, two cycles of memory, score, queue"),
    _at_most("step_to_dma", "steps", "cycles", 24, "decision, start check through the directory, AR"),
    _at_most("insert_mean_90", "fill", "cycles", 8, "the pipeline up to the free place"),
    _at_most("insert_max_90", "fill", "cycles", 256, "64 probes, relocations"),
    _at_least("first_full", "fill", "occupancy", 0.98, "16 choices, bounded search: about 0.99"),
    _at_least("dma_util_8k", "dma", "beats/cycle", 0.99, "1.0: one read-data bus"),
    _at_least("dma_util_512", "dma", "beats/cycle", 0.95, "1.0 from 51 bursts in flight on"),
    _at_most("free_request_cycles", "directory", "cycles", 4400, "4,096: one row and one slot a cycle"),
    _at_least("cosim_vs_raw", "cosim", "ratio", 0.5, "1: the bare loop"),
    _at_least("mmio_vs_pin_level", "mmio", "ratio", 50, "the RTL's own time for an access"),
    Row("replay_rate", "growth", "references/s", Sense.REPORT, None, "grows linearly with the trace"),
    _at_most("startup", "startup", "s", 3, "Python and the simulator's start"),
    _at_most("model_scan", "model", "ms", 2, "memory bandwidth of NumPy"),
    _at_least("regress_scaling", "scaling", "ratio", 1.6, "2: two workers"),
    _at_least("linux_mmio", "linux", "accesses/s", 5000, "messages between two processes, and the RTL's own time"),
    _at_most("linux_step_to_irq", "linux", "ns", 256, "0; a step of the guest's clock is 256 ns"),
    Row("linux_boot", "linux", "s", Sense.REPORT, None, "Linux's own start"),
    _at_least("fmax_ecp5", "fpga", "MHz", 125, "100 first; block RAM without its output register: 4.3 ns"),
    _at_most("u250_bram", "fpga", "%", 25, "the device's memories"),
    _at_most("u250_lut", "fpga", "%", 5, ""),
)
BY_NAME = {row.name: row for row in ROWS}
PARTS = tuple(dict.fromkeys(row.part for row in ROWS))
