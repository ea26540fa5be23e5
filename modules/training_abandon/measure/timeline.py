# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What prevents, in the timeline of the cases"
from sql import Null
from sql.conditionals import Case as SQLCase
from sql.functions import DateTrunc
from sql.operators import Concat, Exists

from trytond.model import fields
from trytond.pool import Pool, PoolMeta


class Event(metaclass=PoolMeta):
    __name__ = 'training.abandon.case.event'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.kind.selection += [
            ('measure', "Engagement Measure"),
            ('needs', "Needs of the Trainee"),
            ('success_task', "Success Plan"),
            ('success_task_done', "Task of the Success Plan Done"),
            ('success_task_cancelled',
                "Task of the Success Plan No Longer Needed"),
            ('success_task_resumed', "Task of the Success Plan Needed Again"),
            ]

    @classmethod
    def _get_origins(cls):
        return super()._get_origins() + [
            'training.measure',
            'training.questionnaire.answer',
            'training.success.task',
            ]

    @classmethod
    def _sources(cls):
        return super()._sources() + [
            cls._from_measures,
            cls._from_needs,
            cls._from_success_tasks,
            cls._from_success_tasks_done,
            cls._from_success_tasks_cancelled,
            ]

    @classmethod
    def _translations(cls):
        pool = Pool()
        Kind = pool.get('training.measure.kind')
        Questionnaire = pool.get('training.questionnaire')
        translations = super()._translations()
        labels = translations['label']
        labels['measure'] = {str(k.id): k.rec_name for k in Kind.search([])}
        labels['needs'] = {
            str(q.id): q.rec_name for q in Questionnaire.search([])}
        labels['success_task_done'] = cls._selection(
            'training.success.task', 'effect')
        labels['success_task_cancelled'] = cls._selection(
            'training.success.task', 'cancel_reason')
        return translations

    @classmethod
    def _case_of(cls, record, case):
        """Return the condition on the case of what is recorded for an
        enrolment: the last one opened until then, or else the first one"""
        pool = Pool()
        Case = pool.get('training.abandon.case')
        other = Case.__table__()

        def others(where):
            return Exists(other.select(
                    other.id,
                    where=(other.enrolment == record.enrolment) & where))

        return (case.enrolment == record.enrolment) & (
            (case.create_date <= record.create_date)
            | ~others(other.id < case.id)
            ) & ~others(
                (other.id > case.id)
                & (other.create_date <= record.create_date))

    @classmethod
    def _on(cls, date):
        "Return the time that is on the day in any time zone of the companies"
        return fields.DateTime('at').sql_cast(
            Concat(cls._text(date), ' 12:00:00'))

    @classmethod
    def _as_label(cls, column):
        "Return the id as the label, that the words replace"
        return fields.Char('id').sql_cast(column)

    @classmethod
    def _from_measures(cls):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Measure = pool.get('training.measure')
        case, measure = Case.__table__(), Measure.__table__()
        return measure.join(case, condition=cls._case_of(measure, case)
            ).select(*cls._columns(
                    Measure.__name__, measure,
                    case=case.id,
                    company=case.company,
                    at=cls._on(measure.date),
                    kind='measure',
                    label=cls._as_label(measure.kind),
                    user=measure.create_uid)), measure

    @classmethod
    def _from_needs(cls):
        "The answers to a questionnaire on a day, told by the first of them"
        pool = Pool()
        Answer = pool.get('training.questionnaire.answer')
        Case = pool.get('training.abandon.case')
        Question = pool.get('training.questionnaire.question')
        case, answer = Case.__table__(), Answer.__table__()
        question = Question.__table__()
        first, first_question = Answer.__table__(), Question.__table__()
        before = first.join(
            first_question, condition=first_question.id == first.question)
        return (answer
            .join(question, condition=question.id == answer.question)
            .join(case, condition=cls._case_of(answer, case))
            .select(*cls._columns(
                    Answer.__name__, answer,
                    case=case.id,
                    company=case.company,
                    at=cls._on(answer.answered_on),
                    kind='needs',
                    label=cls._as_label(question.questionnaire),
                    user=answer.create_uid),
                where=~Exists(before.select(
                        first.id,
                        where=(first.enrolment == answer.enrolment)
                        & (first.answered_on == answer.answered_on)
                        & (first_question.questionnaire
                            == question.questionnaire)
                        & (first.id < answer.id))))), answer

    @classmethod
    def _from_success_tasks(cls):
        task = cls._task_table()
        return cls._select_task(
            task, task, DateTrunc('second', task.create_date), 'success_task',
            employee=task.employee, user=task.create_uid), task

    @classmethod
    def _from_success_tasks_done(cls):
        task = cls._task_table()
        return cls._select_task(
            task, task, cls._on(task.done_on), 'success_task_done',
            where=task.done_on != Null,
            label=task.effect, user=task.done_by), task

    @classmethod
    def _from_success_tasks_cancelled(cls):
        "The tasks that were no longer needed, and those needed again since"
        pool = Pool()
        Log = pool.get('ir.model.log')
        Task = pool.get('training.success.task')
        log, task = Log.__table__(), Task.__table__()
        kind = SQLCase(
            (log.target == 'cancel_reason:', 'success_task_resumed'),
            else_='success_task_cancelled')
        return cls._select_task(
            log.join(task,
                condition=log.resource == cls._reference(Task, task)),
            task, DateTrunc('second', log.create_date), kind,
            where=(log.event == 'transition')
            & log.target.like('cancel_reason:%'),
            label=log.target, user=log.user), log

    @classmethod
    def _task_table(cls):
        pool = Pool()
        Task = pool.get('training.success.task')
        return Task.__table__()

    @classmethod
    def _select_task(cls, from_, task, at, kind, where=None, **values):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        case = Case.__table__()
        # The equality, which an index serves, is of both
        return from_.join(case, condition=(
                (case.enrolment == task.enrolment)
                & ((case.id == task.case)
                    | (task.case == Null) & cls._case_of(task, case)))
            ).select(*cls._columns(
                    'training.success.task', task,
                    case=case.id,
                    company=case.company,
                    at=at,
                    kind=kind,
                    detail=task.name,
                    **values),
                where=where)
