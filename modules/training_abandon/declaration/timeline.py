# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What was declared, in the timeline of the cases"
from sql import Null

from trytond.pool import Pool, PoolMeta


class Event(metaclass=PoolMeta):
    __name__ = 'training.abandon.case.event'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.kind.selection += [
            ('declaration', "Declaration"),
            ('declaration_cancelled', "Declaration Cancelled"),
            ]

    @classmethod
    def _get_origins(cls):
        return super()._get_origins() + ['training.declaration']

    @classmethod
    def _sources(cls):
        return super()._sources() + [
            cls._from_declarations,
            cls._from_declarations_cancelled,
            ]

    @classmethod
    def _translations(cls):
        translations = super()._translations()
        kinds = cls._selection('training.declaration', 'kind')
        for kind in ['declaration', 'declaration_cancelled']:
            translations['label'][kind] = kinds
        return translations

    @classmethod
    def _from_declarations(cls):
        pool = Pool()
        Declaration = pool.get('training.declaration')
        declaration = Declaration.__table__()
        return cls._select_declaration(
            declaration, 'declaration', declaration.done_at,
            detail=declaration.reference,
            user=declaration.done_by), declaration

    @classmethod
    def _from_declarations_cancelled(cls):
        pool = Pool()
        Declaration = pool.get('training.declaration')
        declaration = Declaration.__table__()
        return cls._select_declaration(
            declaration, 'declaration_cancelled', declaration.cancelled_at,
            detail=declaration.cancel_reason,
            user=declaration.cancelled_by), declaration

    @classmethod
    def _select_declaration(cls, declaration, kind, at, **values):
        return declaration.select(*cls._columns(
                'training.declaration', declaration,
                case=declaration.case,
                company=declaration.company,
                at=at,
                kind=kind,
                label=declaration.kind,
                party=declaration.recipient,
                **values),
            where=(declaration.case != Null) & (at != Null))
