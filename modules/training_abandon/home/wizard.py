# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import Pool
from trytond.pyson import PYSONEncoder
from trytond.transaction import Transaction
from trytond.wizard import StateAction, Wizard

from ..access_value import check_ids


class TaskMixin:
    "Wizards that act on the records of the tasks that open them"
    __slots__ = ()

    @classmethod
    def create(cls):
        with Transaction().set_context(cls._record_context()):
            return super().create()

    @classmethod
    def execute(cls, session_id, data, state_name):
        with Transaction().set_context(cls._record_context()):
            return super().execute(session_id, data, state_name)

    @classmethod
    def _record_context(cls):
        "Return the context of the record of the active task"
        pool = Pool()
        context = Transaction().context
        if (context.get('active_model') != 'training.task'
                or getattr(cls, 'of_tasks', False)):
            return {}
        Task = pool.get('training.task')
        check_ids([context.get('active_id')])
        source, id_ = Task.source_of(context['active_id'])
        return {
            'active_model': source.model,
            'active_id': id_,
            'active_ids': [id_],
            }


class HandleTask(Wizard):
    "What a task opens when it is chosen in the list"
    __name__ = 'training.task.handle'
    of_tasks = True
    start_state = 'open_'
    open_ = StateAction('training_abandon.act_task')

    def do_open_(self, action):
        action = self.model.handle([self.record]) if self.record else None
        if action:
            return action, {
                'model': self.model.__name__,
                'id': self.record.id,
                'ids': [self.record.id],
                }


class OpenFigure(Wizard):
    "The records that a bar of a graph counts"
    __name__ = 'training.figure.open'
    start_state = 'open_'
    open_ = StateAction('training_abandon.act_case_form')

    def do_open_(self, action):
        pool = Pool()
        Action = pool.get('ir.action')
        ModelData = pool.get('ir.model.data')
        # What is gone since it was drawn has no company
        figures = [r for r in self.records if r.company]
        if not figures:
            return
        name, domain = self._opened(figures)
        action_id = Action.get_action_id(
            ModelData.get_id('training_abandon', name))
        action = Action(action_id).get_action_value()
        action['name'] = ' - '.join([
                action['name'], *(f.rec_name for f in figures)])
        action['pyson_domain'] = PYSONEncoder().encode(domain)
        action['domains'] = []
        return action, {}

    def _opened(self, figures):
        "Return the name of the action and the domain of the figures"
        return self.model.opened(figures)
