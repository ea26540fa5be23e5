#!/usr/bin/env python3
# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""Verify the journals of the cases of a database and name the first broken
entry of each case.

Where the clock went back is told too, and breaks nothing.
The exit status is 1 when an entry is broken and 2 when the database can not
be used."""

import argparse
import sys

from lib.environment import IMPORTING

sys.path.insert(0, str(IMPORTING))
from importing.client import ConnectionFailed, connect_database  # noqa: E402

OK, BROKEN, USAGE = 0, 1, 2


def parse_arguments(arguments=None):
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--database', metavar='URI', required=True,
        help="database, like sqlite:///NAME or postgresql://user@host/NAME")
    parser.add_argument('--config', metavar='FILE',
        help="trytond.conf to use")
    parser.add_argument('--user', default='admin',
        help="login to use (default: %(default)s)")
    return parser.parse_args(arguments)


def verify(database):
    "Print what the journals of the database tell and return if they are sound"
    # The database is chosen before anything of trytond is imported
    from trytond.modules.training_abandon.journal import verification
    from trytond.modules.training_abandon.journal.verify import report
    from trytond.pool import Pool
    from trytond.transaction import Transaction
    with Transaction().start(database, 0, readonly=True):
        Company = Pool().get('company.company')
        return report(verification.verify(
                Company.search([], order=[('id', 'ASC')])))


def main(arguments=None):
    args = parse_arguments(arguments)
    try:
        client = connect_database(args.database, args.user, args.config)
    except ConnectionFailed as exc:
        print(exc, file=sys.stderr)
        return USAGE
    return OK if verify(client.config.database_name) else BROKEN


if __name__ == '__main__':
    sys.exit(main())
