# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The kind of the trainee, that an enrolment keeps once it is counted"
from sql import Null
from sql.conditionals import Case as SQLCase

from trytond.model import fields
from trytond.pool import Pool
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from ..stored import SLICE, of_ids


class CountedKindMixin:
    __slots__ = ()

    counted_kind = fields.Selection(
        'get_counted_kinds', "Kind Counted", readonly=True,
        help="The kind of the trainee by which the indicators count: it does "
        "not change any more once the trainee came or a decision was taken.")

    @classmethod
    def __register__(cls, module):
        table_h = cls.__table_handler__(module)
        has_kind = table_h.column_exist('counted_kind')
        super().__register__(module)
        if not has_kind:
            cls._fill_kinds()

    @classmethod
    def _fill_kinds(cls):
        "Count those that there are by the kind that is known"
        pool = Pool()
        Trainee = pool.get('training.trainee')
        enrolment, trainee = cls.__table__(), Trainee.__table__()
        Transaction().connection.cursor().execute(*enrolment.update(
                [enrolment.counted_kind], [trainee.kind],
                from_=[trainee],
                where=trainee.id == enrolment.trainee))

    @classmethod
    def get_counted_kinds(cls):
        pool = Pool()
        Trainee = pool.get('training.trainee')
        return [(None, "")] + Trainee.fields_get(['kind'])['kind']['selection']

    @classmethod
    def preprocess_values(cls, mode, values):
        # SQL alone stores it
        values = super().preprocess_values(mode, values)
        return {n: v for n, v in values.items() if n != 'counted_kind'}

    @classmethod
    def copy(cls, enrolments, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('counted_kind')
        return super().copy(enrolments, default=default)

    @classmethod
    def on_modification(cls, mode, enrolments, field_names=None):
        super().on_modification(mode, enrolments, field_names=field_names)
        if mode == 'create' or (mode == 'write' and 'trainee' in field_names):
            for sub_enrolments in grouped_slice(enrolments, SLICE):
                cls.store_kinds(of_ids(map(int, sub_enrolments)))

    @classmethod
    def store_kinds(cls, of):
        "Store the kind of the trainees where it was not yet counted"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Trainee = pool.get('training.trainee')
        enrolment, trainee = cls.__table__(), Trainee.__table__()
        case = Case.__table__()
        is_counted = (enrolment.first_presence != Null) | enrolment.id.in_(
            case.select(case.enrolment, where=case.decision != Null))
        cls._store(('counted_kind',), enrolment
            .join(trainee, condition=trainee.id == enrolment.trainee)
            .select(
                enrolment.id.as_('id'),
                SQLCase(
                    (is_counted & (enrolment.counted_kind != Null),
                        enrolment.counted_kind),
                    else_=trainee.kind).as_('counted_kind'),
                where=of(enrolment.id)))

    @classmethod
    def _stores(cls, table, right, names):
        if 'counted_kind' in names:
            return cls._differs(table, right, names)
        return super()._stores(table, right, names)
