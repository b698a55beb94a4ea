"""The driver's client, where it would give up for reasons that others have in their hands."""

from __future__ import annotations

from nats.aio.client import Client, Srv
from nats.aio.msg import Msg
from nats.protocol.parser import AWAITING_CONTROL_LINE, CRLF_SIZE, Parser

from eventhus_nats.driver_errors import HungUp


class _TolerantParser(Parser):
    """Takes a vertical tab or a form feed for a part of a subject, as the server does.

    To the driver they separate the words of a line. It fails on what comes out, or takes the
    message for one of another subscription.
    """

    async def parse(self, data: bytes = b"") -> None:
        if b"\v" not in data and b"\f" not in data:
            await super().parse(data)
            return
        while data:
            if self.state == AWAITING_CONTROL_LINE:
                line, end, data = data.partition(b"\n")
                part = line.replace(b"\v", rb"\x0b").replace(b"\f", rb"\x0c") + end
            else:
                size = self.needed + CRLF_SIZE - len(self.buf)
                part, data = data[:size], data[size:]
            await super().parse(part)


class ReconnectingClient(Client):
    """The driver's client, which also comes back where a server says why it hangs up.

    By itself it closes for good then: a message that is too large, or a token that ran out, would
    be the end of all publishing and handling. So would somebody else's message that is not text
    where the driver expects it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._ps = _TolerantParser(self)

    async def _process_err(self, err_msg: str) -> None:
        if "permissions violation" in err_msg.lower():  # which leaves the connection as it is
            await super()._process_err(err_msg)
            return
        error = HungUp(err_msg.strip("'"))
        await self._error_cb(error)
        await self._process_op_err(error)

    async def _connect_to_server(self, s: Srv) -> None:
        if self._transport is not None:  # of an attempt that failed, which the driver forgets
            self._transport.close()  # type: ignore[no-untyped-call]  # the driver's
        await super()._connect_to_server(s)

    # What these raise would end all reading, without an end to the connection. The server gives
    # the message again to the next one, so anybody who may publish could stop everything.

    async def _process_headers(self, headers: bytes | None) -> dict[str, str] | None:
        try:
            # It cares for unreadable lines, but not for an unreadable status.
            return await super()._process_headers(headers)
        except (IndexError, UnicodeDecodeError):
            return None

    def _build_message(
        self,
        sid: int,
        subject: bytes,
        reply: bytes,
        data: bytes,
        headers: dict[str, str] | None,
    ) -> Msg:
        msg: Msg = super()._build_message(sid, _text(subject), _text(reply), data, headers)
        return msg


def _text(raw: bytes) -> bytes:
    """What is no UTF-8, as escapes."""
    return raw.decode(errors="backslashreplace").encode()
