# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.i18n import gettext
from trytond.model import Index, ModelSQL, ModelView, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from .. import tools
from ..rec_name import search_names


class EnrolmentEvent(ModelSQL, ModelView):
    __name__ = 'training.enrolment.event'

    enrolment = fields.Many2One(
        'training.enrolment', "Enrolment", required=True, readonly=True,
        ondelete='CASCADE')
    kind = fields.Selection([
            ('draft', "Set Back to Draft"),
            ('confirmed', "Confirmed"),
            ('started', "Started"),
            ('suspended', "Suspended"),
            ('resumed', "Resumed"),
            ('withdrawn', "Withdrawn"),
            ('completed', "Completed"),
            ('cancelled', "Cancelled"),
            ('restored', "Restored"),
            ('dates', "Dates Changed"),
            ('periods', "Period Changed"),
            ('groups', "Group Changed"),
            ('exemption', "Exemption Changed"),
            ('agreed_hours', "Agreed Hours Changed"),
            ], "What Happened", required=True, readonly=True, sort=False,
        help="What was changed: the state, the dates, the hours, a group or "
        "a period.")
    kind_string = kind.translated('kind')
    at = fields.DateTime("Date", required=True, readonly=True)
    user = fields.Many2One(
        'res.user', "User", readonly=True, ondelete='SET NULL')
    reason = fields.Char(
        "Reason", readonly=True,
        help="Why it was changed, as who did it told it.")
    description = fields.Char(
        "Description", readonly=True,
        help="What it was before and what it is now.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('enrolment')
        t = cls.__table__()
        cls._sql_indexes.add(Index(t, (t.enrolment, Index.Equality())))
        cls._order = [
            ('at', 'DESC'),
            ('id', 'DESC'),
            ]

    def get_rec_name(self, name):
        return f'{self.enrolment.rec_name} - {self.kind_string}'

    @classmethod
    def search_rec_name(cls, name, clause):
        return search_names(cls, clause, 'enrolment.rec_name')

    @classmethod
    def record(cls, enrolments, kind, reason=None, description=None):
        "Record what happened to the enrolments"
        for sub_enrolments in grouped_slice(enrolments, tools.BATCH):
            cls.create([{
                        'enrolment': enrolment.id,
                        'kind': kind,
                        'at': tools.now(),
                        'user': Transaction().user or None,
                        'reason': reason,
                        'description': description,
                        } for enrolment in sub_enrolments])

    @classmethod
    def check_modification(cls, mode, events, values=None, external=False):
        super().check_modification(
            mode, events, values=values, external=external)
        if external:
            raise AccessError(gettext(
                    'training_abandon.msg_enrolment_event_modify'))


class EventsMixin:
    "Enrolments that tell what happened to them"
    __slots__ = ()

    events = fields.One2Many(
        'training.enrolment.event', 'enrolment', "History", readonly=True,
        help="What happened to the enrolment, when and by whom.")

    @classmethod
    def record(cls, enrolments, kind, **values):
        pool = Pool()
        Event = pool.get('training.enrolment.event')
        Event.record(enrolments, kind, **values)
