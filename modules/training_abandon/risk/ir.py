# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import PoolMeta
from trytond.transaction import Transaction

from .trainer import (
    restrict_fields, restrict_model, rule_context, writes_as_trainer)


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
        access = super().get_access(models)
        if writes_as_trainer():
            access = {m: restrict_model(m, a) for m, a in access.items()}
        return access


class ModelFieldAccess(metaclass=PoolMeta):
    __name__ = 'ir.model.field.access'

    @classmethod
    def get_access(cls, models):
        accesses = super().get_access(models)
        if writes_as_trainer():
            accesses = {m: restrict_fields(m, a) for m, a in accesses.items()}
        return accesses


class Rule(metaclass=PoolMeta):
    __name__ = 'ir.rule'

    @classmethod
    def _get_cache_key(cls, model_names):
        key = super()._get_cache_key(model_names)
        if writes_as_trainer():
            key += (Transaction().user, tuple(rule_context()['trainers']))
        return key

    @classmethod
    def _get_context(cls, model_name):
        context = super()._get_context(model_name)
        if writes_as_trainer():
            context.update(rule_context())
        return context
