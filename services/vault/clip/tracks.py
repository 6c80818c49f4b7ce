"""The picture and the sound that a segment offers, and what makes two segments' streams the same."""

import hashlib
import io
import json
from dataclasses import dataclass, replace
from functools import cache, cached_property

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.stream import VideoStream

from services.vault.clip.bitstream import ZEROS, Description, is_picture, jpeg_size, may_be, recorded_sets
from services.vault.clip.covered_time import SECOND
from services.vault.clip.source import Damaged, Unsupported

PICTURES = {"h264": "H.264", "hevc": "H.265", "mjpeg": "MJPEG"}
SOUNDS = {"aac": "AAC", "opus": "Opus", "pcm_alaw": "G.711 A-law", "pcm_mulaw": "G.711 mu-law"}
IN_MOV = {"pcm_alaw", "pcm_mulaw"}  # MP4 has no place for them (ISO/IEC 14496-12 registers no such sample entry)


@dataclass(frozen=True)
class Tracks:
    """The streams that are copied. ``record`` is the pictures' configuration record (empty for JPEG), ``sound`` the
    sound's; both as MP4 holds them."""

    video: VideoStream
    audio: AudioStream | None
    record: bytes
    width: int
    height: int
    sound: bytes = b""
    mu_law: bool = False  # which the demuxer reads as A-law

    def __post_init__(self) -> None:
        _ = self.key  # is asked for once more when the segment is closed, and its streams with it

    @cached_property
    def codec(self) -> str:
        return self.video.codec_context.name

    @property
    def sound_codec(self) -> str | None:
        if self.audio is None:
            return None
        return "pcm_mulaw" if self.mu_law else self.audio.codec_context.name

    @property
    def codecs(self) -> list[str]:
        return [self.codec] if self.sound_codec is None else [self.codec, self.sound_codec]

    @property
    def container(self) -> str:
        """What a part of these streams is written as."""
        return "mov" if self.sound_codec in IN_MOV else "mp4"

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the video codec, its parameter sets and the picture size."""
        described = [self.codec, self.record.hex(), self.width, self.height]
        return hashlib.sha256(json.dumps(described).encode()).hexdigest()

    @cached_property
    def sets(self) -> list[bytes]:
        """The parameter sets that the record holds."""
        return recorded_sets(self.codec, self.record)

    @cached_property
    def length_width(self) -> int:
        """How many bytes the length before a unit has."""
        place = 4 if self.codec == "h264" else 21
        return (self.record[place] & 3) + 1 if len(self.record) > place else 4

    def fits(self, picture: memoryview) -> bool:
        """Whether the picture's units are as long as they say and may be units of this codec, one of them of the
        picture itself (ISO/IEC 14496-15); a JPEG, whether its markers lead to a frame of the track's size."""
        codec = self.codec
        if codec == "mjpeg":
            return jpeg_size(picture) == (self.width, self.height)
        width, offset, seen, body = self.length_width, 0, False, bytes(picture)
        while offset + width < len(body):
            length = int.from_bytes(body[offset : offset + width], "big")
            offset += width
            head = body[offset : offset + 2]
            if not length or not may_be(codec, head) or body.find(ZEROS, offset, offset + length) >= 0:
                return False
            seen = seen or is_picture(codec, head)
            offset += length
        return seen and offset == len(body)

    def changed(self, description: Description) -> "Tracks":
        """The same streams with other pictures in them."""
        return replace(self, record=description.record, width=description.width, height=description.height)

    @cached_property
    def key(self) -> tuple[object, ...]:
        if self.audio is None:
            return self.fingerprint, str(self.video.time_base)
        sound = self.audio.codec_context
        described = (self.sound_codec, self.sound, sound.sample_rate, sound.layout.nb_channels)
        return self.fingerprint, str(self.video.time_base), *described, str(self.audio.time_base)


@dataclass(frozen=True)
class Scale:
    """A stream's time base, asked for once: the library makes a new fraction each time."""

    numerator: int
    denominator: int

    @classmethod
    def of(cls, stream: VideoStream | AudioStream) -> "Scale":
        if stream.time_base is None:
            raise Damaged(f"track {stream.id} has no time base")
        return cls(stream.time_base.numerator, stream.time_base.denominator)

    def ns(self, ticks: int | None) -> int:
        return ((ticks or 0) * self.numerator * SECOND + self.denominator // 2) // self.denominator


def choose_tracks(container: InputContainer, name: str) -> Tracks:
    """The first picture track and the first sound track; raises Damaged and Unsupported."""
    if not container.streams.video:
        raise Damaged("the segment has no picture track")
    video = container.streams.video[0]
    audio = next(iter(container.streams.audio), None)
    for stream, known in ((video, PICTURES), (audio, SOUNDS)):
        # Where the codec is unknown there is no context at all.
        codec = getattr(stream.codec_context, "name", "an unknown codec") if stream is not None else None
        if codec is not None and codec not in known:
            raise Unsupported(
                f"Segment {name} holds {codec}, and only {', '.join(PICTURES.values())} with "
                f"{', '.join(SOUNDS.values())} or no sound are copied: set the camera to one of these."
            )
    context = video.codec_context
    sound = (audio.codec_context.extradata or b"") if audio is not None else b""
    return Tracks(video, audio, context.extradata or b"", context.width, context.height, sound)


@cache
def _mu_law() -> InputContainer:
    """A file that holds nothing but the description of G.711 mu-law."""
    file = io.BytesIO()
    with av.open(file, "w", format="mov", options={"movflags": "empty_moov"}) as container:
        container.add_stream("pcm_mulaw", rate=8000, layout="mono")
        container.start_encoding()
    return av.open(io.BytesIO(file.getvalue()), "r", format="mov")


def described_sound(tracks: Tracks) -> AudioStream | None:
    """The stream that the written sound is like."""
    return _mu_law().streams.audio[0] if tracks.mu_law else tracks.audio
