# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from sql import Null

from trytond.pool import Pool, PoolMeta


class Event(metaclass=PoolMeta):
    __name__ = 'training.abandon.case.event'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.kind.selection.append(('alert', "Alert"))

    @classmethod
    def _get_origins(cls):
        return super()._get_origins() + ['training.alert']

    @classmethod
    def _sources(cls):
        return super()._sources() + [cls._from_alerts]

    @classmethod
    def _from_alerts(cls):
        "What was seen before the case was opened"
        pool = Pool()
        Alert = pool.get('training.alert')
        alert = Alert.__table__()
        return alert.select(*cls._columns(
                Alert.__name__, alert,
                case=alert.case,
                company=alert.company,
                at=alert.first_seen,
                kind='alert',
                detail=alert.facts,
                user=alert.raised_by),
            where=alert.case != Null), alert
