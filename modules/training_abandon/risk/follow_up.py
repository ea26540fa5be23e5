# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import Pool, PoolMeta

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
            heard = [
                f for f in follow_ups
                if f.done_at and f.outcome in HEARD_OUTCOMES
                and f.party in {
                    f.enrolment.trainee.party, *f.enrolment.guardians()}]
            if heard:
                Alert.close_by(cls.__table__(), 'follow_up', heard)
