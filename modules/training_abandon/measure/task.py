# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.i18n import gettext
from trytond.pool import PoolMeta

from ..home.source import Source, enrolled, join
from .plan import TO_DO


class SuccessTasks(Source):
    "The tasks of the success plans that are due"
    kind = 'success'
    model = 'training.success.task'

    def domain(self):
        return [*TO_DO, ('due_date', '<=', self.today)]

    def tables(self, task):
        from_, enrolment = join(task, task.enrolment, 'training.enrolment')
        return from_, enrolled(
            enrolment, task.company,
            owner=task.employee,
            since=self.day(task.create_date),
            due=task.due_date), None

    def words(self, tasks):
        return {
            t.id: gettext(
                'training_abandon.msg_task_success', task=t.name)
            for t in tasks}


class MissingVisits(Source):
    "The apprentices of whom a visit or a meeting is missing"
    kind = 'visit'
    model = 'training.enrolment'

    def domain(self):
        return [('visit_missing', '=', True)]

    def tables(self, enrolment):
        return enrolment, enrolled(enrolment, enrolment.company), None

    def words(self, enrolments):
        return {
            e.id: gettext(
                'training_abandon.msg_task_visit', visits=e.missing_visits)
            for e in enrolments}

    def action(self, enrolment):
        return 'wizard_follow_up_plan', {}


class Task(metaclass=PoolMeta):
    __name__ = 'training.task'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.kind.selection += [
            ('success', "Success Plan"),
            ('visit', "Visit"),
            ]

    @classmethod
    def sources(cls):
        return super().sources() + [SuccessTasks(), MissingVisits()]
