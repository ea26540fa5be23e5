# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import PoolMeta
from trytond.transaction import Transaction

from .auditor import REACH, is_auditor, restrict_models, rule_context, samples


class ModelAccess(metaclass=PoolMeta):
    __name__ = 'ir.model.access'

    @classmethod
    def get_access(cls, models):
        access = super().get_access(models)
        if is_auditor():
            access = restrict_models(access)
        return access


class ModelFieldAccess(metaclass=PoolMeta):
    __name__ = 'ir.model.field.access'

    @classmethod
    def get_access(cls, models):
        accesses = super().get_access(models)
        if is_auditor():
            accesses = {
                m: REACH.restrict_fields(m, a) for m, a in accesses.items()}
        return accesses


class Rule(metaclass=PoolMeta):
    __name__ = 'ir.rule'

    @classmethod
    def _get_cache_key(cls, model_names):
        key = super()._get_cache_key(model_names)
        if is_auditor():
            key += (Transaction().user, tuple(samples()))
        return key

    @classmethod
    def _get_context(cls, model_name):
        context = super()._get_context(model_name)
        if is_auditor():
            context.update(rule_context())
        return context
