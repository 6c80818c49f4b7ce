"""A directory server on the loopback: bind, search in pages, StartTLS; it does as it is told."""

import socketserver
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

READER, PASSWORD = "cn=reader,dc=example", "the directory's password"
PAGES = b"1.2.840.113556.1.4.319"
SUCCESS, SIZE_LIMIT, PROTOCOL_ERROR, NO_SUCH_OBJECT, INVALID_CREDENTIALS = 0, 4, 2, 32, 49


@dataclass
class Tree:
    """The people, by DN; and how the server answers. ``sent``: every byte that came before TLS."""

    people: dict[str, Mapping[str, str | bytes]] = field(default_factory=dict)
    base: str = "ou=people,dc=example"
    starts_tls: bool = True
    repeats: bool = False
    size_limit: int | None = None
    pages: int = 0
    binds: list[str] = field(default_factory=list)
    sent: bytes = b""


def _tlv(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    length = bytes([size]) if size < 128 else bytes([0x84]) + size.to_bytes(4, "big")
    return bytes([tag]) + length + content


def _int(number: int, tag: int = 0x02) -> bytes:
    return _tlv(tag, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def _text(text: str | bytes) -> bytes:
    return _tlv(0x04, text if isinstance(text, bytes) else text.encode())


def _parts(content: bytes) -> list[tuple[int, bytes]]:
    parts = []
    while content:
        tag, length, start = content[0], content[1], 2
        if length & 0x80:
            count = length & 0x7F
            length, start = int.from_bytes(content[2 : 2 + count], "big"), 2 + count
        parts.append((tag, content[start : start + length]))
        content = content[start + length :]
    return parts


class _Handler(socketserver.BaseRequestHandler):
    tree: ClassVar[Tree]
    context: ClassVar[ssl.SSLContext | None]
    at_once: ClassVar[bool]

    def handle(self) -> None:
        try:
            self._serve()
        except (OSError, IndexError):
            return  # the client has gone, or spoke TLS to a server that does not

    def _serve(self) -> None:
        secured = self.at_once
        if secured and self.context is not None:
            self.request = self.context.wrap_socket(self.request, server_side=True)
        while message := self._receive(note=not secured):
            (_, number), (tag, body), *others = _parts(_parts(message)[0][1])
            if tag == 0x60:
                self._bind(number, body)
            elif tag == 0x63:
                self._search(number, body, others)
            elif tag == 0x77:
                code = SUCCESS if self.tree.starts_tls and self.context is not None else PROTOCOL_ERROR
                self._answer(number, _tlv(0x78, _int(code, 0x0A), _text(""), _text("")))
                if code == SUCCESS and self.context is not None:
                    self.request = self.context.wrap_socket(self.request, server_side=True)
                    secured = True
            else:
                return

    def _receive(self, *, note: bool) -> bytes:
        data = b""
        while len(data) < 2 or len(data) < self._whole(data):
            piece = self.request.recv(65536)
            if not piece:
                return b""
            data += piece
            if note:
                self.tree.sent += piece
        return data

    @staticmethod
    def _whole(data: bytes) -> int:
        length, start = data[1], 2
        if length & 0x80:
            count = length & 0x7F
            length, start = int.from_bytes(data[2 : 2 + count], "big"), 2 + count
        return start + length

    def _answer(self, number: bytes, operation: bytes, *controls: bytes) -> None:
        told = [_tlv(0xA0, *controls)] if controls else []
        self.request.sendall(_tlv(0x30, _tlv(0x02, number), operation, *told))

    def _bind(self, number: bytes, body: bytes) -> None:
        _, (_, name), (_, password) = _parts(body)
        self.tree.binds.append(name.decode())
        right = (name, password) in ((b"", b""), (READER.encode(), PASSWORD.encode()))
        code = SUCCESS if right else INVALID_CREDENTIALS
        self._answer(number, _tlv(0x61, _int(code, 0x0A), _text(""), _text("" if right else "wrong password")))

    def _search(self, number: bytes, body: bytes, others: list[tuple[int, bytes]]) -> None:
        (_, base), *_, (_, wanted) = _parts(body)
        if base.decode() != self.tree.base:
            self._answer(number, _tlv(0x65, _int(NO_SUCH_OBJECT, 0x0A), _text(""), _text("no such place")))
            return
        names = {name.decode().lower() for _, name in _parts(wanted)}
        size, start = len(self.tree.people), 0
        for _, control in _parts(others[0][1]) if others else ():
            (_, oid), *_, (_, value) = _parts(control)
            if oid == PAGES:
                (_, asked), (_, cookie) = _parts(_parts(value)[0][1])
                size, start = int.from_bytes(asked, "big"), int(cookie or b"0")
        self.tree.pages += 1
        everybody = list(self.tree.people.items())
        for dn, values in everybody[start : start + size]:
            given = [
                _tlv(0x30, _text(name), _tlv(0x31, _text(value)))
                for name, value in values.items()
                if name.lower() in names and value
            ]
            self._answer(number, _tlv(0x64, _text(dn), _tlv(0x30, *given)))
        end = start + size
        if self.tree.size_limit is not None and end >= self.tree.size_limit:
            self._answer(number, _tlv(0x65, _int(SIZE_LIMIT, 0x0A), _text(""), _text("size limit exceeded")))
            return
        cookie = str(size if self.tree.repeats else end).encode() if end < len(everybody) else b""
        control = _tlv(0x30, _text(PAGES), _text(_tlv(0x30, _int(0), _text(cookie))))
        self._answer(number, _tlv(0x65, _int(SUCCESS, 0x0A), _text(""), _text("")), control)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


@contextmanager
def ldap_server(tree: Tree, context: ssl.SSLContext | None = None, *, at_once: bool = True) -> Iterator[int]:
    """Serve the tree; yields the port. ``context``: TLS from the first byte, or (not ``at_once``) when asked."""
    named: dict[str, Any] = {"tree": tree, "context": context, "at_once": at_once and context is not None}
    with _Server(("127.0.0.1", 0), type("Handler", (_Handler,), named)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
