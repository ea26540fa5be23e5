# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Who is told that a trainee is expected back"
import datetime as dt
from collections import defaultdict

from trytond.i18n import gettext
from trytond.model import fields
from trytond.pool import Pool
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from .. import tools
from .agenda import Agenda


class WaitingMixin:
    "Cases whose owner is told on the day the trainee is expected back"
    __slots__ = ()

    return_told_on = fields.Date("Return Told on", readonly=True)

    @classmethod
    def _protected_fields(cls):
        return super()._protected_fields() | {'return_told_on'}

    @classmethod
    def tell_returns(cls, date=None):
        """Tell the owners that the day of the return is reached.

        date is the day it is, by default the one of each company."""
        transaction = Transaction()
        for sub_cases in grouped_slice(
                cls._returns(Agenda(date), date), tools.BATCH):
            ids = [c.id for c in sub_cases]
            # See what the others have committed meanwhile
            transaction.commit()
            if ids := tools.lock_free(cls, ids):
                tools.forget_read()
                cls._tell_returns(cls._returns(Agenda(date), date, ids), date)
            transaction.commit()

    @classmethod
    def _returns(cls, agenda, date, ids=None):
        "Return the cases of which the return is reached and not told"
        # It may already be tomorrow for some of the companies
        until = date or tools.now().date() + dt.timedelta(days=1)
        domain = [
            cls._waiting_domain(),
            ('return_date', '<=', until),
            ('return_told_on', '=', None),
            ('enrolment.state', '=', 'suspended'),
            ]
        if ids is not None:
            domain.append(('id', 'in', ids))
        return [
            c for c in cls.search(
                domain, order=[('owner', None), ('id', None)])
            if c.return_date <= agenda.today(c.company)]

    @classmethod
    def _tell_returns(cls, cases, date):
        agenda, by_day = Agenda(date), defaultdict(list)
        for case in cases:
            by_day[agenda.today(case.company)].append(case)
        if cases:
            cls.notify_owners(cases, cls._describe_returns)
        for day, day_cases in by_day.items():
            cls.write(day_cases, {'return_told_on': day})

    @classmethod
    def _describe_returns(cls, cases):
        "Return the label and the description of the notification"
        pool = Pool()
        Lang = pool.get('ir.lang')
        lang = Lang.get()
        lines = (
            gettext('training_abandon.msg_case_return',
                case=case.rec_name,
                date=lang.strftime(case.return_date))
            for case in cases)
        return gettext(
            'training_abandon.msg_case_returns',
            count=len(cases)), ' · '.join(tools.first(lines))

    @classmethod
    def on_modification(cls, mode, cases, field_names=None):
        super().on_modification(mode, cases, field_names=field_names)
        if mode == 'write' and 'return_date' in field_names:
            told = [c for c in cases if c.return_told_on]
            if told:
                cls.write(told, {'return_told_on': None})
