# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.i18n import gettext
from trytond.model.exceptions import AccessError
from trytond.pool import Pool, PoolMeta


class Session(metaclass=PoolMeta):
    __name__ = 'training.session'

    @classmethod
    def check_modification(cls, mode, sessions, values=None, external=False):
        pool = Pool()
        Slot = pool.get('training.session.slot')
        super().check_modification(
            mode, sessions, values=values, external=external)
        if mode == 'write' and 'company' in values:
            changed = [
                s for s in sessions if s.company.id != values['company']]
            for slot in Slot.search([
                        ('session', 'in', [s.id for s in changed]),
                        ('state', '=', 'held'),
                        ], limit=1):
                raise AccessError(gettext(
                        'training_abandon.msg_sheet_modify_company',
                        session=slot.session.rec_name))
