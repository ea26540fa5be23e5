#!/usr/bin/env python3
# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""Compute again the values that the events store and name those that differ.

Nothing is changed without --fix.
The exit status is 1 when there are differences, even once they are put right,
and 2 when the database can not be used, or is changed meanwhile."""

import argparse
import sys

from lib.environment import IMPORTING

sys.path.insert(0, str(IMPORTING))
from importing.client import ConnectionFailed, connect_database  # noqa: E402

OK, DIFFERENT, USAGE = 0, 1, 2


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
    parser.add_argument('--fix', action='store_true',
        help="store the right values")
    return parser.parse_args(arguments)


def recompute(database, fix=False):
    "Print the differences in the database and return their number"
    # The database is chosen before anything of trytond is imported
    from trytond.modules.training_abandon import stored
    from trytond.transaction import Transaction
    count = 0
    with Transaction().start(database, 0) as transaction:
        for record, name, value, right in stored.differences():
            count += 1
            print(f"{record.__name__} {record.id}, {record.rec_name}: "
                f"{name} is {value} in the place of {right}")
        if fix and count:
            stored.recompute()
            transaction.commit()
    return count


def main(arguments=None):
    args = parse_arguments(arguments)
    try:
        client = connect_database(args.database, args.user, args.config)
    except ConnectionFailed as exc:
        print(exc, file=sys.stderr)
        return USAGE
    from trytond.backend import DatabaseOperationalError
    try:
        count = recompute(client.config.database_name, args.fix)
    except DatabaseOperationalError as exc:
        print("Nothing is changed, because others change it: start again "
            f"({exc})", file=sys.stderr)
        return USAGE
    print(f"{count} differences" + (", put right" if args.fix else ''))
    return DIFFERENT if count else OK


if __name__ == '__main__':
    sys.exit(main())
