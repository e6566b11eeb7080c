"""The monitors' records. Generated from tb/events/events.toml by `make regs`: do not edit.

Of each kind a `...Record` with its fields, and in `DTYPES` how they lie in the words of a stream.
`docs/events.md` lists all of them; `tb.events.decode` makes records out of words.
"""

from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

# Tables, one record a line however long it is: a change of one record changes one line.
# ruff: noqa: E501
# fmt: off

STREAM_MAIN = 0  # everything that has an order
STREAM_SCAN = 1  # one record for each scan step that scored
STREAM_PORT = 2  # requests and answers of the lookup ports
STREAM_DMA = 3  # what the DMA alone does in its block tests
STREAM_WORDS = (16, 4, 4, 4)


class Kind(IntEnum):
    """Values of `Kind`."""

    Reset = 0
    Op = 1
    Reloc = 2
    Free = 3
    Freed = 4
    Step = 5
    ScanBegin = 6
    ScanStart = 7
    ScanDone = 8
    ScanCycles = 9
    Push = 10
    Pop = 11
    Completion = 12
    ComplPop = 13
    MissPop = 14
    MissDrop = 15
    Config = 16
    Command = 17
    CmdDone = 18
    Result = 19
    CmdRefused = 20
    Mmio = 21
    Irq = 22
    IrqLevel = 23
    DmaError = 24
    Parity = 25
    InsertFull = 26
    Probe = 29
    EntryRead = 27
    Dump = 28


class PortKind(IntEnum):
    """Values of `PortKind`."""

    LookupRequest = 0
    LookupAnswer = 1


class DmaKind(IntEnum):
    """Values of `DmaKind`."""

    DmaCompletion = 1
    DmaFault = 2
    DmaRead = 3
    DmaPop = 4
    DmaWrite = 5


class Op(IntEnum):
    """Values of `Op` (op_e)."""

    NONE = 0
    LOOKUP = 1
    PEEK = 2
    BOOST = 3
    IMEVICT = 4
    COOL = 5
    PREFETCH = 6
    SHARE = 7
    RELEASE = 8
    INSERT = 9
    PROBE = 10
    REMOVE = 11
    MIGRATE = 12
    START = 13
    END = 14
    READ = 15


class Client(IntEnum):
    """Values of `Client` (client_e)."""

    PORT = 0
    CMD = 1
    DMA = 2
    BAR2 = 3


class Cmd(IntEnum):
    """Values of `Cmd` (cmd_e)."""

    BOOST = 0
    IMEVICT = 1
    COOL = 2
    PREFETCH = 3
    SHARE = 4
    RELEASE = 5
    INSERT = 8
    LOOKUP = 9
    REMOVE = 10
    FREE_REQUEST = 11
    MIGRATE = 12


class Tier(IntEnum):
    """Values of `Tier` (tier_e)."""

    HBM = 0
    T1 = 1
    HOST = 2
    NVME = 3


class Response(IntEnum):
    """Values of `Response`."""

    OKAY = 0
    EXOKAY = 1
    SLVERR = 2
    DECERR = 3


class Bar(IntEnum):
    """Values of `Bar`."""

    BAR0 = 0
    BAR1 = 1
    BAR2 = 2


class ConfigField(IntEnum):
    """Values of `ConfigField`."""

    enable = 0
    demand = 1
    contend_policy = 2
    w_r = 3
    w_f = 4
    w_s = 5
    w_d = 6
    evict_thresh = 7
    prefetch_thresh = 8
    r_shift = 9
    f_age = 10
    lookahead = 11
    promote_tier = 12
    evict_tiers = 13
    max_retry = 14
    block_bytes = 15
    req_lo = 16
    req_hi = 17
    base = 18
    slots = 19
    reserve = 20
    low = 21
    high = 22
    hold = 23


class ResetRecord(NamedTuple):
    """The directory starts empty."""

    cycle: int
    hard: bool


class OpRecord(NamedTuple):
    """An operation on the directory at its commit point (S3), with the entry after it."""

    cycle: int
    op: int
    index: int  # type: ignore[assignment]  # tuple.index is not called
    step: int
    kv_addr: int
    phys_addr: int
    to_phys_addr: int
    entry_key: int
    item_key: int
    entry_access_step: int
    found_index: int
    taken_slot: int
    returned_slot: int
    before_slot: int
    entry_prio: int
    entry_slot: int
    item_generation: int
    client: int
    port_no: int
    hit: bool
    status: int
    result: int
    tag_written: bool
    meta_written: bool
    search_end: bool
    write: bool
    denied: bool
    retry: bool
    error: bool
    move_id: int
    found_tier: int
    to_tier: int
    arg_tier: int
    arg_token_offset: int
    arg_prefix: bool
    arg_hot: bool
    pushes: bool
    queued: bool
    channel: int
    takes_slot: bool
    taken_tier: int
    returns_slot: bool
    returned_tier: int
    held: bool
    before_tier: int
    entry_ref_count: int
    entry_r: int
    entry_f: int
    entry_token_offset: int
    entry_tier: int
    entry_valid: bool
    entry_prefix: bool
    entry_dirty: bool
    entry_hot: bool
    entry_evictable: bool
    entry_hint: bool
    entry_epoch: bool
    entry_in_flight: bool
    entry_moving: bool
    entry_voided: bool
    item_from_tier: int
    item_fixed: bool
    item_target: int
    item_by_migrate: bool


class RelocRecord(NamedTuple):
    """A relocation writes an entry to another of its places."""

    cycle: int
    index: int  # type: ignore[assignment]  # tuple.index is not called
    key: int


class FreeRecord(NamedTuple):
    """FREE_REQUEST meets an entry of its request."""

    cycle: int
    removed: bool
    index: int  # type: ignore[assignment]  # tuple.index is not called
    request_id: int


class FreedRecord(NamedTuple):
    """A slot freed by FREE_REQUEST, or by an INSERT that found no place, enters its pool."""

    cycle: int
    tier: int
    slot: int


class StepRecord(NamedTuple):
    """STEP_ADVANCE takes effect."""

    cycle: int
    step: int


class ScanBeginRecord(NamedTuple):
    """A scan begins: what pressure is judged by."""

    cycle: int
    free_0: int
    free_1: int
    free_2: int
    departures_0: int
    departures_1: int
    departures_2: int


class ScanStartRecord(NamedTuple):
    """What a scan uses, a cycle after the banks start."""

    cycle: int
    w_r: int
    row: int
    step: int
    lookahead: int
    kept_ahead: int
    auto_thresh_0: int
    auto_thresh_1: int
    auto_thresh_2: int
    evict_thresh: int
    prefetch_thresh: int
    w_f: int
    w_s: int
    w_d: int
    r_shift: int
    age: bool
    promote_tier: int
    evict_tiers: int
    pressure_0: bool
    pressure_1: bool
    pressure_2: bool


class ScanDoneRecord(NamedTuple):
    """The scan is done."""

    cycle: int


class ScanCyclesRecord(NamedTuple):
    """SCAN_CYCLES has its new value."""

    cycle: int
    took: int


class PushRecord(NamedTuple):
    """A decision enters its queue."""

    cycle: int
    channel: int
    item_generation: int
    level: int
    item_from_tier: int
    item_fixed: bool
    item_target: int
    item_key: int
    item_by_migrate: bool


class PopRecord(NamedTuple):
    """The DMA takes an item from a queue."""

    cycle: int
    channel: int
    item_generation: int
    level: int
    item_from_tier: int
    item_fixed: bool
    item_target: int
    item_key: int
    item_by_migrate: bool


class CompletionRecord(NamedTuple):
    """An item's one completion."""

    cycle: int
    status: int
    from_tier: int
    to_tier: int
    dropped: bool
    kv_addr: int


class ComplPopRecord(NamedTuple):
    """Software pops the completion queue."""

    cycle: int


class MissPopRecord(NamedTuple):
    """Software pops the miss queue."""

    cycle: int


class MissDropRecord(NamedTuple):
    """A miss is dropped, as the miss queue is full."""

    cycle: int


class ConfigRecord(NamedTuple):
    """A configuration field has a new value."""

    cycle: int
    field: int
    instance_no: int
    value: int


class CommandRecord(NamedTuple):
    """A command enters the command queue."""

    cycle: int
    cmd: int
    layers: int
    heads: int
    step: int
    kv_addr: int
    length: int
    token_end: int
    tier: int
    prefix: bool
    hot: bool
    touch: bool


class CmdDoneRecord(NamedTuple):
    """A command is done."""

    cycle: int


class ResultRecord(NamedTuple):
    """Result of the last directory command, a cycle after it is done."""

    cycle: int
    status: int
    index: int  # type: ignore[assignment]  # tuple.index is not called
    removed: int
    phys_addr: int
    stayed: int
    tier: int


class CmdRefusedRecord(NamedTuple):
    """A launch is refused, as the command queue is full."""

    cycle: int


class MmioRecord(NamedTuple):
    """An access of the registers (BAR0) or the directory window (BAR2)."""

    cycle: int
    bar: int
    write: bool
    response: int
    address: int
    data: int
    took: int
    strobes: int


class IrqRecord(NamedTuple):
    """Interrupt events."""

    cycle: int
    events: int


class IrqLevelRecord(NamedTuple):
    """The interrupt output changes."""

    cycle: int
    level: bool


class DmaErrorRecord(NamedTuple):
    """An AXI error is latched."""

    cycle: int
    channel: int
    on_write: bool
    kv_addr: int


class ParityRecord(NamedTuple):
    """Entries are read with bad parity."""

    cycle: int
    entries: int
    index: int  # type: ignore[assignment]  # tuple.index is not called


class InsertFullRecord(NamedTuple):
    """INSERT's search ends without a place."""

    cycle: int
    tier: int
    slot: int
    kv_addr: int


class ProbeRecord(NamedTuple):
    """A probe of INSERT's search has read the tags of a key's places."""

    cycle: int
    load: bool
    kv_addr: int


class EntryReadRecord(NamedTuple):
    """BAR2 latches an entry."""

    cycle: int
    ref_count: int
    index: int  # type: ignore[assignment]  # tuple.index is not called
    token_start: int
    phys_addr: int
    token_end: int
    access_step: int
    request_id: int
    layer_head: int
    prio: int
    r: int
    f: int
    tier: int
    prefix: bool
    dirty: bool
    hot: bool
    evictable: bool
    hint: bool
    valid: bool


class DumpRecord(NamedTuple):
    """An entry read by the backdoor at the end of a test."""

    cycle: int
    tag_valid: bool
    index: int  # type: ignore[assignment]  # tuple.index is not called
    entry_access_step: int
    entry_key: int
    generation: int
    entry_prio: int
    entry_slot: int
    meta_valid: bool
    tag_parity: bool
    meta_parity: bool
    move_id: int
    entry_ref_count: int
    entry_r: int
    entry_f: int
    entry_token_offset: int
    entry_tier: int
    entry_valid: bool
    entry_prefix: bool
    entry_dirty: bool
    entry_hot: bool
    entry_evictable: bool
    entry_hint: bool
    entry_epoch: bool
    entry_in_flight: bool
    entry_moving: bool
    entry_voided: bool


class ScoreRecord(NamedTuple):
    """A scan step scored its entry: the entry after it, and the decision."""

    cycle: int
    access_step: int
    index: int  # type: ignore[assignment]  # tuple.index is not called
    prio: int
    request_id: int
    r: int
    f: int
    decision: int
    accepted: bool
    dropped: bool
    counted: bool
    ref_count: int
    tier: int
    prefix: bool
    dirty: bool
    hot: bool
    evictable: bool
    hint: bool
    in_flight: bool


class LookupRequestRecord(NamedTuple):
    """A lookup port accepts a request."""

    cycle: int
    port_no: int
    write: bool
    kv_addr: int


class LookupAnswerRecord(NamedTuple):
    """A lookup port's answer is accepted."""

    cycle: int
    port_no: int
    index: int  # type: ignore[assignment]  # tuple.index is not called
    hit: bool
    denied: bool
    tier: int
    phys_addr: int


class DmaCompletionRecord(NamedTuple):
    """An item's one completion."""

    cycle: int
    status: int
    from_tier: int
    to_tier: int
    kv_addr: int


class DmaFaultRecord(NamedTuple):
    """An AXI error is reported."""

    cycle: int
    channel: int
    on_write: bool
    kv_addr: int


class DmaReadRecord(NamedTuple):
    """An AR handshake."""

    cycle: int
    tier: int
    address: int


class DmaPopRecord(NamedTuple):
    """An item leaves its queue."""

    cycle: int
    channel: int
    waiting: int


class DmaWriteRecord(NamedTuple):
    """An AW handshake."""

    cycle: int
    tier: int
    address: int


DTYPES: dict[type[Any], np.dtype[Any]] = {
    ResetRecord: np.dtype({
        'names': ['cycle', 'hard'],
        'formats': ['<u8', '?'],
        'offsets': [0, 9],
        'itemsize': 128}),
    OpRecord: np.dtype({
        'names': ['cycle', 'op', 'client', 'port_no', 'kv_addr', 'step', 'hit', 'index', 'status', 'result', 'tag_written', 'meta_written', 'search_end', 'write', 'denied', 'retry', 'error', 'move_id', 'found_tier', 'found_index', 'phys_addr', 'to_tier', 'to_phys_addr', 'arg_tier', 'arg_token_offset', 'arg_prefix', 'arg_hot', 'pushes', 'queued', 'channel', 'takes_slot', 'taken_tier', 'taken_slot', 'returns_slot', 'returned_tier', 'returned_slot', 'held', 'before_tier', 'before_slot', 'entry_key', 'entry_access_step', 'entry_prio', 'entry_slot', 'entry_ref_count', 'entry_r', 'entry_f', 'entry_token_offset', 'entry_tier', 'entry_valid', 'entry_prefix', 'entry_dirty', 'entry_hot', 'entry_evictable', 'entry_hint', 'entry_epoch', 'entry_in_flight', 'entry_moving', 'entry_voided', 'item_key', 'item_generation', 'item_from_tier', 'item_fixed', 'item_target', 'item_by_migrate'],
        'formats': ['<u8', 'u1', 'u1', 'u1', '<u8', '<u4', '?', '<u2', 'u1', 'u1', '?', '?', '?', '?', '?', '?', '?', 'u1', 'u1', '<u2', '<u8', 'u1', '<u8', 'u1', 'u1', '?', '?', '?', '?', 'u1', '?', 'u1', '<u2', '?', 'u1', '<u2', '?', 'u1', '<u2', '<u8', '<u4', '<u2', '<u2', 'u1', 'u1', 'u1', 'u1', 'u1', '?', '?', '?', '?', '?', '?', '?', '?', '?', '?', '<u8', '<u2', 'u1', '?', 'u1', '?'],
        'offsets': [0, 9, 74, 75, 16, 12, 76, 10, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 60, 24, 88, 32, 89, 90, 91, 92, 93, 94, 95, 96, 97, 62, 98, 99, 64, 100, 101, 66, 40, 56, 68, 70, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116, 48, 72, 117, 118, 119, 120],
        'itemsize': 128}),
    RelocRecord: np.dtype({
        'names': ['cycle', 'index', 'key'],
        'formats': ['<u8', '<u2', '<u8'],
        'offsets': [0, 10, 16],
        'itemsize': 128}),
    FreeRecord: np.dtype({
        'names': ['cycle', 'index', 'request_id', 'removed'],
        'formats': ['<u8', '<u2', '<u2', '?'],
        'offsets': [0, 10, 12, 9],
        'itemsize': 128}),
    FreedRecord: np.dtype({
        'names': ['cycle', 'tier', 'slot'],
        'formats': ['<u8', 'u1', '<u2'],
        'offsets': [0, 9, 10],
        'itemsize': 128}),
    StepRecord: np.dtype({
        'names': ['cycle', 'step'],
        'formats': ['<u8', '<u4'],
        'offsets': [0, 12],
        'itemsize': 128}),
    ScanBeginRecord: np.dtype({
        'names': ['cycle', 'free_0', 'free_1', 'free_2', 'departures_0', 'departures_1', 'departures_2'],
        'formats': ['<u8', '<u4', '<u4', '<u4', '<u4', '<u4', '<u4'],
        'offsets': [0, 12, 16, 20, 24, 28, 32],
        'itemsize': 128}),
    ScanStartRecord: np.dtype({
        'names': ['cycle', 'row', 'step', 'w_r', 'w_f', 'w_s', 'w_d', 'evict_thresh', 'prefetch_thresh', 'r_shift', 'age', 'lookahead', 'kept_ahead', 'promote_tier', 'evict_tiers', 'pressure_0', 'pressure_1', 'pressure_2', 'auto_thresh_0', 'auto_thresh_1', 'auto_thresh_2'],
        'formats': ['<u8', '<u2', '<u4', 'u1', 'u1', 'u1', 'u1', '<u2', '<u2', 'u1', '?', '<u4', '<u4', 'u1', 'u1', '?', '?', '?', '<u4', '<u4', '<u4'],
        'offsets': [0, 10, 12, 9, 40, 41, 42, 36, 38, 43, 44, 16, 20, 45, 46, 47, 48, 49, 24, 28, 32],
        'itemsize': 128}),
    ScanDoneRecord: np.dtype({
        'names': ['cycle'],
        'formats': ['<u8'],
        'offsets': [0],
        'itemsize': 128}),
    ScanCyclesRecord: np.dtype({
        'names': ['cycle', 'took'],
        'formats': ['<u8', '<u4'],
        'offsets': [0, 12],
        'itemsize': 128}),
    PushRecord: np.dtype({
        'names': ['cycle', 'channel', 'level', 'item_key', 'item_generation', 'item_from_tier', 'item_fixed', 'item_target', 'item_by_migrate'],
        'formats': ['<u8', 'u1', 'u1', '<u8', '<u2', 'u1', '?', 'u1', '?'],
        'offsets': [0, 9, 12, 16, 10, 13, 14, 15, 24],
        'itemsize': 128}),
    PopRecord: np.dtype({
        'names': ['cycle', 'channel', 'level', 'item_key', 'item_generation', 'item_from_tier', 'item_fixed', 'item_target', 'item_by_migrate'],
        'formats': ['<u8', 'u1', 'u1', '<u8', '<u2', 'u1', '?', 'u1', '?'],
        'offsets': [0, 9, 12, 16, 10, 13, 14, 15, 24],
        'itemsize': 128}),
    CompletionRecord: np.dtype({
        'names': ['cycle', 'kv_addr', 'status', 'from_tier', 'to_tier', 'dropped'],
        'formats': ['<u8', '<u8', 'u1', 'u1', 'u1', '?'],
        'offsets': [0, 16, 9, 10, 11, 12],
        'itemsize': 128}),
    ComplPopRecord: np.dtype({
        'names': ['cycle'],
        'formats': ['<u8'],
        'offsets': [0],
        'itemsize': 128}),
    MissPopRecord: np.dtype({
        'names': ['cycle'],
        'formats': ['<u8'],
        'offsets': [0],
        'itemsize': 128}),
    MissDropRecord: np.dtype({
        'names': ['cycle'],
        'formats': ['<u8'],
        'offsets': [0],
        'itemsize': 128}),
    ConfigRecord: np.dtype({
        'names': ['cycle', 'field', 'instance_no', 'value'],
        'formats': ['<u8', 'u1', 'u1', '<u8'],
        'offsets': [0, 9, 10, 16],
        'itemsize': 128}),
    CommandRecord: np.dtype({
        'names': ['cycle', 'cmd', 'kv_addr', 'length', 'step', 'token_end', 'layers', 'heads', 'tier', 'prefix', 'hot', 'touch'],
        'formats': ['<u8', 'u1', '<u8', '<u8', '<u4', '<u4', 'u1', 'u1', 'u1', '?', '?', '?'],
        'offsets': [0, 9, 16, 24, 12, 32, 10, 11, 36, 37, 38, 39],
        'itemsize': 128}),
    CmdDoneRecord: np.dtype({
        'names': ['cycle'],
        'formats': ['<u8'],
        'offsets': [0],
        'itemsize': 128}),
    ResultRecord: np.dtype({
        'names': ['cycle', 'status', 'tier', 'index', 'phys_addr', 'removed', 'stayed'],
        'formats': ['<u8', 'u1', 'u1', '<u2', '<u8', '<u4', '<u4'],
        'offsets': [0, 9, 28, 10, 16, 12, 24],
        'itemsize': 128}),
    CmdRefusedRecord: np.dtype({
        'names': ['cycle'],
        'formats': ['<u8'],
        'offsets': [0],
        'itemsize': 128}),
    MmioRecord: np.dtype({
        'names': ['cycle', 'bar', 'write', 'response', 'strobes', 'address', 'data', 'took'],
        'formats': ['<u8', 'u1', '?', 'u1', 'u1', '<u4', '<u8', '<u4'],
        'offsets': [0, 9, 10, 11, 28, 12, 16, 24],
        'itemsize': 128}),
    IrqRecord: np.dtype({
        'names': ['cycle', 'events'],
        'formats': ['<u8', 'u1'],
        'offsets': [0, 9],
        'itemsize': 128}),
    IrqLevelRecord: np.dtype({
        'names': ['cycle', 'level'],
        'formats': ['<u8', '?'],
        'offsets': [0, 9],
        'itemsize': 128}),
    DmaErrorRecord: np.dtype({
        'names': ['cycle', 'channel', 'on_write', 'kv_addr'],
        'formats': ['<u8', 'u1', '?', '<u8'],
        'offsets': [0, 9, 10, 16],
        'itemsize': 128}),
    ParityRecord: np.dtype({
        'names': ['cycle', 'entries', 'index'],
        'formats': ['<u8', 'u1', '<u2'],
        'offsets': [0, 9, 10],
        'itemsize': 128}),
    InsertFullRecord: np.dtype({
        'names': ['cycle', 'kv_addr', 'tier', 'slot'],
        'formats': ['<u8', '<u8', 'u1', '<u2'],
        'offsets': [0, 16, 9, 10],
        'itemsize': 128}),
    ProbeRecord: np.dtype({
        'names': ['cycle', 'kv_addr', 'load'],
        'formats': ['<u8', '<u8', '?'],
        'offsets': [0, 16, 9],
        'itemsize': 128}),
    EntryReadRecord: np.dtype({
        'names': ['cycle', 'index', 'request_id', 'layer_head', 'token_start', 'token_end', 'phys_addr', 'access_step', 'prio', 'ref_count', 'r', 'f', 'tier', 'prefix', 'dirty', 'hot', 'evictable', 'hint', 'valid'],
        'formats': ['<u8', '<u2', '<u2', '<u2', '<u4', '<u4', '<u8', '<u4', '<u2', 'u1', 'u1', 'u1', 'u1', '?', '?', '?', '?', '?', '?'],
        'offsets': [0, 10, 32, 34, 12, 24, 16, 28, 36, 9, 38, 39, 40, 41, 42, 43, 44, 45, 46],
        'itemsize': 128}),
    DumpRecord: np.dtype({
        'names': ['cycle', 'index', 'tag_valid', 'meta_valid', 'tag_parity', 'meta_parity', 'move_id', 'generation', 'entry_key', 'entry_access_step', 'entry_prio', 'entry_slot', 'entry_ref_count', 'entry_r', 'entry_f', 'entry_token_offset', 'entry_tier', 'entry_valid', 'entry_prefix', 'entry_dirty', 'entry_hot', 'entry_evictable', 'entry_hint', 'entry_epoch', 'entry_in_flight', 'entry_moving', 'entry_voided'],
        'formats': ['<u8', '<u2', '?', '?', '?', '?', 'u1', '<u2', '<u8', '<u4', '<u2', '<u2', 'u1', 'u1', 'u1', 'u1', 'u1', '?', '?', '?', '?', '?', '?', '?', '?', '?', '?'],
        'offsets': [0, 10, 9, 30, 31, 32, 33, 24, 16, 12, 26, 28, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48],
        'itemsize': 128}),
    ScoreRecord: np.dtype({
        'names': ['cycle', 'index', 'prio', 'r', 'f', 'decision', 'accepted', 'dropped', 'counted', 'access_step', 'ref_count', 'tier', 'prefix', 'dirty', 'hot', 'evictable', 'hint', 'in_flight', 'request_id'],
        'formats': ['<u8', '<u2', '<u2', 'u1', 'u1', 'u1', '?', '?', '?', '<u4', 'u1', 'u1', '?', '?', '?', '?', '?', '?', '<u2'],
        'offsets': [0, 12, 14, 18, 19, 20, 21, 22, 23, 8, 24, 25, 26, 27, 28, 29, 30, 31, 16],
        'itemsize': 32}),
    LookupRequestRecord: np.dtype({
        'names': ['cycle', 'port_no', 'write', 'kv_addr'],
        'formats': ['<u8', 'u1', '?', '<u8'],
        'offsets': [0, 9, 10, 16],
        'itemsize': 32}),
    LookupAnswerRecord: np.dtype({
        'names': ['cycle', 'port_no', 'hit', 'denied', 'tier', 'index', 'phys_addr'],
        'formats': ['<u8', 'u1', '?', '?', 'u1', '<u2', '<u8'],
        'offsets': [0, 9, 12, 13, 14, 10, 16],
        'itemsize': 32}),
    DmaCompletionRecord: np.dtype({
        'names': ['cycle', 'kv_addr', 'status', 'from_tier', 'to_tier'],
        'formats': ['<u8', '<u8', 'u1', 'u1', 'u1'],
        'offsets': [0, 16, 9, 10, 11],
        'itemsize': 32}),
    DmaFaultRecord: np.dtype({
        'names': ['cycle', 'kv_addr', 'channel', 'on_write'],
        'formats': ['<u8', '<u8', 'u1', '?'],
        'offsets': [0, 16, 9, 10],
        'itemsize': 32}),
    DmaReadRecord: np.dtype({
        'names': ['cycle', 'address', 'tier'],
        'formats': ['<u8', '<u8', 'u1'],
        'offsets': [0, 16, 9],
        'itemsize': 32}),
    DmaPopRecord: np.dtype({
        'names': ['cycle', 'channel', 'waiting'],
        'formats': ['<u8', 'u1', 'u1'],
        'offsets': [0, 9, 10],
        'itemsize': 32}),
    DmaWriteRecord: np.dtype({
        'names': ['cycle', 'address', 'tier'],
        'formats': ['<u8', '<u8', 'u1'],
        'offsets': [0, 16, 9],
        'itemsize': 32}),
}

RECORDS: dict[Kind, type[Any]] = {
    Kind.Reset: ResetRecord,
    Kind.Op: OpRecord,
    Kind.Reloc: RelocRecord,
    Kind.Free: FreeRecord,
    Kind.Freed: FreedRecord,
    Kind.Step: StepRecord,
    Kind.ScanBegin: ScanBeginRecord,
    Kind.ScanStart: ScanStartRecord,
    Kind.ScanDone: ScanDoneRecord,
    Kind.ScanCycles: ScanCyclesRecord,
    Kind.Push: PushRecord,
    Kind.Pop: PopRecord,
    Kind.Completion: CompletionRecord,
    Kind.ComplPop: ComplPopRecord,
    Kind.MissPop: MissPopRecord,
    Kind.MissDrop: MissDropRecord,
    Kind.Config: ConfigRecord,
    Kind.Command: CommandRecord,
    Kind.CmdDone: CmdDoneRecord,
    Kind.Result: ResultRecord,
    Kind.CmdRefused: CmdRefusedRecord,
    Kind.Mmio: MmioRecord,
    Kind.Irq: IrqRecord,
    Kind.IrqLevel: IrqLevelRecord,
    Kind.DmaError: DmaErrorRecord,
    Kind.Parity: ParityRecord,
    Kind.InsertFull: InsertFullRecord,
    Kind.Probe: ProbeRecord,
    Kind.EntryRead: EntryReadRecord,
    Kind.Dump: DumpRecord,
}
PORT_RECORDS: dict[PortKind, type[Any]] = {
    PortKind.LookupRequest: LookupRequestRecord,
    PortKind.LookupAnswer: LookupAnswerRecord,
}
DMA_RECORDS: dict[DmaKind, type[Any]] = {
    DmaKind.DmaCompletion: DmaCompletionRecord,
    DmaKind.DmaFault: DmaFaultRecord,
    DmaKind.DmaRead: DmaReadRecord,
    DmaKind.DmaPop: DmaPopRecord,
    DmaKind.DmaWrite: DmaWriteRecord,
}
RECORDS_OF: dict[type[IntEnum], dict[Any, type[Any]]] = {Kind: RECORDS, PortKind: PORT_RECORDS, DmaKind: DMA_RECORDS}
