# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The follow-ups of a period, printed or in a list to export"
import datetime as dt

from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Bool, Eval, If, PYSONEncoder
from trytond.transaction import Transaction, check_access
from trytond.wizard import (
    Button, StateAction, StateReport, StateTransition, StateView, Wizard)

from .. import tools
from ..exceptions import TrainingValidationError
from ..pdf_report import PDFReport, get_logo
from ..training.working_day import end_of_day
from .follow_up import APPOINTMENTS

MIDNIGHT = dt.time()


class Listing(PDFReport):
    "The follow-ups of a period, without what was said"

    @classmethod
    def get_context(cls, records, header, data):
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        context = super().get_context(records, header, data)
        company = context['company']
        rows = [
            cls._row(f) for f in sorted(
                tools.browse_sets(FollowUp, [r.id for r in records]),
                key=lambda f: (cls._at(f), f.id))]
        context.update(get_logo(company))
        context.update(
            title=gettext(cls._title),
            period=' – '.join(
                cls.format_date(data[name])
                for name in ['from_date', 'to_date'] if data.get(name)),
            headings=[
                FollowUp.__names__(name)['field'] for name in cls._names],
            rows=rows,
            )
        return context

    @classmethod
    def _at(cls, follow_up):
        raise NotImplementedError

    @classmethod
    def _row(cls, follow_up):
        values = {
            'party': follow_up.party.rec_name,
            'phone': follow_up.phone or '',
            'enrolment': follow_up.enrolment.rec_name,
            'kind': follow_up.kind_string,
            'attempt': str(follow_up.attempt),
            'employee': (
                follow_up.employee.rec_name if follow_up.employee else ''),
            'outcome': (
                follow_up.outcome_string or follow_up.cancel_reason_string),
            }
        for name in ['planned_at', 'planned_until', 'done_at']:
            values[name] = cls._format(follow_up, getattr(follow_up, name))
        return [values[name] for name in cls._names]

    @classmethod
    def _format(cls, follow_up, at):
        if not at:
            return ''
        return cls.format_datetime(
            at, format='%x %H:%M', timezone=follow_up.company.timezone)


class PhoneListing(Listing):
    __name__ = 'training.follow_up.phone_listing'
    _title = 'training_abandon.msg_phone_listing'
    _names = [
        'planned_at', 'done_at', 'party', 'phone', 'enrolment', 'attempt',
        'outcome', 'employee']

    @classmethod
    def _at(cls, follow_up):
        return follow_up.done_at or follow_up.planned_at


class AppointmentBook(Listing):
    __name__ = 'training.follow_up.appointment_book'
    _title = 'training_abandon.msg_appointment_book'
    _names = [
        'planned_at', 'planned_until', 'kind', 'party', 'phone', 'enrolment',
        'outcome', 'employee']

    @classmethod
    def _at(cls, follow_up):
        return follow_up.planned_at


class PrintFollowUps(Wizard):
    __name__ = 'training.follow_up.print'

    start = StateView(
        'training.follow_up.print.start',
        'training_abandon.follow_up_print_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Open", 'open_', 'tryton-open'),
            Button("Print", 'apply', 'tryton-print', default=True),
            ])
    apply = StateTransition()
    phone_listing = StateReport('training.follow_up.phone_listing')
    appointment_book = StateReport('training.follow_up.appointment_book')
    open_ = StateAction('training_abandon.act_follow_up_form')

    def transition_apply(self):
        if not self._find():
            raise TrainingValidationError(gettext(
                    'training_abandon.msg_follow_up_print_none'))
        return self.start.document

    def do_phone_listing(self, action):
        return action, self._data()

    def do_appointment_book(self, action):
        return action, self._data()

    def do_open_(self, action):
        action['pyson_domain'] = PYSONEncoder().encode(self._domain())
        action['domains'] = []
        return action, {}

    def _data(self):
        return {
            'ids': self._find(),
            'from_date': self.start.from_date,
            'to_date': self.start.to_date,
            }

    def _find(self):
        "Return the ids of those that the user may read"
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        with check_access():
            return list(map(int, FollowUp.search(self._domain(), order=[])))

    def _domain(self):
        start = self.start
        if (not all([
                        start.document, start.company, start.from_date,
                        start.to_date])
                or start.to_date < start.from_date):
            raise TrainingValidationError(gettext(
                    'training_abandon.msg_follow_up_print_period'))
        first = tools.utc_datetime(start.from_date, MIDNIGHT, start.company)
        last = end_of_day(start.to_date, start.company.timezone)

        def during(name):
            return [(name, '>=', first), (name, '<', last)]

        domain = [('company', '=', start.company.id)]
        if start.employee:
            domain.append(('employee', '=', start.employee.id))
        if start.document == 'phone_listing':
            return [*domain,
                ('kind', '=', 'call'),
                ['OR',
                    during('done_at'),
                    [('done_at', '=', None), *during('planned_at')],
                    ],
                ]
        return [*domain,
            ('kind', 'in', APPOINTMENTS),
            *during('planned_at'),
            ]


class PrintFollowUpsStart(ModelView):
    __name__ = 'training.follow_up.print.start'

    document = fields.Selection([
            ('phone_listing', "Phone Follow-Up Listing"),
            ('appointment_book', "Appointment Book"),
            ], "Document", required=True, sort=False,
        help="What is printed or opened.")
    company = fields.Many2One(
        'company.company', "Company", required=True)
    from_date = fields.Date(
        "From", required=True,
        domain=[If(Bool(Eval('from_date')) & Bool(Eval('to_date')),
                ('from_date', '<=', Eval('to_date')),
                ()),
            ],
        help="The first day of the period.")
    to_date = fields.Date("To", required=True,
        help="The last day of the period.")
    employee = fields.Many2One(
        'company.employee', "Employee",
        domain=[
            ('company', '=', Eval('company', -1)),
            ],
        help="Leave empty for all of them.")

    @classmethod
    def default_document(cls):
        return 'phone_listing'

    @classmethod
    def default_company(cls):
        return Transaction().context.get('company')

    @classmethod
    def default_from_date(cls):
        pool = Pool()
        Date = pool.get('ir.date')
        return Date.today().replace(day=1)

    @classmethod
    def default_to_date(cls):
        pool = Pool()
        Date = pool.get('ir.date')
        return Date.today()
