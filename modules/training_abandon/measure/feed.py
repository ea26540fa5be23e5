# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt

from trytond.i18n import gettext
from trytond.pool import Pool, PoolMeta

from .. import tools
from .follow_up import APPOINTMENTS

_EPOCH = dt.datetime(1970, 1, 1)


class Feed(metaclass=PoolMeta):
    __name__ = 'training.calendar.feed'

    def add_events(self, calendar):
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        super().add_events(calendar)
        if self.kind == 'session':
            return
        ids = map(int, FollowUp.search([
                    self._appointment_domain(),
                    ('company', '=', self.company.id),
                    ('kind', 'in', APPOINTMENTS),
                    ('planned_at', '>=', tools.utc_datetime(
                            self.first_date(), dt.time(), self.company)),
                    ], order=[('planned_at', 'ASC'), ('id', 'ASC')]))
        for follow_up in tools.browse_sets(FollowUp, ids):
            self._add_appointment(calendar, follow_up)

    def _appointment_domain(self):
        if self.kind == 'trainer':
            return ('employee.party', '=', self.trainer.id)
        return ('party', '=', self.trainee.party.id)

    def _add_appointment(self, calendar, follow_up):
        "Add the appointment without what was said"
        modified_at = follow_up.write_date or follow_up.create_date
        end = follow_up.planned_until
        if end and end <= follow_up.planned_at:
            end = None
        calendar.add_event(
            f'training-follow-up-{follow_up.id}',
            int((modified_at - _EPOCH).total_seconds()),
            calendar.local(follow_up.planned_at, self.company),
            calendar.local(end, self.company) if end else None,
            gettext(
                'training_abandon.msg_calendar_appointment',
                kind=follow_up.kind_string, party=self._with(follow_up)),
            status='CANCELLED' if follow_up.cancelled_at else 'CONFIRMED',
            modified_at=modified_at)

    def _with(self, follow_up):
        "Return the name of who meets the one who subscribes"
        if self.kind == 'trainer':
            return follow_up.party.rec_name
        elif follow_up.employee:
            return follow_up.employee.party.rec_name
        return self.company.party.rec_name
