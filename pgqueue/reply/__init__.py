"""What follows a message: a reply to whoever sent it, another message when it has ended.

from pgqueue import reply

handle = reply.request(client, quote.call(order_id=7))
print(handle.result(timeout=10))

client.run(reply.chain(charge.call(order_id=7), on_success=mail.call(order_id=7), on_error=alarm.call()))
"""

from __future__ import annotations

from pgqueue.reply.calls import chain
from pgqueue.reply.handle import Handle, request, request_async
from pgqueue.reply.model import Follows

__all__ = ["Follows", "Handle", "chain", "request", "request_async"]
