# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.i18n import gettext
from trytond.model import fields
from trytond.pool import Pool, PoolMeta

from .. import tools
from ..exceptions import SettlementPostedWarning


class Case(metaclass=PoolMeta):
    __name__ = 'training.abandon.case'

    settlements = fields.One2Many(
        'training.abandon.settlement', 'case', "Settlements", readonly=True,
        help="What the decision means for those who pay.")

    @classmethod
    def _protected_fields(cls):
        return super()._protected_fields() | {'settlements'}

    @classmethod
    def check_undo(cls, cases):
        super().check_undo(cases)
        cls._leave_settlements(cases)

    @classmethod
    def _leave_settlements(cls, cases):
        """Cancel the settlements of the decisions that the cases will have no
        more, warn of those that are posted and mark them: they stay."""
        pool = Pool()
        Settlement = pool.get('training.abandon.settlement')
        Warning = pool.get('res.user.warning')
        settlements = Settlement.search([
                ('case', 'in', [c.id for c in cases]),
                ('state', '!=', 'cancelled'),
                ('withdrawn', '=', False),
                ])
        posted = [s for s in settlements if s.state == 'posted']
        if posted:
            key = Warning.format('training_settlement_posted', posted)
            if Warning.check(key):
                raise SettlementPostedWarning(key, gettext(
                        'training_abandon.msg_settlement_posted',
                        cases=tools.names([s.case for s in posted])))
        Settlement.write(posted, {'withdrawn': True})
        Settlement.cancel([s for s in settlements if s.state == 'draft'])
