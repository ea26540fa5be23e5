# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The indicators of the abandonments, each by an axis"
from sql import Cast, Column, Literal, Null, Union, Window
from sql.aggregate import Count, Sum
from sql.conditionals import Case as SQLCase
from sql.conditionals import Coalesce, NullIf
from sql.functions import Extract, Round

from trytond.i18n import gettext, lazy_gettext
from trytond.model import ModelSQL, ModelView, fields
from trytond.pool import Pool
from trytond.transaction import Transaction

from ..home.figure import FEWEST, case_categories
from ..home.gone import GoneMixin
from ..tools import browse_by_id
from .source import (
    MEDIANS, NONE, PATHS, Alerts, Cases, Enrolments, Medians, Steps,
    context_courses)
from .window import Window as Days
from .window import period_label, period_months, period_of

# The keys of what is personal and of the categories of too few cases
PERSONAL, FEW = 0, -1
# The rates, by what they divide by what
RATES = {
    'rate': ('left', 'started'),
    'retention_rate': ('prevented', 'decided'),
    'presence_rate': ('hours_attended', 'hours_held'),
    'steps_rate': ('steps_on_time', 'steps_due'),
    'answer_rate': ('answered', 'asked'),
    'alerts_rate': ('alerts_right', 'alerts'),
    }


def _number(name, digits=None):
    "Return the field of the number"
    message = f'training_abandon.msg_indicator_{name}'
    values = {
        'string': lazy_gettext(message),
        'help': lazy_gettext(f'{message}_help'),
        }
    if digits is None:
        return fields.Integer(**values)
    return fields.Float(digits=(16, digits), **values)


def _column(query, name, known):
    "Return the column of the query, or nothing if it is not known"
    return Column(query, name) if name in known else Cast(Null, 'FLOAT')


class _AxisMixin(GoneMixin):
    """Numbers of a company, in the period of the context, by axis

    The axes tell the key of what a source counts, how the key is named and
    what has it."""
    __slots__ = ()
    sources = []
    # The field of the enrolment with the key
    path = None
    # What returns the rows of the sources with the keys that are told
    tell = None

    company = fields.Many2One(
        'company.company',
        lazy_gettext('training_abandon.msg_indicator_company'))
    label = fields.Function(
        fields.Char(
            lazy_gettext('training_abandon.msg_indicator_label'),
            help=lazy_gettext('training_abandon.msg_indicator_label_help')),
        'get_label')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order = [('id', 'ASC')]

    @classmethod
    def table_query(cls):
        measured = cls._measured()
        return measured.select(
            cls.id.sql_cast(cls._row_id(measured.key)).as_('id'),
            measured.company.as_('company'),
            *(cls._value(measured, name).as_(name) for name in cls._numbers()),
            group_by=[measured.company, measured.key])

    @classmethod
    def _numbers(cls):
        return [
            name for name, field in cls._fields.items()
            if field._type in {'integer', 'float'} and name != 'id']

    @classmethod
    def _measured(cls):
        "Return the query of what the sources measure by company and key"
        window = Days.of_context()
        queries = [
            Source(window).query(cls.get_key, cls.tell)
            for Source in cls.sources]
        measures = [
            {c.output_name for c in q.columns} - {'company', 'key'}
            for q in queries]
        names = sorted(set().union(*measures))
        return Union(*(
                query.select(
                    query.company.as_('company'), query.key.as_('key'),
                    *(_column(query, name, known).as_(name)
                        for name in names))
                for query, known in zip(queries, measures)), all_=True)

    @classmethod
    def _value(cls, measured, name):
        "Return the SQL expression of the number"
        prefix = 'previous_' if name.startswith('previous_') else ''
        rate = RATES.get(name.removeprefix(prefix))
        if rate:
            part, whole = (Sum(Column(measured, prefix + n)) for n in rate)
            value = Coalesce(part, 0) * 100.0 / NullIf(whole, 0)
        else:
            value = Sum(Column(measured, name))
            if name not in MEDIANS:
                value = Coalesce(value, 0)
        field = cls._fields[name]
        if field._type == 'float':
            value = Round(Cast(value, 'NUMERIC'), field.digits[1])
        return field.sql_cast(value)

    @classmethod
    def get_key(cls, source):
        "Return the SQL expression of the key of what the source counts"
        raise NotImplementedError

    @classmethod
    def _row_id(cls, key):
        return key

    @classmethod
    def get_label(cls, figures, name):
        raise NotImplementedError

    def get_rec_name(self, name):
        return self.label

    @property
    def value(self):
        "The key, or nothing for what has none"
        return None if self.id == NONE else self.id

    def opened(self, model, previous=False):
        """Return the window, or the previous one, and the domain of the
        records of the model that have the key"""
        domain = [(PATHS[model] + 'company', '=', self.company.id)]
        if courses := context_courses():
            domain.append((PATHS[model] + 'session.course', 'in', courses))
        if self.path:
            domain.append((PATHS[model] + self.path, '=', self.value))
        window = Days.of_context()
        return window.previous if previous else window, domain


class DecisionsMixin(_AxisMixin):
    "What was decided"
    __slots__ = ()
    sources = [Cases]

    decided = _number('decided')
    previous_decided = _number('previous_decided')
    abandoned = _number('abandoned')
    previous_abandoned = _number('previous_abandoned')
    prevented = _number('prevented')
    previous_prevented = _number('previous_prevented')
    retention_rate = _number('retention_rate', 1)
    previous_retention_rate = _number('previous_retention_rate', 1)
    force_majeure = _number('force_majeure')
    legitimate = _number('legitimate')
    excluded = _number('excluded')
    no_shows = _number('no_shows')
    cancelled = _number('cancelled')
    transferred = _number('transferred')
    postponed = _number('postponed')


class WorkMixin(DecisionsMixin):
    "How the procedure was followed, and what was lost"
    __slots__ = ()
    sources = [Medians, Steps, Alerts]

    contact_cases = _number('contact_cases')
    contact_days = _number('contact_days', 1)
    decision_cases = _number('decision_cases')
    decision_days = _number('decision_days', 1)
    steps_due = _number('steps_due')
    previous_steps_due = _number('previous_steps_due')
    steps_on_time = _number('steps_on_time')
    steps_rate = _number('steps_rate', 1)
    previous_steps_rate = _number('previous_steps_rate', 1)
    asked = _number('asked')
    previous_asked = _number('previous_asked')
    answered = _number('answered')
    answer_rate = _number('answer_rate', 1)
    previous_answer_rate = _number('previous_answer_rate', 1)
    alerts = _number('alerts')
    previous_alerts = _number('previous_alerts')
    alerts_right = _number('alerts_right')
    alerts_rate = _number('alerts_rate', 1)
    previous_alerts_rate = _number('previous_alerts_rate', 1)
    hours_lost = _number('hours_lost', 1)
    revenue_lost = _number('revenue_lost', 2)


class IndicatorMixin(WorkMixin):
    "The rate of abandonment, of the trainees who really started"
    __slots__ = ()
    sources = [Enrolments, *WorkMixin.sources]

    started = _number('started')
    previous_started = _number('previous_started')
    left = _number('left')
    previous_left = _number('previous_left')
    rate = _number('rate', 1)
    previous_rate = _number('previous_rate', 1)
    hours_held = _number('hours_held', 1)
    previous_hours_held = _number('previous_hours_held', 1)
    hours_attended = _number('hours_attended', 1)
    presence_rate = _number('presence_rate', 1)
    previous_presence_rate = _number('previous_presence_rate', 1)


class _RecordMixin:
    "Numbers by a record, that has their id"
    __slots__ = ()
    axis = None

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order = [('abandoned', 'DESC'), ('id', 'ASC')]

    @classmethod
    def get_label(cls, figures, name):
        pool = Pool()
        labels = {NONE: gettext('training_abandon.msg_indicator_without')}
        records = browse_by_id(
            pool.get(cls.axis), {f.id for f in figures} - set(labels))
        labels.update((id_, r.rec_name) for id_, r in records.items())
        return {f.id: labels[f.id] for f in figures}


class CompanyIndicator(_RecordMixin, IndicatorMixin, ModelSQL, ModelView):
    "All of the company"
    __name__ = 'training.indicator.company'
    axis = 'company.company'

    @classmethod
    def get_key(cls, source):
        return source.company


class PeriodIndicator(IndicatorMixin, ModelSQL, ModelView):
    "By month, quarter or year: the previous period is that of its window"
    __name__ = 'training.indicator.period'

    @classmethod
    def get_key(cls, source):
        months = (
            Extract('YEAR', source.date) * 12
            + Extract('MONTH', source.date) - 1)
        # What is of the previous window stands beside the present one
        months += SQLCase(
            (source.is_current, 0), else_=source.window.months)
        return fields.Integer('key').sql_cast(months) / period_months()

    @classmethod
    def get_label(cls, figures, name):
        months = period_months()
        return {f.id: period_label(f.id, months) for f in figures}

    def opened(self, model, previous=False):
        window, domain = super().opened(model, previous)
        period = period_of(self.id, period_months())
        if previous:
            period = period.before(Days.of_context().months)
        return window.intersection(period), domain


class CourseIndicator(_RecordMixin, IndicatorMixin, ModelSQL, ModelView):
    __name__ = 'training.indicator.course'
    axis = 'training.course'
    path = 'session.course'

    @classmethod
    def get_key(cls, source):
        return source.table('session').course


class SessionIndicator(_RecordMixin, IndicatorMixin, ModelSQL, ModelView):
    __name__ = 'training.indicator.session'
    axis = 'training.session'
    path = 'session'

    @classmethod
    def get_key(cls, source):
        return source.table('enrolment').session


class PrescriberIndicator(_RecordMixin, IndicatorMixin, ModelSQL, ModelView):
    __name__ = 'training.indicator.prescriber'
    axis = 'party.party'
    path = 'prescriber'

    @classmethod
    def get_key(cls, source):
        return source.table('enrolment').prescriber


class FunderIndicator(_RecordMixin, IndicatorMixin, ModelSQL, ModelView):
    "By funder: who has several counts for each of them"
    __name__ = 'training.indicator.funder'
    axis = 'party.party'
    path = 'fundings.funder'

    @classmethod
    def get_key(cls, source):
        enrolment, funding = source.table('enrolment'), source.new_table(
            'funding')
        funder = funding.select(
            funding.enrolment, funding.funder, distinct=True)
        source.join(
            'funding', funder, funder.enrolment == enrolment.id, 'LEFT')
        return funder.funder

    def opened(self, model, previous=False):
        window, domain = super().opened(model, previous)
        if self.value is None:
            # Without any, rather than with one that has none
            domain[-1] = (PATHS[model] + 'fundings', '=', None)
        return window, domain


class TraineeIndicator(IndicatorMixin, ModelSQL, ModelView):
    "By kind of trainee"
    __name__ = 'training.indicator.trainee'

    @classmethod
    def get_key(cls, source):
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        kind = Enrolment.sql_kind_of_trainee(
            source.table('enrolment'), source.table('trainee'))
        return SQLCase(*(
                (kind == name, number)
                for number, (name, _) in enumerate(cls._kinds(), 1)))

    @classmethod
    def _kinds(cls):
        pool = Pool()
        Trainee = pool.get('training.trainee')
        return Trainee.fields_get(['kind'])['kind']['selection']

    @classmethod
    def get_label(cls, figures, name):
        kinds = cls._kinds()
        return {f.id: kinds[f.id - 1][1] for f in figures}

    def opened(self, model, previous=False):
        window, domain = super().opened(model, previous)
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        kind, _ = self._kinds()[self.id - 1]
        return window, [
            *domain, Enrolment.kind_of_trainee_domain(kind, PATHS[model])]


class OwnerIndicator(_RecordMixin, WorkMixin, ModelSQL, ModelView):
    "By employee who answers for the cases and the alerts"
    __name__ = 'training.indicator.owner'
    axis = 'company.employee'

    @classmethod
    def get_key(cls, source):
        return source.owner

    def opened(self, model, previous=False):
        window, domain = super().opened(model, previous)
        path = 'case.' if model in {'step', 'settlement'} else ''
        owned = (path + 'owner', '=', self.value)
        if model != 'alert':
            owned = ['OR',
                (path + 'decided_owner', '=', self.value), owned]
        return window, [*domain, owned]


class _FewMixin(DecisionsMixin):
    "Numbers that are not broken down below a count of cases"
    __slots__ = ()

    @classmethod
    def tell(cls, rows):
        """Return each of the rows once by key that is told: that of the few
        stands for all of them"""
        names = [
            c.output_name for c in rows.columns
            if c.output_name not in {'company', 'key'}]
        number = Count(
            Literal(1), filter_=rows.current,
            window=Window([rows.company, rows.key]))
        counted = rows.select(
            rows.company, rows.key, *(Column(rows, n) for n in names),
            number.as_('number'))
        return counted.select(
            counted.company.as_('company'),
            SQLCase((counted.number >= FEWEST, counted.key), else_=FEW
                ).as_('key'),
            *(Column(counted, n).as_(n) for n in names),
            distinct=True)

    @classmethod
    def _value(cls, measured, name):
        value = super()._value(measured, name)
        if name.startswith('previous_'):
            value = SQLCase(
                (Sum(measured.previous_decided) >= FEWEST, value))
        return value

    @classmethod
    def _row_id(cls, key):
        return key + 2

    @property
    def key(self):
        return self.id - 2

    def opened(self, model, previous=False):
        window, domain = super().opened(model, previous)
        return window, [*domain, ('id', 'in', self._case_ids(previous))]

    def _case_ids(self, previous):
        "Return the ids of the cases that are counted under the key"
        cursor = Transaction().connection.cursor()
        source = Cases(Days.of_context())
        rows = self.tell(source.rows(
                self.get_key(source), {'id': source.table('case').id}))
        is_counted = ~rows.current if previous else rows.current
        cursor.execute(*rows.select(
                rows.id, where=is_counted & (rows.key == self.key),
                order_by=[rows.id]))
        return [id_ for id_, in cursor]


class _CategoryMixin(_FewMixin):
    "Numbers by category, in which nobody reads what is personal"
    __slots__ = ()
    side = None

    @classmethod
    def get_key(cls, source):
        case, category = source.table('case'), case_categories()
        source.join(
            'category', category,
            (category.case == case.id) & (category.side == cls.side), 'LEFT')
        return category.category

    @classmethod
    def get_label(cls, figures, name):
        pool = Pool()
        Reason = pool.get('training.abandon.reason')
        names = {
            PERSONAL: gettext('training_abandon.msg_reason_category_personal'),
            FEW: gettext('training_abandon.msg_indicator_few', fewest=FEWEST),
            NONE: gettext('training_abandon.msg_indicator_without'),
            }
        names.update(
            (id_, r.name) for id_, r in browse_by_id(
                Reason, {f.key for f in figures} - set(names)).items())
        return {f.id: names[f.key] for f in figures}


class ReasonIndicator(_CategoryMixin, ModelSQL, ModelView):
    "By category of the reasons that the trainees declared"
    __name__ = 'training.indicator.reason'
    side = 'declared'


class CauseIndicator(_CategoryMixin, ModelSQL, ModelView):
    "By category of the causes that were determined"
    __name__ = 'training.indicator.cause'
    side = 'determined'


class ResponsibleIndicator(_FewMixin, ModelSQL, ModelView):
    "By whose doing the causes are"
    __name__ = 'training.indicator.responsible'

    @classmethod
    def get_key(cls, source):
        pool = Pool()
        Cause = pool.get('training.abandon.case.cause')
        case, cause = source.table('case'), Cause.__table__()
        number = SQLCase(*(
                (cause.responsible == name, number)
                for number, (name, _) in enumerate(cls._responsibles(), 1)))
        cause = cause.select(
            cause.case.as_('case'), number.as_('number'), distinct=True)
        source.join('cause', cause, cause.case == case.id, 'LEFT')
        return cause.number

    @classmethod
    def _responsibles(cls):
        pool = Pool()
        Cause = pool.get('training.abandon.case.cause')
        return Cause.fields_get(['responsible'])['responsible']['selection']

    @classmethod
    def get_label(cls, figures, name):
        names = {
            FEW: gettext('training_abandon.msg_indicator_few', fewest=FEWEST),
            NONE: gettext('training_abandon.msg_indicator_without'),
            }
        names.update(
            (number, label)
            for number, (_, label) in enumerate(cls._responsibles(), 1))
        return {f.id: names[f.key] for f in figures}
