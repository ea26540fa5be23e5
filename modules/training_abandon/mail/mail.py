# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from sql import Null
from sql.conditionals import Coalesce
from sql.functions import DateTrunc, Lower
from sql.operators import Or

import trytond.config as config
from trytond.filestore import filestore
from trytond.model import Index, ModelSQL, ModelView, Unique, fields
from trytond.pool import Pool
from trytond.pyson import Bool, Eval, If
from trytond.transaction import Transaction

from ..kept import KeptMixin
from .archive import ArchiveMixin, sql_reference
from .claim import WAITING, ClaimMixin
from .composition import CompositionMixin
from .delivery import DeliveryMixin
from .failure import FailureMixin
from .hold import HoldMixin
from .readdress import ReaddressMixin

file_id = store_prefix = None
if config.getboolean('training_abandon', 'mail_filestore', default=True):
    file_id = 'message_file_id'
    store_prefix = config.get(
        'training_abandon', 'mail_store_prefix', default=None)


class Mail(
        CompositionMixin, HoldMixin, ClaimMixin, DeliveryMixin, ArchiveMixin,
        FailureMixin, ReaddressMixin, KeptMixin, ModelSQL, ModelView):
    "The outbox: one mail has one address"
    __name__ = 'training.mail'
    _rec_name = 'subject'

    company = fields.Many2One(
        'company.company', "Company", required=True, readonly=True)
    enrolment = fields.Many2One(
        'training.enrolment', "Enrolment", readonly=True,
        ondelete='RESTRICT')
    letter = fields.Many2One(
        'training.abandon.procedure.letter', "Letter", readonly=True,
        ondelete='RESTRICT')
    resource = fields.Function(
        fields.Reference("Resource", selection='get_resources'),
        'get_resource')
    kind = fields.Selection('get_kinds', "Kind", required=True,
        readonly=True, sort=False,
        help="The step of the procedure, or the notice, that the mail is "
        "for.")
    party = fields.Many2One(
        'party.party', "Party", readonly=True, ondelete='RESTRICT',
        context={
            'company': Eval('company', -1),
            },
        depends={'company'})
    also_for = fields.Many2Many(
        'training.mail-also_for-party.party', 'mail', 'party', "Also for",
        readonly=True,
        context={
            'company': Eval('company', -1),
            },
        states={
            'invisible': ~Eval('also_for'),
            },
        depends={'company'},
        help="The other parties to write to who have the same mailbox.")
    from_ = fields.Char(
        "From", readonly=True,
        help="The address of the sender, that of the configuration of the "
        "server.")
    to = fields.Char(
        "To", required=True, readonly=True,
        help="The only address to which the mail is sent.")
    language = fields.Many2One('ir.lang', "Language", readonly=True)
    subject = fields.Char("Subject", required=True, readonly=True)
    body = fields.Text(
        "Body", readonly=True, help="The text of the mail, as it is sent.")
    message = fields.Binary(
        "Message", filename='filename', readonly=True,
        file_id=file_id, store_prefix=store_prefix,
        help="The complete message, exactly as it is given to the server.")
    message_file_id = fields.Char("Message File ID", readonly=True)
    filename = fields.Function(fields.Char("File Name"), 'get_filename')
    message_id = fields.Char(
        "Message-ID", readonly=True,
        help="What identifies the mail in the answers and in the logs of "
        "the mail servers.")
    reply_token = fields.Char(
        "Reply Token", readonly=True,
        help="The hash of what makes the address for the replies unique.")
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
    attempts = fields.Integer(
        "Attempts", required=True, readonly=True,
        help="The number of times that the mail server was asked to take "
        "the mail.")
    next_attempt = fields.DateTime(
        "Next Attempt", readonly=True,
        help="While the mail is being sent, the time at which another "
        "process may take it over.")
    retry_until = fields.DateTime(
        "Retry Until", readonly=True,
        help="The mail fails if the mail server has not taken it by then.")
    unavailable_since = fields.DateTime(
        "Server Unavailable Since", readonly=True,
        help="Since when the mail server cannot be reached; the mail is "
        "tried again.")
    smtp_reply = fields.Char(
        "Server Reply", readonly=True,
        help="The words of the mail server.")
    sent_at = fields.DateTime(
        "Sent at", readonly=True,
        help="When the mail server accepted the mail.")
    failed_at = fields.DateTime(
        "Failed at", readonly=True,
        states={
            'invisible': ~Eval('failed_at'),
            },
        help="The last time that it was given up, even if it was sent or "
        "replaced later.")
    bounced_at = fields.DateTime(
        "Bounced at", readonly=True,
        help="When the mail came back: it was sent but not received.")
    bounce_reason = fields.Char(
        "Bounce Reason", readonly=True,
        help="What the mail server that sent the mail back says.")
    replaced_by = fields.Many2One(
        'training.mail', "Replaced by", readonly=True, ondelete='RESTRICT',
        help="The same letter, sent to another address.")
    email = fields.Many2One(
        'ir.email', "Archived Email", readonly=True, ondelete='RESTRICT',
        help="The email that Tryton has archived on the record, once the "
        "mail was sent.")

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
        cls.reply_token.search_unaccented = False
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
                    (t.id, Index.Range())),
                Index(
                    t, (t.bounced_at, Index.Range()),
                    where=t.bounced_at != Null),
                Index(
                    t, (t.id, Index.Range()),
                    where=(t.state == 'sent') & (t.email == Null)),
                # What is searched of a Char that may be empty
                Index(t, (Coalesce(t.message_id, ''), Index.Equality())),
                Index(t, (Coalesce(t.reply_token, ''), Index.Equality())),
                Index(t, (Lower(t.to), Index.Equality())),
                Index(t, (t.enrolment, Index.Equality())),
                Index(t, (t.party, Index.Equality())),
                Index(t, (t.replaced_by, Index.Equality()),
                    where=t.replaced_by != Null),
                Index(t, (t.sent_at, Index.Range()),
                    where=t.sent_at != Null),
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
    def to_addresses(cls, addresses):
        """Return the query of the ids of the mails to one of the addresses,
        whatever their case"""
        table = cls.__table__()
        # One lower case, as it is in the index
        return table.select(
            table.id,
            where=Or([Lower(table.to) == Lower(a) for a in addresses]))

    @property
    def has_left(self):
        "If the party has the mail, or may have it at any time"
        return self.state in {'sent', 'sending'} and not self.bounced_at

    @classmethod
    def default_company(cls):
        return Transaction().context.get('company')

    @classmethod
    def default_state(cls):
        return 'draft'

    @classmethod
    def default_attempts(cls):
        return 0

    @property
    def parties(self):
        "The parties that the mail reaches"
        return [*filter(None, [self.party]), *self.also_for]

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
            (m, Model.get_name(m)) for m in cls._get_resources()]

    @classmethod
    def _get_resources(cls):
        "Return the names of the models that mails are about"
        return ['training.enrolment']

    def get_resource(self, name):
        return str(self.enrolment) if self.enrolment else None

    @classmethod
    def sql_resource(cls, mail):
        "Return the SQL expression of the record that has the archived email"
        return Coalesce(
            sql_reference('training.enrolment', mail.enrolment),
            sql_reference(cls.__name__, mail.id))

    def get_filename(self, name):
        return f'{self.message_id.strip("<>")}.eml' if self.message_id else ''

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
        for name in [
                'message_id', 'message', 'reply_token', 'next_attempt',
                'retry_until', 'unavailable_since', 'smtp_reply', 'sent_at',
                'failed_at', 'bounced_at', 'bounce_reason', 'replaced_by',
                'email']:
            default.setdefault(name)
        default.setdefault('attempts', 0)
        default.setdefault('state', 'draft')
        return super().copy(mails, default=default)

    @classmethod
    def on_modification(cls, mode, mails, field_names=None):
        super().on_modification(mode, mails, field_names=field_names)
        if mode == 'write' and 'bounced_at' in field_names:
            cls.on_failed(mails)

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


class MailAlsoFor(ModelSQL):
    __name__ = 'training.mail-also_for-party.party'

    mail = fields.Many2One(
        'training.mail', "Mail", required=True, ondelete='CASCADE')
    party = fields.Many2One(
        'party.party', "Party", required=True, ondelete='RESTRICT')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('mail')
        t = cls.__table__()
        cls._sql_indexes.add(Index(t, (t.party, Index.Equality())))
