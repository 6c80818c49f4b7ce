"""A camera's own signature is seen as footage passes, wherever the pieces are cut."""

import io
from pathlib import Path

import av
import pytest
from footage_maker import Camera, Written
from vault_bench import NOON, Bench, given, span

from services.vault.camera_signature import ABSENT, ABSENT_SO_FAR, EXAMINED_BYTES, PRESENT, UUID, CameraSignature

SEI = b"\x06\x05\x18" + UUID + b"\xaa\xbb" * 4 + b"\x80"


def seen(*pieces: bytes) -> str:
    signature = CameraSignature()
    for piece in pieces:
        signature.feed(memoryview(piece))
    return signature.seen


@pytest.mark.requirement("R37")
def test_a_signature_is_seen_and_footage_without_one_too() -> None:
    assert seen(bytes(1000) + SEI + bytes(1000)) == PRESENT
    assert seen(bytes(1000)) == ABSENT
    assert seen() == ABSENT


def test_a_signature_is_seen_wherever_the_pieces_are_cut() -> None:
    whole = bytes(400) + SEI + bytes(400)
    assert {seen(whole[:at], whole[at:]) for at in range(380, 440)} == {PRESENT}
    assert seen(*(whole[at : at + 1] for at in range(len(whole)))) == PRESENT


def test_a_long_message_says_its_length_in_several_bytes() -> None:
    assert seen(b"\x06\x05" + b"\xff" * 5 + b"\x10" + UUID + bytes(2000)) == PRESENT


def test_the_same_bytes_that_are_no_message_are_no_signature() -> None:
    assert seen(b"\x06\x04\x18" + UUID) == ABSENT
    assert seen(UUID) == ABSENT
    assert seen(UUID + SEI) == PRESENT


def test_long_footage_is_looked_at_as_far_as_a_camera_would_have_signed() -> None:
    piece = bytes(1 << 20)
    assert seen(*[piece] * (EXAMINED_BYTES >> 20), SEI) == ABSENT_SO_FAR


def signed(written: Written) -> bytes:
    """The segment as a camera that signs would have sent it: with a message before each key frame."""
    out = io.BytesIO()
    options = {"movflags": "empty_moov+default_base_moof+frag_keyframe"}
    with av.open(str(written.path)) as source, av.open(out, "w", format="mp4", options=options) as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if not packet.size:
                continue
            body = bytes(packet)
            sent = av.Packet(len(SEI).to_bytes(4, "big") + SEI + body if packet.is_keyframe else body)
            sent.pts, sent.dts, sent.time_base = packet.pts, packet.dts, packet.time_base
            sent.is_keyframe, sent.stream = packet.is_keyframe, stream
            target.mux(sent)
    return out.getvalue()


@pytest.mark.requirement("R37")
async def test_sealed_footage_says_whether_its_camera_had_signed(tmp_path: Path) -> None:
    bench = Bench.in_folder(tmp_path)
    [written] = Camera(bench.root, "cam1").record(NOON, 4)

    plain = await bench.seal(span(1, 3))
    sealed = await bench.seal(span(1, 3), [given(written, body=signed(written))], key="signed")

    assert (plain.camera_signature, sealed.camera_signature) == (ABSENT, PRESENT)
    assert sealed.outcome == "complete"
    assert type(sealed).from_json(sealed.to_json()) == sealed
