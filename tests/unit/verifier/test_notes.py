"""Signed notes and checkpoints: what a log key has signed is read, and nothing else is."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.verifier import merkle, notes
from services.verifier.invalid import Invalid
from services.verifier.notes import Checkpoint, VerifierKey

# the key and the note in the documentation of Go's golang.org/x/mod/sumdb/note
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
SAID = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = VerifierKey("desk.example/audit", PRIVATE.public_key().public_bytes_raw())
HEAD = Checkpoint("desk.example/audit", 7, merkle.leaf_hash(b"seven"))


def signed(body: str, key: VerifierKey = KEY) -> str:
    return notes.signed(body, key, PRIVATE.sign(body.encode()))


NOTE = signed(HEAD.body)


def test_a_note_that_another_tool_has_signed_is_read() -> None:
    key = notes.key_of(PETER)
    assert key.vkey == PETER
    assert notes.open_note(SAID, [KEY, key]) == (SAID.partition("\n\n")[0] + "\n", key)


def test_a_checkpoint_comes_back_as_it_was_signed() -> None:
    assert notes.open_checkpoint(NOTE, [notes.key_of(PETER), KEY]) == (HEAD, KEY)
    assert notes.keys_of(f"{KEY.vkey}\n{PETER}\n") == [KEY, notes.key_of(PETER)]
    assert KEY.fingerprint.startswith("sha256:")


@pytest.mark.parametrize(
    "note",
    [
        "",
        NOTE[:-1],
        NOTE.replace("\n7\n", "\n8\n"),
        NOTE.replace("\n7\n", "\n07\n"),
        NOTE.replace("\n7\n", "\n7\r\n"),
        NOTE.replace("— desk", "- desk"),
        NOTE.replace("\n\n", "\n"),
        NOTE + "— desk.example/audit AAAA\n",
        NOTE + "more\n",
        NOTE.replace("— desk.example/audit", "— another.example"),
        "x" * 70_000 + NOTE,
        signed(HEAD.body + "more\n"),
        signed(HEAD.body.replace("\n7\n", "\n-7\n")),
        signed("desk.example/audit\n7\n" + base64.b64encode(b"short").decode() + "\n"),
        signed("desk.example/audit\n7\n" + HEAD.root_base64.replace("=", "") + "\n"),
        signed(Checkpoint("another.example", 7, HEAD.root).body),
        signed(HEAD.body) + "— desk.example/audit AAAAAA==\n" * 20,
    ],
)
def test_what_is_no_checkpoint_of_this_log_is_refused(note: str) -> None:
    with pytest.raises(Invalid):
        notes.open_checkpoint(note, [KEY])


def test_another_log_of_the_same_name_is_not_this_one() -> None:
    other = VerifierKey(KEY.name, Ed25519PrivateKey.generate().public_key().public_bytes_raw())
    with pytest.raises(Invalid, match="no known key"):
        notes.open_checkpoint(NOTE, [other])


@pytest.mark.parametrize(
    "vkey",
    ["", PETER[:-4], PETER.replace("c74f20a3", "c74f20a4"), PETER.replace("+ARpc", "+AhpC"), f"a {PETER}"],
)
def test_what_is_no_key_is_refused(vkey: str) -> None:
    with pytest.raises(Invalid):
        notes.key_of(vkey)
