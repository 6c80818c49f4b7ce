"""How many coded pictures are not there, by the numbers that the pictures themselves carry.

H.265 counts all pictures in the order in which they are shown (picture order count, ITU-T H.265, 8.3.1). H.264 counts
those that others lean on (frame_num, ITU-T H.264, 7.4.3), and where pictures may be shown in another order than they
are decoded in, all of them in the first one (8.2.1.1). A camera that sends fewer pictures when nothing moves counts on
without a gap, and what was lost on the way leaves one. Neither goes on across a key frame that begins anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import gcd

_HEAD = 32  # bytes of a unit in which its first fields lie
_HIGH = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}  # profiles whose sets say more
_H264_SPS, _H264_IDR = 7, 5
_H264_UNIT = 2  # by which the order of H.264 rises from frame to frame: each of its fields has a number
_OWN_RATIO = 255  # of pixels, which is written out
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
    """How a stream numbers its pictures: ``bits`` wide. ``extra`` and ``output`` are fields before the number.

    ``order`` is how wide H.264's picture order count is; 0 where pictures have none of their own.
    """

    hevc: bool
    bits: int
    planes: bool
    leans: bool  # whether pictures may lean on others at all
    gaps: bool = False  # whether numbers may be left out
    reorders: bool = False  # whether pictures are said to be shown in another order than they are decoded in
    order: int = 0
    fields: bool = False  # whether a picture may be one field of a frame
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
    kind, order = bits.ue(), 0
    if kind == 0:
        order = bits.ue() + 4
    elif kind == 1:
        bits.u(1), bits.se(), bits.se()
        for _ in range(bits.ue()):
            bits.se()
    references = bits.ue()
    gaps = bool(bits.u(1))
    bits.ue(), bits.ue()
    fields = not bits.u(1)
    bits.u(1 + fields)
    try:
        reorders = order > 0 and _reorders(bits)
    except ValueError:
        reorders = False
    return Numbering(
        hevc=False,
        bits=width,
        planes=planes,
        leans=references > 0,
        gaps=gaps,
        reorders=reorders,
        order=order,
        fields=fields,
    )


def _reorders(bits: _Bits) -> bool:
    """Whether H.264's sets say, at their end, that pictures are shown in another order (annex E, E.1.1)."""
    if bits.u(1):
        bits.ue(), bits.ue(), bits.ue(), bits.ue()
    if not bits.u(1):
        return False
    if bits.u(1) and bits.u(8) == _OWN_RATIO:
        bits.u(32)
    if bits.u(1):
        bits.u(1)
    if bits.u(1):
        bits.u(4)
        if bits.u(1):
            bits.u(24)
    if bits.u(1):
        bits.ue(), bits.ue()
    if bits.u(1):
        bits.u(65)
    buffers = _skip_buffer(bits)
    buffers |= _skip_buffer(bits)
    bits.u(1 + buffers)
    if not bits.u(1):
        return False
    bits.u(1), bits.ue(), bits.ue(), bits.ue(), bits.ue()
    return bits.ue() > 0


def _skip_buffer(bits: _Bits) -> bool:
    """Pass over a buffer's parameters (E.1.2), if there are any."""
    if not bits.u(1):
        return False
    count = bits.ue() + 1
    bits.u(8)
    for _ in range(count):
        bits.ue(), bits.ue(), bits.u(1)
    bits.u(20)
    return True


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
    reorders = sps.ue() > 0
    pps.ue(), pps.ue(), pps.u(1)
    output = bool(pps.u(1))
    return Numbering(
        hevc=True, bits=width, planes=planes, leans=leans, reorders=reorders, extra=pps.u(3), output=output
    )


class _ShownOrder:
    """Counts what lacks among numbers that rise by ``unit`` from picture to picture in the order of showing.

    ``reorders``: the parameter sets say that some pictures are shown before others that came before them.
    """

    def __init__(self, unit: int, *, reorders: bool) -> None:
        self.lost = 0  # by the step in which the numbers rise
        self.places = 0  # at which as many lack
        self.step = 1  # in units, where it is more than one
        self.between = 0  # how many more lack if each unit is a picture
        self.intervals = 0  # in which they do
        self.one_apart = False  # whether numbers were seen that rise by one unit
        self.reordered = False  # whether a picture was seen that is shown before one that came before it
        self._unit, self._reorders = unit, reorders
        self._open: list[int] = []  # since the last new beginning, as they came
        self._highest = self._previous = 0  # of them, and before that one came
        self._deepest = 0  # how far below the highest one came
        self._floor: int | None = None  # what lacks below does not count

    @property
    def last(self) -> int | None:
        """The number that came last; None where none goes on."""
        return self._open[-1] if self._open else None

    def begin(self, number: int) -> int:
        """A picture begins anew; returns how many that lack, and are counted, may belong right before it."""
        behind = {one for one in self._open if one > self._previous}
        tail = (self._highest - self._previous) // self._unit - len(behind) if self._reorders and behind else 0
        self._close(ended=True)
        self._open, self._floor = [number], None
        self._highest = self._previous = number
        return max(0, tail)

    def add(self, number: int) -> None:
        """The number of the next picture; where it came already, the key frame that began anew before it lacks."""
        if number in self._open[-2 * REORDERED :]:
            self.begin(number)
            self.lost += 1
            self.places += 1
            return
        if not self._open:
            self._highest = self._previous = number
        elif number > self._highest:
            self._previous, self._highest = self._highest, number
        elif number < self._highest:
            self.reordered = True
            self._deepest = max(self._deepest, self._highest - number)
        self._open.append(number)
        if len(self._open) > _MOST_OPEN:
            self._close()

    def jump(self) -> None:
        """What follows does not go on; the last ones before it may have been cut off."""
        self._close()
        self._open.clear()
        self._floor = None

    def disregard(self) -> None:
        """What lacks up to here does not count."""
        self._floor = self._highest if self._open else None

    def _close(self, *, ended: bool = False) -> None:
        """Account for the open numbers; where they have not ``ended``, the last ones may yet come, or were cut off."""
        every = sorted(set(self._open))
        # Behind one that comes so deep others may come, as deep again.
        late = min(max(self._unit, 2 * self._deepest), REORDERED * self._unit)
        numbers = [one for one in every if ended or one <= every[-1] - late]
        rest = every[len(numbers[:-1]) :]
        if self._floor is not None:
            numbers = [one for one in numbers if one >= self._floor]
        if len(numbers) > 1:
            distances = [after - one for one, after in pairwise(numbers)]
            step = gcd(*distances)
            unit = self._unit if step % self._unit == 0 else 1
            there, reach = len(distances), numbers[-1] - numbers[0]
            lost = reach // step - there
            self.lost += lost
            self.places += sum(one > step for one in distances)
            if step > unit:
                # Either its numbers rise so, or all but each of so many lack.
                self.step = step // unit
                self.between += reach // unit - there - lost
                self.intervals += sum(one == step for one in distances)
            else:
                self.one_apart = True
        self._open = rest

    def finish(self, times_slower: float) -> bool:
        """Settle what the step means; whether it is as many times one unit as pictures are slower than they say."""
        self.jump()
        slower = self.step > 1 and abs(times_slower - self.step) < self.step / 4
        if slower or self.one_apart or (self._reorders and not self.reordered and not times_slower):
            self.lost += self.between
            self.places += self.intervals
        return slower and not self.one_apart


class PictureCounter:
    """Counts what lacks among the pictures that it is shown, in decoding order."""

    def __init__(self, numbering: Numbering | None) -> None:
        self.lost = 0
        self.places = 0  # at which pictures lack by the order of showing, once it is finished
        self.known = 0  # pictures that have a number which goes on
        self.counted = 0  # how many that may lack right before the last picture the order tells
        self._numbering = numbering
        self._before: int | None = None
        self._leaned_on = 0  # the order of the last picture that others lean on
        self._shown = _ShownOrder(_unit(numbering), reorders=numbering is not None and numbering.reorders)
        self._in_a_row: int | None = None  # H.264: pictures since the last one that none leans on
        self._fewest: int | None = None  # of these

    @property
    def leans(self) -> bool:
        """Whether the stream's pictures may lean on others."""
        return self._numbering is not None and self._numbering.leans

    def jump(self) -> None:
        """What follows does not go on: what lacks there is told by time."""
        self._shown.jump()
        self._before = None

    def add(self, unit: bytes) -> int:
        """The first unit of the next picture's own; returns how many pictures lack before it, where it says so."""
        numbering = self._numbering
        self.counted = 0
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
        before, leaned_on, anew = self._before, bool(unit[0] & 0x60), unit[0] & 0x1F == _H264_IDR
        if numbering.order:
            self._h264_order(bits, numbering, anew=anew, leaned_on=leaned_on)
        said = self._said(leaned_on=leaned_on) or numbering.order > 0
        if anew or before is None:
            self._before = number
            return 0
        lost = 0 if number == before else (number - before - 1) % most
        self._before = number if leaned_on else (number - 1) % most if number != before else before
        self.known += said
        self.lost += lost
        return lost

    def _h264_order(self, bits: _Bits, numbering: Numbering, *, anew: bool, leaned_on: bool) -> None:
        half = numbering.fields and bits.u(1)
        if half:
            bits.u(1)
        if anew:
            bits.ue()
        order, most = bits.u(numbering.order), 1 << numbering.order
        if not anew and self._shown.last is not None:  # the nearest one with these last bits
            order += (self._leaned_on - order + most // 2) // most * most
        if leaned_on or self._shown.last is None:
            self._leaned_on = order
        shown = order >> 1 if numbering.fields else order
        if half and shown == self._shown.last:
            return  # the other field of a frame
        if anew:
            self.counted = self._shown.begin(shown)
        else:
            self._shown.add(shown)

    def _said(self, *, leaned_on: bool) -> bool:
        """Whether no picture that none leans on can lack before this one, where H.264 gives them no order.

        Two of them do not follow one another (ITU-T H.264, 8.2.1.3), unless they did before, and no more others lie
        between them than ever did.
        """
        row, fewest = self._in_a_row, self._fewest
        if leaned_on:
            self._in_a_row = None if row is None else row + 1
            return row is None or fewest is None or row < fewest
        if row is not None:
            self._fewest = row if fewest is None else min(row, fewest)
        self._in_a_row = 0
        return self._fewest != 0

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
            self.counted = self._shown.begin(0)
            self._before = 0
            return 0
        number, most = bits.u(numbering.bits), 1 << numbering.bits
        if self._before is not None:  # the nearest number with these last bits
            number += (self._before - number + most // 2) // most * most
            self.known += 1
        self._shown.add(number)
        self._before = number
        return 0

    def finish(self, times_slower: float) -> None:
        """``times_slower`` is how much longer pictures are apart than their parameter sets say; 0 if they do not."""
        numbering, shown = self._numbering, self._shown
        if numbering is None:
            return
        slower = shown.finish(times_slower)
        # Where each picture of H.264 leans on the one before, frame_num is the proof: the order may follow a clock,
        # which goes on while a camera leaves pictures out.
        if numbering.hevc or numbering.reorders or shown.reordered or self._in_a_row is not None or slower:
            self.lost = max(self.lost, shown.lost)
            self.places = shown.places

    def disregard(self) -> None:
        """What lacks up to here does not count."""
        self._shown.disregard()


def _unit(numbering: Numbering | None) -> int:
    return 1 if numbering is None or numbering.hevc or numbering.fields else _H264_UNIT
