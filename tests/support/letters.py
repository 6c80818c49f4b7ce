"""PDFs that a person may attach, and what only looks like a letter."""

import base64
import io
import zipfile
import zlib

from pypdf import PdfWriter
from pypdf.generic import ArrayObject, DictionaryObject, NameObject, NumberObject, StreamObject, TextStringObject


def letter(pages: int = 1) -> bytes:
    """A PDF of blank pages."""
    return written(blank(pages))


def blank(pages: int = 1) -> PdfWriter:
    writer = PdfWriter()
    for _ in range(pages):
        writer.add_blank_page(width=200, height=200)
    return writer


def written(writer: PdfWriter) -> bytes:
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def with_script() -> bytes:
    """A PDF with a script that no name of the file's own bytes tells of: it is a value of an ordinary action."""
    writer = blank()
    script = DictionaryObject({NameObject("/S"): NameObject("/Named"), NameObject("/JS"): TextStringObject("alert(1)")})
    writer.root_object[NameObject("/OpenAction")] = writer._add_object(script)
    return written(writer)


def with_file_inside() -> bytes:
    writer = blank()
    writer.add_attachment("payload.exe", b"MZ")
    return written(writer)


def acting(kind: str) -> bytes:
    """A PDF that does something by itself when it is opened; the name is written with an escape."""
    writer = blank()
    action = DictionaryObject({NameObject("/S"): NameObject(kind), NameObject("/F"): TextStringObject("calc.exe")})
    writer.root_object[NameObject("/OpenAction")] = writer._add_object(action)
    return written(writer).replace(kind.encode(), b"/#%02x" % ord(kind[1]) + kind[2:].encode())


def locked() -> bytes:
    writer = blank()
    writer.encrypt("secret", algorithm="RC4-128")
    return written(writer)


def bomb(size: int) -> bytes:
    """A PDF with a stream that unpacks to so many bytes, of zeroes."""
    return _with_stream(_packed_zeroes(size), ["/FlateDecode"])


def packed_twice() -> bytes:
    return _with_stream(zlib.compress(_packed_zeroes(1 << 20)), ["/FlateDecode", "/FlateDecode"])


def packed_as_text(size: int) -> bytes:
    """As ``bomb``, with what is packed written as hexadecimal digits."""
    return _with_stream(_packed_zeroes(size).hex().encode() + b">", ["/ASCIIHexDecode", "/FlateDecode"])


def with_packed_text() -> bytes:
    """A PDF of a program that writes what it packs as text, as several do."""
    return _with_stream(base64.a85encode(zlib.compress(bytes(1000))) + b"~>", ["/ASCII85Decode", "/FlateDecode"])


def bomb_by_reference(size: int) -> bytes:
    """As ``bomb``, with a filter that is named in another object."""
    writer = blank()
    stream = StreamObject()
    stream._data = _packed_zeroes(size)
    stream[NameObject("/Filter")] = ArrayObject([writer._add_object(NameObject("/FlateDecode"))])
    stream[NameObject("/Length")] = NumberObject(len(stream._data))
    writer.root_object[NameObject("/Unused")] = writer._add_object(stream)
    return written(writer)


def image_by_reference(side: int) -> bytes:
    """A PDF with an image whose sides are named in another object."""
    writer = blank()
    of_image = writer._add_object(NumberObject(side))
    image = StreamObject()
    image._data = b"x"
    image.update({NameObject(name): of_image for name in ("/Width", "/Height")})
    image[NameObject("/Length")] = NumberObject(1)
    writer.root_object[NameObject("/Unused")] = writer._add_object(image)
    return written(writer)


def calling(*, page: bool) -> bytes:
    """A PDF that calls an address by itself: when it or its page is opened, after going to the page."""
    writer = blank()
    call = DictionaryObject({NameObject("/S"): NameObject("/URI"), NameObject("/URI"): TextStringObject("http://x")})
    action = DictionaryObject({NameObject("/S"): NameObject("/Named"), NameObject("/N"): NameObject("/FirstPage")})
    action[NameObject("/Next")] = ArrayObject([writer._add_object(call)])
    if page:
        writer.pages[0][NameObject("/AA")] = DictionaryObject({NameObject("/O"): action})
    else:
        writer.root_object[NameObject("/OpenAction")] = writer._add_object(action)
    return written(writer)


def linked() -> bytes:
    """A PDF with a link that a reader may follow."""
    writer = blank()
    call = DictionaryObject({NameObject("/S"): NameObject("/URI"), NameObject("/URI"): TextStringObject("http://x")})
    link = DictionaryObject({NameObject("/Subtype"): NameObject("/Link"), NameObject("/A"): call})
    writer.pages[0][NameObject("/Annots")] = ArrayObject([writer._add_object(link)])
    return written(writer)


def _packed_zeroes(size: int) -> bytes:
    packer, piece = zlib.compressobj(1), bytes(1 << 20)
    return b"".join([*(packer.compress(piece) for _ in range(size >> 20)), packer.flush()])


def _with_stream(data: bytes, filters: list[str]) -> bytes:
    writer = blank()
    stream = StreamObject()
    stream._data = data
    stream[NameObject("/Filter")] = ArrayObject(NameObject(name) for name in filters)
    stream[NameObject("/Length")] = NumberObject(len(data))
    writer.root_object[NameObject("/Unused")] = writer._add_object(stream)
    return written(writer)


def zipped_into(content: bytes) -> bytes:
    """A PDF that an unpacker takes for an archive, also by its end."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("payload.exe", b"MZ")
        archive.comment = b"\n%%EOF"
    return content + out.getvalue()
