# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from sql.functions import Function

from trytond.pool import Pool, PoolMeta


class Replace(metaclass=PoolMeta):
    __name__ = 'party.replace'

    def transition_replace(self):
        pool = Pool()
        Slot = pool.get('training.session.slot')
        # The official sheets keep the names that they say
        Slot.record_replaced(self.ask.source, self.ask.destination)
        return super().transition_replace()


class Erase(metaclass=PoolMeta):
    __name__ = 'party.erase'

    def transition_erase(self):
        pool = Pool()
        Slot = pool.get('training.session.slot')
        for party in self._parties():
            Slot.record_erased(party)
        return super().transition_erase()

    def kept_by_law(self, party_ids):
        pool = Pool()
        Attendance = pool.get('training.attendance')
        return super().kept_by_law(party_ids) + [
            ('msg_erase_kept_attendances', Attendance.search([
                        ('enrolment.trainee.party', 'in', party_ids),
                        ('slot.state', '=', 'held'),
                        ], count=True))]

    def to_erase(self, party_id):
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Event = pool.get('training.session.slot.event')
        Party = pool.get('party.party')
        party = Party(party_id)

        def hide(column):
            return ReplaceText(column, party.name or '****', '****')

        return super().to_erase(party_id) + [
            (Attendance, [('enrolment.trainee.party', '=', party_id)], True,
                ['justification', 'comment', 'trainee_name'],
                [None, None, None]),
            (Event, ['OR',
                    ('slot.trainer', '=', party_id),
                    ('slot.session.trainers', '=', party_id),
                    ('slot.attendances.enrolment.trainee.party', '=',
                        party_id),
                    ], True,
                ['description', 'trainer_name', 'reason'],
                [hide, hide, hide]),
            ]


class ReplaceText(Function):
    __slots__ = ()
    _function = 'REPLACE'
