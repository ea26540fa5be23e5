# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The annual report, and the results that a provider publishes"
import base64

from dateutil.relativedelta import relativedelta

from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.modules.company import CompanyReport
from trytond.pool import Pool
from trytond.pyson import Bool, Eval, If
from trytond.transaction import Transaction, check_access, without_check_access
from trytond.wizard import (
    Button, StateReport, StateTransition, StateView, Wizard)

from .. import tools
from ..exceptions import TrainingValidationError
from ..home.figure import FEWEST
from ..pdf_report import PDFReport, Section, get_logo
from .chart import bars, horizontal_bars
from .indicator import FEW, RATES
from .window import Window

# The numbers of the annual report, and of them those that are published
FIGURES = [
    'started', 'left', 'rate', 'decided', 'prevented', 'retention_rate',
    'abandoned', 'no_shows', 'force_majeure', 'legitimate', 'excluded',
    'transferred', 'postponed', 'cancelled', 'contact_cases', 'contact_days',
    'decision_cases', 'decision_days', 'steps_due', 'steps_rate', 'asked',
    'answer_rate', 'hours_held', 'presence_rate', 'alerts', 'alerts_rate',
    'hours_lost', 'revenue_lost']
# Below the fewest of the first, the others are not published
PUBLISHED = {
    'started': ['started', 'left', 'rate', 'hours_held', 'presence_rate'],
    'decided': ['decided', 'prevented', 'retention_rate'],
    }
# Those of the tables by course and by period
COLUMNS = ['started', 'left', 'rate', 'previous_started', 'previous_rate']
# The most months of a report by month, then by quarter
MONTHS, QUARTERS = 18, 54


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
                course=data.get('course'), courses=None,
                causes=data.get('causes')):
            start, end = Window.of_context()
            with transaction.set_context(
                    from_date=start, to_date=end,
                    period=_period(Window(start, end))):
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
            definition=gettext(
                'training_abandon.msg_indicator_definition',
                date=cls.format_date(tools.today(record.company))),
            sections=cls._sections(record))
        return context

    @classmethod
    def _sections(cls, record):
        raise NotImplementedError

    @classmethod
    def _figures(cls, record, names, hidden=()):
        "Return the section of the numbers of the company"
        labels = record.fields_get(names)
        rows = []
        for name in names:
            rows.append([labels[name]['string'], *(
                    '–' if n in hidden else cls._format(record, n)
                    if hasattr(record, n) else ''
                    for n in [name, f'previous_{name}'])])
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
    def _table(cls, axis, title, names, note=None):
        "Return the section of the numbers of an axis"
        Indicator = cls._indicator(axis)
        labels = Indicator.fields_get(names)
        rows = cls._rows(Indicator, names[0])
        return Section(
            gettext(title), note, None,
            ['', *(labels[n]['string'] for n in names)],
            [[r.label, *(cls._format(r, n) for n in names)] for r in rows])

    @classmethod
    def _rows(cls, Indicator, population):
        "Return the rows that are told, by their population"
        return Indicator.search([])

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
                    for name in ['rate', 'previous_rate']],
                lambda rate: cls.format_number(rate, None, digits=1)))

    @classmethod
    def _reasons(cls, axis, title, names):
        "Return the section of the reasons or of the causes"
        Indicator = cls._indicator(axis)
        section = cls._table(axis, title, names, note=gettext(
                'training_abandon.msg_report_few', fewest=FEWEST))
        rows = [r for r in cls._rows(Indicator, 'decided') if r.decided]
        if rows:
            section = section._replace(image=horizontal_bars(
                    [r.label for r in rows], [r.decided for r in rows]))
        return section


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
            *cls._readable_reasons(
                'reason', 'training_abandon.msg_report_reasons'),
            *cls._readable_reasons(
                'cause', 'training_abandon.msg_report_causes'),
            *cls._actions(record.company),
            *cls._events(record.company),
            ]

    @classmethod
    def _readable_reasons(cls, axis, title):
        "Return the section that the user may read"
        if not tools.may_read(cls._indicator(axis)):
            return []
        return [cls._reasons(axis, title, ['decided', 'abandoned'])]

    @classmethod
    @check_access
    def _actions(cls, company):
        "Return the section of the actions of the period or that are open"
        pool = Pool()
        Action = pool.get('training.improvement.action')
        if not tools.may_read(Action):
            return []
        context = Transaction().context
        domain = [
            ('company', '=', company.id),
            ('state', '!=', 'cancelled'),
            ['OR',
                ('state', '=', 'planned'),
                [
                    ('started_on', '<=', context['to_date']),
                    ['OR',
                        ('closed_on', '=', None),
                        ('closed_on', '>=', context['from_date']),
                        ],
                    ],
                ],
            ]
        if course := context['course']:
            domain.append(['OR',
                    ('courses', '=', None),
                    ('courses', '=', course),
                    ])
        actions = Action.search(domain)
        names = [
            'name', 'owner', 'due_date', 'before_rate', 'after_rate', 'state']
        labels = Action.fields_get(names)
        states = dict(labels['state']['selection'])

        def effect(action, when):
            "Return the rate with its population and its period"
            rate, left, started, *days = (
                getattr(action, f'{when}_{name}')
                for name in ['rate', 'abandoned', 'started', 'from', 'to'])
            if rate is None:
                return '–'
            rate = cls.format_number(rate, None, digits=1)
            period = ' – '.join(map(cls.format_date, days))
            return f'{rate} % ({left}/{started}), {period}'

        return [Section(
                gettext('training_abandon.msg_report_actions'), None, None,
                [labels[n]['string'] for n in names],
                [[
                        a.name, a.owner.rec_name, cls.format_date(a.due_date),
                        effect(a, 'before'), effect(a, 'after'),
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
        if course := context['course']:
            period.append(('session.course', '=', course))
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
        sections = [
            cls._figures(
                record, sum(PUBLISHED.values(), []), cls._hidden(record)),
            cls._table(
                'course', 'training_abandon.msg_report_courses', COLUMNS[:3],
                note=gettext(
                    'training_abandon.msg_report_few_started',
                    fewest=FEWEST)),
            ]
        if Transaction().context['causes']:
            # They are public, whoever prints them
            with without_check_access():
                sections.append(cls._reasons(
                        'cause', 'training_abandon.msg_report_causes',
                        ['decided']))
        return [s for s in sections if s.rows]

    @classmethod
    def _hidden(cls, record):
        "Return the names of the numbers that would tell of few people"
        return {
            prefix + name
            for population, names in PUBLISHED.items()
            for prefix in ['', 'previous_']
            if getattr(record, prefix + population) < FEWEST
            for name in names}

    @classmethod
    def _rows(cls, Indicator, population):
        """Return the rows of not few people, of which what is left out has
        none or not few either"""
        found = Indicator.search([])
        rows = [
            r for r in found
            if getattr(r, population) >= FEWEST
            and getattr(r, 'key', None) != FEW]
        rows.sort(key=lambda r: getattr(r, population), reverse=True)
        hidden = sum(getattr(r, population) for r in found if r not in rows)
        while rows and 0 < hidden < FEWEST:
            hidden += getattr(rows.pop(), population)
        return rows


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
            'causes': start.causes,
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
        'company.company', "Company", required=True)
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
    causes = fields.Boolean(
        "Causes",
        states={
            'invisible': Eval('document') == 'annual_report',
            },
        help="Publish how many cases each cause had, without those of few "
        "cases.")

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


def _period(window):
    "Return the name of the periods of which a chart has room for the labels"
    if window.months <= MONTHS:
        return 'month'
    return 'quarter' if window.months <= QUARTERS else 'year'


def _last_year(month):
    "Return the first day of the month of the last year"
    pool = Pool()
    Date = pool.get('ir.date')
    return Date.today() + relativedelta(years=-1, month=month, day=1)
