# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The annual report, and the results that a provider publishes"
import base64
from collections import namedtuple

from dateutil.relativedelta import relativedelta

from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.modules.company import CompanyReport
from trytond.pool import Pool
from trytond.pyson import Bool, Eval, If
from trytond.transaction import Transaction, check_access
from trytond.wizard import (
    Button, StateReport, StateTransition, StateView, Wizard)

from .. import tools
from ..exceptions import TrainingValidationError
from ..home.figure import FEWEST
from ..pdf_report import PDFReport, get_logo
from .chart import bars, horizontal_bars
from .indicator import RATES
from .window import DEFAULT_PERIOD, Window

# The numbers of the annual report, and of them those that are published
FIGURES = [
    'started', 'abandoned', 'rate', 'decided', 'prevented', 'retention_rate',
    'no_shows', 'force_majeure', 'legitimate', 'excluded', 'transferred',
    'postponed', 'cancelled', 'contact_days', 'decision_days', 'steps_due',
    'steps_rate', 'asked', 'answer_rate', 'presence_rate', 'alerts',
    'alerts_rate', 'hours_lost', 'revenue_lost']
PUBLISHED = [
    'started', 'abandoned', 'rate', 'decided', 'prevented', 'retention_rate',
    'presence_rate']
# Those of the tables by course and by period
COLUMNS = [
    'started', 'abandoned', 'rate', 'previous_started', 'previous_rate']

Section = namedtuple('Section', 'title note image headings rows')


class _ResultsMixin:
    "Reports of the indicators of a company in a period"
    __slots__ = ()
    title = None

    @classmethod
    def execute(cls, ids, data):
        pool = Pool()
        Indicator = pool.get('training.indicator.company')
        transaction = Transaction()
        with transaction.set_context(
                company=ids[0],
                from_date=data.get('from_date'), to_date=data.get('to_date'),
                period=DEFAULT_PERIOD,
                course=data.get('course'), courses=None):
            start, end = Window.of_context()
            with transaction.set_context(from_date=start, to_date=end):
                with check_access():
                    found = Indicator.search([])
                if [r.id for r in found] != ids:
                    raise TrainingValidationError(gettext(
                            'training_abandon.msg_report_none'))
                return super().execute(ids, data)

    @classmethod
    def get_context(cls, records, header, data):
        pool = Pool()
        Course = pool.get('training.course')
        context = super().get_context(records, header, data)
        window = [
            cls.format_date(Transaction().context[name])
            for name in ['from_date', 'to_date']]
        course = Transaction().context['course']
        record, = records
        context.update(get_logo(context['company']))
        context.update(
            title=gettext(cls.title),
            period=' – '.join(window),
            course=Course(course).rec_name if course else '',
            definition=gettext('training_abandon.msg_indicator_definition'),
            sections=cls._sections(record))
        return context

    @classmethod
    def _sections(cls, record):
        raise NotImplementedError

    @classmethod
    def _figures(cls, record, names):
        "Return the section of the numbers of the company"
        labels = record.fields_get(names)
        rows = []
        for name in names:
            previous = f'previous_{name}'
            rows.append([
                    labels[name]['string'], cls._format(record, name),
                    cls._format(record, previous)
                    if hasattr(record, previous) else ''])
        return Section(
            gettext('training_abandon.msg_report_figures'),
            None, None, [
                '', gettext('training_abandon.msg_report_period'),
                gettext('training_abandon.msg_report_previous')],
            rows)

    @classmethod
    def _format(cls, record, name):
        value = getattr(record, name)
        rate = RATES.get(name.removeprefix('previous_'))
        if value is None:
            return '–'
        elif not isinstance(value, float):
            return cls.format_number(value, None, digits=0)
        digits = 2 if name == 'revenue_lost' else 1
        text = cls.format_number(value, None, digits=digits)
        return f'{text} %' if rate else text

    @classmethod
    def _table(cls, axis, title, names, fewest=0, note=None):
        "Return the section of the numbers of an axis"
        Indicator = cls._indicator(axis)
        labels = Indicator.fields_get(names)
        rows = [
            r for r in Indicator.search([])
            if getattr(r, names[0]) >= fewest]
        return Section(
            gettext(title), note, None,
            ['', *(labels[n]['string'] for n in names)],
            [[r.label, *(cls._format(r, n) for n in names)] for r in rows])

    @classmethod
    def _indicator(cls, axis):
        pool = Pool()
        return pool.get(f'training.indicator.{axis}')

    @classmethod
    def _months(cls):
        "Return the section of the rate by month"
        Period = cls._indicator('period')
        rows = Period.search([])
        labels = Period.fields_get(['rate', 'previous_rate'])
        section = cls._table(
            'period', 'training_abandon.msg_report_months', COLUMNS)
        return section._replace(image=bars(
                [r.label for r in rows],
                [(labels[name]['string'], [getattr(r, name) for r in rows])
                    for name in ['rate', 'previous_rate']]))

    @classmethod
    def _reasons(cls, axis, title, fewest=0):
        "Return the section of the reasons or of the causes, if it is told"
        Indicator = cls._indicator(axis)
        if not tools.may_read(Indicator):
            return []
        names = ['decided'] if fewest else ['decided', 'abandoned']
        section = cls._table(axis, title, names, fewest=fewest, note=gettext(
                'training_abandon.msg_report_few', fewest=FEWEST))
        rows = [
            r for r in Indicator.search([]) if r.decided >= max(fewest, 1)]
        if rows:
            section = section._replace(image=horizontal_bars(
                    [r.label for r in rows], [r.decided for r in rows]))
        return [section]


class AnnualReport(_ResultsMixin, PDFReport):
    __name__ = 'training.indicator.annual_report'
    title = 'training_abandon.msg_annual_report'

    @classmethod
    def _sections(cls, record):
        return [
            cls._figures(record, FIGURES),
            cls._months(),
            cls._table(
                'course', 'training_abandon.msg_report_courses', COLUMNS),
            *cls._reasons('reason', 'training_abandon.msg_report_reasons'),
            *cls._reasons('cause', 'training_abandon.msg_report_causes'),
            *cls._actions(record.company),
            *cls._events(record.company),
            ]

    @classmethod
    @check_access
    def _actions(cls, company):
        "Return the section of the actions begun in the period or open"
        pool = Pool()
        Action = pool.get('training.improvement.action')
        if not tools.may_read(Action):
            return []
        context = Transaction().context
        actions = Action.search([
                ('company', '=', company.id),
                ('state', '!=', 'cancelled'),
                ('started_on', '<=', context['to_date']),
                ['OR',
                    ('closed_on', '=', None),
                    ('closed_on', '>=', context['from_date']),
                    ],
                ])
        names = [
            'name', 'owner', 'due_date', 'before_rate', 'before_started',
            'after_rate', 'after_started', 'state']
        labels = Action.fields_get(names)
        states = dict(labels['state']['selection'])

        def rate(value):
            if value is None:
                return '–'
            return cls.format_number(value, None, digits=1)

        return [Section(
                gettext('training_abandon.msg_report_actions'), None, None,
                [labels[name]['string'] for name in names],
                [[
                        a.name, a.owner.rec_name, cls.format_date(a.due_date),
                        rate(a.before_rate), str(a.before_started or 0),
                        rate(a.after_rate), str(a.after_started or 0),
                        states[a.state]] for a in actions])]

    @classmethod
    @check_access
    def _events(cls, company):
        "Return the section of the number of complaints and hazards"
        pool = Pool()
        Event = pool.get('training.improvement.event')
        if not tools.may_read(Event):
            return []
        context = Transaction().context
        period = [
            ('company', '=', company.id),
            ('date', '>=', context['from_date']),
            ('date', '<=', context['to_date']),
            ]
        field = Event.fields_get(['kind', 'answered_on'])
        rows = []
        for kind, label in field['kind']['selection']:
            domain = [*period, ('kind', '=', kind)]
            rows.append([
                    label, str(Event.search(domain, count=True)),
                    str(Event.search(
                            [*domain, ('answered_on', '!=', None)],
                            count=True))])
        return [Section(
                gettext('training_abandon.msg_report_events'), None, None,
                ['', gettext('training_abandon.msg_report_count'),
                    gettext('training_abandon.msg_report_answered')], rows)]


class _PublishedMixin(_ResultsMixin):
    "What is published: rates with their population, nothing of few people"
    __slots__ = ()
    title = 'training_abandon.msg_results_sheet'

    @classmethod
    def _sections(cls, record):
        return [
            cls._figures(record, PUBLISHED),
            cls._table(
                'course', 'training_abandon.msg_report_courses', COLUMNS[:3],
                fewest=FEWEST, note=gettext(
                    'training_abandon.msg_report_few_started',
                    fewest=FEWEST)),
            *cls._reasons(
                'cause', 'training_abandon.msg_report_causes', FEWEST),
            ]


class ResultsSheet(_PublishedMixin, PDFReport):
    __name__ = 'training.indicator.results'


class ResultsPage(_PublishedMixin, CompanyReport):
    "The results as a page of a web site, that needs no other file"
    __name__ = 'training.indicator.results_page'

    @classmethod
    def get_context(cls, records, header, data):
        context = super().get_context(records, header, data)
        context['to_url'] = to_url
        return context


def to_url(picture):
    "Return the URL that holds the PNG"
    return 'data:image/png;base64,' + base64.b64encode(picture).decode()


class Print(Wizard):
    __name__ = 'training.indicator.print'

    start = StateView(
        'training.indicator.print.start',
        'training_abandon.indicator_print_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Print", 'apply', 'tryton-print', default=True),
            ])
    apply = StateTransition()
    annual_report = StateReport('training.indicator.annual_report')
    results = StateReport('training.indicator.results')
    results_page = StateReport('training.indicator.results_page')

    def transition_apply(self):
        self._data()
        return self.start.document

    def _data(self):
        start = self.start
        if not all([
                    start.document, start.company, start.from_date,
                    start.to_date]) or start.to_date < start.from_date:
            raise TrainingValidationError(gettext(
                    'training_abandon.msg_follow_up_print_period'))
        return {
            'ids': [start.company.id],
            'from_date': start.from_date,
            'to_date': start.to_date,
            'course': start.course.id if start.course else None,
            }

    def do_annual_report(self, action):
        return action, self._data()

    def do_results(self, action):
        return action, self._data()

    def do_results_page(self, action):
        return action, self._data()


class PrintStart(ModelView):
    __name__ = 'training.indicator.print.start'

    document = fields.Selection([
            ('annual_report', "Annual Report"),
            ('results', "Results Sheet"),
            ('results_page', "Results Page for the Web Site"),
            ], "Document", required=True, sort=False,
        help="The report is for the provider; the results, without anything "
        "of few people, are to be published.")
    company = fields.Many2One(
        'company.company', "Company", required=True,
        domain=[
            ('id', 'in', Eval('context', {}).get('companies', [])),
            ])
    from_date = fields.Date(
        "From", required=True,
        domain=[If(Bool(Eval('from_date')) & Bool(Eval('to_date')),
                ('from_date', '<=', Eval('to_date')),
                ()),
            ],
        help="The first day of the period.")
    to_date = fields.Date(
        "To", required=True, help="The last day of the period.")
    course = fields.Many2One(
        'training.course', "Course",
        domain=[
            ('company', 'in', [Eval('company', -1), None]),
            ],
        help="Leave empty for all the courses.")

    @classmethod
    def default_document(cls):
        return 'annual_report'

    @classmethod
    def default_company(cls):
        return Transaction().context.get('company')

    @classmethod
    def default_from_date(cls):
        return _last_year(1)

    @classmethod
    def default_to_date(cls):
        return _last_year(12) + relativedelta(day=31)


def _last_year(month):
    "Return the first day of the month of the last year"
    pool = Pool()
    Date = pool.get('ir.date')
    return Date.today() + relativedelta(years=-1, month=month, day=1)
