# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the journals of a company were on a day"
import json

from sql.aggregate import Max
from sql.conditionals import Coalesce

from trytond.i18n import gettext
from trytond.model import Index, ModelSQL, ModelView, Unique, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.transaction import Transaction

from .. import tools
from .verify import canonical, chain_hash, digest


class Day(ModelSQL, ModelView):
    "The heads of the journals that have changed, chained to the day before"
    __name__ = 'training.journal.day'

    company = fields.Many2One(
        'company.company', "Company", required=True, readonly=True,
        ondelete='RESTRICT')
    number = fields.Integer(
        "Number", required=True, readonly=True,
        help="The place of the day in the chain of the company.")
    date = fields.Date(
        "Date", required=True, readonly=True,
        help="The day it was for the company.  The number tells the order, "
        "whatever the clock tells.")
    at = fields.DateTime("At", required=True, readonly=True)
    last_entry = fields.Integer(
        "Last Entry", required=True, readonly=True,
        help="The last entry that there was, of any company.")
    heads = fields.Text(
        "Heads", required=True, readonly=True,
        help="The cases that had changed, each with the length of its "
        "journal and the hash of its last entry, in JSON.")
    digest = fields.Char(
        "Digest", required=True, readonly=True,
        help="The SHA-256 of the heads.")
    previous = fields.Char(
        "Previous Hash", readonly=True,
        help="The hash of the day before.")
    hash = fields.Char(
        "Hash", required=True, readonly=True,
        help="The SHA-256 of the day, with the digest of its heads and the "
        "hash of the day before.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_constraints += [
            ('company_number_unique', Unique(t, t.company, t.number),
                'training_abandon.msg_journal_day_number_unique'),
            ]
        cls._sql_indexes.add(
            Index(t, (t.date, Index.Range()), (t.id, Index.Range())))
        cls._order = [
            ('date', 'DESC'),
            ('id', 'DESC'),
            ]

    def get_rec_name(self, name):
        pool = Pool()
        Lang = pool.get('ir.lang')
        return Lang.get().strftime(self.date)

    @classmethod
    def search_rec_name(cls, name, clause):
        return [('company.rec_name', *clause[1:])]

    @classmethod
    def check_modification(cls, mode, days, values=None, external=False):
        super().check_modification(
            mode, days, values=values, external=external)
        if external or mode != 'create':
            for day in days:
                raise AccessError(gettext(
                        'training_abandon.msg_journal_day_modify',
                        day=day.rec_name))

    @classmethod
    def copy(cls, days, default=None):
        for day in days:
            raise AccessError(gettext(
                    'training_abandon.msg_journal_day_modify',
                    day=day.rec_name))
        return []

    @classmethod
    def record_due(cls):
        """Record the day of the companies that do not have it yet

        The days on which this did not run are told by the next one."""
        pool = Pool()
        Company = pool.get('company.company')
        for company in Company.search([], order=[('id', 'ASC')]):
            cls.record(company)

    @classmethod
    def record(cls, company):
        "Record the day of the company, unless it is the last one recorded"
        pool = Pool()
        Company = pool.get('company.company')
        before = cls.search([
                ('company', '=', company.id),
                ], order=[('number', 'DESC')], limit=2)
        last = before[0] if before else None
        date = tools.today(company)
        # A clock that was wrong keeps no later day from being recorded
        if last and last.date == date:
            return
        last_entry = cls._last_entry()
        told = cls._told(last)
        # Without what the last day tells, all the cases are told
        since = before[1].last_entry if before[1:] and told is not None else 0
        heads = canonical(cls._changed(company, told or {}, since))
        values = {
            'company': company.id,
            'number': last.number + 1 if last else 1,
            'date': date,
            'at': tools.now(),
            'last_entry': last_entry,
            'heads': heads,
            'digest': digest(heads),
            'previous': last.hash if last else None,
            }
        values['hash'] = chain_hash(_exported(values))
        cls.create([values])
        company = Company(company.id)
        company.journal_days = values['number']
        company.journal_day_hash = values['hash']
        company.save()

    @classmethod
    def _last_entry(cls):
        pool = Pool()
        entry = pool.get('training.journal.entry').__table__()
        cursor = Transaction().connection.cursor()
        cursor.execute(*entry.select(Coalesce(Max(entry.id), 0)))
        last_entry, = cursor.fetchone()
        return last_entry

    @classmethod
    def _told(cls, day):
        "Return the heads that the day tells by case, None if it is altered"
        if not day:
            return {}
        try:
            return {case: head for case, *head in json.loads(day.heads)}
        except (TypeError, ValueError):
            return None

    @classmethod
    def _changed(cls, company, told, since):
        """Return the heads of the cases that are not told

        told are those of the last day, since is the last entry of the day
        before the last one: those that were still being written when the last
        day was recorded have a smaller id than some that it tells."""
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Entry = pool.get('training.journal.entry')
        cursor = Transaction().connection.cursor()
        case, entry = Case.__table__(), Entry.__table__()
        cursor.execute(*case.select(
                case.id, case.journal_length, case.journal_head,
                where=(case.company == company.id)
                & (case.journal_length > 0)
                & case.id.in_(entry.select(
                        entry.case, where=entry.id > since,
                        group_by=[entry.case])),
                order_by=[case.id]))
        return [
            [case, *head] for case, *head in cursor if told.get(case) != head]

    @classmethod
    def export(cls, company):
        "Yield the lines of the days of the company"
        for row in cls.rows(company):
            yield canonical(row)

    @classmethod
    def rows(cls, company):
        "Yield the days of the company, in the order of the number"
        cursor = Transaction().connection.cursor()
        names = [
            'company', 'number', 'date', 'at', 'last_entry', 'heads',
            'digest', 'previous', 'hash']
        number = 0
        while True:
            table = cls.__table__()
            cursor.execute(*table.select(
                    *(getattr(table, n) for n in names),
                    where=(table.company == company.id)
                    & (table.number > number),
                    order_by=[table.number], limit=tools.SET))
            rows = [dict(zip(names, row)) for row in cursor]
            for row in rows:
                number = row['number']
                yield _exported(row)
            if len(rows) < tools.SET:
                break


def _exported(row):
    "Return what the lines of the file have of the values of the day"
    try:
        heads = json.loads(row['heads'])
    except ValueError:
        # Somebody has altered it
        heads = row['heads']
    return {
        **row,
        'date': row['date'].isoformat(),
        'at': row['at'].isoformat(),
        'heads': heads,
        }
