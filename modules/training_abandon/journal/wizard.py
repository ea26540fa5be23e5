# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt

from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.wizard import Button, StateView, Wizard

from .. import tools
from .verification import describe, verify


class Verify(Wizard):
    "Verify the journals of the companies of the user"
    __name__ = 'training.journal.verify'
    start_state = 'result'

    result = StateView(
        'training.journal.verify.result',
        'training_abandon.journal_verify_result_view_form', [
            Button("Close", 'end', 'tryton-close', default=True),
            ])

    def default_result(self, fields):
        pool = Pool()
        Company = pool.get('company.company')
        User = pool.get('res.user')
        verification = verify(Company.browse(User.get_companies()))
        return {
            'cases': verification.counts['cases'],
            'entries': verification.counts['entries'],
            'anonymised': verification.counts['anonymised'],
            'days': verification.counts['days'],
            'last_days': '\n'.join(map(
                    self._describe_day, verification.last_days.values())),
            'is_sound': not verification.faults,
            'broken': '\n'.join(
                tools.first(map(self._describe, verification.faults))),
            'clock': '\n'.join(
                tools.first(map(self._describe, verification.clock))),
            }

    @classmethod
    def _describe_day(cls, day):
        pool = Pool()
        Company = pool.get('company.company')
        Lang = pool.get('ir.lang')
        return ' – '.join([
                Company(day['company']).rec_name,
                Lang.get().strftime(dt.date.fromisoformat(day['date'])),
                day['hash']])

    @classmethod
    def _describe(cls, fault):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        words = [describe(fault)]
        if fault.case is not None:
            cases = Case.search([('id', '=', fault.case)])
            words.insert(0, cases[0].rec_name if cases else gettext(
                    'training_abandon.msg_journal_case', case=fault.case))
        return ' – '.join(words)


class VerifyResult(ModelView):
    __name__ = 'training.journal.verify.result'

    is_sound = fields.Boolean(
        "Sound", readonly=True,
        help="Every entry is as it was written, none is missing and the "
        "records are what the entries tell.")
    cases = fields.Integer(
        "Cases", readonly=True,
        help="The cases whose journals were verified.")
    entries = fields.Integer(
        "Entries", readonly=True,
        help="The entries of their journals that were verified.")
    anonymised = fields.Integer(
        "Anonymised Entries", readonly=True,
        help="Those of which the digest alone is left.")
    days = fields.Integer(
        "Days", readonly=True,
        help="The days that were compared with the entries.")
    last_days = fields.Text(
        "Last Days", readonly=True,
        states={
            'invisible': ~Eval('last_days'),
            },
        help="The last day of the journal of each company with its hash: "
        "note it elsewhere and compare it later, as whoever changes the "
        "database may make all hashes again.")
    broken = fields.Text(
        "Broken", readonly=True,
        states={
            'invisible': ~Eval('broken'),
            },
        help="The first broken entry of each case.")
    clock = fields.Text(
        "Clock", readonly=True,
        states={
            'invisible': ~Eval('clock'),
            },
        help="Where the clock of the server went back: the journal is sound "
        "all the same.")
