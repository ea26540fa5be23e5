# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval


class Session(metaclass=PoolMeta):
    __name__ = 'training.session'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.origin.readonly = False
        cls.origin.states['readonly'] = cls.start_date.states['readonly']
        cls.origin.domain['project.work'] = [
            ('company', '=', Eval('company', -1)),
            ]
        cls.origin.help = (
            "The project or task that plans the session: "
            "it gives its dates.")

    @classmethod
    def _get_origin(cls):
        return super()._get_origin() + ['project.work']

    @fields.depends('origin', 'start_date', 'end_date')
    def on_change_origin(self):
        pool = Pool()
        Work = pool.get('project.work')
        if isinstance(self.origin, Work) and self.origin.id >= 0:
            start, end = self.origin.training_dates
            if start and end:
                self.start_date, self.end_date = start, end
            elif start and not self.start_date:
                self.start_date = start
            elif end and not self.end_date:
                self.end_date = end


class Work(metaclass=PoolMeta):
    __name__ = 'project.work'

    @property
    def training_dates(self):
        "The first and the last day, or None"
        return self.timesheet_start_date, self.timesheet_end_date


class PlannedWork(metaclass=PoolMeta):
    __name__ = 'project.work'

    @property
    def training_dates(self):
        start, end = super().training_dates
        # The early ones are computed from the effort
        return (
            self.constraint_start_date or self.early_start_date or start,
            self.constraint_finish_date or self.early_finish_date or end)
