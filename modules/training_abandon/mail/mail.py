# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
import logging
import socket
from email import policy
from email.errors import MessageError
from email.header import Header
from email.headerregistry import Address, HeaderRegistry
from email.message import EmailMessage
from email.utils import format_datetime, formataddr, make_msgid, parseaddr
from functools import lru_cache

from sql import Null
from sql.conditionals import Coalesce
from sql.functions import DateTrunc

import trytond.config as config
from trytond.filestore import filestore
from trytond.i18n import gettext
from trytond.model import Index, ModelSQL, ModelView, Unique, fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Bool, Eval, If
from trytond.tools.email_ import convert_ascii_email
from trytond.transaction import Transaction

from ..exceptions import RecipientError

logger = logging.getLogger(__name__)

file_id = store_prefix = None
if config.getboolean('training_abandon', 'mail_filestore', default=True):
    file_id = 'message_file_id'
    store_prefix = config.get(
        'training_abandon', 'mail_store_prefix', default=None)

# The states from which a mail leaves by itself
WAITING = ['queued', 'sending']


class _Headers(HeaderRegistry):
    "The mails have most of their headers in common, that parse slowly"
    __getitem__ = lru_cache(maxsize=64)(HeaderRegistry.__getitem__)
    __call__ = lru_cache(maxsize=256)(HeaderRegistry.__call__)


_POLICY = policy.SMTP.clone(header_factory=_Headers())


class Mail(ModelSQL, ModelView):
    "The outbox: one mail has one address"
    __name__ = 'training.mail'
    _rec_name = 'subject'

    company = fields.Many2One(
        'company.company', "Company", required=True, readonly=True)
    case = fields.Many2One(
        'training.abandon.case', "Case", readonly=True, ondelete='RESTRICT')
    step = fields.Many2One(
        'training.abandon.case.step', "Step", readonly=True,
        ondelete='RESTRICT')
    letter = fields.Many2One(
        'training.abandon.procedure.letter', "Letter", readonly=True,
        ondelete='RESTRICT')
    reminder = fields.Integer(
        "Reminder", readonly=True,
        states={
            'invisible': ~Eval('reminder'),
            },
        help="Which of the reminders of the step the mail is.")
    resource = fields.Function(
        fields.Reference("Resource", selection='get_resources'),
        'get_resource')
    kind = fields.Selection('get_kinds', "Kind", required=True,
        readonly=True, sort=False)
    party = fields.Many2One(
        'party.party', "Party", readonly=True, ondelete='RESTRICT',
        context={
            'company': Eval('company', -1),
            },
        depends={'company'})
    from_ = fields.Char("From", readonly=True)
    to = fields.Char("To", required=True, readonly=True)
    language = fields.Many2One('ir.lang', "Language", readonly=True)
    subject = fields.Char("Subject", required=True, readonly=True)
    body = fields.Text("Body", readonly=True)
    message = fields.Binary(
        "Message", filename='filename', readonly=True,
        file_id=file_id, store_prefix=store_prefix,
        help="The complete message, exactly as it is given to the server.")
    message_file_id = fields.Char("Message File ID", readonly=True)
    filename = fields.Function(fields.Char("File Name"), 'get_filename')
    message_id = fields.Char("Message-ID", readonly=True)
    state = fields.Selection([
            ('draft', "Draft"),
            ('queued', "Queued"),
            ('sending', "Sending"),
            ('sent', "Sent"),
            ('failed', "Failed"),
            ('cancelled', "Cancelled"),
            ], "State", required=True, readonly=True, sort=False,
        help="A mail is sent once the mail server has accepted it.")
    state_string = state.translated('state')
    attempts = fields.Integer("Attempts", required=True, readonly=True)
    next_attempt = fields.DateTime(
        "Next Attempt", readonly=True,
        help="While the mail is being sent, the time at which another "
        "process may take it over.")
    retry_until = fields.DateTime(
        "Retry Until", readonly=True,
        help="The mail fails if the mail server has not taken it by then.")
    unavailable_since = fields.DateTime(
        "Server Unavailable Since", readonly=True)
    smtp_reply = fields.Char(
        "Server Reply", readonly=True,
        help="The words of the mail server.")
    sent_at = fields.DateTime("Sent at", readonly=True)
    failed_at = fields.DateTime(
        "Failed at", readonly=True,
        states={
            'invisible': ~Eval('failed_at'),
            },
        help="The last time that it was given up, even if it was sent or "
        "replaced later.")
    bounced_at = fields.DateTime("Bounced at", readonly=True)
    bounce_reason = fields.Char("Bounce Reason", readonly=True)
    held = fields.Function(
        fields.Boolean("Held"), 'get_held', searcher='search_held')
    hold_notice = fields.Function(
        fields.Text("Held", states={
                'invisible': ~Eval('held'),
                }),
        'get_hold_notice')
    replaced_by = fields.Many2One(
        'training.mail', "Replaced by", readonly=True, ondelete='RESTRICT',
        help="The same letter, sent to another address.")
    email = fields.Many2One(
        'ir.email', "Archived Email", readonly=True, ondelete='RESTRICT')

    @classmethod
    def __register__(cls, module):
        table_h = cls.__table_handler__(module)
        has_failed_at = table_h.column_exist('failed_at')
        super().__register__(module)
        if not has_failed_at:
            table = cls.__table__()
            Transaction().connection.cursor().execute(*table.update(
                    [table.failed_at],
                    [DateTrunc('second', Coalesce(
                                table.write_date, table.create_date))],
                    where=table.state == 'failed'))

    @classmethod
    def __setup__(cls):
        cls.message_id.search_unaccented = False
        super().__setup__()
        t = cls.__table__()
        cls._sql_constraints += [
            ('message_id_unique', Unique(t, t.message_id),
                'training_abandon.msg_mail_message_id_unique'),
            ]
        cls._sql_indexes.update({
                Index(
                    t, (t.next_attempt, Index.Range()),
                    where=t.state.in_(WAITING)),
                Index(
                    t, (t.state, Index.Equality(cardinality='low')),
                    where=t.state.in_(['failed'])),
                Index(
                    t, (t.bounced_at, Index.Range()),
                    where=t.bounced_at != Null),
                Index(
                    t, (t.id, Index.Range()),
                    where=(t.state == 'sent') & (t.email == Null)),
                Index(t, (t.message_id, Index.Equality())),
                })
        cls._order.insert(0, ('id', 'DESC'))
        cls._buttons.update(
            deliver={
                'invisible': ~Eval('state').in_(
                    ['queued', 'sending', 'failed']),
                'depends': ['state'],
                },
            send_elsewhere={
                'invisible': (
                    (Eval('state') != 'failed')
                    & (~Eval('bounced_at') | Bool(Eval('replaced_by')))),
                'depends': ['state', 'bounced_at', 'replaced_by'],
                },
            cancel={
                'invisible': ~Eval('state').in_(
                    ['draft', 'queued', 'failed']),
                'depends': ['state'],
                })

    @classmethod
    def default_company(cls):
        return Transaction().context.get('company')

    @classmethod
    def default_state(cls):
        return 'draft'

    @classmethod
    def default_attempts(cls):
        return 0

    @classmethod
    def get_kinds(cls):
        pool = Pool()
        Letter = pool.get('training.abandon.procedure.letter')
        return Letter.fields_get(['step_kind'])['step_kind']['selection']

    @classmethod
    def get_resources(cls):
        pool = Pool()
        Model = pool.get('ir.model')
        return [(None, "")] + [
            (m, Model.get_name(m)) for m in ['training.abandon.case']]

    def get_resource(self, name):
        return str(self.case) if self.case else None

    def get_filename(self, name):
        return f'{self.message_id.strip("<>")}.eml' if self.message_id else ''

    @classmethod
    def _live_name(cls):
        "Return the name of the running database as the option live tells it"
        return f'{Transaction().database.name}@{socket.gethostname()}'

    @classmethod
    def is_live(cls):
        """Return if the running database is the one that sends.

        A copy of the database or of the configuration writes to nobody."""
        live = config.get('training_abandon', 'live', default='') or ''
        return live.strip() == cls._live_name()

    @classmethod
    def get_held(cls, mails, name):
        live = cls.is_live()
        return {m.id: not live and m.state in WAITING for m in mails}

    @classmethod
    def search_held(cls, name, clause):
        _, operator, value = clause
        values = value if operator in {'in', 'not in'} else [value]
        searched = {
            held for held in [True, False]
            if (held in map(bool, values)) == (operator in {'=', 'in'})}
        waiting = [] if cls.is_live() else WAITING
        return ['OR',
            ('state', 'in', waiting if True in searched else []),
            ('state', 'not in', waiting) if False in searched else (
                'state', 'in', []),
            ]

    def get_hold_notice(self, name):
        return self._hold_reason() if self.held else None

    @classmethod
    def _hold_reason(cls):
        return gettext(
            'training_abandon.msg_mail_hold_reason', name=cls._live_name())

    @classmethod
    def preview_notice(cls):
        "Return what to tell who is about to create mails, or None"
        if not cls.is_live():
            return gettext('training_abandon.msg_mail_hold_preview')

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual',
                If((Eval('state') == 'failed')
                    | (Bool(Eval('bounced_at')) & ~Eval('replaced_by')),
                    'danger',
                    If(Eval('state') == 'cancelled', 'muted',
                        If(Eval('state') != 'sent', 'warning', '')))),
            ]

    @classmethod
    def copy(cls, mails, default=None):
        default = default.copy() if default is not None else {}
        for name in ['message_id', 'message', 'next_attempt', 'retry_until',
                'unavailable_since', 'smtp_reply', 'sent_at', 'failed_at',
                'bounced_at', 'bounce_reason', 'replaced_by', 'email']:
            default.setdefault(name)
        default.setdefault('attempts', 0)
        default.setdefault('state', 'draft')
        return super().copy(mails, default=default)

    @classmethod
    def preprocess_values(cls, mode, values):
        values = super().preprocess_values(mode, values)
        if mode == 'create' and file_id and values.get('message'):
            # Once created it would take two statements more
            prefix = store_prefix
            if prefix is None:
                prefix = Transaction().database.name
            values = dict(values)
            values[file_id] = filestore.set(values.pop('message'), prefix)
        return values

    @classmethod
    def sender(cls, company):
        "Return the From address of the company"
        address = parseaddr(config.get('email', 'from', default=''))[1]
        return cls._address(company.party.name, address or 'noreply@localhost')

    @classmethod
    def _address(cls, name, email):
        # A line break would begin another header
        email = ''.join(ascii_address(email).split())
        name = ' '.join((name or '').split())
        if name.isascii():
            return formataddr((name, email))
        return f'{cls._encode(name)} <{email}>'

    @classmethod
    def _encode(cls, text, header_name=None):
        """Return the value of a header as encoded words.

        The policies of email lose or double spaces where they fold."""
        return Header(' '.join(text.split()), 'utf-8', header_name=header_name
            ).encode(linesep='\r\n')

    @classmethod
    def compose(
            cls, company, party, to, subject, text, html,
            reply_to=None, logo=None, attachments=None):
        """Return the message as EmailMessage.

        text and html are the two alternatives of the body; logo is the PNG
        that html refers to as cid:logo and attachments a list of
        (name, data, mimetype)."""
        message = EmailMessage(policy=_POLICY)
        sender = cls.sender(company)
        message.set_raw('From', sender)
        message.set_raw('To', cls._address(party.name if party else '', to))
        if reply_to:
            message.set_raw('Reply-To', cls._address(*reply_to))
        message.set_raw('Subject', cls._encode(subject, 'Subject'))
        cls._stamp(message)
        message['Auto-Submitted'] = 'auto-generated'
        message.set_content(text, cte='quoted-printable')
        message.add_alternative(
            html, subtype='html', cte='quoted-printable')
        if logo:
            message.get_payload()[-1].add_related(
                logo, 'image', 'png', cid='<logo>',
                disposition='inline', filename='logo.png')
        for name, data, mimetype in attachments or []:
            maintype, subtype = mimetype.split('/', 1)
            message.add_attachment(
                data, maintype=maintype, subtype=subtype, filename=name)
        return message

    @classmethod
    def _stamp(cls, message):
        "Set the headers that make the message unique"
        domain = parseaddr(message['From'])[1].rpartition('@')[2]
        message['Date'] = format_datetime(
            dt.datetime.now(dt.timezone.utc))
        message['Message-ID'] = make_msgid(domain=domain)

    @classmethod
    def _get_bytes(cls, message):
        "Return the bytes as the servers receive them"
        data = message.as_bytes()
        return data if data.endswith(b'\r\n') else data + b'\r\n'

    @classmethod
    def from_message(cls, message, **values):
        """Return the unsaved mail that will deliver the message, whose bytes
        no longer change."""
        return cls(state='queued', **cls.message_values(message), **values)

    @classmethod
    def message_values(cls, message):
        "Return the values of the mail that come from its message"
        return {
            'from_': message['From'],
            'message': cls._get_bytes(message),
            'message_id': message['Message-ID'],
            }


class HoldNoticeMixin:
    "The notice on a form from which mails will be created"
    __slots__ = ()

    hold_notice = fields.Text(
        "Held", readonly=True,
        states={
            'invisible': ~Eval('hold_notice'),
            })

    @classmethod
    def default_hold_notice(cls):
        pool = Pool()
        Mail = pool.get('training.mail')
        return Mail.preview_notice()


def ascii_address(email):
    "Return the address with its domain as the mail servers know it"
    local, at, domain = convert_ascii_email(email).rpartition('@')
    try:
        domain = domain.encode('idna').decode('ascii')
    except UnicodeError:
        return email
    return f'{local}{at}{domain}'


def check_address(email, party):
    "Raise an error if that is not an address to write to the party"
    email = (email or '').strip()
    try:
        Address(addr_spec=ascii_address(email)).addr_spec.encode('ascii')
    except (ValueError, IndexError, MessageError) as exception:
        raise RecipientError(gettext(
                'training_abandon.msg_step_invalid_address',
                address=email,
                party=party.rec_name if party else '')) from exception


class Email(metaclass=PoolMeta):
    __name__ = 'ir.email'

    training_mail = fields.Many2One(
        'training.mail', "Training Mail", readonly=True,
        states={
            'invisible': ~Eval('training_mail'),
            })

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.add(
            Index(
                t, (t.training_mail, Index.Equality()),
                where=t.training_mail != Null))

    def get_user(self, name):
        user = super().get_user(name)
        if self.training_mail:
            user = None
        return user
