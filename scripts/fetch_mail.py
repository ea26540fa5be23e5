#!/usr/bin/env python3
# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""Give the replies of a mailbox to Tryton.

The messages come from an IMAP folder or a Maildir, and go to the inbox of
the module inbound_email (--endpoint) or directly to the server (--database,
--url).
A message is marked once Tryton has recorded it, and Tryton records a message
once: after an interruption, start again."""

import argparse
import getpass
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path

from lib.environment import IMPORTING
from lib.mailbox_reader import Imap, MailboxError, Maildir

sys.path.insert(0, str(IMPORTING))
from importing.client import (  # noqa: E402
    ConnectionFailed, Refused, Stopped, add_server_arguments, connect_database,
    connect_url)

OK, REJECTED, USAGE = 0, 1, 2
PASSWORD = 'FETCH_MAIL_PASSWORD'
TIMEOUT = 120


def parse_arguments(arguments=None):
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument('--imap', metavar='URL',
        help="folder, like imaps://user@host/INBOX; the password is read "
        f"from --password-file or {PASSWORD}, else asked")
    source.add_argument('--maildir', metavar='PATH', type=Path)
    server = add_server_arguments(parser)
    server.add_argument('--endpoint', metavar='URL',
        help="URL of the inbox, as its form in Tryton shows it")
    parser.add_argument('--password-file', type=Path, metavar='FILE',
        help="file whose first line is the password of the mailbox")
    parser.add_argument('--move-to', metavar='FOLDER',
        help="IMAP folder for the recorded messages "
        "(default: they stay and get a keyword)")
    args = parser.parse_args(arguments)
    if args.move_to and not args.imap:
        parser.error("--move-to is for --imap")
    return args


def get_mailbox(args):
    if args.maildir:
        return Maildir(args.maildir)

    def get_password():
        if args.password_file:
            lines = args.password_file.read_text().splitlines()
            return lines[0] if lines else ''
        return os.environ.get(PASSWORD) or getpass.getpass(
            "Password of the mailbox: ")

    return Imap(args.imap, get_password, args.move_to)


def get_recorder(args):
    "Return the function that gives the bytes of a message to Tryton"
    if args.endpoint:
        return lambda data: post(args.endpoint, data)
    if args.url:
        client = connect_url(args.url)
    else:
        client = connect_database(args.database, args.user, args.config)
    return lambda data: client.call('training.mail.reply', 'receive', data)


def post(endpoint, data):
    request = urllib.request.Request(
        endpoint, data=data, headers={'Content-Type': 'message/rfc822'})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT):
            pass
    except urllib.error.HTTPError as exc:
        # The server may wait for the end of the connection
        exc.close()
        if exc.code == 413:
            raise Refused(
                "it is too large: raise max_size in the section "
                "inbound_email of the configuration of the server") from exc
        elif exc.code in {404, 405}:
            raise ConnectionFailed(
                f"{endpoint} is the URL of no inbox: copy it from the form "
                "of the inbox") from exc
        elif exc.code in {400, 500}:
            # The others must not wait for the one that no server reads
            raise Refused(
                f"the server fails, its log tells why: {exc}") from exc
        raise Stopped(f"the server fails: {exc}") from exc
    except (OSError, ValueError) as exc:
        raise ConnectionFailed(
            f"No connection to {endpoint}: {exc}") from exc


def fetch(mailbox, record):
    "Return the number of messages recorded and the number of the refused"
    recorded = refused = 0
    for key, data in mailbox:
        try:
            record(data)
        except Refused as exc:
            print(f"{_name(key)} is refused: {exc}", file=sys.stderr)
            refused += 1
        else:
            mailbox.done(key)
            recorded += 1
    return recorded, refused


def _name(key):
    return f"Message {key.decode() if isinstance(key, bytes) else key.name}"


def main(arguments=None):
    args = parse_arguments(arguments)
    try:
        record = get_recorder(args)
        with get_mailbox(args) as mailbox:
            recorded, refused = fetch(mailbox, record)
    except (ConnectionFailed, MailboxError, Stopped, OSError) as exc:
        print(exc, file=sys.stderr)
        return USAGE
    print(f"{recorded} recorded, {refused} refused")
    return REJECTED if refused else OK


if __name__ == '__main__':
    sys.exit(main())
