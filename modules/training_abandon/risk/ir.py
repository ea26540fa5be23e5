# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import Pool, PoolMeta


class Cron(metaclass=PoolMeta):
    __name__ = 'ir.cron'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.method.selection.append(
            ('training.risk.rule|detect_due', "Detect Trainees at Risk"))


class ModelAccess(metaclass=PoolMeta):
    __name__ = 'ir.model.access'

    @classmethod
    def get_access(cls, models):
        pool = Pool()
        User = pool.get('res.user')
        accesses = super().get_access(models)
        for reach in User.reaches():
            accesses = reach.restrict_models(accesses)
        return accesses


class ModelFieldAccess(metaclass=PoolMeta):
    __name__ = 'ir.model.field.access'

    @classmethod
    def get_access(cls, models):
        pool = Pool()
        User = pool.get('res.user')
        accesses = super().get_access(models)
        for reach in User.reaches():
            accesses = {
                m: reach.restrict_fields(m, a) for m, a in accesses.items()}
        return accesses


class Rule(metaclass=PoolMeta):
    __name__ = 'ir.rule'

    @classmethod
    def _get_cache_key(cls, model_names):
        pool = Pool()
        User = pool.get('res.user')
        key = super()._get_cache_key(model_names)
        for reach in User.reaches():
            key += reach.cache_key()
        return key

    @classmethod
    def _get_context(cls, model_name):
        pool = Pool()
        User = pool.get('res.user')
        context = super()._get_context(model_name)
        for reach in User.reaches():
            context.update(reach.rule_context())
        return context
