# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import PoolMeta

from .journaled import JournaledMixin, event

KINDS = {'done': 'step', 'skipped': 'skipped', 'todo': 'reopened'}


class Step(JournaledMixin, metaclass=PoolMeta):
    __name__ = 'training.abandon.case.step'

    @classmethod
    def journaled_fields(cls):
        return {'state'}

    @classmethod
    def journal_events(cls, mode, steps, field_names):
        # The opening of the case tells the first ones
        if mode != 'write':
            return
        for step in steps:
            yield event(
                step.case, KINDS[step.state], step, step=step.kind,
                done_at=step.done_at, by_procedure=step.by_procedure,
                done_by=step.done_by and step.done_by.id,
                private=step._journal_private())

    def _journal_private(self):
        if self.state == 'skipped':
            return [self.skip_reason]
        elif self.state == 'done' and self.kind == 'analyse':
            # The reasons of the trainee have an entry of their own
            case = self.case
            return [
                case.analysis,
                sorted(
                    [c.cause.id, c.responsible, c.note or '']
                    for c in case.causes)]
        elif self.state == 'done' and self.kind == 'propose':
            return [self.case.no_solution_reason]
