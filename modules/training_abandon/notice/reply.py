# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The justifications that come as replies"
from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval, If
from trytond.wizard import (
    Button, StateAction, StateTransition, StateView, Wizard)

from .justification import KINDS


class Reply(metaclass=PoolMeta):
    __name__ = 'training.mail.reply'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._buttons.update(
            justify={
                'invisible': ~Eval('kind').in_(['answer', 'unknown']),
                'depends': ['kind'],
                })

    @classmethod
    @ModelView.button_action('training_abandon.wizard_reply_justify')
    def justify(cls, replies):
        pass


class Justify(Wizard):
    __name__ = 'training.mail.reply.justify'

    start = StateView(
        'training.mail.reply.justify.start',
        'training_abandon.reply_justify_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Record", 'apply', 'tryton-ok', default=True),
            ])
    apply = StateTransition()
    open_ = StateAction('training_abandon.act_justification_form')

    def default_start(self, fields):
        reply = self.record
        slots = [n.slot for n in reply.mail.notices] if reply.mail else []
        attachments = reply.signatures()
        start = min(slots, key=lambda s: s.start_at, default=None)
        end = max(slots, key=lambda s: s.end_at, default=None)
        return {
            'reply': reply.id,
            'enrolment': reply.enrolment.id if reply.enrolment else None,
            'kind': 'other',
            'start_date': start.date if start else None,
            'start_time': start.start if start else None,
            'end_date': end.date if end else None,
            'end_time': end.end if end else None,
            'attachment': (
                attachments[0].id if len(attachments) == 1 else None),
            }

    def transition_apply(self):
        pool = Pool()
        Justification = pool.get('training.justification')
        start, reply = self.start, self.record
        attachment = start.attachment
        if attachment and attachment not in reply.attachments:
            raise AccessError(gettext(
                    'training_abandon.msg_justification_attachment',
                    reply=reply.rec_name))
        justification = Justification(
            company=start.enrolment.company,
            enrolment=start.enrolment,
            kind=start.kind,
            start_date=start.start_date,
            start_time=start.start_time,
            end_date=start.end_date,
            end_time=start.end_time,
            received_at=reply.received_at,
            reply=reply)
        if attachment:
            justification.document = attachment.data
            justification.filename = attachment.name
        justification.save()
        self.start.justification = justification
        if reply.state == 'new':
            reply.handle([reply])
        return 'open_'

    def do_open_(self, action):
        action['views'].reverse()
        return action, {'res_id': self.start.justification.id}


class JustifyStart(ModelView):
    __name__ = 'training.mail.reply.justify.start'

    reply = fields.Many2One(
        'training.mail.reply', "Reply", readonly=True,
        help="The message that brings the justification.")
    enrolment = fields.Many2One(
        'training.enrolment', "Enrolment", required=True)
    kind = fields.Selection(
        KINDS, "Kind", required=True, sort=False,
        help="Read by the group Sensitive Reasons only.")
    start_date = fields.Date("Start Date", required=True)
    start_time = fields.Time(
        "Start Time", format='%H:%M',
        help="The time of the first day from which it holds, in the time "
        "zone of the company.\n"
        "Leave empty for the whole day.")
    end_date = fields.Date(
        "End Date", required=True,
        domain=[
            If(Eval('start_date') & Eval('end_date'),
                ('end_date', '>=', Eval('start_date', None)),
                ()),
            ])
    end_time = fields.Time(
        "End Time", format='%H:%M',
        help="The time of the last day until which it holds, in the time "
        "zone of the company.\n"
        "Leave empty for the whole day.")
    attachment = fields.Many2One(
        'ir.attachment', "Document",
        domain=[
            ('resource.id', '=', Eval('reply', -1), 'training.mail.reply'),
            ],
        help="The attachment to keep as the document of the justification.")
    justification = fields.Many2One(
        'training.justification', "Justification", readonly=True)
