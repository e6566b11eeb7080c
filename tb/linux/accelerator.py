"""The testbench's end of the accelerator's side: what the guest's accesses of that capability do to the device."""

from sw.transport import accelerator as side
from sw.transport.base import TransportError
from tb.linux.endpoint import Endpoint

_REGISTERS = side.WINDOW - side.CAPABILITY


class AcceleratorSide:
    """Lookups through the device's ports, and its tiers' memories, a word of configuration space at a time."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._words = bytearray(_REGISTERS)
        self._put(side.CAPABILITY, 4, side.HEADER)

    @staticmethod
    def has(address: int) -> bool:
        """Whether an access of configuration space is one of this capability."""
        return side.CAPABILITY <= address < side.CAPABILITY + side.CAPABILITY_BYTES

    def _put(self, address: int, size: int, value: int) -> None:
        at = address - side.CAPABILITY
        self._words[at : at + size] = value.to_bytes(size, "little")

    def _get(self, address: int, size: int) -> int:
        at = address - side.CAPABILITY
        return int.from_bytes(self._words[at : at + size], "little")

    async def read(self, address: int, size: int) -> bytes:
        """Bytes of the capability."""
        if address < side.WINDOW:
            at = address - side.CAPABILITY
            return bytes(self._words[at : at + size]).ljust(size, b"\0")
        try:
            data = await self._endpoint.mem_read(*self._next(size), size)
        except TransportError:
            self._put(side.ANSWER, 4, side.FAILED)
            return b"\xff" * size
        return data

    async def write(self, address: int, data: bytes) -> None:
        """Bytes into the capability. A lookup is done at once; a place in memory begins with a good ANSWER."""
        if address >= side.WINDOW:
            try:
                await self._endpoint.mem_write(*self._next(len(data)), data)
            except TransportError:
                self._put(side.ANSWER, 4, side.FAILED)
        elif address == side.LOOKUP:
            await self._look(int.from_bytes(data, "little"))
        elif (address >= side.ADDRESS and address < side.ANSWER) or address == side.TIER:
            self._put(address, len(data), int.from_bytes(data, "little"))
            self._put(side.ANSWER, 4, 0)

    def _next(self, size: int) -> tuple[int, int]:
        """Tier and byte address of an access of the window, which moves on."""
        at = self._get(side.ADDRESS, 8)
        self._put(side.ADDRESS, 8, (at + size) % (1 << 64))
        return self._get(side.TIER, 4) & 3, at

    async def _look(self, asked: int) -> None:
        write = bool(asked & side.WRITE_LOOKUP)
        try:
            answer = await self._endpoint.lookup(asked & 0xFF, self._get(side.ADDRESS, 8), write=write)
        except TransportError:
            self._put(side.ANSWER, 4, side.FAILED)
            return
        flags = (side.HIT if answer.hit else 0) | (side.DENIED if answer.denied else 0)
        self._put(side.ANSWER, 4, side.answer_word(flags=flags, tier=answer.tier, index=answer.index))
        self._put(side.PHYS, 8, answer.phys_addr)
