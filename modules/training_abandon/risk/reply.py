# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Bool, Eval
from trytond.transaction import check_access
from trytond.wizard import Button, StateTransition, StateView, Wizard

from ..exceptions import AlertError
from ..notice.notice import LETTER_KIND
from ..training.enrolment import CURRENT_STATES
from .concern import ConcernMixin

# The messages that somebody wrote
WRITTEN_KINDS = ['answer', 'unknown']


class Reply(metaclass=PoolMeta):
    __name__ = 'training.mail.reply'

    concerns = fields.One2Many(
        'training.alert', 'reply', "Concerns", readonly=True,
        states={
            'invisible': ~Eval('concerns', []),
            },
        help="The concerns that were raised from the message.")
    may_be_concern = fields.Function(
        fields.Boolean(
            "May Be a Concern",
            states={
                'invisible': ~Eval('may_be_concern'),
                },
            help="A contact answers a notice of absence and no case is "
            "open: read the message and raise a concern if it tells one."),
        'get_may_be_concern')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._buttons.update(
            raise_concern={
                'invisible': (
                    ~Eval('kind').in_(WRITTEN_KINDS)
                    | ~Bool(Eval('company'))),
                'depends': ['kind', 'company'],
                })

    @classmethod
    def get_may_be_concern(cls, replies, name):
        return {r.id: r._may_be_concern() for r in replies}

    def _may_be_concern(self):
        enrolment = self.mail.enrolment if self.mail else None
        return bool(
            enrolment and self.author
            and self.kind == 'answer' and self.state == 'new'
            and self.mail.kind == LETTER_KIND
            and not enrolment.current_case and not self.concerns
            and self.author in enrolment.concerned_parties()
            and self.author not in enrolment.guardians())

    def _notification_kind(self):
        kind = super()._notification_kind()
        return (
            'concern' if kind == 'answer' and self._may_be_concern()
            else kind)

    def concerned_enrolments(self):
        """Return the current enrolments about which the sender may raise a
        concern"""
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        parties = set(self._parties_of(self.from_))
        if self.party:
            parties.add(self.party)
        ids = [p.id for p in parties]
        with check_access():
            enrolments = Enrolment.search([
                    ('company', '=', self.company.id),
                    ('state', 'in', CURRENT_STATES),
                    ['OR',
                        ('id', '=', self.enrolment.id
                            if self.enrolment else -1),
                        ('contacts.party', 'in', ids),
                        ('employer', 'in', ids),
                        ('prescriber', 'in', ids),
                        ],
                    ])
        return [e for e in enrolments if e.concerned_parties()]

    @classmethod
    @ModelView.button_action('training_abandon.wizard_reply_raise')
    def raise_concern(cls, replies):
        pass

    @classmethod
    def on_count(cls, replies):
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        super().on_count(replies)
        Enrolment.risk_changed({
                r.mail.enrolment.id for r in replies
                if r.mail and r.mail.enrolment})


class Raise(Wizard):
    __name__ = 'training.mail.reply.raise'

    start = StateView(
        'training.mail.reply.raise.start',
        'training_abandon.reply_raise_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Raise", 'apply', 'tryton-ok', default=True),
            ])
    apply = StateTransition()

    def default_start(self, fields):
        reply = self.record
        choices = self._choices()
        enrolment = reply.enrolment
        if enrolment not in choices:
            enrolment = choices[0] if len(choices) == 1 else None
        party = reply.author
        if not enrolment or party not in enrolment.concerned_parties():
            party = None
        return {
            'text': reply.text,
            'choices': [e.id for e in choices],
            'enrolment': enrolment.id if enrolment else None,
            'party': party.id if party else None,
            }

    def _choices(self):
        if (not self.record.company
                or self.record.kind not in WRITTEN_KINDS):
            raise AlertError(gettext(
                    'training_abandon.msg_alert_reply_kind',
                    reply=self.record.rec_name))
        choices = self.record.concerned_enrolments()
        if not choices:
            raise AlertError(gettext(
                    'training_abandon.msg_alert_reply_no_enrolment',
                    reply=self.record.rec_name))
        return choices

    def transition_apply(self):
        pool = Pool()
        Alert = pool.get('training.alert')
        Reply = pool.get('training.mail.reply')
        reply, start = self.record, self.start
        Reply.keep([reply])
        enrolment, party = start.enrolment, start.party
        if (enrolment not in self._choices()
                or party not in enrolment.concerned_parties()):
            raise AlertError(gettext(
                    'training_abandon.msg_alert_reply_party',
                    reply=reply.rec_name))
        Alert.raise_concern(
            [enrolment], start.kind, start.checked_word(), start.level,
            party=party, reply=reply)
        if reply.state == 'new':
            reply.handle([reply])
        return 'end'


class RaiseStart(ConcernMixin, ModelView):
    __name__ = 'training.mail.reply.raise.start'

    text = fields.Text(
        "Text", readonly=True, help="What the message says.")
    choices = fields.Many2Many(
        'training.enrolment', None, None, "Choices", readonly=True)
    enrolment = fields.Many2One(
        'training.enrolment', "Trainee", required=True,
        domain=[
            ('id', 'in', Eval('choices', [])),
            ],
        help="Whom the message is about.")
    parties = fields.Function(
        fields.Many2Many('party.party', None, None, "Parties"),
        'on_change_with_parties')
    party = fields.Many2One(
        'party.party', "Raised by", required=True,
        domain=[
            ('id', 'in', Eval('parties', [])),
            ],
        help="Who writes, and is told what becomes of it.")

    @fields.depends('enrolment')
    def on_change_with_parties(self, name=None):
        return self.enrolment.concerned_parties() if self.enrolment else []
