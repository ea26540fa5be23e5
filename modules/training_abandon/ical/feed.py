# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import base64
import datetime as dt
import hashlib
import secrets

from dateutil.relativedelta import relativedelta
from sql import Null
from sql.conditionals import Coalesce

from trytond.model import Index, ModelSQL, ModelView, Unique, fields
from trytond.pool import Pool
from trytond.pyson import Bool, Eval, If
from trytond.transaction import Transaction

from .. import tools
from .content import render

RESOURCES = ['session', 'trainer', 'trainee']
_USE_INTERVAL = dt.timedelta(days=1)


def resource_field(name, model_name, string, **attributes):
    return fields.Many2One(
        model_name, string, ondelete='CASCADE', readonly=True,
        states={
            'required': Eval('kind') == name,
            'invisible': Eval('kind') != name,
            },
        **attributes)


class Feed(ModelSQL, ModelView):
    __name__ = 'training.calendar.feed'

    name = fields.Char(
        "Name", required=True, readonly=True,
        help="Who subscribes to the calendar.")
    company = fields.Many2One(
        'company.company', "Company", required=True, readonly=True,
        ondelete='CASCADE')
    kind = fields.Selection([
            ('session', "Session"),
            ('trainer', "Trainer"),
            ('trainee', "Trainee"),
            ], "Kind", required=True, readonly=True, sort=False,
        help="Whose slots the calendar has.")
    session = resource_field('session', 'training.session', "Session")
    trainer = resource_field(
        'trainer', 'party.party', "Trainer",
        context={
            'company': Eval('company', -1),
            },
        depends={'company'})
    trainee = resource_field('trainee', 'training.trainee', "Trainee")
    resource = fields.Function(fields.Reference(
            "Calendar of", selection='get_resources',
            help="The session, the trainer or the trainee whose slots the "
            "calendar has."),
        'get_resource')
    token_hash = fields.Char(
        "Token Hash", readonly=True, strip=False,
        help="The link itself is not stored.")
    expires_on = fields.Date(
        "Valid Until", readonly=True,
        help="The last day on which the link works.\n"
        "Leave empty for a link that works until it is revoked.")
    revoked_at = fields.DateTime(
        "Revoked at", readonly=True,
        states={
            'invisible': ~Eval('revoked_at'),
            },
        help="Since when the link works no more.")
    last_used_at = fields.DateTime(
        "Last Used at", readonly=True,
        help="The last time that the calendar was fetched, noted once a day.")
    content_hash = fields.Char("Content Hash", readonly=True, strip=False)
    changed_at = fields.DateTime(
        "Changed at", readonly=True,
        help="When a change of the calendar was first fetched.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_constraints += [
            ('token_hash_unique', Unique(t, t.token_hash),
                'training_abandon.msg_calendar_feed_token_unique'),
            ]
        cls._sql_indexes.update(
            Index(t, (getattr(t, name), Index.Equality()))
            for name in RESOURCES)
        # What is searched of a Char that may be empty
        cls._sql_indexes.add(
            Index(t, (Coalesce(t.token_hash, ''), Index.Equality())))
        cls._sql_indexes.update(
            Index(t, (column, Index.Range()), where=column != Null)
            for column in [t.expires_on, t.revoked_at])
        cls._order.insert(0, ('id', 'DESC'))
        cls._buttons.update(
            revoke={
                'invisible': Bool(Eval('revoked_at')),
                'depends': ['revoked_at'],
                },
            renew={})

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual', If(Bool(Eval('revoked_at')), 'muted', '')),
            ]

    @classmethod
    def get_resources(cls):
        pool = Pool()
        Model = pool.get('ir.model')
        models = [cls._fields[name].model_name for name in RESOURCES]
        return [(m, Model.get_name(m)) for m in models]

    def get_resource(self, name):
        return str(getattr(self, self.kind))

    @classmethod
    def issue(cls, **values):
        "Create a feed and return it with its token, which is not stored"
        token = secrets.token_urlsafe(32)
        feed = cls(token_hash=cls._hash(token), **values)
        feed.save()
        return feed, token

    @classmethod
    def from_token(cls, token):
        "Return the feed that the token opens today, or None"
        feeds = cls.search([
                ('token_hash', '=', cls._hash(token)),
                ('revoked_at', '=', None),
                ])
        for feed in feeds:
            if (not feed.expires_on
                    or tools.today(feed.company) <= feed.expires_on):
                return feed

    @classmethod
    def _hash(cls, token):
        return hashlib.sha256(token.encode('utf-8')).hexdigest()

    @classmethod
    def url(cls, token):
        database = base64.urlsafe_b64encode(
            Transaction().database.name.encode('utf-8'))
        return '{}/{}/training/calendar/{}.ics'.format(
            tools.base_url(), database.decode('ascii').rstrip('='), token)

    @classmethod
    def copy(cls, feeds, default=None):
        default = default.copy() if default is not None else {}
        for name in ['token_hash', 'last_used_at', 'content_hash',
                'changed_at']:
            default.setdefault(name)
        return super().copy(feeds, default=default)

    @classmethod
    @ModelView.button
    def revoke(cls, feeds):
        cls.write([f for f in feeds if not f.revoked_at], {
                'token_hash': None,
                'revoked_at': tools.now(),
                })

    @classmethod
    @ModelView.button_action('training_abandon.wizard_calendar_link')
    def renew(cls, feeds):
        pass

    def render(self):
        "Return the iCalendar object in the language of who subscribes"
        with Transaction().set_context(
                language=tools.language_of(*self._readers()),
                company=self.company.id):
            feed = self.__class__(self.id)
            return render(
                f'{feed.resource.rec_name} - {feed.company.rec_name}',
                feed.company, feed._slot_domain(), feed.add_events)

    def add_events(self, calendar):
        "Hook to add to the calendar what is no slot"

    def _readers(self):
        "Return the parties in whose language it is, the first one before"
        parties = [self.company.party]
        if self.kind != 'session':
            parties.insert(0, getattr(self.resource, 'party', self.resource))
        return parties

    def first_date(self):
        "Return the day before which the calendar tells nothing"
        return tools.today(self.company) - relativedelta(years=1)

    def _slot_domain(self):
        domain = [
            ('session.company', '=', self.company.id),
            ('date', '>=', self.first_date()),
            ]
        if self.kind == 'session':
            domain.append(('session', '=', self.session.id))
        elif self.kind == 'trainer':
            domain.append(['OR',
                    ('trainer', '=', self.trainer.id),
                    [
                        ('trainer', '=', None),
                        ('session.trainers', '=', self.trainer.id),
                        ],
                    ])
        else:
            domain.append(('trainees', '=', self.trainee.id))
        return domain

    def is_noted(self, content_hash):
        "Return if the content, fetched today, needs no note of it"
        return bool(
            self.content_hash == content_hash
            and self.last_used_at
            and tools.now() - self.last_used_at < _USE_INTERVAL)

    def note_use(self, content_hash):
        "Note that the content is fetched and return when it has changed"
        now = tools.now()
        if not self.is_noted(content_hash):
            self.last_used_at = now
        if self.content_hash != content_hash:
            # HTTP tells two contents apart by the second
            self.changed_at = max([
                    now, *([self.changed_at + dt.timedelta(seconds=1)]
                        if self.changed_at else [])])
            self.content_hash = content_hash
        self.save()
        return self.changed_at
