# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.model import fields
from trytond.pool import Pool, PoolMeta

# What the rules look at
_LOOKED_AT = {
    'closed_at', 'decision', 'ground', 'return_date', 'return_ended_on'}


class Case(metaclass=PoolMeta):
    __name__ = 'training.abandon.case'

    alerts = fields.One2Many(
        'training.alert', 'case', "Alerts", readonly=True)

    @classmethod
    def on_modification(cls, mode, cases, field_names=None):
        pool = Pool()
        Alert = pool.get('training.alert')
        Enrolment = pool.get('training.enrolment')
        super().on_modification(mode, cases, field_names=field_names)
        if mode == 'create':
            Alert.close_by(cls.__table__(), 'case', cases)
        elif mode == 'write':
            if field_names & _LOOKED_AT:
                Enrolment.risk_changed({c.enrolment.id for c in cases})
            if 'closed_at' in field_names:
                Alert.tell_outcome([
                        a for c in cases if c.closed_at
                        for a in c.alerts if a.kind])

    @classmethod
    def copy(cls, cases, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('alerts')
        return super().copy(cases, default=default)
