"""The hardware rows: exact cycles of the RTL at full size, with default parameters and every check on."""

import os
from typing import Any

from tb.figures.measure import Figure, Found, Workshop
from tb.run.leg import Job

SEEDS = 20
_FULL = "RTL, 65,536 entries, 16 lanes, 3 ports, AXI 512 bits, scoreboard and protocol checkers on"

_HOW = {
    "lookup_throughput": "three ports ask all the time for random blocks of the directory; hits answered / cycles from "
    "the first to the last answer of all ports; the least of 25, 50, 75, 90 and 98 % occupancy",
    "lookup_throughput_in_scan": "the same at 98 % occupancy, from the handshake of STEP_ADVANCE to scan done; the "
    "least of three scans",
    "scan_cycles": "handshake of STEP_ADVANCE to scan done at 98 % occupancy, nothing else running; the most of three "
    "scans with different first rows",
    "scan_cycles_loaded": "the same while three ports ask all the time for random blocks; the most of three scans",
    "free_request_cycles": "inside the device, from the command leaving its queue to its result, idle, directory 98 % "
    "full; the worse of a request of 4,096 consecutive blocks and one of 4,096 random blocks",
    "lookup_latency": "handshake of a request to handshake of its answer, one at a time; the most over all ports",
    "step_to_decision": "later of the AW and W handshakes of STEP_ADVANCE to the cycle in which the evict queue's "
    "level is 1; one candidate, in the first row scanned; the most over the eight first rows that a scan can have",
    "step_to_dma": "the same to the handshake of the first read address, memory port always ready",
    "dma_util_8k": "blocks of 8 KiB, both channels fed by the decisions of scans, 200 cycles to read data and 200 to "
    "the write response; read-data beats / cycles over at least 1,000 moves after the first 200",
    "dma_util_512": "the same with blocks of 512 bytes",
    "insert_mean_90": "inside the device, from the command leaving its queue to its result registers; mean over the "
    "INSERTs that found 89 to 91 % of the entries taken; random keys; the worst of 20 seeds",
    "insert_max_90": "the same, the longest one of all seeds",
    "first_full": "random keys, INSERT until the first FULL; the least of 20 seeds, every one on the RTL",
}


def _figures(values: dict[str, float]) -> dict[str, Figure]:
    return {name: Figure(value, f"{_HOW[name]} ({_FULL})") for name, value in values.items()}


def directory(shop: Workshop) -> Found:
    """Lookups, scans, FREE_REQUEST over a directory filled to 98 %."""
    seen = shop.run(shop.leg("figures_directory", curves=shop.settings.curves))
    return Found(_figures(seen["values"]), seen["curves"])


def steps(shop: Workshop) -> Found:
    """Latencies of an idle device."""
    return Found(_figures(shop.run(shop.leg("figures_steps"))["values"]))


def dma(shop: Workshop) -> Found:
    """Utilisation of the memory port."""
    seen = shop.run(shop.leg("figures_dma", curves=shop.settings.curves))
    return Found(_figures(seen["values"]), seen["curves"])


def fill(shop: Workshop) -> Found:
    """INSERT at 90 % and the first FULL, over all seeds."""
    jobs = [Job(leg, leg.tests[0], n) for n in range(1, SEEDS + 1) for leg in [shop.leg("figures_fill", keys=n)]]
    runs = shop.run_all(jobs, os.cpu_count() or 1)
    values = [run["values"] for run in runs]
    worst = {
        "insert_mean_90": max(v["insert_mean_90"] for v in values),
        "insert_max_90": max(v["insert_max_90"] for v in values),
        "first_full": min(v["first_full"] for v in values),
    }
    curves: dict[str, Any] = {"insert": runs[0]["curves"]["insert"], "first_full": [v["first_full"] for v in values]}
    return Found(_figures(worst), curves)
