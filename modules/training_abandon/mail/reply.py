# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
import mimetypes

from sql import Column

from trytond.filestore import filestore
from trytond.i18n import gettext
from trytond.model import Index, ModelSQL, ModelView, Unique, Workflow, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import Eval, If
from trytond.rpc import RPC
from trytond.transaction import Transaction, without_check_access

from .. import tools
from ..kept import KeptMixin
from .mail import file_id, store_prefix
from .message import read_message, token_hash

# How long the servers try to deliver a mail, and tell that they did not
BOUNCE_PERIOD = dt.timedelta(days=7)
# The smallest picture that is not taken for a logo
PICTURE_SIZE = 20_000


class Reply(KeptMixin, Workflow, ModelSQL, ModelView):
    "What comes back: answers, automatic replies and bounces"
    __name__ = 'training.mail.reply'
    _rec_name = 'from_'

    company = fields.Many2One('company.company', "Company", readonly=True)
    mail = fields.Many2One(
        'training.mail', "Mail", readonly=True, ondelete='RESTRICT',
        help="The mail that it answers.")
    enrolment = fields.Function(fields.Many2One(
            'training.enrolment', "Enrolment"),
        'on_change_with_enrolment', searcher='search_enrolment')
    party = fields.Many2One(
        'party.party', "Party", readonly=True, ondelete='RESTRICT',
        context={
            'company': Eval('company', -1),
            },
        depends={'company'},
        help="The party to whom the mail was written.")
    from_ = fields.Char(
        "From", readonly=True, help="The address from which the message came.")
    to = fields.Char(
        "To", readonly=True, help="The address to which the message was sent.")
    subject = fields.Char(
        "Subject", readonly=True,
        help="Read by the group Sensitive Reasons only.")
    received_at = fields.DateTime(
        "Received at", required=True, readonly=True,
        help="When the message came in.")
    message_id = fields.Char(
        "Message-ID", required=True, readonly=True,
        help="What identifies the message, so that it is not recorded "
        "twice.")
    message_digest = fields.Char(
        "Message Digest", readonly=True,
        help="The hash of what the sender wrote.")
    kind = fields.Selection([
            ('answer', "Answer"),
            ('auto_reply', "Automatic Reply"),
            ('bounce', "Bounce"),
            ('delay', "Delay"),
            ('challenge', "Anti-Spam Challenge"),
            ('unknown', "Unknown"),
            ], "Kind", required=True, readonly=True, sort=False,
        help="What the message is: only an answer counts by itself.")
    kind_string = kind.translated('kind')
    server_reply = fields.Char(
        "Server Reply", readonly=True,
        states={
            'invisible': ~Eval('kind').in_(['bounce', 'delay']),
        },
        help="The words of the mail server that bounced the mail.")
    refusal = fields.Selection([
            (None, ""),
            ('address', "The Address"),
            ('message', "The Message or its Sender"),
            ('temporary', "Temporary"),
            ], "What is Refused", readonly=True, sort=False,
        states={
            'invisible': ~Eval('kind').in_(['bounce', 'delay']),
        },
        help="What the mail server says it does not accept.\n"
        "Only an address that is refused is not written to any more.")
    refusal_string = refusal.translated('refusal')
    other_sender = fields.Boolean(
        "Doubtful Sender", readonly=True,
        help="The address of the sender is none of those of the party, or "
        "the mail server that received the message takes it for forged: "
        "it does not count as its answer unless you confirm it.")
    counted = fields.Boolean(
        "Counted", readonly=True,
        help="It counts as an answer of the party.")
    has_scan = fields.Boolean(
        "Scan", readonly=True,
        help="A document or a picture is attached.")
    text = fields.Text(
        "Text", readonly=True,
        help="What is new in the message, without what it quotes.\n"
        "Read by the group Sensitive Reasons only.")
    body = fields.Text(
        "Body", readonly=True,
        help="Read by the group Sensitive Reasons only.")
    message = fields.Binary(
        "Message", filename='filename', readonly=True,
        file_id=file_id, store_prefix=store_prefix,
        help="The complete message, exactly as it was received.\n"
        "Read by the group Sensitive Reasons only.")
    message_file_id = fields.Char("Message File ID", readonly=True)
    filename = fields.Function(fields.Char("File Name"), 'get_filename')
    reasons = fields.Many2Many(
        'training.mail.reply-training.abandon.reason', 'reply', 'reason',
        "Recognised Reasons", readonly=True,
        help="The reasons of the list in the letter that the trainee kept.\n"
        "Read by the group Sensitive Reasons only.")
    attachments = fields.One2Many(
        'ir.attachment', 'resource', "Attachments", readonly=True,
        help="The files that came with the message.\n"
        "Read by the group Sensitive Reasons only.")
    state = fields.Selection([
            ('new', "New"),
            ('handled', "Handled"),
            ('ignored', "Ignored"),
            ], "State", required=True, readonly=True, sort=False,
        help="A new message waits for somebody, and holds the reminders "
        "until it is handled.")

    @classmethod
    def __setup__(cls):
        cls.message_id.search_unaccented = False
        super().__setup__()
        t = cls.__table__()
        cls._sql_constraints += [
            ('message_id_digest_unique',
                Unique(t, t.message_id, t.message_digest),
                'training_abandon.msg_reply_message_id_unique'),
            ]
        cls._sql_indexes.update({
                Index(
                    t, (t.state, Index.Equality(cardinality='low')),
                    where=t.state.in_(['new'])),
                Index(
                    t, (t.kind, Index.Equality(cardinality='low')),
                    (t.received_at, Index.Range())),
                Index(t, (t.mail, Index.Equality())),
                Index(t, (t.party, Index.Equality())),
                Index(
                    t, (t.received_at, Index.Range()), (t.id, Index.Range())),
                })
        cls._order.insert(0, ('received_at', 'DESC'))
        cls._transitions |= {
            ('new', 'handled'),
            ('new', 'ignored'),
            ('ignored', 'new'),
            ('handled', 'new'),
            }
        cls._buttons.update(
            handle={
                'invisible': Eval('state') != 'new',
                'depends': ['state'],
                },
            ignore={
                'invisible': Eval('state') != 'new',
                'depends': ['state'],
                },
            reopen={
                'invisible': Eval('state') == 'new',
                'depends': ['state'],
                })
        cls.__rpc__.update(
            receive=RPC(readonly=False))

    @classmethod
    def __register__(cls, module):
        has_digest = cls.__table_handler__(module).column_exist(
            'message_digest')
        super().__register__(module)
        # Migration from 8.0.0: the sender chooses the identifier
        cls.__table_handler__(module).drop_constraint('message_id_unique')
        if not has_digest:
            cls._fill_digest()

    @classmethod
    def _fill_digest(cls):
        "Tell the messages that are kept from others with their identifier"
        transaction = Transaction()
        table = cls.__table__()
        cursor = transaction.connection.cursor()
        columns = [table.message]
        if file_id:
            columns.append(Column(table, file_id))
        cursor.execute(*table.select(table.id, *columns))
        for id_, message, *file_ids in cursor.fetchall():
            if file_ids and file_ids[0]:
                message = filestore.get(
                    file_ids[0], store_prefix or transaction.database.name)
            if message:
                cursor.execute(*table.update(
                        [table.message_digest],
                        [read_message(bytes(message)).digest],
                        where=table.id == id_))

    @classmethod
    def default_kind(cls):
        return 'unknown'

    @classmethod
    def default_state(cls):
        return 'new'

    def get_rec_name(self, name):
        # Who reads the subject is not who reads the name
        sender = self.author.rec_name if self.author else self.from_
        return ' – '.join(filter(None, [self.kind_string, sender]))

    @fields.depends('mail', '_parent_mail.enrolment')
    def on_change_with_enrolment(self, name=None):
        return self.mail.enrolment if self.mail else None

    @classmethod
    def search_enrolment(cls, name, clause):
        return [('mail.' + clause[0], *clause[1:])]

    def get_filename(self, name):
        return f'{self.message_id.strip("<>")}.eml'

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual',
                If(Eval('state') == 'ignored', 'muted',
                    If(Eval('kind').in_(['bounce', 'challenge']), 'danger',
                        If(Eval('state') == 'new', 'warning', '')))),
            ]

    @classmethod
    def check_modification(cls, mode, replies, values=None, external=False):
        super().check_modification(
            mode, replies, values=values, external=external)
        if external:
            for reply in replies:
                raise AccessError(gettext(
                        'training_abandon.msg_reply_modify',
                        reply=reply.rec_name))

    @classmethod
    def copy(cls, replies, default=None):
        for reply in replies:
            raise AccessError(gettext(
                    'training_abandon.msg_reply_modify',
                    reply=reply.rec_name))
        return []

    @classmethod
    @ModelView.button
    @Workflow.transition('handled')
    def handle(cls, replies):
        pass

    @classmethod
    @ModelView.button
    @Workflow.transition('ignored')
    def ignore(cls, replies):
        pass

    @classmethod
    @ModelView.button
    @Workflow.transition('new')
    def reopen(cls, replies):
        pass

    @classmethod
    def receive(cls, data):
        """Record a raw message for who has no provider to post it, and
        return the id of its reply."""
        if not tools.is_member('group_training_admin'):
            raise AccessError(gettext('training_abandon.msg_reply_receive'))
        return cls.from_message(data).id

    @classmethod
    @without_check_access
    def from_message(cls, data):
        """Record the raw message and return its reply.

        The same message is recorded once, whatever its identifier is that
        the sender chose."""
        pool = Pool()
        Attachment = pool.get('ir.attachment')
        message = read_message(bytes(data))
        replies = cls.search([
                ('message_id', '=', message.identifier),
                ('message_digest', 'in', [message.digest, None]),
                ], limit=1)
        if replies:
            return replies[0]
        mail = cls._find_mail(message)
        if message.bounce and message.bounce.uncertain and not mail:
            message.bounce = None
        reply = cls._from_message(message, mail)
        reply.save()
        Attachment.save([
                Attachment(resource=reply, name=name, data=content)
                for name, content, _ in message.attachments])
        if reply.kind == 'bounce':
            reply._bounce(message.bounce)
        elif reply.kind == 'answer' and not reply.other_sender:
            cls._count([reply])
        reply._notify()
        return reply

    @classmethod
    def _find_mail(cls, message):
        "Return the mail that the message answers or bounces, or None"
        pool = Pool()
        Mail = pool.get('training.mail')
        mails = Mail.search([
                ('reply_token', 'in', list(map(token_hash, message.tokens))),
                ], limit=1)
        if not mails and message.answered:
            found = {m.message_id: m for m in Mail.search([
                        ('message_id', 'in', message.answered)])}
            mails = [found[i] for i in message.answered if i in found]
        if not mails and message.bounce:
            mails = cls._find_bounced(message)
        return mails[0] if mails else None

    @classmethod
    def _find_bounced(cls, message):
        """Return the only mail that was sent of late to the only recipient
        that the bounce names, in a list"""
        pool = Pool()
        Mail = pool.get('training.mail')
        now = tools.now()
        at = min(message.received_at or now, now)
        recipients = message.bounce.recipients
        if not recipients:
            return []
        mails = Mail.search([
                ('sent_at', '>=', at - BOUNCE_PERIOD),
                ('id', 'in', Mail.to_addresses(recipients)),
                ], limit=2)
        return mails if len(mails) == 1 else []

    @classmethod
    def _from_message(cls, message, mail):
        "Return the unsaved reply"
        now = tools.now()
        reply = cls(
            mail=mail,
            from_=message.from_,
            to=message.to,
            subject=message.subject,
            received_at=min(message.received_at or now, now),
            message_id=message.identifier,
            message_digest=message.digest,
            message=message.data,
            body=message.body,
            text=message.text,
            has_scan=any(
                _is_scan(*attachment) for attachment in message.attachments),
            kind=cls._get_kind(message, mail),
            other_sender=False,
            counted=False)
        if message.bounce:
            reply.server_reply = message.bounce.reason
            reply.refusal = message.bounce.refusal
        parties = cls._parties_of(message.from_)
        if not message.bounce:
            reply.other_sender = message.forged or bool(
                mail and message.from_ != mail.to.lower()
                and not set(parties).intersection(mail.parties))
        if mail:
            reply.company = mail.company
            reply.party = next(
                (p for p in mail.parties if p in parties), mail.party)
            if mail.sent_at and reply.received_at < mail.sent_at:
                reply.received_at = now
        else:
            reply.company = (
                cls._company_of(parties) or cls._only_company())
            if len(parties) == 1:
                reply.party, = parties
        done = reply.kind == 'delay' or (
            reply.kind == 'auto_reply' and not message.uncertain
            or reply.kind == 'bounce' and mail)
        reply.state = 'handled' if done else 'new'
        return reply

    @classmethod
    def _get_kind(cls, message, mail):
        if message.bounce:
            return {
                'failed': 'bounce',
                'delayed': 'delay',
                'delivered': 'auto_reply',
                }[message.bounce.action]
        elif message.challenge:
            return 'challenge'
        elif message.automatic:
            return 'auto_reply'
        return 'answer' if mail else 'unknown'

    @classmethod
    def _parties_of(cls, address):
        "Return the list of the parties who have the address"
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')
        return list(dict.fromkeys(
                m.party for m in ContactMechanism.with_address(address)))

    @classmethod
    def _company_of(cls, parties):
        "Return the only company whose trainings concern the parties, or None"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        ids = [p.id for p in parties]
        companies = {e.company for e in Enrolment.search(['OR',
                    ('trainee.party', 'in', ids),
                    ('prescriber', 'in', ids),
                    ('employer', 'in', ids),
                    ('contacts.party', 'in', ids),
                    ])}
        return companies.pop() if len(companies) == 1 else None

    @classmethod
    def _only_company(cls):
        pool = Pool()
        Company = pool.get('company.company')
        companies = Company.search([], limit=2)
        return companies[0] if len(companies) == 1 else None

    def _bounce(self, bounce):
        "Mark the mail and the address as bounced"
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')
        Mail = pool.get('training.mail')
        if not self.mail:
            return
        if not self.mail.bounced_at:
            Mail.write([self.mail], {
                    'bounced_at': self.received_at,
                    'bounce_reason': bounce.reason,
                    })
        if bounce.about_address:
            ContactMechanism.bounce(
                self.mail.to, self.received_at, bounce.reason)

    @classmethod
    @without_check_access
    def _count(cls, replies):
        "Let the replies count as the answers of their parties"
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')
        cls.write(replies, {'kind': 'answer', 'counted': True})
        for reply in replies:
            ContactMechanism.trust_address(reply.from_, reply.received_at)
        cls.on_count(replies)

    @classmethod
    def on_count(cls, replies):
        "Hook called once the replies count as answers"

    @classmethod
    def from_inbound(cls, email_, rule):
        "Record the message of an inbound email"
        return cls.from_message(email_.as_raw())

    @property
    def author(self):
        "The party, unless another one may have written"
        return self.party if self.counted or not self.other_sender else None

    def _notify(self):
        pool = Pool()
        Mail = pool.get('training.mail')
        if self.mail and self.kind in {'answer', 'bounce', 'challenge'}:
            Mail.notify_responsible(
                [self.mail], self._describe,
                icon='tryton-email' if self.kind == 'answer'
                else 'tryton-warning')

    def _describe(self, mails):
        "Return the label and the description of the notification"
        # The subject may hold the words of the trainee
        return gettext(
            f'training_abandon.msg_reply_notify_{self._notification_kind()}',
            party=self.party.rec_name if self.party else self.mail.to,
            address=self.from_ if self.kind == 'answer' else self.mail.to,
            ), self._subject_name()

    def _notification_kind(self):
        "Return what the notification tells"
        if self.kind == 'bounce' and self.refusal == 'message':
            return 'bounce_message'
        elif self.kind != 'answer':
            return self.kind
        return 'other_sender' if self.other_sender else 'answer'

    def _subject_name(self):
        "Return the name of what the reply is about"
        return self.enrolment.rec_name if self.enrolment else ''


def _is_scan(name, content, mimetype):
    "Return if it may be a signed document, not the logo of a signature"
    if mimetype == 'application/octet-stream':
        mimetype = mimetypes.guess_type(name)[0] or mimetype
    return mimetype == 'application/pdf' or (
        mimetype.startswith('image/') and len(content) >= PICTURE_SIZE)


class ReplyReason(ModelSQL):
    __name__ = 'training.mail.reply-training.abandon.reason'

    reply = fields.Many2One(
        'training.mail.reply', "Reply", required=True, ondelete='CASCADE')
    reason = fields.Many2One(
        'training.abandon.reason', "Reason", required=True,
        ondelete='RESTRICT')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('reply')
