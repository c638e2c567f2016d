"""Number formats as objects: what a word can hold and how it wraps or saturates.

Storage (bits, signedness) is kept apart from arithmetic (product and accumulator widths, §3.4): a format answers for
its own values, the core that multiplies two formats derives the accumulator.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from workloads.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class Format(ABC):
    """A number format.

    Every format has `bits` (storage, integer), `name`, the extreme values and the three questions `allowed`, `wrap`
    and `saturate`. Integer-like formats answer in codes (the stored integer), floating formats in values.
    """

    bits: int

    @property
    @abstractmethod
    def name(self) -> str:
        """Name that `parse_format` reads back."""

    @property
    @abstractmethod
    def min(self) -> int | Fraction | float:
        """Value of the least number the format holds."""

    @property
    @abstractmethod
    def max(self) -> int | Fraction | float:
        """Value of the greatest number the format holds."""

    @abstractmethod
    def allowed(self, value: float | Fraction) -> bool:
        """Tell whether `value` is exactly representable."""

    @abstractmethod
    def saturate(self, values: npt.ArrayLike) -> npt.NDArray[np.generic]:
        """Bring `values` into range by clamping (codes for integer formats)."""

    @abstractmethod
    def wrap(self, values: npt.ArrayLike) -> npt.NDArray[np.generic]:
        """Bring `values` into range modulo 2**bits; raises for floating formats, which do not wrap."""

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Int(Format):
    """Two's complement or unsigned integer of 1 to 64 bits.

    Examples
    --------
    >>> Int(8).min, Int(8).max, Int(4, signed=False).max
    (-128, 127, 15)
    >>> Int(8).wrap([128, -129]).tolist(), Int(8).saturate([128, -129]).tolist()
    ([-128, 127], [127, -128])
    """

    bits: int
    signed: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 64:
            raise InputError(f"integer format: bits is {self.bits}, bound is 1..64; choose a width in that range")

    @property
    def name(self) -> str:
        """Name such as ``int8`` or ``uint4``."""
        return f"{'int' if self.signed else 'uint'}{self.bits}"

    @property
    def min(self) -> int:
        """Value of the least code."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def max(self) -> int:
        """Value of the greatest code."""
        return (1 << (self.bits - 1)) - 1 if self.signed else (1 << self.bits) - 1

    def allowed(self, value: float | Fraction) -> bool:
        """Tell whether `value` is an integer in range."""
        # the range first: it also turns away infinities and not-a-number, which have no integer
        return self.min <= value <= self.max and value == int(value)

    def saturate(self, values: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Clamp integer `values` to the range."""
        import numpy as np  # not at the top: naming a format must not cost the import

        return np.clip(_as_int64(values), self.min, min(self.max, np.iinfo(np.int64).max))

    def wrap(self, values: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Reduce integer `values` modulo 2**bits into the range."""
        import numpy as np

        v = _as_int64(values)
        if self.bits == 64:
            if not self.signed:
                raise InputError("uint64: wrap needs 65-bit integers; use a width up to 63 bits")
            return v
        mask = np.int64((1 << self.bits) - 1)
        low = v & mask
        if not self.signed:
            return low
        half = np.int64(1 << (self.bits - 1))
        return np.asarray((low ^ half) - half, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Fixed(Format):
    """Fixed-point number: an integer code scaled by 2**-fraction_bits."""

    bits: int
    fraction_bits: int
    signed: bool = True

    def __post_init__(self) -> None:
        Int(self.bits, self.signed)
        if abs(self.fraction_bits) > 256:
            raise InputError(
                f"fixed format: fraction_bits is {self.fraction_bits}, bound is -256..256; choose a smaller scale"
            )

    @property
    def code(self) -> Int:
        """Value of the integer format of the stored code."""
        return Int(self.bits, self.signed)

    @property
    def scale(self) -> Fraction:
        """Value of one code step."""
        return Fraction(1, 1 << self.fraction_bits) if self.fraction_bits >= 0 else Fraction(1 << -self.fraction_bits)

    @property
    def name(self) -> str:
        """Name such as ``fixed16.8`` or ``ufixed8.4``."""
        return f"{'' if self.signed else 'u'}fixed{self.bits}.{self.fraction_bits}"

    @property
    def min(self) -> Fraction:
        """Value of the least number."""
        return self.code.min * self.scale

    @property
    def max(self) -> Fraction:
        """Value of the greatest number."""
        return self.code.max * self.scale

    def allowed(self, value: float | Fraction) -> bool:
        """Tell whether `value` is an exact multiple of the step and in range."""
        if not self.min <= value <= self.max:
            return False
        return (Fraction(value) / self.scale).denominator == 1

    def saturate(self, values: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Clamp integer codes to the range."""
        return self.code.saturate(values)

    def wrap(self, values: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Reduce integer codes modulo 2**bits."""
        return self.code.wrap(values)


@dataclass(frozen=True, slots=True)
class FloatFormat(Format):
    """IEEE-style binary floating point with `exponent_bits` and `mantissa_bits` (stored)."""

    exponent_bits: int
    mantissa_bits: int
    label: str

    def __post_init__(self) -> None:
        widths = (self.exponent_bits, self.mantissa_bits)
        if not (2 <= widths[0] <= 11 and 0 <= widths[1] <= 52):
            raise InputError(
                f"float format '{self.label}': exponent and mantissa bits are {widths}, bounds are 2..11 and 0..52; "
                "choose widths in these ranges"
            )
        if widths != _FLOAT_WIDTHS.get(self.label, widths):
            raise InputError(
                f"float format '{self.label}': exponent and mantissa bits are {widths}, the name means "
                f"{_FLOAT_WIDTHS[self.label]}; choose another label"
            )

    @property
    def bits(self) -> int:  # type: ignore[override]
        """Value of the storage width, sign included."""
        return 1 + self.exponent_bits + self.mantissa_bits

    @property
    def name(self) -> str:
        """Name such as ``float16``."""
        return self.label

    @property
    def max(self) -> float:
        """Value of the greatest finite number."""
        bias = (1 << (self.exponent_bits - 1)) - 1
        return float(Fraction((1 << (self.mantissa_bits + 1)) - 1, 1 << self.mantissa_bits) * Fraction(2) ** bias)

    @property
    def min(self) -> float:
        """Value of the least finite number."""
        return -self.max

    def allowed(self, value: float | Fraction) -> bool:
        """Tell whether `value` is exactly representable and finite."""
        if not self.min <= value <= self.max:
            return False
        exact = Fraction(value)
        if exact == 0:
            return True
        magnitude = abs(exact)
        bias = (1 << (self.exponent_bits - 1)) - 1
        exponent = magnitude.numerator.bit_length() - magnitude.denominator.bit_length()
        if Fraction(2) ** exponent > magnitude:
            exponent -= 1
        step = Fraction(2) ** (max(exponent, 1 - bias) - self.mantissa_bits)
        return (magnitude / step).denominator == 1

    def saturate(self, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Clamp to the finite range, without rounding."""
        import numpy as np

        return np.clip(np.asarray(values, dtype=np.float64), self.min, self.max)

    def wrap(self, values: npt.ArrayLike) -> npt.NDArray[np.generic]:
        """Raise: floating formats do not wrap."""
        raise InputError(f"format {self.name}: wrap is not defined for floating point; use saturate")


_FLOAT_WIDTHS = {"float16": (5, 10), "bfloat16": (8, 7), "float32": (8, 23)}


def Float16() -> FloatFormat:
    """Return IEEE 754 binary16."""
    return FloatFormat(5, 10, "float16")


def BFloat16() -> FloatFormat:
    """Return bfloat16: the exponent of binary32 with seven stored mantissa bits."""
    return FloatFormat(8, 7, "bfloat16")


def Float32() -> FloatFormat:
    """Return IEEE 754 binary32."""
    return FloatFormat(8, 23, "float32")


_FLOATS = {"float16": Float16, "bfloat16": BFloat16, "float32": Float32}
_INT = re.compile(r"(u?)int([1-9][0-9]?)")
_FIXED = re.compile(r"(u?)fixed([1-9][0-9]?)\.(-?[0-9]{1,3})")


def parse_format(text: str) -> Format:
    """Read a format name back into its object.

    Raises
    ------
    InputError
        If `text` names no format.

    Examples
    --------
    >>> parse_format("uint4") == Int(4, signed=False), parse_format("fixed16.8").name
    (True, 'fixed16.8')
    """
    if text in _FLOATS:
        return _FLOATS[text]()
    if match := _INT.fullmatch(text):
        return Int(int(match[2]), signed=not match[1])
    if match := _FIXED.fullmatch(text):
        return Fixed(int(match[2]), int(match[3]), signed=not match[1])
    raise InputError(
        f"format '{text}': not a known number format; use intN, uintN, fixedN.F, ufixedN.F, {', '.join(_FLOATS)}"
    )


def _as_int64(values: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Return `values` as int64, refusing anything that is not an integer."""
    import numpy as np

    array = np.asarray(values)
    if array.dtype.kind not in "iub":
        raise InputError(f"integer codes expected, got dtype {array.dtype}; quantise first")
    if array.dtype == np.uint64 and array.size and int(array.max()) > np.iinfo(np.int64).max:
        raise InputError(f"integer codes: greatest is {int(array.max())}, bound is 2**63 - 1; scale the codes down")
    return array.astype(np.int64)
