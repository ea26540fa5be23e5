# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import trytond.config as config
from trytond.i18n import gettext
from trytond.model import (
    Index, ModelSQL, ModelView, Unique, Workflow, fields)
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import Eval, If

file_id = store_prefix = None
if config.getboolean('training_abandon', 'mail_filestore', default=True):
    file_id = 'message_file_id'
    store_prefix = config.get(
        'training_abandon', 'mail_store_prefix', default=None)


class Reply(Workflow, ModelSQL, ModelView):
    "What comes back: answers, automatic replies and bounces"
    __name__ = 'training.mail.reply'
    _rec_name = 'subject'

    company = fields.Many2One('company.company', "Company", readonly=True)
    case = fields.Many2One(
        'training.abandon.case', "Case", readonly=True, ondelete='RESTRICT')
    mail = fields.Many2One(
        'training.mail', "Mail", readonly=True, ondelete='RESTRICT',
        help="The mail that it answers.")
    party = fields.Many2One(
        'party.party', "Party", readonly=True, ondelete='RESTRICT',
        context={
            'company': Eval('company', -1),
            },
        depends={'company'},
        help="The party to whom the mail was written.")
    from_ = fields.Char("From", readonly=True)
    to = fields.Char("To", readonly=True)
    subject = fields.Char("Subject", readonly=True)
    received_at = fields.DateTime(
        "Received at", required=True, readonly=True)
    message_id = fields.Char("Message-ID", required=True, readonly=True)
    kind = fields.Selection([
            ('answer', "Answer"),
            ('auto_reply', "Automatic Reply"),
            ('bounce', "Bounce"),
            ('delay', "Delay"),
            ('unknown', "Unknown"),
            ], "Kind", required=True, readonly=True, sort=False)
    kind_string = kind.translated('kind')
    other_sender = fields.Boolean(
        "Other Sender", readonly=True,
        help="The address of the sender is none of those of the party: "
        "it does not count as its answer unless you confirm it.")
    counted = fields.Boolean(
        "Counted", readonly=True,
        help="It counts as an answer of the party.")
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
        'ir.attachment', 'resource', "Attachments", readonly=True)
    state = fields.Selection([
            ('new', "New"),
            ('handled', "Handled"),
            ('ignored', "Ignored"),
            ], "State", required=True, readonly=True, sort=False)

    @classmethod
    def __setup__(cls):
        cls.message_id.search_unaccented = False
        super().__setup__()
        t = cls.__table__()
        cls._sql_constraints += [
            ('message_id_unique', Unique(t, t.message_id),
                'training_abandon.msg_reply_message_id_unique'),
            ]
        cls._sql_indexes.update({
                Index(
                    t, (t.state, Index.Equality(cardinality='low')),
                    where=t.state.in_(['new'])),
                Index(t, (t.message_id, Index.Equality())),
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

    @classmethod
    def default_kind(cls):
        return 'unknown'

    @classmethod
    def default_state(cls):
        return 'new'

    def get_filename(self, name):
        return f'{self.message_id.strip("<>")}.eml'

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual',
                If(Eval('state') == 'ignored', 'muted',
                    If(Eval('kind').in_(['bounce']), 'danger',
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
