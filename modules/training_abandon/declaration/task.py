# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.i18n import gettext
from trytond.pool import PoolMeta

from .. import tools
from ..home.source import Source, enrolled, join

# Those of the wizard
RECORDING_GROUPS = ['group_training', 'group_accounting']


class Declarations(Source):
    "The declarations to make, of who may record them"
    kind = 'declaration'
    model = 'training.declaration'

    def query(self, shard, ids=None):
        if any(map(tools.is_member, RECORDING_GROUPS)):
            return super().query(shard, ids=ids)

    def domain(self):
        return [('state', '=', 'todo')]

    def tables(self, declaration):
        from_, enrolment = join(
            declaration, declaration.enrolment, 'training.enrolment')
        from_, case = join(from_, declaration.case, 'training.abandon.case')
        return from_, enrolled(
            enrolment, declaration.company,
            owner=case.owner,
            since=declaration.date,
            due=declaration.due_date), None

    def words(self, declarations):
        return {
            d.id: gettext(
                'training_abandon.msg_task_declaration',
                kind=d.kind_string,
                recipient=d.recipient.rec_name if d.recipient
                else d.recipient_kind_string)
            for d in declarations}


class Task(metaclass=PoolMeta):
    __name__ = 'training.task'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.kind.selection.append(('declaration', "Declaration"))

    @classmethod
    def sources(cls):
        return super().sources() + [Declarations()]
