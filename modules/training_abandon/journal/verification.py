# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The verification of the journals of a database"
import datetime as dt
from itertools import chain

from sql.aggregate import Min

from trytond.i18n import gettext
from trytond.pool import Pool
from trytond.transaction import Transaction

from .. import tools
from .record import record_faults
from .verify import Fault, Verification

# The day is recorded each night: two may miss
LATE = dt.timedelta(days=2)


def verify(companies):
    "Return the verification of the journals of the companies"
    pool = Pool()
    Day = pool.get('training.journal.day')
    Entry = pool.get('training.journal.entry')
    verification = Verification()
    verification.read_days(chain.from_iterable(map(Day.rows, companies)))
    case_ids = _cases(companies)
    verification.read(Entry.rows(case_ids))
    verification.check_complete()
    for company in companies:
        verification.check_days(
            company.id, company.journal_days or 0, company.journal_day_hash)
    _add_late(verification, companies)
    _add_records(verification, case_ids)
    return verification


def case_faults(case_ids, beat=None):
    """Return the first fault of each of the cases whose journal is broken

    beat is called before what takes long."""
    pool = Pool()
    Entry = pool.get('training.journal.entry')
    verification = Verification()
    verification.read(Entry.rows(case_ids))
    _add_records(verification, case_ids, beat)
    return verification.faults


def describe(fault):
    "Return the words for the fault, after those for its case"
    pool = Pool()
    Lang = pool.get('ir.lang')
    words = []
    if fault.number is not None:
        words.append(gettext(
                'training_abandon.msg_journal_entry' if fault.case
                else 'training_abandon.msg_journal_day',
                number=fault.number))
    if fault.day:
        words.append(Lang.get().strftime(dt.date.fromisoformat(fault.day)))
    words.append(gettext(
            f'training_abandon.msg_journal_fault_{fault.reason}'))
    return ' – '.join(words)


def _add_records(verification, case_ids, beat=None):
    broken = {f.case for f in verification.faults}
    for fault in record_faults(case_ids, beat):
        # The first one of each case is named
        if fault.case not in broken:
            broken.add(fault.case)
            verification.faults.append(fault)


def _add_late(verification, companies):
    "Add the companies whose entries no day tells since more than a day"
    pool = Pool()
    entry = pool.get('training.journal.entry').__table__()
    cursor = Transaction().connection.cursor()
    for company in companies:
        last = verification.last_days.get(company.id)
        cursor.execute(*entry.select(
                Min(entry.at),
                where=(entry.company == company.id)
                & (entry.id > (last['last_entry'] if last else 0))))
        at, = cursor.fetchone()
        if isinstance(at, str):
            at = dt.datetime.fromisoformat(at)
        if at and at < tools.now() - LATE:
            verification.faults.append(Fault(
                    'day_late' if last else 'day_none', None,
                    last and last['number'], last and last['date']))


def _cases(companies):
    "Return the ids of the cases of the companies"
    pool = Pool()
    Case = pool.get('training.abandon.case')
    cursor = Transaction().connection.cursor()
    table = Case.__table__()
    cursor.execute(*table.select(
            table.id, where=table.company.in_([c.id for c in companies])))
    return [id_ for id_, in cursor]
