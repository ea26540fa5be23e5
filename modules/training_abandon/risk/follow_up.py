# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from .. import tools
from ..case.follow_up import HEARD_OUTCOMES


class FollowUp(metaclass=PoolMeta):
    __name__ = 'training.follow_up'

    @classmethod
    def on_modification(cls, mode, follow_ups, field_names=None):
        pool = Pool()
        Alert = pool.get('training.alert')
        super().on_modification(mode, follow_ups, field_names=field_names)
        if mode == 'create' or (
                mode == 'write' and field_names & {'done_at', 'outcome'}):
            # What another one says tells nothing of the trainee
            heard = cls._of_trainee([
                    f for f in follow_ups
                    if f.done_at and f.outcome in HEARD_OUTCOMES])
            if heard:
                table = cls.__table__()
                Alert.close_by(table, 'follow_up', heard, table.done_at)

    @classmethod
    def _of_trainee(cls, follow_ups):
        "Return those done with who answers for the trainee"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        cursor = Transaction().connection.cursor()
        table, enrolment = cls.__table__(), Enrolment.__table__()
        found = set()
        for sub_ids in grouped_slice([f.id for f in follow_ups], tools.BATCH):
            cursor.execute(*table
                .join(enrolment, condition=enrolment.id == table.enrolment)
                .select(
                    table.id,
                    where=fields.SQL_OPERATORS['in'](table.id, list(sub_ids))
                    & table.party.in_(Enrolment.answering_query(
                            enrolment, table.done_at))))
            found.update(id_ for id_, in cursor)
        return [f for f in follow_ups if f.id in found]
