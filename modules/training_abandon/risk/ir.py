# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import Pool, PoolMeta
from trytond.transaction import without_check_access


class Cron(metaclass=PoolMeta):
    __name__ = 'ir.cron'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.method.selection.append(
            ('training.risk.rule|detect_due', "Detect Trainees at Risk"))


class Rule(metaclass=PoolMeta):
    __name__ = 'ir.rule'

    @classmethod
    def _get_cache_key(cls, model_names):
        pool = Pool()
        User = pool.get('res.user')
        return (*super()._get_cache_key(model_names), User.get_employees())

    @classmethod
    def _get_context(cls, model_name):
        pool = Pool()
        Employee = pool.get('company.employee')
        User = pool.get('res.user')
        context = super()._get_context(model_name)
        if model_name.startswith('training.'):
            # The trainers are the parties of the employees
            with without_check_access():
                context['trainers'] = [
                    e.party.id for e in Employee.browse(User.get_employees())]
        return context
