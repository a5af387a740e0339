"""The mark of a generated picture: XMP `DigitalSourceType=trainedAlgorithmicMedia`, put in without decoding.

JPEG gets one APP1 segment (behind JFIF's APP0, which has to come first), PNG one iTXt chunk behind IHDR.
Not a pixel changes, and taking the mark out again gives the very bytes that the ledger named.
"""

from __future__ import annotations

import zlib

from triptych.records import hash_bytes

DIGITAL_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"

_PACKET = (
    "<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?>"
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
    f' Iptc4xmpExt:DigitalSourceType="{DIGITAL_SOURCE_TYPE}"/>'
    "</rdf:RDF></x:xmpmeta><?xpacket end='r'?>"
).encode()

_JPEG_START = b"\xff\xd8"
_JFIF = b"\xff\xe0"
_XMP_NAME = b"http://ns.adobe.com/xap/1.0/\x00"
_JPEG_MARK = b"\xff\xe1" + (2 + len(_XMP_NAME) + len(_PACKET)).to_bytes(2, "big") + _XMP_NAME + _PACKET

_METADATA = frozenset((*range(0xE0, 0xF0), 0xFE))  # APPn and comments

_PNG_START = b"\x89PNG\r\n\x1a\n"
_PNG_HEADER_END = 33  # signature, and IHDR, which is always first and 25 bytes long
_XMP_KEYWORD = b"XML:com.adobe.xmp"
_PNG_BODY = b"iTXt" + _XMP_KEYWORD + b"\x00" * 5 + _PACKET
_PNG_MARK = (len(_PNG_BODY) - 4).to_bytes(4, "big") + _PNG_BODY + zlib.crc32(_PNG_BODY).to_bytes(4, "big")

_PNG_HEADERS_LENGTH = 65_536  # where metadata of other hands would be


def marked(data: bytes) -> bytes:
    """The file with the mark. One that carries XMP of its own, or is neither JPEG nor PNG, stays as it is."""
    parts = marked_pieces(memoryview(data))
    return data if len(parts) == 1 else b"".join(parts)


def marked_pieces(data: memoryview) -> list[memoryview]:
    """As `marked`, in pieces to be written one after the other."""
    mark, place = _mark_of(data)
    if mark is None:
        return [data]
    head = bytes(data[: _headers_end(data)])
    if _XMP_NAME in head or _XMP_KEYWORD in head:
        return [data]
    return [data[:place], memoryview(mark), data[place:]]


def is_marked(data: bytes | memoryview) -> bool:
    """Whether the file carries this mark."""
    mark, place = _mark_of(data)
    return mark is not None and data[place : place + len(mark)] == mark


def is_image(data: bytes | memoryview, name: str) -> bool:
    """Whether this file is the image of that name, with or without the mark."""
    view = memoryview(data).cast("B")  # some buffers count in signed bytes, and compare as such
    if is_marked(view):
        mark, place = _mark_of(view)
        assert mark is not None  # noqa: S101  (it is marked)
        if hash_bytes(view[:place], view[place + len(mark) :]) == name:
            return True
    return hash_bytes(view) == name


def _headers_end(data: memoryview) -> int:
    """Where the metadata before the picture ends: in JPEG at the first segment that is no APPn or comment."""
    if data[:2] != _JPEG_START:
        return _PNG_HEADERS_LENGTH
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF and data[place + 1] in _METADATA:
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return place


def _mark_of(data: bytes | memoryview) -> tuple[bytes | None, int]:
    """The mark for files of this kind and the offset at which it belongs; None for others, and for stumps."""
    if data[:2] == _JPEG_START:
        length = int.from_bytes(data[4:6], "big") if data[2:4] == _JFIF else -2
        if 0 <= length < 2:  # a segment counts its own length's two bytes: this is a stump
            return None, 0
        place = 4 + length
        return (_JPEG_MARK, place) if place < len(data) else (None, 0)
    if data[:8] == _PNG_START and len(data) >= _PNG_HEADER_END:
        return _PNG_MARK, _PNG_HEADER_END
    return None, 0
