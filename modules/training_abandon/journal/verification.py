# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The verification of the journals of a database"
from itertools import chain

from trytond.pool import Pool
from trytond.transaction import Transaction

from .verify import Verification


def verify(companies):
    "Return the verification of the journals of the companies"
    pool = Pool()
    Day = pool.get('training.journal.day')
    Entry = pool.get('training.journal.entry')
    verification = Verification()
    verification.read_days(chain.from_iterable(map(Day.rows, companies)))
    verification.read(Entry.rows(_cases(companies)))
    verification.check_complete()
    return verification


def _cases(companies):
    "Return the ids of the cases of the companies"
    pool = Pool()
    Case = pool.get('training.abandon.case')
    cursor = Transaction().connection.cursor()
    table = Case.__table__()
    cursor.execute(*table.select(
            table.id, where=table.company.in_([c.id for c in companies])))
    return [id_ for id_, in cursor]
