# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval, PYSONEncoder
from trytond.wizard import (
    Button, StateAction, StateTransition, StateView, Wizard)

from ..exceptions import CaseStepError
from .timeline import MESSAGE_KINDS


class PartyWizard(Wizard):
    "Base of the wizards on one party of one case"

    @property
    def case(self):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        cases = {
            r if isinstance(r, Case) else r.case for r in self.records or []}
        if len(cases) != 1:
            raise CaseStepError(gettext(
                    'training_abandon.msg_conversation_one_case'))
        case, = cases
        return case

    @property
    def parties(self):
        "The parties of the events on which the wizard was opened"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        if issubclass(self.model, Case):
            return []
        return list(dict.fromkeys(r.party for r in self.records if r.party))


class Conversation(PartyWizard):
    __name__ = 'training.abandon.case.conversation'

    start = StateTransition()
    choose = StateView(
        'training.abandon.case.conversation.choose',
        'training_abandon.case_conversation_choose_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Open", 'open_', 'tryton-ok', default=True),
            ])
    open_ = StateAction('training_abandon.act_case_conversation')

    def transition_start(self):
        parties = self.case.conversation_parties()
        self.choose.case = self.case
        if len(parties) == 1:
            self.choose.party, = parties
            return 'open_'
        return 'choose'

    def default_choose(self, fields):
        case = self.case
        parties = case.conversation_parties()
        return {
            'case': case.id,
            'parties': [p.id for p in parties],
            'party': parties[0].id if parties else None,
            }

    def do_open_(self, action):
        case, party = self.case, self.choose.party
        if party not in case.conversation_parties():
            raise CaseStepError(gettext(
                    'training_abandon.msg_conversation_party',
                    case=case.rec_name,
                    party=party.rec_name if party else ''))
        action['name'] = f'{action["name"]} - {party.rec_name}'
        domain = [
            ('case', '=', case.id),
            ['OR',
                ('party', '=', party.id),
                ('origin.also_for', '=', party.id, 'training.mail'),
                ],
            ('kind', 'in', MESSAGE_KINDS),
            ]
        action['pyson_domain'] = PYSONEncoder().encode(domain)
        return action, {}


class ConversationChoose(ModelView):
    __name__ = 'training.abandon.case.conversation.choose'

    case = fields.Many2One('training.abandon.case', "Case", readonly=True)
    parties = fields.Many2Many('party.party', None, None, "Parties")
    party = fields.Many2One(
        'party.party', "Party", required=True,
        domain=[
            ('id', 'in', Eval('parties', [])),
            ])


class ConversationMixin:
    "Cases that keep what is written to each party and heard from it"
    __slots__ = ()

    def conversation_parties(self):
        "Return the parties to write to, and those already heard"
        parties = [
            party for _, _, party in self.recipients(
                [self], ['trainee', 'stakeholder'])]
        parties += [p for m in self.mails for p in m.parties]
        parties += [
            r.party for records in [self.replies, self.follow_ups]
            for r in records if r.party]
        return list(dict.fromkeys(parties))

    def _messages_with(self, party):
        """Return the mails to the party and its replies, in time order.

        Nothing of what the others wrote is among them."""
        messages = [
            (m.sent_at, m) for m in self.mails
            if party in m.parties and m.sent_at and m.message_id]
        messages += [
            (r.received_at, r) for r in self.replies
            if r.party == party and r.counted]
        return [m for _, m in sorted(
                messages, key=lambda m: (m[0], str(m[1])))]

    def exchange_subject(self, parties):
        """Return the subject of a mail to the parties.

        It is not made of the subject of a reply, whose words more users
        would read in the one of the mail."""
        pool = Pool()
        Mail = pool.get('training.mail')
        if len(parties) == 1:
            party, = parties
            for message in reversed(self._messages_with(party)):
                if not isinstance(message, Mail):
                    continue
                if subject := (message.subject or '').strip():
                    if subject[:3].lower() != 're:':
                        subject = f'Re: {subject}'
                    return subject
        return gettext(
            'training_abandon.msg_write_subject',
            course=self.enrolment.session.course.name)

    def write_to(self, parties, subject, text):
        "Write to each of the parties and return the mails"
        pool = Pool()
        ActionReport = pool.get('ir.action.report')
        Lang = pool.get('ir.lang')
        Letter = pool.get('training.abandon.procedure.letter')
        report = ActionReport(Letter.default_report())
        default_language = Lang.get()
        lines = [{
                'case': self,
                'party': party,
                'letter': None,
                'kind': 'exchange',
                'report': report,
                'language': party.lang or default_language,
                'to': party.reachable_email,
                'subject': subject,
                'text': f'{text}\n',
                'references': [
                    m.message_id for m in self._messages_with(party)],
                } for party in parties]
        steps = {
            self.id: s for s in self.steps if s.kind == 'exchange'}
        return self.create_mails(steps, lines)
