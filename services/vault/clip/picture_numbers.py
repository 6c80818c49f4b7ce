"""How many coded pictures are not there, by the numbers that the pictures themselves carry.

H.264 counts the pictures that others lean on (frame_num, ITU-T H.264, 7.4.3), H.265 all of them in the order in which
they are shown (picture order count, ITU-T H.265, 8.3.1). A camera that sends fewer pictures when nothing moves counts
on without a gap, and what was lost on the way leaves one. Neither goes on across a key frame that begins anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd

_HEAD = 32  # bytes of a unit in which its first fields lie
_HIGH = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}  # profiles whose sets say more
_H264_SPS, _H264_IDR = 7, 5
_HEVC_SPS, _HEVC_PPS, _HEVC_IDR = 33, 34, {19, 20}
REORDERED = 16  # pictures that may come behind one that is shown after them
_MOST_OPEN = 4096  # pictures without a new beginning, after which what is known is accounted for


class _Bits:
    """The fields of a unit, its escape bytes taken out; what lies behind its end reads as ones."""

    def __init__(self, unit: bytes, skip: int) -> None:
        body = unit[skip:].replace(b"\0\0\3", b"\0\0")
        self._left = 8 * len(body)
        self._value = int.from_bytes(body, "big")

    def u(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise ValueError("a unit is shorter than its fields")
        return self._value >> self._left & ((1 << count) - 1)

    def ue(self) -> int:
        zeros = 0
        while not self.u(1):
            zeros += 1
            if zeros > 31:
                raise ValueError("a number is too long")
        return (1 << zeros | self.u(zeros)) - 1

    def se(self) -> int:
        value = self.ue()
        return (value + 1) // 2 if value & 1 else -(value // 2)


@dataclass(frozen=True)
class Numbering:
    """How a stream numbers its pictures: ``bits`` wide. ``extra`` and ``output`` are fields before the number."""

    hevc: bool
    bits: int
    planes: bool
    leans: bool  # whether pictures may lean on others at all
    gaps: bool = False  # whether numbers may be left out
    extra: int = 0
    output: bool = False


def numbering_of(codec: str, sets: Sequence[bytes]) -> Numbering | None:
    """Read from the parameter sets; None where they do not say, or there are several."""
    try:
        if codec == "h264":
            [sps] = [unit for unit in sets if unit[0] & 0x1F == _H264_SPS]
            return _h264(_Bits(sps, 1))
        if codec == "hevc":
            [sps] = [unit for unit in sets if unit[0] >> 1 & 0x3F == _HEVC_SPS]
            [pps] = [unit for unit in sets if unit[0] >> 1 & 0x3F == _HEVC_PPS]
            return _hevc(_Bits(sps, 2), _Bits(pps, 2))
    except ValueError:
        return None
    return None


def _h264(bits: _Bits) -> Numbering:
    profile = bits.u(8)
    bits.u(16)
    bits.ue()
    planes = False
    if profile in _HIGH:
        chroma = bits.ue()
        planes = chroma == 3 and bool(bits.u(1))
        bits.ue(), bits.ue(), bits.u(1)
        if bits.u(1):
            for number in range(8 if chroma != 3 else 12):
                if bits.u(1):
                    _skip_scaling(bits, 16 if number < 6 else 64)
    width = bits.ue() + 4
    order = bits.ue()
    if order == 0:
        bits.ue()
    elif order == 1:
        bits.u(1), bits.se(), bits.se()
        for _ in range(bits.ue()):
            bits.se()
    references = bits.ue()
    return Numbering(hevc=False, bits=width, planes=planes, leans=references > 0, gaps=bool(bits.u(1)))


def _skip_scaling(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.se()) % 256
        last = following or last


def _hevc(sps: _Bits, pps: _Bits) -> Numbering:
    sps.u(4)
    layers = sps.u(3)
    sps.u(1 + 96)
    flags = [(sps.u(1), sps.u(1)) for _ in range(layers)]
    if layers:
        sps.u(2 * (8 - layers))
    for profile, level in flags:
        sps.u(88 * profile + 8 * level)
    sps.ue()
    planes = sps.ue() == 3 and bool(sps.u(1))
    sps.ue(), sps.ue()
    if sps.u(1):
        sps.ue(), sps.ue(), sps.ue(), sps.ue()
    sps.ue(), sps.ue()
    width = sps.ue() + 4
    sps.u(1)
    leans = sps.ue() > 0
    pps.ue(), pps.ue(), pps.u(1)
    output = bool(pps.u(1))
    return Numbering(hevc=True, bits=width, planes=planes, leans=leans, extra=pps.u(3), output=output)


class PictureCounter:
    """Counts what lacks among the pictures that it is shown, in decoding order."""

    def __init__(self, numbering: Numbering | None) -> None:
        self.lost = 0
        self.step = 1  # by which H.265's numbers rise at least
        self.known = 0  # pictures that have a number which goes on
        self._numbering = numbering
        self._before: int | None = None
        self._open: list[int] = []  # H.265: the numbers since the last new beginning
        self._multiples = 0

    @property
    def leans(self) -> bool:
        """Whether the stream's pictures may lean on others."""
        return self._numbering is not None and self._numbering.leans

    def jump(self) -> None:
        """What follows does not go on: what lacks there is told by time."""
        self._close()
        self._before = None
        self._open.clear()

    def add(self, unit: bytes) -> int:
        """The first unit of the next picture's own; returns how many pictures lack before it, where it says so."""
        numbering = self._numbering
        if numbering is None or numbering.gaps or not unit:
            return 0
        try:
            return self._hevc(unit, numbering) if numbering.hevc else self._h264(unit, numbering)
        except ValueError:
            self.jump()
            return 0

    def _h264(self, unit: bytes, numbering: Numbering) -> int:
        bits = _Bits(unit[:_HEAD], 1)
        bits.ue(), bits.ue(), bits.ue()
        if numbering.planes:
            bits.u(2)
        number, most = bits.u(numbering.bits), 1 << numbering.bits
        before, leaned_on = self._before, bool(unit[0] & 0x60)
        if unit[0] & 0x1F == _H264_IDR or before is None:
            self._before = number
            return 0
        lost = 0 if number == before else (number - before - 1) % most
        self._before = number if leaned_on else (number - 1) % most if number != before else before
        self.known += 1
        self.lost += lost
        return lost

    def _hevc(self, unit: bytes, numbering: Numbering) -> int:
        kind = unit[0] >> 1 & 0x3F
        bits = _Bits(unit[:_HEAD], 2)
        bits.u(1)
        if 16 <= kind <= 23:
            bits.u(1)
        bits.ue()
        bits.u(numbering.extra)
        bits.ue()
        bits.u(int(numbering.output) + 2 * int(numbering.planes))
        if 16 <= kind <= 18:  # nothing before it counts
            self.jump()
        if kind in _HEVC_IDR:
            self._close(ended=True)
            self._before, self._open = 0, [0]
            return 0
        number, most = bits.u(numbering.bits), 1 << numbering.bits
        if self._before is not None:  # the nearest number with these last bits
            number += (self._before - number + most // 2) // most * most
            self.known += 1
        if number in self._open[-2 * REORDERED :]:  # the key frame that began anew before it lacks
            self._close(ended=True)
            self._open = [number]
            self.lost += 1
        else:
            self._open.append(number)
        self._before = number
        if len(self._open) > _MOST_OPEN:
            self._close()
        return 0

    def _close(self, *, ended: bool = False) -> None:
        """Account for the open numbers; where they have not ``ended``, the last ones may yet come, or were cut off."""
        every = sorted(set(self._open))
        numbers = [one for one in every if ended or one <= every[-1] - REORDERED]
        if len(numbers) > 1:
            lacking = numbers[-1] - numbers[0] + 1 - len(numbers)
            step = 0
            for number in numbers[1:]:
                step = gcd(step, number - numbers[0])
            if step > 1:
                # Either its numbers rise so, or all but each of so many lack: by the rate one can tell.
                self.step = step
                self._multiples += len(numbers) - 1
                lacking -= (len(numbers) - 1) * (step - 1)
            self.lost += lacking
        self._open = every[len(numbers[:-1]) :]

    def finish(self, times_slower: float) -> None:
        """``times_slower`` is how much longer pictures are apart than their parameter sets say; 0 if they do not."""
        self._close()
        if self.step > 1 and abs(times_slower - self.step) < self.step / 4:
            self.lost += self._multiples * (self.step - 1)
