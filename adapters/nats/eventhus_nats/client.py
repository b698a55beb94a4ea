"""The driver's client, without its habit of giving up because of other people's messages."""

from __future__ import annotations

import asyncio

from nats.aio.client import Client, Srv
from nats.aio.msg import Msg
from nats.protocol.parser import AWAITING_CONTROL_LINE, CRLF_SIZE, Parser

from eventhus_nats.driver_errors import HungUp


class _TolerantParser(Parser):
    """Accepts a vertical tab or a form feed as part of a subject, as the server does.

    The driver splits lines at them. It would then fail, or hand the message to another
    subscription.
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
    """The driver's client, which also reconnects after a server ended the connection with an error.

    The driver alone closes for good then: a message that is too large, or a token that expired,
    would end all publishing and handling. So would a foreign message with bytes that are not text
    where the driver expects text.
    """

    def __init__(self) -> None:
        super().__init__()
        self._ps = _TolerantParser(self)

    async def _process_err(self, err_msg: str) -> None:
        if "permissions violation" in err_msg.lower():  # it keeps the connection
            await super()._process_err(err_msg)
            return
        error = HungUp(err_msg.strip("'"))
        await self._error_cb(error)
        await self._process_op_err(error)

    async def _connect_to_server(self, s: Srv) -> None:
        if self._transport is not None:  # the driver leaks that of a failed attempt
            self._transport.close()  # type: ignore[no-untyped-call]  # the driver's
        await super()._connect_to_server(s)

    # An exception in these would end the driver's read loop but not the connection. The server
    # redelivers a message to the next member, so anybody who may publish could stop every group.

    async def _process_pong(self) -> None:
        if self._pongs and self._pongs[0].done():  # nobody waited for it any longer
            self._pongs[0] = asyncio.get_running_loop().create_future()
        await super()._process_pong()

    async def _process_headers(self, headers: bytes | None) -> dict[str, str] | None:
        try:
            # The driver tolerates unreadable lines, but not an unreadable status.
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
    """Replace bytes that are not UTF-8 with escapes."""
    return raw.decode(errors="backslashreplace").encode()
