# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from sql import Literal, Null, Union
from sql.aggregate import Count, Min
from sql.conditionals import Case as SQLCase

from trytond.i18n import gettext, ngettext
from trytond.model import Index, fields
from trytond.pool import Pool, PoolMeta
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from .. import tools
from ..stored import REGISTERING, SLICE, of_all, of_ids
from ..training.working_day import WorkingCalendar

# From the worst to the best: a case is worth its worst step
CONFORMITIES = [
    ('missing', "Missing"),
    ('evidence_missing', "Evidence Missing"),
    ('late', "Late"),
    ('skipped', "Skipped with Reason"),
    ('in_time', "In Time"),
    ('to_come', "To Come"),
    ('exempt', "Not Applicable"),
    ]
_RANKS = [conformity for conformity, _ in CONFORMITIES]


class Step(metaclass=PoolMeta):
    __name__ = 'training.abandon.case.step'

    conformity = fields.Function(fields.Selection(
            CONFORMITIES, "Conformity", sort=False,
            help="What an auditor finds: a step is in time when it was "
            "proven before the end of the day it was due."),
        'get_conformity', searcher='search_conformity')
    conformity_string = conformity.translated('conformity')
    conformity_note = fields.Function(
        fields.Char(
            "Conformity Note",
            help="What the conformity rests on, with the dates."),
        'get_conformity')

    @classmethod
    def store(cls, of=of_all, names=None):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        super().store(of, names)
        if names is None or 'evidence' in names:
            Case.store_records(cls._closed_cases(of), ['closed_conformity'])

    @classmethod
    def _closed_cases(cls, of):
        "Return the ids of the cases of the steps that time does not change"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        cursor = Transaction().connection.cursor()
        step, case = cls.__table__(), Case.__table__()
        # The query of what they are worth takes longer than this one
        cursor.execute(*step.join(case, condition=step.case == case.id
                ).select(
                case.id,
                where=of(step.id) & (case.closed_at != Null),
                group_by=[case.id]))
        return [id_ for id_, in cursor]

    @classmethod
    def on_modification(cls, mode, steps, field_names=None):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        super().on_modification(mode, steps, field_names=field_names)
        if mode == 'write' and {'by_procedure', 'late_from'} & field_names:
            Case.store_records(cls.cases_of(steps), ['closed_conformity'])

    @classmethod
    def sql_conformity(cls, step, **words):
        """Return the SQL expression of the conformity of the step.

        words are what it returns in the place of the conformities."""
        now = tools.now()
        words = {c: words.get(c, c) for c in _RANKS}
        # What most of the steps are comes first
        done = SQLCase(
            (step.evidence == 'proven', SQLCase(
                    (step.proven_at >= step.late_from, words['late']),
                    else_=words['in_time'])),
            ((step.evidence == 'pending') & (step.late_from > now),
                words['to_come']),
            else_=words['evidence_missing'])
        return SQLCase(
            (step.state == 'done', done),
            (step.state == 'todo', SQLCase(
                    (step.late_from <= now, words['missing']),
                    else_=words['to_come'])),
            (step.by_procedure == Literal(True), words['exempt']),
            else_=words['skipped'])

    @classmethod
    def get_conformity(cls, steps, names):
        cursor = Transaction().connection.cursor()
        conformities = {}
        for sub_steps in grouped_slice(steps, SLICE):
            table = cls.__table__()
            cursor.execute(*table.select(
                    table.id, cls.sql_conformity(table),
                    where=of_ids(s.id for s in sub_steps)(table.id)))
            conformities.update(cursor)
        values = {'conformity': conformities}
        if 'conformity_note' in names:
            calendars = {}
            values['conformity_note'] = {
                s.id: s._get_conformity_note(conformities[s.id], calendars)
                for s in steps}
        return {name: values[name] for name in names}

    def _get_conformity_note(self, conformity, calendars):
        pool = Pool()
        Lang = pool.get('ir.lang')
        lang = Lang.get()
        case = self.case
        proven_on = (
            case.local_date(self.proven_at) if self.proven_at else None)
        done_on = self.done_on()

        def date(value):
            return lang.strftime(value) if value else ''

        if conformity == 'exempt':
            return self.skip_reason or ''
        elif conformity == 'skipped' and not self.done_by_name:
            return gettext(
                'training_abandon.msg_conformity_skipped_automatically',
                date=date(done_on),
                reason=self.skip_reason or '')
        elif conformity == 'skipped':
            return gettext(
                'training_abandon.msg_conformity_skipped',
                date=date(done_on),
                user=self.done_by_name,
                reason=self.skip_reason or '')
        elif conformity == 'to_come':
            return gettext(
                'training_abandon.msg_conformity_to_come',
                due=date(self.due_date))
        elif conformity == 'in_time':
            return gettext(
                'training_abandon.msg_conformity_in_time',
                due=date(self.due_date),
                proven=date(proven_on))
        elif conformity == 'evidence_missing':
            return gettext(
                f'training_abandon.msg_conformity_evidence_{self.evidence}',
                due=date(self.due_date),
                done=date(done_on))
        end = proven_on or tools.today(case.company)
        return gettext(
            f'training_abandon.msg_conformity_{conformity}',
            delay=self._delay_words(end, calendars),
            due=date(self.due_date),
            proven=date(proven_on))

    @property
    def done_by_name(self):
        "The name of who did or skipped the step, unless nobody did"
        who = self.done_by
        if not who and self.done_by_user and self.done_by_user.id:
            who = self.done_by_user
        return who.rec_name if who else ''

    def _delay_words(self, end, calendars):
        "Return how late the day is, in the unit of the delay of the step"
        company = self.case.company
        days = (end - self.due_date).days
        if (self.procedure_step
                and self.procedure_step.delay_unit == 'working_day'):
            if company not in calendars:
                calendars[company] = WorkingCalendar(company)
            working_days = calendars[company].count(self.due_date, end)
            if working_days:
                return ngettext(
                    'training_abandon.msg_conformity_working_days',
                    working_days, days=working_days)
        return ngettext(
            'training_abandon.msg_conformity_days', days, days=days)

    @classmethod
    def search_conformity(cls, name, clause):
        _, operator, value = clause
        table = cls.__table__()
        Operator = fields.SQL_OPERATORS[operator]
        return [('id', 'in', table.select(
                    table.id,
                    where=Operator(cls.sql_conformity(table), value)))]


class ConformityMixin:
    "Cases that are worth the worst of their steps"
    __slots__ = ()

    conformity = fields.Function(fields.Selection(
            'get_conformities', "Conformity", sort=False,
            help="The worst of the steps."),
        'get_conformity', searcher='search_conformity')
    conformity_string = conformity.translated('conformity')
    closed_conformity = fields.Selection(
        'get_conformities', "Conformity once Closed", readonly=True,
        sort=False,
        help="The conformity of the closed case, which time does not change "
        "any more.")

    @classmethod
    def __register__(cls, module):
        table_h = cls.__table_handler__(module)
        has_closed_conformity = table_h.column_exist('closed_conformity')
        super().__register__(module)
        if not has_closed_conformity:
            cls._fill_stored()

    @classmethod
    def _fill_stored(cls):
        """Store the values of the cases and of their steps, which only the
        last wing that opens them can."""
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        # The later wings have no columns yet
        with Transaction().set_context(_registering=REGISTERING):
            Step.store()
            cls.store()

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.update({
                Index(
                    t, (t.closed_conformity, Index.Equality(
                            cardinality='low')),
                    where=t.closed_conformity.in_(
                        ['missing', 'evidence_missing', 'late'])),
                Index(
                    t, (t.id, Index.Range()),
                    where=t.closed_conformity == Null),
                })

    @classmethod
    def get_conformities(cls):
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        return [(None, "")] + (
            Step.fields_get(['conformity'])['conformity']['selection'])

    @classmethod
    def _protected_fields(cls):
        return super()._protected_fields() | {'closed_conformity'}

    @classmethod
    def on_modification(cls, mode, cases, field_names=None):
        super().on_modification(mode, cases, field_names=field_names)
        if mode == 'write' and 'closed_at' in field_names:
            cls.store_records([c.id for c in cases], ['closed_conformity'])

    @classmethod
    def stored_queries(cls):
        return {
            **super().stored_queries(),
            ('closed_conformity',): cls._closed_conformity_query,
            }

    @classmethod
    def _closed_conformity_query(cls, of):
        """Return the query of the id and conformity of the cases, that those
        have only for which time changes nothing any more."""
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        case, step = cls.__table__(), Step.__table__()
        changing = Count(Literal(1), filter_=(step.state == 'todo')
            | (step.evidence == 'pending'))
        return (case
            .join(step, condition=step.case == case.id)
            .select(
                case.id.as_('id'),
                SQLCase(((case.closed_at != Null) & (changing == 0),
                        cls._sql_word(cls._sql_worst(step)))
                    ).as_('closed_conformity'),
                where=of(case.id),
                group_by=[case.id, case.closed_at]))

    @classmethod
    def _sql_worst(cls, step):
        "Return the SQL expression of the rank of the worst of the steps"
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        return Min(Step.sql_conformity(
                step, **{c: rank for rank, c in enumerate(_RANKS)}))

    @classmethod
    def _sql_word(cls, worst):
        "Return the SQL expression of the conformity of that rank"
        return SQLCase(*((worst == rank, c) for rank, c in enumerate(_RANKS)))

    @classmethod
    def get_conformity(cls, cases, name):
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        cursor = Transaction().connection.cursor()
        conformities = {c.id: c.closed_conformity for c in cases}
        changing = [id_ for id_, c in conformities.items() if not c]
        for sub_ids in grouped_slice(changing, SLICE):
            step = Step.__table__()
            cursor.execute(*step.select(
                    step.case, cls._sql_word(cls._sql_worst(step)),
                    where=of_ids(sub_ids)(step.case),
                    group_by=[step.case]))
            conformities.update(cursor)
        return conformities

    @classmethod
    def search_conformity(cls, name, clause):
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        _, operator, value = clause
        Operator = fields.SQL_OPERATORS[operator]
        closed, case = cls.__table__(), cls.__table__()
        step = Step.__table__()
        settled = closed.select(
            closed.id,
            where=(closed.closed_conformity != Null)
            & Operator(closed.closed_conformity, value))
        changing = (step
            .join(case, condition=case.id == step.case)
            .select(
                step.case,
                where=case.closed_conformity == Null,
                group_by=[step.case],
                having=Operator(cls._sql_word(cls._sql_worst(step)), value)))
        return [('id', 'in', Union(settled, changing, all_=True))]
