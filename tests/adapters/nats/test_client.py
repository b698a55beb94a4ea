"""The parser: vertical tabs and form feeds in subjects, however the bytes are split."""

from typing import Any

from eventhus_nats.client import ReconnectingClient

SAID = (
    b"MSG a.\x0bb 1 r\x0c 8\r\n\x0b\r\n\x0cMSG\n\r\n"
    b"PING\r\n"
    b"HMSG a 2 12 17\r\nNATS/1.0\r\n\r\n\x0b\n\r\n\x0c\r\n"
    b"MSG a\x0b3 4 0\r\n\r\n"
)
READ = [
    (1, b"a.\\x0bb", b"r\\x0c", b"\x0b\r\n\x0cMSG\n", None),
    (2, b"a", b"", b"\x0b\n\r\n\x0c", b"NATS/1.0\r\n\r\n"),
    (4, b"a\\x0b3", b"", b"", None),
]


class Hearing(ReconnectingClient):
    """A client that records what it parses."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Any] = []
        self.pings = 0

    async def _process_msg(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes
    ) -> None:
        self.heard.append((sid, subject, reply, data, headers))

    async def _process_ping(self) -> None:
        self.pings += 1


async def test_a_protocol_line_is_read_alike_however_it_is_split() -> None:
    """Odd bytes in subjects become escapes; those in bodies stay as they are."""
    for first in range(len(SAID)):
        for second in (first + 1, first + 2, len(SAID)):
            client = Hearing()
            for piece in (SAID[:first], SAID[first:second], SAID[second:]):
                await client._ps.parse(piece)
            assert READ == client.heard
            assert 1 == client.pings
