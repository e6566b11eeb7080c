"""Number formats against ggml: vectors worked out by hand, and its loops written out one number at a time."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sw.llm.micro.kvformat import BlockLayout
from sw.llm.package import Quantisation
from sw.llm.quantisation import decode, encode

Q8_0, Q4_0 = Quantisation.Q8_0, Quantisation.Q4_0


def rows(*numbers: float) -> np.ndarray:
    """32 numbers: these, then zeros."""
    return np.array([*numbers, *[0.0] * (32 - len(numbers))], np.float32)


def test_q8_0_by_hand() -> None:
    # amax 127: scale 1 (f16 0x3C00); halves go away from zero, 0.49999997 must not become 1
    numbers = rows(127, -127, 1, -1, 0.5, -0.5, 1.5, 2.5, -2.5, 0.49999997, 126.5)
    expected = bytes.fromhex("003c") + struct.pack("11b", 127, -127, 1, -1, 1, -1, 2, 3, -3, 0, 127) + bytes(21)
    assert encode(Q8_0, numbers).tobytes() == expected
    assert decode(Q8_0, encode(Q8_0, numbers))[:11].tolist() == [127, -127, 1, -1, 1, -1, 2, 3, -3, 0, 127]


def test_q8_0_scale_is_rounded_to_f16_after_the_codes() -> None:
    # amax 1: the scale 1/127 = 1.00787... * 2^-7 is 0x2008 in f16 (mantissa 8.06 of 1024); codes use the exact one
    packed = encode(Q8_0, rows(1, -1, 0.25)).tobytes()
    assert packed[:2].hex() == "0820"
    assert struct.unpack("3b", packed[2:5]) == (127, -127, 32)
    scale = np.float32(np.frombuffer(bytes.fromhex("0820"), "<f2")[0])
    assert decode(Q8_0, encode(Q8_0, rows(1, -1, 0.25)))[:3].tolist() == [scale * 127, -scale * 127, scale * 32]


def test_q4_0_by_hand() -> None:
    # the number of largest size is -8: scale 1; code = number + 8, number j low, number 16 + j high
    numbers = rows(-8, 7, 0, 1.4, 1.5, -1.6)
    numbers[16:18] = (3, -8)
    codes = [0 | 11 << 4, 15 | 0 << 4, 8 | 8 << 4, 9 | 8 << 4, 10 | 8 << 4, 6 | 8 << 4, *[8 | 8 << 4] * 10]
    assert encode(Q4_0, numbers).tobytes() == bytes.fromhex("003c") + bytes(codes)
    seen = decode(Q4_0, encode(Q4_0, numbers))
    assert seen[:6].tolist() == [-8, 7, 0, 1, 2, -2]
    assert seen[16:18].tolist() == [3, -8]


def test_q4_0_sign_of_the_largest_decides() -> None:
    # +8 first: scale -1 (0xBC00), so that 8 is exact; -8 is 16.5 cut to 16, held at 15, and comes back as -7
    packed = encode(Q4_0, rows(8, -8, 4))
    assert packed.tobytes()[:5].hex() == "00bc808f84"
    assert decode(Q4_0, packed)[:3].tolist() == [8, -7, 4]
    # -8 first: the other way round
    assert decode(Q4_0, encode(Q4_0, rows(-8, 8, 4)))[:3].tolist() == [-8, 7, 4]


def test_zeros() -> None:
    # ggml divides the largest, 0, by -8: the scale of q4_0 is -0 (0x8000)
    for numbers in (rows(), -rows()):
        assert encode(Q8_0, numbers).tobytes() == bytes(34)
        assert encode(Q4_0, numbers).tobytes() == b"\x00\x80" + b"\x88" * 16
        assert not decode(Q8_0, encode(Q8_0, numbers)).any()
        assert not decode(Q4_0, encode(Q4_0, numbers)).any()


def test_f16_ties_to_even_and_f32_is_exact() -> None:
    numbers = np.array([1 + 2**-11, 1 + 3 * 2**-11, -65504, 2**-25], np.float32)
    assert encode(Quantisation.F16, numbers).tobytes().hex() == "003c023cfffb0000"
    assert encode(Quantisation.F32, numbers).tobytes() == struct.pack("<4f", *numbers)
    assert decode(Quantisation.F32, encode(Quantisation.F32, numbers)).tolist() == numbers.tolist()


def ggml_q8_0(numbers: np.ndarray) -> bytes:
    """quantize_row_q8_0_ref, one block, float by float."""
    f = np.float32
    scale = f(max(abs(x) for x in numbers)) / f(127)
    inverse = f(1) / scale if scale else f(0)
    codes = []
    for x in numbers:
        scaled = f(x * inverse)
        codes.append(int(np.floor(np.float64(scaled) + 0.5) if scaled >= 0 else np.ceil(np.float64(scaled) - 0.5)))
    return np.float16(scale).tobytes() + struct.pack("32b", *codes)


def ggml_q4_0(numbers: np.ndarray) -> bytes:
    """quantize_row_q4_0_ref, one block, float by float."""
    f = np.float32
    amax, largest = f(0), f(0)
    for x in numbers:
        if amax < abs(x):
            amax, largest = abs(x), x
    scale = largest / f(-8)
    inverse = f(1) / scale if scale else f(0)
    codes = [min(15, int(f(f(x * inverse) + f(8.5)))) for x in numbers]
    return np.float16(scale).tobytes() + bytes(codes[n] | codes[n + 16] << 4 for n in range(16))


usual = st.floats(-1000, 1000, width=32, allow_subnormal=False).filter(lambda x: x == 0 or abs(x) > 1e-30)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(st.lists(usual | st.integers(-8, 8).map(float), min_size=32, max_size=32))
def test_equal_to_the_loops_of_ggml(numbers: list[float]) -> None:
    row = np.array(numbers, np.float32)
    assert encode(Q8_0, row).tobytes() == ggml_q8_0(row)
    assert encode(Q4_0, row).tobytes() == ggml_q4_0(row)


@settings(derandomize=True, max_examples=100, deadline=None)
@given(st.lists(usual, min_size=64, max_size=64), st.sampled_from(Quantisation))
def test_groups_do_not_touch_each_other(numbers: list[float], form: Quantisation) -> None:
    both = np.array(numbers, np.float32)
    halves = [encode(form, half).tobytes() for half in (both[:32], both[32:])]
    assert encode(form, both).tobytes() == b"".join(halves)
    assert encode(form, both.reshape(2, 32)).tobytes() == b"".join(halves)


def test_tiny_numbers_round_to_zero() -> None:
    for form in (Q8_0, Q4_0):
        assert not decode(form, encode(form, rows(1e-44, -1e-40))).any()


@pytest.mark.parametrize("form", Quantisation)
@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_what_is_no_number_is_refused(form: Quantisation, bad: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        encode(form, rows(bad))


def test_widths_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="multiple of 32"):
        encode(Q8_0, np.zeros((2, 48), np.float32))


@pytest.mark.parametrize(
    ("form", "tokens", "token_bytes", "block_bytes"),
    [
        (Quantisation.F32, 16, 256, 4096),
        (Quantisation.F16, 16, 128, 2048),
        (Q8_0, 16, 68, 1088),
        (Q4_0, 16, 36, 576),
        (Q4_0, 1, 36, 256),
        (Q8_0, 8, 68, 576),
    ],
)
def test_layout(form: Quantisation, tokens: int, token_bytes: int, block_bytes: int) -> None:
    layout = BlockLayout(form, 32, tokens)
    assert (layout.token_bytes, layout.block_bytes) == (token_bytes, block_bytes)
    random = np.random.default_rng(1)
    k, v = random.standard_normal((2, 3, 5, 32)).astype(np.float32)
    rows = layout.pack(k, v)
    assert rows.shape == (3, 5, token_bytes)
    back = layout.unpack(rows)
    for numbers, seen in zip((k, v), back, strict=True):
        assert np.array_equal(seen, decode(form, encode(form, numbers)))
