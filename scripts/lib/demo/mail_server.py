# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""A mail server that keeps what it receives, byte for byte, in a folder

It refuses the addresses of the host CLOSED_HOST, as a server that does not
know the mailboxes.

python -m lib.demo.mail_server PORT DIRECTORY"""

import asyncio
import re
import signal
import sys
from pathlib import Path

from aiosmtpd.smtp import SMTP
from demo_data.catalogue import CLOSED_HOST


class Keep:
    "Write each message received to NN-RECIPIENT.eml"

    def __init__(self, directory):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)

    async def handle_RCPT(
            self, server, session, envelope, address, options):
        if address.lower().endswith(f'@{CLOSED_HOST}'):
            return f'550 5.1.1 <{address}>: mailbox unknown'
        envelope.rcpt_tos.append(address)
        return '250 2.1.5 OK'

    async def handle_DATA(self, server, session, envelope):
        for recipient in envelope.rcpt_tos:
            path = self._path(recipient)
            partial = path.with_suffix('.partial')
            partial.write_bytes(envelope.original_content)
            partial.rename(path)
        return '250 2.0.0 Message accepted for delivery'

    def _path(self, recipient):
        number = len(list(self.directory.glob('*.eml'))) + 1
        name = re.sub(r'[^\w.@-]', '_', recipient.strip('<>'))
        return self.directory / f'{number:02}-{name}.eml'


async def serve(port, directory):
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in [signal.SIGINT, signal.SIGTERM]:
        loop.add_signal_handler(number, stop.set)
    handler = Keep(directory)
    server = await loop.create_server(
        lambda: SMTP(handler, hostname='localhost', enable_SMTPUTF8=True),
        host='127.0.0.1', port=port)
    async with server:
        await stop.wait()


if __name__ == '__main__':
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2]))
