# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import re

from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.transaction import Transaction, check_access
from trytond.wizard import Button, StateTransition, StateView, Wizard

from ..exceptions import CalendarLinkError


class LinkStart(ModelView):
    __name__ = 'training.calendar.link.start'

    kind = fields.Selection(
        'get_kinds', "Kind", readonly=True,
        help="Whose slots the calendar has.")
    resource = fields.Char(
        "Calendar of", readonly=True,
        help="The session, the trainer or the trainee whose slots the "
        "calendar has.")
    company = fields.Many2One(
        'company.company', "Company", required=True, readonly=True)
    name = fields.Char(
        "Name", required=True,
        help="Who subscribes to the calendar, to know later which link to "
        "revoke.")
    expires_on = fields.Date(
        "Valid Until",
        domain=['OR',
            ('expires_on', '=', None),
            ('expires_on', '>=', Eval('today', None)),
            ],
        help="The last day on which the link works.\n"
        "Leave empty for a link that works until it is revoked.")
    today = fields.Date("Today")
    links = fields.Integer(
        "Links in Use", readonly=True,
        help="The links to the same calendar that are not revoked.")
    renewed = fields.Many2One(
        'training.calendar.feed', "Replaces", readonly=True,
        states={
            'invisible': ~Eval('renewed'),
            },
        help="The link that stops working.")

    @classmethod
    def get_kinds(cls):
        pool = Pool()
        Feed = pool.get('training.calendar.feed')
        return Feed.fields_get(['kind'])['kind']['selection']


class LinkResult(ModelView):
    __name__ = 'training.calendar.link.result'

    url = fields.Char(
        "Link", readonly=True,
        help="For Google Calendar, Outlook on the web, Nextcloud and "
        "Thunderbird.")
    webcal = fields.Char(
        "Subscription Link", readonly=True,
        help="Opens the calendar application of the computer or of the "
        "telephone.")


class Link(Wizard):
    __name__ = 'training.calendar.link'

    start = StateView(
        'training.calendar.link.start',
        'training_abandon.calendar_link_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Create", 'apply', 'tryton-ok', default=True),
            ])
    apply = StateTransition()
    result = StateView(
        'training.calendar.link.result',
        'training_abandon.calendar_link_result_view_form', [
            Button("Close", 'end', 'tryton-close', default=True),
            ])

    _kinds = {
        'training.session': 'session',
        'party.party': 'trainer',
        'training.trainee': 'trainee',
        }

    def _get_resource(self):
        "Return the kind, the record and the company of the feed"
        if len(self.records) != 1:
            raise CalendarLinkError(gettext(
                    'training_abandon.msg_calendar_link_one'))
        record = self.record
        if record.__name__ == 'training.calendar.feed':
            return record.kind, record.resource, record.company.id
        kind = self._kinds.get(record.__name__)
        if not kind:
            raise CalendarLinkError(gettext(
                    'training_abandon.msg_calendar_link_one'))
        if kind == 'session':
            return kind, record, record.company.id
        company = Transaction().context.get('company')
        if not company:
            raise CalendarLinkError(gettext(
                    'training_abandon.msg_calendar_link_company'))
        return kind, record, company

    def default_start(self, fields):
        pool = Pool()
        Date = pool.get('ir.date')
        Feed = pool.get('training.calendar.feed')
        kind, resource, company = self._get_resource()
        name = '' if kind == 'session' else resource.rec_name
        renewed = expires_on = None
        with Transaction().set_context(company=company):
            today = Date.today()
        if self.record.__name__ == Feed.__name__:
            renewed, name = self.record.id, self.record.name
            if self.record.expires_on and self.record.expires_on >= today:
                expires_on = self.record.expires_on
        return {
            'kind': kind,
            'resource': resource.rec_name,
            'company': company,
            'name': name,
            'expires_on': expires_on,
            'today': today,
            'links': Feed.search([
                    ('company', '=', company),
                    (kind, '=', resource.id),
                    ('revoked_at', '=', None),
                    ], count=True),
            'renewed': renewed,
            }

    def transition_apply(self):
        pool = Pool()
        Feed = pool.get('training.calendar.feed')
        kind, resource, company = self._get_resource()
        feed, token = Feed.issue(
            name=self.start.name, kind=kind, company=company,
            expires_on=self.start.expires_on, **{kind: resource.id})
        # The company comes from the client
        with check_access():
            Feed.read([feed.id], ['id'])
        if self.record.__name__ == Feed.__name__:
            Feed.revoke([self.record])
        # Only shown: the data of the wizard are stored
        self._url = Feed.url(token)
        return 'result'

    def default_result(self, fields):
        return {
            'url': self._url,
            'webcal': re.sub(r'^https?:', 'webcal:', self._url),
            }
