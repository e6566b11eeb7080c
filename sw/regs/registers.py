"""Registers of the device. Generated from rtl/regs/kvcpu.rdl by `make regs`: do not edit."""

from __future__ import annotations

from enum import IntEnum

from sw.regs.register import Field, Register

# Tables, one field a line however long it is: a change of one field changes one line.
# ruff: noqa: E501
# fmt: off


class Channel(IntEnum):
    """Values of a field."""

    EVICT = 0  # The evict channel.
    PREFETCH = 1  # The prefetch channel.


class Command(IntEnum):
    """Values of a field."""

    INSERT = 1  # DIR_ADDR, TOKEN_END, TIER, PREFIX, HOT.
    LOOKUP = 2  # DIR_ADDR, TOUCH (1 touch, 0 peek).
    REMOVE = 3  # DIR_ADDR.
    FREE_REQUEST = 4  # REQUEST_ID of DIR_ADDR, not 0.
    MIGRATE = 5  # DIR_ADDR, TIER.


class Completion(IntEnum):
    """Values of a field."""

    OK = 0  # Moved.
    CANCELLED = 1  # A check at start or commit failed.
    NO_SLOT = 2  # No free slot in the target.
    VOID = 3  # Written while it moved.
    ERROR = 4  # AXI errors in every try.


class Status(IntEnum):
    """Values of a field."""

    OK = 0  # Done.
    MISS = 1  # The block is not in the directory.
    EXISTS = 2  # INSERT of a block that is there.
    FULL = 3  # The bounded search for a place has failed.
    NO_SLOT = 4  # No free slot in the tier.
    REFERENCED = 5  # REF_COUNT is not 0.
    BAD_ARG = 6  # An argument is not legal.
    BUSY = 7  # In flight, or the queue is full.


STEP_ADVANCE_ALIAS = Register(
    name='STEP_ADVANCE_ALIAS', offset=0x0000, launches=True,
    title='documented alias of STEP_ADVANCE',
    description='',
    fields=(
        Field('STEP', 0, 32, 'wo', 0x0, 'As STEP_ADVANCE.'),
    ),
)
ID = Register(
    name='ID', offset=0x0008, launches=False,
    title='what this device is',
    description='',
    fields=(
        Field('ID', 0, 64, 'ro', 0x555043564b, '`KVCPU` in ASCII, little-endian.'),
    ),
)
VERSION = Register(
    name='VERSION', offset=0x0010, launches=False,
    title='version of this register map',
    description='',
    fields=(
        Field('MINOR', 0, 16, 'ro', 0x0, 'An addition.'),
        Field('MAJOR', 16, 16, 'ro', 0x1, 'A change that old drivers do not survive.'),
    ),
)
CAPS = Register(
    name='CAPS', offset=0x0018, launches=False,
    title='sizes this device was built with',
    description='',
    fields=(
        Field('ENTRIES', 0, 17, 'ro', None, 'ENTRIES.'),
        Field('LANES', 20, 5, 'ro', None, 'LANES.'),
        Field('PORTS', 28, 4, 'ro', None, 'PORTS.'),
        Field('BLOCK_TOKENS', 32, 9, 'ro', None, 'BLOCK_TOKENS.'),
        Field('AXI_DATA_WIDTH', 44, 10, 'ro', None, 'AXI_DATA_WIDTH in bits.'),
        Field('CLOCK_MHZ', 54, 10, 'ro', None, 'Clock in MHz.'),
    ),
)
CTRL = Register(
    name='CTRL', offset=0x0020, launches=False,
    title='control',
    description='',
    fields=(
        Field('ENABLE', 0, 1, 'rw', 0x0, '0: ports are not ready, STEP_ADVANCE only sets the step, no move starts.'),
        Field('DEMAND', 1, 1, 'rw', 0x0, 'Hits in a tier slower than PROMOTE_TIER queue a promotion.'),
        Field('SOFT_RESET', 8, 1, 'rw', 0x0, 'Write 1: soft reset (keeps the configuration registers, waits for outstanding AXI bursts). Reads 0.'),
    ),
)
STATUS = Register(
    name='STATUS', offset=0x0028, launches=False,
    title='status',
    description='',
    fields=(
        Field('IDLE', 0, 1, 'ro', None, 'Initialised, and no scan, command, queued move or running move.'),
        Field('SCANNING', 1, 1, 'ro', None, 'A scan runs.'),
        Field('INITIALISED', 2, 1, 'ro', None, 'The directory is initialised after a reset; launches before get SLVERR.'),
        Field('DIR_BUSY', 3, 1, 'ro', None, 'A directory command waits or runs.'),
        Field('COMMANDS', 8, 5, 'ro', None, 'Commands that wait or run.'),
        Field('EVICT_LEVEL', 16, 7, 'ro', None, 'Items in the evict queue.'),
        Field('PREFETCH_LEVEL', 24, 7, 'ro', None, 'Items in the prefetch queue.'),
        Field('MISS_LEVEL', 32, 7, 'ro', None, 'Items in the miss queue.'),
        Field('COMPLETION_LEVEL', 40, 7, 'ro', None, 'Items in the completion queue.'),
        Field('PRESSURE', 48, 3, 'ro', None, 'Tiers 0 to 2 under pressure, as judged at the last scan start.'),
    ),
)
CONTEND_POLICY = Register(
    name='CONTEND_POLICY', offset=0x0030, launches=False,
    title='choice between lookup ports',
    description='',
    fields=(
        Field('POLICY', 0, 8, 'rw', 0x0, '0 round-robin, 1 fixed priority (port 0 first); other values act as 1.'),
    ),
)
IRQ_STATUS = Register(
    name='IRQ_STATUS', offset=0x0038, launches=False,
    title='interrupt status (write 1 to clear)',
    description='An event in the cycle of its clear stays set.',
    fields=(
        Field('SCAN_DONE', 0, 1, 'w1c', 0x0, 'A scan is done.'),
        Field('COMMAND_DONE', 1, 1, 'w1c', 0x0, 'A command is done.'),
        Field('COMPLETION', 2, 1, 'w1c', 0x0, 'The completion queue took an item.'),
        Field('MISS', 3, 1, 'w1c', 0x0, 'The miss queue took an item.'),
        Field('DMA_ERR', 4, 1, 'w1c', 0x0, 'An AXI error was latched.'),
        Field('OVERFLOW', 5, 1, 'w1c', 0x0, 'A queue dropped an item.'),
        Field('PRESSURE', 6, 1, 'w1c', 0x0, 'A tier came under pressure.'),
        Field('PARITY', 7, 1, 'w1c', 0x0, 'Bad parity was read.'),
    ),
)
IRQ_ENABLE = Register(
    name='IRQ_ENABLE', offset=0x0040, launches=False,
    title='interrupt enable',
    description='The output is a level: IRQ_STATUS & IRQ_ENABLE is not 0.',
    fields=(
        Field('EVENTS', 0, 8, 'rw', 0x0, 'One bit for each of IRQ_STATUS.'),
    ),
)
R_SHIFT = Register(
    name='R_SHIFT', offset=0x0048, launches=False,
    title='decay of R',
    description='',
    fields=(
        Field('SHIFT', 0, 3, 'rw', 0x3, 'R := R - max(1, R >> R_SHIFT) in each scan.'),
    ),
)
F_AGE = Register(
    name='F_AGE', offset=0x0050, launches=False,
    title='ageing of F',
    description='',
    fields=(
        Field('AGE', 0, 5, 'rw', 0x0, '0: none; else scan n does F := F >> 1 when n mod 2^F_AGE = 0.'),
    ),
)
LOOKAHEAD = Register(
    name='LOOKAHEAD', offset=0x0058, launches=False,
    title='steps that a hint is acted on ahead of its need',
    description='',
    fields=(
        Field('STEPS', 0, 31, 'rw', 0x1, 'Steps.'),
    ),
)
PROMOTE_TIER = Register(
    name='PROMOTE_TIER', offset=0x0060, launches=False,
    title='target of prefetches and promotions',
    description='',
    fields=(
        Field('TIER', 0, 2, 'rw', 0x1, 'Tier.'),
    ),
)
EVICT_TIERS = Register(
    name='EVICT_TIERS', offset=0x0068, launches=False,
    title='tiers that scans evict from',
    description='',
    fields=(
        Field('MASK', 0, 4, 'rw', 0x2, 'One bit for each tier.'),
    ),
)
CMD_SPAN = Register(
    name='CMD_SPAN', offset=0x0070, launches=False,
    title="layers and heads that a range command covers, from its address's own on",
    description='',
    fields=(
        Field('LAYERS', 0, 8, 'rw', 0x1, 'Layers; 0 acts as 1.'),
        Field('HEADS', 8, 8, 'rw', 0x1, 'Heads; 0 acts as 1.'),
    ),
)
BLOCK_BYTES = Register(
    name='BLOCK_BYTES', offset=0x0078, launches=False,
    title='bytes of one block',
    description='A multiple of 64, 256 to 65,536. Refused while any slot is in use.',
    fields=(
        Field('BYTES', 0, 17, 'rw', 0x2000, 'Bytes.'),
    ),
)
PARITY_INFO = Register(
    name='PARITY_INFO', offset=0x0080, launches=False,
    title='first entry read with bad parity',
    description='',
    fields=(
        Field('VALID', 0, 1, 'w1c', 0x0, 'An index is latched; write 1 to release the latch.'),
        Field('INDEX', 16, 16, 'ro', None, 'Its index.'),
    ),
)
HOLD = Register(
    name='HOLD', offset=0x0088, launches=False,
    title='steps that a hint keeps its block from eviction ahead of its need',
    description='',
    fields=(
        Field('STEPS', 0, 31, 'rw', 0x0, 'Steps. LOOKAHEAD counts where it is larger.'),
    ),
)
STEP_ADVANCE = Register(
    name='STEP_ADVANCE', offset=0x0100, launches=True,
    title='the decode step',
    description='Write: set the step and start the scan. Read: the current step.',
    fields=(
        Field('STEP', 0, 32, 'rw', 0x0, 'Step.'),
    ),
)
SCAN_CYCLES = Register(
    name='SCAN_CYCLES', offset=0x0108, launches=False,
    title='cycles of the last scan, STEP_ADVANCE to its end',
    description='',
    fields=(
        Field('CYCLES', 0, 32, 'ro', None, 'Cycles.'),
    ),
)
FIRST_DECISION_CYCLES = Register(
    name='FIRST_DECISION_CYCLES', offset=0x0110, launches=False,
    title='cycles from the last STEP_ADVANCE to its first decision',
    description='',
    fields=(
        Field('CYCLES', 0, 32, 'ro', None, 'Cycles; 0 while there is none.'),
    ),
)
RTBD_HIT_COUNT = Register(
    name='RTBD_HIT_COUNT', offset=0x0120, launches=False,
    title='lookups that hit',
    description='',
    fields=(
        Field('COUNT', 0, 64, 'ro', None, 'Events since reset.'),
    ),
)
RTBD_MISS_COUNT = Register(
    name='RTBD_MISS_COUNT', offset=0x0128, launches=False,
    title='lookups that missed',
    description='',
    fields=(
        Field('COUNT', 0, 64, 'ro', None, 'Events since reset.'),
    ),
)
DENIED_COUNT = Register(
    name='DENIED_COUNT', offset=0x0130, launches=False,
    title="lookups outside their port's tenant window",
    description='',
    fields=(
        Field('COUNT', 0, 64, 'ro', None, 'Events since reset.'),
    ),
)
MISS_DROPPED_COUNT = Register(
    name='MISS_DROPPED_COUNT', offset=0x0138, launches=False,
    title='misses dropped by the full miss queue',
    description='',
    fields=(
        Field('COUNT', 0, 64, 'ro', None, 'Events since reset.'),
    ),
)
SCAN_COUNT = Register(
    name='SCAN_COUNT', offset=0x0140, launches=False,
    title='scans done',
    description='',
    fields=(
        Field('COUNT', 0, 64, 'ro', None, 'Events since reset.'),
    ),
)
SCAN_COALESCED_COUNT = Register(
    name='SCAN_COALESCED_COUNT', offset=0x0148, launches=False,
    title='steps without a scan of their own',
    description='',
    fields=(
        Field('COUNT', 0, 64, 'ro', None, 'Events since reset.'),
    ),
)
EVICT_DROPPED_COUNT = Register(
    name='EVICT_DROPPED_COUNT', offset=0x0150, launches=False,
    title='items dropped before the full evict queue',
    description='',
    fields=(
        Field('COUNT', 0, 64, 'ro', None, 'Events since reset.'),
    ),
)
PREFETCH_DROPPED_COUNT = Register(
    name='PREFETCH_DROPPED_COUNT', offset=0x0158, launches=False,
    title='items dropped before the full prefetch queue',
    description='',
    fields=(
        Field('COUNT', 0, 64, 'ro', None, 'Events since reset.'),
    ),
)
HINT_MISS_COUNT = Register(
    name='HINT_MISS_COUNT', offset=0x0160, launches=False,
    title='blocks of range commands that are not in the directory',
    description='',
    fields=(
        Field('COUNT', 0, 64, 'ro', None, 'Events since reset.'),
    ),
)
REF_SATURATED_COUNT = Register(
    name='REF_SATURATED_COUNT', offset=0x0168, launches=False,
    title='SHAREs of a block whose REF_COUNT is 255',
    description='',
    fields=(
        Field('COUNT', 0, 64, 'ro', None, 'Events since reset.'),
    ),
)
REF_UNDERFLOW_COUNT = Register(
    name='REF_UNDERFLOW_COUNT', offset=0x0170, launches=False,
    title='RELEASEs of a block whose REF_COUNT is 0',
    description='',
    fields=(
        Field('COUNT', 0, 64, 'ro', None, 'Events since reset.'),
    ),
)
CMD_REFUSED_COUNT = Register(
    name='CMD_REFUSED_COUNT', offset=0x0178, launches=False,
    title='launches refused by the full command queue',
    description='',
    fields=(
        Field('COUNT', 0, 64, 'ro', None, 'Events since reset.'),
    ),
)
PARITY_COUNT = Register(
    name='PARITY_COUNT', offset=0x0180, launches=False,
    title='entries read with bad parity',
    description='',
    fields=(
        Field('COUNT', 0, 64, 'ro', None, 'Events since reset.'),
    ),
)
BOOST_ADDR = Register(
    name='BOOST_ADDR', offset=0x0200, launches=False,
    title='first token to mark hot',
    description='',
    fields=(
        Field('TOKEN', 0, 32, 'rw', 0x0, 'Token.'),
        Field('HEAD', 32, 8, 'rw', 0x0, 'Head.'),
        Field('LAYER', 40, 8, 'rw', 0x0, 'Layer.'),
        Field('REQUEST_ID', 48, 16, 'rw', 0x0, 'Request.'),
    ),
)
BOOST_LEN = Register(
    name='BOOST_LEN', offset=0x0208, launches=True,
    title='launches BOOST: HOT := 1, EVICTABLE := 0',
    description='',
    fields=(
        Field('LEN', 0, 64, 'rw', 0x0, 'Tokens, 1 or more.'),
    ),
)
IMEVICT_ADDR = Register(
    name='IMEVICT_ADDR', offset=0x0210, launches=False,
    title='first token to evict',
    description='',
    fields=(
        Field('TOKEN', 0, 32, 'rw', 0x0, 'Token.'),
        Field('HEAD', 32, 8, 'rw', 0x0, 'Head.'),
        Field('LAYER', 40, 8, 'rw', 0x0, 'Layer.'),
        Field('REQUEST_ID', 48, 16, 'rw', 0x0, 'Request.'),
    ),
)
IMEVICT_LEN = Register(
    name='IMEVICT_LEN', offset=0x0218, launches=True,
    title='launches IMEVICT: EVICTABLE := 1, HOT := 0, HINT := 0, eviction at once',
    description='',
    fields=(
        Field('LEN', 0, 64, 'rw', 0x0, 'Tokens, 1 or more.'),
    ),
)
COOL_ADDR = Register(
    name='COOL_ADDR', offset=0x0220, launches=False,
    title='first token to unmark',
    description='',
    fields=(
        Field('TOKEN', 0, 32, 'rw', 0x0, 'Token.'),
        Field('HEAD', 32, 8, 'rw', 0x0, 'Head.'),
        Field('LAYER', 40, 8, 'rw', 0x0, 'Layer.'),
        Field('REQUEST_ID', 48, 16, 'rw', 0x0, 'Request.'),
    ),
)
COOL_LEN = Register(
    name='COOL_LEN', offset=0x0228, launches=True,
    title='launches COOL: HOT := 0, EVICTABLE := 0',
    description='',
    fields=(
        Field('LEN', 0, 64, 'rw', 0x0, 'Tokens, 1 or more.'),
    ),
)
PREFETCH_ADDR = Register(
    name='PREFETCH_ADDR', offset=0x0300, launches=False,
    title='first token to prefetch',
    description='',
    fields=(
        Field('TOKEN', 0, 32, 'rw', 0x0, 'Token.'),
        Field('HEAD', 32, 8, 'rw', 0x0, 'Head.'),
        Field('LAYER', 40, 8, 'rw', 0x0, 'Layer.'),
        Field('REQUEST_ID', 48, 16, 'rw', 0x0, 'Request.'),
    ),
)
PREFETCH_LEN = Register(
    name='PREFETCH_LEN', offset=0x0308, launches=False,
    title='tokens to prefetch',
    description='Taken, and checked, at the launch by PREFETCH_STEP.',
    fields=(
        Field('LEN', 0, 64, 'rw', 0x0, 'Tokens.'),
    ),
)
PREFETCH_STEP = Register(
    name='PREFETCH_STEP', offset=0x0310, launches=True,
    title='launches PREFETCH: HINT := 1, EVICTABLE := 0, ACCESS_STEP := step',
    description='',
    fields=(
        Field('STEP', 0, 32, 'rw', 0x0, 'Step at which the blocks are needed.'),
    ),
)
SHARE_ADDR = Register(
    name='SHARE_ADDR', offset=0x0400, launches=False,
    title='first token to share',
    description='',
    fields=(
        Field('TOKEN', 0, 32, 'rw', 0x0, 'Token.'),
        Field('HEAD', 32, 8, 'rw', 0x0, 'Head.'),
        Field('LAYER', 40, 8, 'rw', 0x0, 'Layer.'),
        Field('REQUEST_ID', 48, 16, 'rw', 0x0, 'Request.'),
    ),
)
SHARE_LEN = Register(
    name='SHARE_LEN', offset=0x0408, launches=True,
    title='launches SHARE: REF_COUNT + 1, PREFIX := 1',
    description='',
    fields=(
        Field('LEN', 0, 64, 'rw', 0x0, 'Tokens, 1 or more.'),
    ),
)
RELEASE_ADDR = Register(
    name='RELEASE_ADDR', offset=0x0410, launches=False,
    title='first token to release',
    description='',
    fields=(
        Field('TOKEN', 0, 32, 'rw', 0x0, 'Token.'),
        Field('HEAD', 32, 8, 'rw', 0x0, 'Head.'),
        Field('LAYER', 40, 8, 'rw', 0x0, 'Layer.'),
        Field('REQUEST_ID', 48, 16, 'rw', 0x0, 'Request.'),
    ),
)
RELEASE_LEN = Register(
    name='RELEASE_LEN', offset=0x0418, launches=True,
    title='launches RELEASE: REF_COUNT - 1',
    description='',
    fields=(
        Field('LEN', 0, 64, 'rw', 0x0, 'Tokens, 1 or more.'),
    ),
)
WEIGHT_R = Register(
    name='WEIGHT_R', offset=0x0500, launches=False,
    title='weight of recency R',
    description='',
    fields=(
        Field('WEIGHT', 0, 8, 'rw', 0x40, 'Weight.'),
    ),
)
WEIGHT_F = Register(
    name='WEIGHT_F', offset=0x0508, launches=False,
    title='weight of frequency F',
    description='',
    fields=(
        Field('WEIGHT', 0, 8, 'rw', 0x40, 'Weight.'),
    ),
)
WEIGHT_S = Register(
    name='WEIGHT_S', offset=0x0510, launches=False,
    title='weight of step distance S',
    description='',
    fields=(
        Field('WEIGHT', 0, 8, 'rw', 0x40, 'Weight.'),
    ),
)
WEIGHT_D = Register(
    name='WEIGHT_D', offset=0x0518, launches=False,
    title='weight of the prefix term D',
    description='',
    fields=(
        Field('WEIGHT', 0, 8, 'rw', 0x40, 'Weight.'),
    ),
)
EVICT_THRESH = Register(
    name='EVICT_THRESH', offset=0x0520, launches=False,
    title='eviction threshold',
    description='Refused when greater than PREFETCH_THRESH.',
    fields=(
        Field('THRESHOLD', 0, 16, 'rw', 0x0, 'Threshold.'),
    ),
)
PREFETCH_THRESH = Register(
    name='PREFETCH_THRESH', offset=0x0528, launches=False,
    title='prefetch threshold',
    description='Refused when less than EVICT_THRESH.',
    fields=(
        Field('THRESHOLD', 0, 16, 'rw', 0xffff, 'Threshold.'),
    ),
)
THRESHOLDS = Register(
    name='THRESHOLDS', offset=0x0530, launches=False,
    title='both thresholds at once',
    description='A view of EVICT_THRESH and PREFETCH_THRESH. Refused when EVICT is greater than PREFETCH.',
    fields=(
        Field('EVICT', 0, 16, 'rw', 0x0, 'EVICT_THRESH.'),
        Field('PREFETCH', 16, 16, 'rw', 0xffff, 'PREFETCH_THRESH.'),
    ),
)
DIR_ADDR = Register(
    name='DIR_ADDR', offset=0x0600, launches=False,
    title='block of the directory command',
    description='',
    fields=(
        Field('TOKEN', 0, 32, 'rw', 0x0, 'Token.'),
        Field('HEAD', 32, 8, 'rw', 0x0, 'Head.'),
        Field('LAYER', 40, 8, 'rw', 0x0, 'Layer.'),
        Field('REQUEST_ID', 48, 16, 'rw', 0x0, 'Request.'),
    ),
)
DIR_ARG = Register(
    name='DIR_ARG', offset=0x0608, launches=False,
    title='arguments of the directory command',
    description='',
    fields=(
        Field('TOKEN_END', 0, 32, 'rw', 0x0, 'INSERT: last valid token, inclusive.'),
        Field('TIER', 32, 2, 'rw', 0x0, 'INSERT, MIGRATE.'),
        Field('PREFIX', 34, 1, 'rw', 0x0, 'INSERT.'),
        Field('HOT', 35, 1, 'rw', 0x0, 'INSERT.'),
        Field('TOUCH', 36, 1, 'rw', 0x0, 'LOOKUP: 1 touch, 0 peek.'),
    ),
)
DIR_COMMAND = Register(
    name='DIR_COMMAND', offset=0x0610, launches=True,
    title='launches the directory command',
    description='Refused for a code that is none, and while a directory command waits or runs.',
    fields=(
        Field('COMMAND', 0, 3, 'rw', 0x0, 'Command.'),
    ),
)
DIR_STATUS = Register(
    name='DIR_STATUS', offset=0x0618, launches=False,
    title='result of the directory command',
    description='Holds until the next launch.',
    fields=(
        Field('STATUS', 0, 3, 'ro', None, 'How it came out.'),
        Field('BUSY', 8, 1, 'ro', None, 'The command waits or runs; the rest is not valid yet.'),
        Field('TIER', 16, 2, 'ro', None, 'LOOKUP: tier.'),
        Field('INDEX', 32, 16, 'ro', None, 'INSERT, LOOKUP: where the entry is now.'),
    ),
)
DIR_PHYS_ADDR = Register(
    name='DIR_PHYS_ADDR', offset=0x0620, launches=False,
    title='place of the block (INSERT, LOOKUP)',
    description='',
    fields=(
        Field('ADDR', 0, 64, 'ro', None, 'Byte address inside the tier.'),
    ),
)
DIR_FREED = Register(
    name='DIR_FREED', offset=0x0628, launches=False,
    title='what FREE_REQUEST did',
    description='',
    fields=(
        Field('REMOVED', 0, 17, 'ro', None, 'Blocks that went.'),
        Field('STAYED', 32, 17, 'ro', None, 'Blocks that stayed, because they are referenced.'),
    ),
)
MISS_INFO = Register(
    name='MISS_INFO', offset=0x0700, launches=False,
    title='head of the miss queue, first word',
    description='Reading changes nothing. An empty queue reads 0.',
    fields=(
        Field('VALID', 0, 1, 'ro', None, 'There is a head.'),
        Field('LEVEL', 8, 7, 'ro', None, 'Items in the queue.'),
    ),
)
MISS_ADDR = Register(
    name='MISS_ADDR', offset=0x0708, launches=False,
    title='head of the miss queue, last word',
    description='The KV address that missed. Reading pops. An empty queue reads 0 and pops nothing.',
    fields=(
        Field('TOKEN', 0, 32, 'ro', None, 'Token.'),
        Field('HEAD', 32, 8, 'ro', None, 'Head.'),
        Field('LAYER', 40, 8, 'ro', None, 'Layer.'),
        Field('REQUEST_ID', 48, 16, 'ro', None, 'Request.'),
    ),
)
PORT0_REQ_LO = Register(
    name='PORT0_REQ_LO', offset=0x0800, launches=False,
    title='lowest request of the tenant window',
    description='',
    fields=(
        Field('REQUEST_ID', 0, 16, 'rw', 0x0, 'Inclusive.'),
    ),
)
PORT0_REQ_HI = Register(
    name='PORT0_REQ_HI', offset=0x0808, launches=False,
    title='highest request of the tenant window',
    description='',
    fields=(
        Field('REQUEST_ID', 0, 16, 'rw', 0xffff, 'Inclusive.'),
    ),
)
PORT1_REQ_LO = Register(
    name='PORT1_REQ_LO', offset=0x0810, launches=False,
    title='lowest request of the tenant window',
    description='',
    fields=(
        Field('REQUEST_ID', 0, 16, 'rw', 0x0, 'Inclusive.'),
    ),
)
PORT1_REQ_HI = Register(
    name='PORT1_REQ_HI', offset=0x0818, launches=False,
    title='highest request of the tenant window',
    description='',
    fields=(
        Field('REQUEST_ID', 0, 16, 'rw', 0xffff, 'Inclusive.'),
    ),
)
PORT2_REQ_LO = Register(
    name='PORT2_REQ_LO', offset=0x0820, launches=False,
    title='lowest request of the tenant window',
    description='',
    fields=(
        Field('REQUEST_ID', 0, 16, 'rw', 0x0, 'Inclusive.'),
    ),
)
PORT2_REQ_HI = Register(
    name='PORT2_REQ_HI', offset=0x0828, launches=False,
    title='highest request of the tenant window',
    description='',
    fields=(
        Field('REQUEST_ID', 0, 16, 'rw', 0xffff, 'Inclusive.'),
    ),
)
PORT3_REQ_LO = Register(
    name='PORT3_REQ_LO', offset=0x0830, launches=False,
    title='lowest request of the tenant window',
    description='',
    fields=(
        Field('REQUEST_ID', 0, 16, 'rw', 0x0, 'Inclusive.'),
    ),
)
PORT3_REQ_HI = Register(
    name='PORT3_REQ_HI', offset=0x0838, launches=False,
    title='highest request of the tenant window',
    description='',
    fields=(
        Field('REQUEST_ID', 0, 16, 'rw', 0xffff, 'Inclusive.'),
    ),
)
PORT4_REQ_LO = Register(
    name='PORT4_REQ_LO', offset=0x0840, launches=False,
    title='lowest request of the tenant window',
    description='',
    fields=(
        Field('REQUEST_ID', 0, 16, 'rw', 0x0, 'Inclusive.'),
    ),
)
PORT4_REQ_HI = Register(
    name='PORT4_REQ_HI', offset=0x0848, launches=False,
    title='highest request of the tenant window',
    description='',
    fields=(
        Field('REQUEST_ID', 0, 16, 'rw', 0xffff, 'Inclusive.'),
    ),
)
PORT5_REQ_LO = Register(
    name='PORT5_REQ_LO', offset=0x0850, launches=False,
    title='lowest request of the tenant window',
    description='',
    fields=(
        Field('REQUEST_ID', 0, 16, 'rw', 0x0, 'Inclusive.'),
    ),
)
PORT5_REQ_HI = Register(
    name='PORT5_REQ_HI', offset=0x0858, launches=False,
    title='highest request of the tenant window',
    description='',
    fields=(
        Field('REQUEST_ID', 0, 16, 'rw', 0xffff, 'Inclusive.'),
    ),
)
PORT6_REQ_LO = Register(
    name='PORT6_REQ_LO', offset=0x0860, launches=False,
    title='lowest request of the tenant window',
    description='',
    fields=(
        Field('REQUEST_ID', 0, 16, 'rw', 0x0, 'Inclusive.'),
    ),
)
PORT6_REQ_HI = Register(
    name='PORT6_REQ_HI', offset=0x0868, launches=False,
    title='highest request of the tenant window',
    description='',
    fields=(
        Field('REQUEST_ID', 0, 16, 'rw', 0xffff, 'Inclusive.'),
    ),
)
PORT7_REQ_LO = Register(
    name='PORT7_REQ_LO', offset=0x0870, launches=False,
    title='lowest request of the tenant window',
    description='',
    fields=(
        Field('REQUEST_ID', 0, 16, 'rw', 0x0, 'Inclusive.'),
    ),
)
PORT7_REQ_HI = Register(
    name='PORT7_REQ_HI', offset=0x0878, launches=False,
    title='highest request of the tenant window',
    description='',
    fields=(
        Field('REQUEST_ID', 0, 16, 'rw', 0xffff, 'Inclusive.'),
    ),
)
TIER0_BASE = Register(
    name='TIER0_BASE', offset=0x0900, launches=False,
    title="first byte of the tier's slots",
    description='A multiple of 4,096. Refused while the tier is in use.',
    fields=(
        Field('ADDR', 0, 64, 'rw', 0x0, 'Byte address.'),
    ),
)
TIER0_SLOTS = Register(
    name='TIER0_SLOTS', offset=0x0908, launches=False,
    title='slots of the tier',
    description='At most ENTRIES. Refused while the tier is in use.',
    fields=(
        Field('COUNT', 0, 17, 'rw', 0x0, 'Slots.'),
    ),
)
TIER0_RESERVE = Register(
    name='TIER0_RESERVE', offset=0x0910, launches=False,
    title='slots that migrations leave free',
    description='A migration takes a slot only while free > RESERVE.',
    fields=(
        Field('COUNT', 0, 17, 'rw', 0x0, 'Slots.'),
    ),
)
TIER0_FREE = Register(
    name='TIER0_FREE', offset=0x0918, launches=False,
    title='free slots now',
    description='',
    fields=(
        Field('COUNT', 0, 17, 'ro', None, 'Slots.'),
    ),
)
TIER0_LOW = Register(
    name='TIER0_LOW', offset=0x0920, launches=False,
    title='pressure begins below this many free slots',
    description='Tiers 0 to 2; of tier 3 without effect.',
    fields=(
        Field('COUNT', 0, 17, 'rw', 0x0, 'Slots.'),
    ),
)
TIER0_HIGH = Register(
    name='TIER0_HIGH', offset=0x0928, launches=False,
    title='pressure ends from this many free slots on',
    description='Tiers 0 to 2; of tier 3 without effect.',
    fields=(
        Field('COUNT', 0, 17, 'rw', 0x0, 'Slots.'),
    ),
)
TIER0_AUTO_THRESH = Register(
    name='TIER0_AUTO_THRESH', offset=0x0930, launches=False,
    title="automatic eviction threshold of the last scan's start",
    description='Tier 3 has none and reads 0.',
    fields=(
        Field('THRESHOLD', 0, 17, 'ro', None, 'Threshold.'),
    ),
)
TIER1_BASE = Register(
    name='TIER1_BASE', offset=0x0940, launches=False,
    title="first byte of the tier's slots",
    description='A multiple of 4,096. Refused while the tier is in use.',
    fields=(
        Field('ADDR', 0, 64, 'rw', 0x0, 'Byte address.'),
    ),
)
TIER1_SLOTS = Register(
    name='TIER1_SLOTS', offset=0x0948, launches=False,
    title='slots of the tier',
    description='At most ENTRIES. Refused while the tier is in use.',
    fields=(
        Field('COUNT', 0, 17, 'rw', 0x0, 'Slots.'),
    ),
)
TIER1_RESERVE = Register(
    name='TIER1_RESERVE', offset=0x0950, launches=False,
    title='slots that migrations leave free',
    description='A migration takes a slot only while free > RESERVE.',
    fields=(
        Field('COUNT', 0, 17, 'rw', 0x0, 'Slots.'),
    ),
)
TIER1_FREE = Register(
    name='TIER1_FREE', offset=0x0958, launches=False,
    title='free slots now',
    description='',
    fields=(
        Field('COUNT', 0, 17, 'ro', None, 'Slots.'),
    ),
)
TIER1_LOW = Register(
    name='TIER1_LOW', offset=0x0960, launches=False,
    title='pressure begins below this many free slots',
    description='Tiers 0 to 2; of tier 3 without effect.',
    fields=(
        Field('COUNT', 0, 17, 'rw', 0x0, 'Slots.'),
    ),
)
TIER1_HIGH = Register(
    name='TIER1_HIGH', offset=0x0968, launches=False,
    title='pressure ends from this many free slots on',
    description='Tiers 0 to 2; of tier 3 without effect.',
    fields=(
        Field('COUNT', 0, 17, 'rw', 0x0, 'Slots.'),
    ),
)
TIER1_AUTO_THRESH = Register(
    name='TIER1_AUTO_THRESH', offset=0x0970, launches=False,
    title="automatic eviction threshold of the last scan's start",
    description='Tier 3 has none and reads 0.',
    fields=(
        Field('THRESHOLD', 0, 17, 'ro', None, 'Threshold.'),
    ),
)
TIER2_BASE = Register(
    name='TIER2_BASE', offset=0x0980, launches=False,
    title="first byte of the tier's slots",
    description='A multiple of 4,096. Refused while the tier is in use.',
    fields=(
        Field('ADDR', 0, 64, 'rw', 0x0, 'Byte address.'),
    ),
)
TIER2_SLOTS = Register(
    name='TIER2_SLOTS', offset=0x0988, launches=False,
    title='slots of the tier',
    description='At most ENTRIES. Refused while the tier is in use.',
    fields=(
        Field('COUNT', 0, 17, 'rw', 0x0, 'Slots.'),
    ),
)
TIER2_RESERVE = Register(
    name='TIER2_RESERVE', offset=0x0990, launches=False,
    title='slots that migrations leave free',
    description='A migration takes a slot only while free > RESERVE.',
    fields=(
        Field('COUNT', 0, 17, 'rw', 0x0, 'Slots.'),
    ),
)
TIER2_FREE = Register(
    name='TIER2_FREE', offset=0x0998, launches=False,
    title='free slots now',
    description='',
    fields=(
        Field('COUNT', 0, 17, 'ro', None, 'Slots.'),
    ),
)
TIER2_LOW = Register(
    name='TIER2_LOW', offset=0x09a0, launches=False,
    title='pressure begins below this many free slots',
    description='Tiers 0 to 2; of tier 3 without effect.',
    fields=(
        Field('COUNT', 0, 17, 'rw', 0x0, 'Slots.'),
    ),
)
TIER2_HIGH = Register(
    name='TIER2_HIGH', offset=0x09a8, launches=False,
    title='pressure ends from this many free slots on',
    description='Tiers 0 to 2; of tier 3 without effect.',
    fields=(
        Field('COUNT', 0, 17, 'rw', 0x0, 'Slots.'),
    ),
)
TIER2_AUTO_THRESH = Register(
    name='TIER2_AUTO_THRESH', offset=0x09b0, launches=False,
    title="automatic eviction threshold of the last scan's start",
    description='Tier 3 has none and reads 0.',
    fields=(
        Field('THRESHOLD', 0, 17, 'ro', None, 'Threshold.'),
    ),
)
TIER3_BASE = Register(
    name='TIER3_BASE', offset=0x09c0, launches=False,
    title="first byte of the tier's slots",
    description='A multiple of 4,096. Refused while the tier is in use.',
    fields=(
        Field('ADDR', 0, 64, 'rw', 0x0, 'Byte address.'),
    ),
)
TIER3_SLOTS = Register(
    name='TIER3_SLOTS', offset=0x09c8, launches=False,
    title='slots of the tier',
    description='At most ENTRIES. Refused while the tier is in use.',
    fields=(
        Field('COUNT', 0, 17, 'rw', 0x0, 'Slots.'),
    ),
)
TIER3_RESERVE = Register(
    name='TIER3_RESERVE', offset=0x09d0, launches=False,
    title='slots that migrations leave free',
    description='A migration takes a slot only while free > RESERVE.',
    fields=(
        Field('COUNT', 0, 17, 'rw', 0x0, 'Slots.'),
    ),
)
TIER3_FREE = Register(
    name='TIER3_FREE', offset=0x09d8, launches=False,
    title='free slots now',
    description='',
    fields=(
        Field('COUNT', 0, 17, 'ro', None, 'Slots.'),
    ),
)
TIER3_LOW = Register(
    name='TIER3_LOW', offset=0x09e0, launches=False,
    title='pressure begins below this many free slots',
    description='Tiers 0 to 2; of tier 3 without effect.',
    fields=(
        Field('COUNT', 0, 17, 'rw', 0x0, 'Slots.'),
    ),
)
TIER3_HIGH = Register(
    name='TIER3_HIGH', offset=0x09e8, launches=False,
    title='pressure ends from this many free slots on',
    description='Tiers 0 to 2; of tier 3 without effect.',
    fields=(
        Field('COUNT', 0, 17, 'rw', 0x0, 'Slots.'),
    ),
)
TIER3_AUTO_THRESH = Register(
    name='TIER3_AUTO_THRESH', offset=0x09f0, launches=False,
    title="automatic eviction threshold of the last scan's start",
    description='Tier 3 has none and reads 0.',
    fields=(
        Field('THRESHOLD', 0, 17, 'ro', None, 'Threshold.'),
    ),
)
MAX_RETRY = Register(
    name='MAX_RETRY', offset=0x1000, launches=False,
    title='tries of one move',
    description='',
    fields=(
        Field('TRIES', 0, 8, 'rw', 0x3, '0 means 1.'),
    ),
)
COMPLETION_INFO = Register(
    name='COMPLETION_INFO', offset=0x1010, launches=False,
    title='head of the completion queue, first word',
    description='Reading changes nothing. An empty queue reads 0.',
    fields=(
        Field('VALID', 0, 1, 'ro', None, 'There is a head.'),
        Field('LEVEL', 8, 7, 'ro', None, 'Items in the queue.'),
        Field('FROM', 16, 2, 'ro', None, 'Tier it came from.'),
        Field('TO', 20, 2, 'ro', None, 'Target tier.'),
        Field('STATUS', 24, 3, 'ro', None, 'How the item ended.'),
    ),
)
COMPLETION_ADDR = Register(
    name='COMPLETION_ADDR', offset=0x1018, launches=False,
    title='head of the completion queue, last word',
    description='First token of the block. Reading pops. An empty queue reads 0 and pops nothing.',
    fields=(
        Field('TOKEN', 0, 32, 'ro', None, 'Token.'),
        Field('HEAD', 32, 8, 'ro', None, 'Head.'),
        Field('LAYER', 40, 8, 'ro', None, 'Layer.'),
        Field('REQUEST_ID', 48, 16, 'ro', None, 'Request.'),
    ),
)
DMA_ERROR_INFO = Register(
    name='DMA_ERROR_INFO', offset=0x1020, launches=False,
    title='first AXI error',
    description='Kept until VALID is cleared.',
    fields=(
        Field('VALID', 0, 1, 'w1c', 0x0, 'An error is latched; write 1 to release the latch.'),
        Field('CHANNEL', 1, 1, 'ro', None, 'Channel.'),
        Field('WRITE', 2, 1, 'ro', None, '1: the write side (target); 0: the read side (source).'),
    ),
)
DMA_ERROR_ADDR = Register(
    name='DMA_ERROR_ADDR', offset=0x1028, launches=False,
    title='block of the first AXI error',
    description='',
    fields=(
        Field('TOKEN', 0, 32, 'ro', None, 'Token.'),
        Field('HEAD', 32, 8, 'ro', None, 'Head.'),
        Field('LAYER', 40, 8, 'ro', None, 'Layer.'),
        Field('REQUEST_ID', 48, 16, 'ro', None, 'Request.'),
    ),
)
COMPLETION_DROPPED_COUNT = Register(
    name='COMPLETION_DROPPED_COUNT', offset=0x1100, launches=False,
    title='completions dropped by the full completion queue',
    description='',
    fields=(
        Field('COUNT', 0, 64, 'ro', None, 'Events since reset.'),
    ),
)
EVICT_BYTES_MOVED = Register(
    name='EVICT_BYTES_MOVED', offset=0x1110, launches=False,
    title='bytes moved by the evict channel',
    description='',
    fields=(
        Field('COUNT', 0, 64, 'ro', None, 'Events since reset.'),
    ),
)
EVICT_ERROR_COUNT = Register(
    name='EVICT_ERROR_COUNT', offset=0x1118, launches=False,
    title='tries of the evict channel that an AXI error ended',
    description='',
    fields=(
        Field('COUNT', 0, 64, 'ro', None, 'Events since reset.'),
    ),
)
EVICT_VOID_COUNT = Register(
    name='EVICT_VOID_COUNT', offset=0x1120, launches=False,
    title='moves of the evict channel that a write voided',
    description='',
    fields=(
        Field('COUNT', 0, 64, 'ro', None, 'Events since reset.'),
    ),
)
PREFETCH_BYTES_MOVED = Register(
    name='PREFETCH_BYTES_MOVED', offset=0x1130, launches=False,
    title='bytes moved by the prefetch channel',
    description='',
    fields=(
        Field('COUNT', 0, 64, 'ro', None, 'Events since reset.'),
    ),
)
PREFETCH_ERROR_COUNT = Register(
    name='PREFETCH_ERROR_COUNT', offset=0x1138, launches=False,
    title='tries of the prefetch channel that an AXI error ended',
    description='',
    fields=(
        Field('COUNT', 0, 64, 'ro', None, 'Events since reset.'),
    ),
)
PREFETCH_VOID_COUNT = Register(
    name='PREFETCH_VOID_COUNT', offset=0x1140, launches=False,
    title='moves of the prefetch channel that a write voided',
    description='',
    fields=(
        Field('COUNT', 0, 64, 'ro', None, 'Events since reset.'),
    ),
)

PORT_REQ_LO = (PORT0_REQ_LO, PORT1_REQ_LO, PORT2_REQ_LO, PORT3_REQ_LO, PORT4_REQ_LO, PORT5_REQ_LO, PORT6_REQ_LO, PORT7_REQ_LO)
PORT_REQ_HI = (PORT0_REQ_HI, PORT1_REQ_HI, PORT2_REQ_HI, PORT3_REQ_HI, PORT4_REQ_HI, PORT5_REQ_HI, PORT6_REQ_HI, PORT7_REQ_HI)
TIER_BASE = (TIER0_BASE, TIER1_BASE, TIER2_BASE, TIER3_BASE)
TIER_SLOTS = (TIER0_SLOTS, TIER1_SLOTS, TIER2_SLOTS, TIER3_SLOTS)
TIER_RESERVE = (TIER0_RESERVE, TIER1_RESERVE, TIER2_RESERVE, TIER3_RESERVE)
TIER_FREE = (TIER0_FREE, TIER1_FREE, TIER2_FREE, TIER3_FREE)
TIER_LOW = (TIER0_LOW, TIER1_LOW, TIER2_LOW, TIER3_LOW)
TIER_HIGH = (TIER0_HIGH, TIER1_HIGH, TIER2_HIGH, TIER3_HIGH)
TIER_AUTO_THRESH = (TIER0_AUTO_THRESH, TIER1_AUTO_THRESH, TIER2_AUTO_THRESH, TIER3_AUTO_THRESH)

REGISTERS: tuple[Register, ...] = (
    STEP_ADVANCE_ALIAS,
    ID,
    VERSION,
    CAPS,
    CTRL,
    STATUS,
    CONTEND_POLICY,
    IRQ_STATUS,
    IRQ_ENABLE,
    R_SHIFT,
    F_AGE,
    LOOKAHEAD,
    PROMOTE_TIER,
    EVICT_TIERS,
    CMD_SPAN,
    BLOCK_BYTES,
    PARITY_INFO,
    HOLD,
    STEP_ADVANCE,
    SCAN_CYCLES,
    FIRST_DECISION_CYCLES,
    RTBD_HIT_COUNT,
    RTBD_MISS_COUNT,
    DENIED_COUNT,
    MISS_DROPPED_COUNT,
    SCAN_COUNT,
    SCAN_COALESCED_COUNT,
    EVICT_DROPPED_COUNT,
    PREFETCH_DROPPED_COUNT,
    HINT_MISS_COUNT,
    REF_SATURATED_COUNT,
    REF_UNDERFLOW_COUNT,
    CMD_REFUSED_COUNT,
    PARITY_COUNT,
    BOOST_ADDR,
    BOOST_LEN,
    IMEVICT_ADDR,
    IMEVICT_LEN,
    COOL_ADDR,
    COOL_LEN,
    PREFETCH_ADDR,
    PREFETCH_LEN,
    PREFETCH_STEP,
    SHARE_ADDR,
    SHARE_LEN,
    RELEASE_ADDR,
    RELEASE_LEN,
    WEIGHT_R,
    WEIGHT_F,
    WEIGHT_S,
    WEIGHT_D,
    EVICT_THRESH,
    PREFETCH_THRESH,
    THRESHOLDS,
    DIR_ADDR,
    DIR_ARG,
    DIR_COMMAND,
    DIR_STATUS,
    DIR_PHYS_ADDR,
    DIR_FREED,
    MISS_INFO,
    MISS_ADDR,
    PORT0_REQ_LO,
    PORT0_REQ_HI,
    PORT1_REQ_LO,
    PORT1_REQ_HI,
    PORT2_REQ_LO,
    PORT2_REQ_HI,
    PORT3_REQ_LO,
    PORT3_REQ_HI,
    PORT4_REQ_LO,
    PORT4_REQ_HI,
    PORT5_REQ_LO,
    PORT5_REQ_HI,
    PORT6_REQ_LO,
    PORT6_REQ_HI,
    PORT7_REQ_LO,
    PORT7_REQ_HI,
    TIER0_BASE,
    TIER0_SLOTS,
    TIER0_RESERVE,
    TIER0_FREE,
    TIER0_LOW,
    TIER0_HIGH,
    TIER0_AUTO_THRESH,
    TIER1_BASE,
    TIER1_SLOTS,
    TIER1_RESERVE,
    TIER1_FREE,
    TIER1_LOW,
    TIER1_HIGH,
    TIER1_AUTO_THRESH,
    TIER2_BASE,
    TIER2_SLOTS,
    TIER2_RESERVE,
    TIER2_FREE,
    TIER2_LOW,
    TIER2_HIGH,
    TIER2_AUTO_THRESH,
    TIER3_BASE,
    TIER3_SLOTS,
    TIER3_RESERVE,
    TIER3_FREE,
    TIER3_LOW,
    TIER3_HIGH,
    TIER3_AUTO_THRESH,
    MAX_RETRY,
    COMPLETION_INFO,
    COMPLETION_ADDR,
    DMA_ERROR_INFO,
    DMA_ERROR_ADDR,
    COMPLETION_DROPPED_COUNT,
    EVICT_BYTES_MOVED,
    EVICT_ERROR_COUNT,
    EVICT_VOID_COUNT,
    PREFETCH_BYTES_MOVED,
    PREFETCH_ERROR_COUNT,
    PREFETCH_VOID_COUNT,
)
BY_OFFSET: dict[int, Register] = {r.offset: r for r in REGISTERS}
BY_NAME: dict[str, Register] = {r.name: r for r in REGISTERS}

# BAR2: the directory window; slot `index` begins at index * ENTRY_STRIDE.
ENTRY_STRIDE = 32
ENTRY_WORD0 = Register(
    name='ENTRY_WORD0', offset=0x0000, launches=False,
    title='bits 63:0 of the entry',
    description='',
    fields=(
        Field('REQUEST_ID', 0, 16, 'ro', None, '0 = shared prefix.'),
        Field('HEAD', 16, 8, 'ro', None, 'Head.'),
        Field('LAYER', 24, 8, 'ro', None, 'Layer.'),
        Field('TOKEN_START', 32, 32, 'ro', None, 'Block-aligned.'),
    ),
)
ENTRY_WORD1 = Register(
    name='ENTRY_WORD1', offset=0x0008, launches=False,
    title='bits 127:64 of the entry',
    description='',
    fields=(
        Field('TOKEN_END', 0, 32, 'ro', None, 'Last valid token, inclusive.'),
        Field('TIER', 32, 2, 'ro', None, 'Tier.'),
        Field('PHYS_ADDR_LO', 34, 30, 'ro', None, 'Bits 29:0 of PHYS_ADDR.'),
    ),
)
ENTRY_WORD2 = Register(
    name='ENTRY_WORD2', offset=0x0010, launches=False,
    title='bits 191:128 of the entry',
    description='',
    fields=(
        Field('PHYS_ADDR_HI', 0, 34, 'ro', None, 'Bits 63:30 of PHYS_ADDR.'),
        Field('PRIORITY', 34, 16, 'ro', None, 'P of the last scan.'),
        Field('ACCESS_STEP_LO', 50, 14, 'ro', None, 'Bits 13:0 of ACCESS_STEP.'),
    ),
)
ENTRY_WORD3 = Register(
    name='ENTRY_WORD3', offset=0x0018, launches=False,
    title='bits 255:192 of the entry',
    description='',
    fields=(
        Field('ACCESS_STEP_HI', 0, 18, 'ro', None, 'Bits 31:14 of ACCESS_STEP.'),
        Field('REF_COUNT', 18, 8, 'ro', None, 'REF_COUNT.'),
        Field('R', 26, 8, 'ro', None, 'Recency.'),
        Field('F', 34, 8, 'ro', None, 'Frequency.'),
        Field('PREFIX', 42, 1, 'ro', None, 'PREFIX.'),
        Field('DIRTY', 43, 1, 'ro', None, 'Written since it was last placed.'),
        Field('HOT', 44, 1, 'ro', None, 'HOT.'),
        Field('EVICTABLE', 45, 1, 'ro', None, 'EVICTABLE.'),
        Field('HINT', 46, 1, 'ro', None, 'ACCESS_STEP holds a future step.'),
        Field('VALID', 47, 1, 'ro', None, 'The entry is valid.'),
    ),
)
ENTRY_WORDS = (ENTRY_WORD0, ENTRY_WORD1, ENTRY_WORD2, ENTRY_WORD3)
