"""A camera's own signature is seen as footage passes, wherever the pieces are cut."""

import pytest

from services.vault.camera_signature import ABSENT, ABSENT_SO_FAR, LOOKED_AT, PRESENT, UUID, CameraSignature

SEI = b"\x06\x05\x18" + UUID + b"\xaa\xbb\x80"


def seen(*pieces: bytes) -> str:
    signature = CameraSignature()
    for piece in pieces:
        signature.look(memoryview(piece))
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
    assert seen(*[piece] * (LOOKED_AT >> 20), SEI) == ABSENT_SO_FAR
