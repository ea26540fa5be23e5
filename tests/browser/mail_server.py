# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""A mail server that refuses the addresses that begin with refused

mail_server.py PORT DIRECTORY"""

import sys

from aiosmtpd.controller import Controller

from lib.demo.mail_server import Keep

REFUSAL = '550 5.1.1 No such user here'


class Refuse(Keep):

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith('refused'):
            return REFUSAL
        envelope.rcpt_tos.append(address)
        return '250 OK'


def main(port, directory):
    controller = Controller(
        Refuse(directory), hostname='127.0.0.1', port=int(port))
    controller.start()
    sys.stdin.read()
    controller.stop()


if __name__ == '__main__':
    main(*sys.argv[1:])
