# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from sql import Literal, Null
from sql.operators import Exists

from trytond.i18n import gettext
from trytond.pool import Pool, PoolMeta

from .. import tools
from ..home.source import Source, enrolled, join
from .calculation import NOT_SETTLED

# Those of the wizard
SETTLING_GROUPS = ['group_accounting', 'group_training_admin']


class CasesToSettle(Source):
    "The decided cases that are paid and not settled, of who may settle them"
    kind = 'settle'
    model = 'training.abandon.case'

    def query(self, shard, ids=None):
        if any(map(tools.is_member, SETTLING_GROUPS)):
            return super().query(shard, ids=ids)

    def domain(self):
        return [
            ('decision', '=', 'validated'),
            ('ground', 'not in', NOT_SETTLED),
            ('state', '!=', 'cancelled'),
            ]

    def tables(self, case):
        pool = Pool()
        Settlement = pool.get('training.abandon.settlement')
        settlement = Settlement.__table__()
        from_, enrolment = join(case, case.enrolment, 'training.enrolment')
        settled = Exists(settlement.select(
                Literal(1),
                where=(settlement.case == case.id)
                & (settlement.state != 'cancelled')
                & ~settlement.withdrawn))
        return from_, enrolled(
            enrolment, case.company,
            since=case.effective_date), (
                ~settled & (
                    (enrolment.price != Null)
                    | (enrolment.agreement_kind == 'apprenticeship')))

    def action(self, case):
        return 'wizard_case_settle', {}

    def words(self, cases):
        return {
            c.id: gettext(
                'training_abandon.msg_task_settle', ground=c.ground_string)
            for c in cases}


class Task(metaclass=PoolMeta):
    __name__ = 'training.task'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.kind.selection.append(('settle', "Case to Settle"))

    @classmethod
    def sources(cls):
        return super().sources() + [CasesToSettle()]
