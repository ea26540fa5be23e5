# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.i18n import gettext
from trytond.model.exceptions import AccessError
from trytond.pool import Pool, PoolMeta


class Trainee(metaclass=PoolMeta):
    __name__ = 'training.trainee'

    @classmethod
    def check_modification(cls, mode, trainees, values=None, external=False):
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        super().check_modification(
            mode, trainees, values=values, external=external)
        if mode == 'write' and 'party' in values:
            changed = [t for t in trainees if t.party.id != values['party']]
            for enrolment in Enrolment.on_official_sheets(
                    [e for t in changed for e in t.enrolments]):
                raise AccessError(gettext(
                        'training_abandon.msg_trainee_modify_sheet',
                        trainee=enrolment.trainee.rec_name))
