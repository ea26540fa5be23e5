# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The exchange: what each of the parties says of each of the proposals"
from collections import defaultdict

from lxml import etree

from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval, Len
from trytond.wizard import Button

from .. import tools
from ..exceptions import CaseStepError
from .wizard import StepView, StepWizard, complete_lines

# The most proposals that the exchange shows side by side
COLUMNS = 6
ANSWERS = [f'answer_{column}' for column in range(1, COLUMNS + 1)]
# How the answers come by the exchanges
_CHANNELS = {
    'call': 'call',
    'meeting': 'meeting',
    'visit': 'meeting',
    'mediation': 'meeting',
    'email': 'email',
    'letter': 'letter',
    }


class ExchangeView(StepView):
    "The form whose columns are the proposals"

    def get_view(self, wizard, state_name):
        view = dict(super().get_view(wizard, state_name))
        names = wizard.column_names()
        # The cache keeps the view of all
        view['fields'] = dict(view['fields'])
        exchanges = view['fields']['exchanges'] = dict(
            view['fields']['exchanges'])
        exchanges['views'] = {
            key: dict(child) for key, child in exchanges['views'].items()}
        for child in exchanges['views'].values():
            arch = etree.fromstring(child['arch'].encode('utf-8'))
            for element in arch.xpath('//*[starts-with(@name, "answer_")]'):
                column = int(element.get('name').rpartition('_')[2])
                if column <= len(names):
                    element.set('string', names[column - 1])
                else:
                    element.getparent().remove(element)
            child['arch'] = etree.tostring(
                arch, encoding='utf-8').decode('utf-8')
        return view


class Exchange(StepWizard):
    __name__ = 'training.abandon.case.exchange'

    start = ExchangeView(
        'training.abandon.case.exchange.start',
        'case_exchange_start_view_form',
        Button("Save the Exchange", 'apply', 'tryton-ok', default=True))

    def _columns(self, case):
        return [
            p for p in case.proposals if p.state == 'proposed'][:COLUMNS]

    def column_names(self):
        "Return the titles of the columns of the proposals"
        columns = [[p.rec_name for p in self._columns(c)]
            for c in self.records]
        if len(columns) == 1:
            return columns[0]
        return [
            gettext('training_abandon.msg_exchange_proposal', number=i)
            for i in range(1, max(map(len, columns), default=0) + 1)]

    def default_start(self, fields):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        now = tools.now()
        exchanges, responses = [], []
        for case in self.records:
            parties = [
                p for _, _, p in Case.recipients(
                    [case], ['trainee', 'guardian', 'prescriber'])]
            answers = case.answered_proposals()
            columns = [p.id for p in self._columns(case)]
            for party in dict.fromkeys([*parties, *answers]):
                exchange = {
                    'case': case.id,
                    'party': party.id,
                    'phone': case.phone_of(party),
                    'proposals': columns,
                    'kind': 'call',
                    'at': now,
                    }
                if party in answers:
                    exchange.update(
                        kind='email', at=answers[party], outcome='reached')
                exchanges.append(exchange)
            responses += [{
                    'case': case.id,
                    'proposal': proposal.id,
                    'party': party.id,
                    'at': answers.get(party, now),
                    'channel': 'email' if party in answers else 'call',
                    }
                for proposal in case.proposals
                if proposal.state == 'proposed'
                for party in parties]
        return {'exchanges': exchanges, 'responses': responses}

    def transition_apply(self):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        FollowUp = pool.get('training.follow_up')
        exchanges, answered = [], {}
        for exchange in complete_lines(
                self.start.exchanges,
                'case', 'party', 'kind', 'at', 'outcome', 'note',
                'proposals', *ANSWERS):
            answers = list(exchange.answers())
            for response in answers:
                answered[response.proposal, response.party] = response
            if answers and not exchange.outcome:
                # Who answers was reached
                exchange.outcome = 'reached'
            if exchange.outcome:
                exchanges.append(exchange)
        responses = [
            r for r in complete_lines(
                self.start.responses,
                'case', 'proposal', 'party', 'answer', 'at', 'channel')
            if r.answer and (r.proposal, r.party) not in answered]
        responses += answered.values()
        self._check(exchanges, responses)

        def write(cases, steps):
            for case in cases:
                FollowUp.write(case.exchanges, {'step': steps[case.id].id})
            self._record_exchanges(exchanges, steps)
            self._record_responses(responses)

        Case.apply_step(self.cases, 'exchange', write)
        return 'end'

    def _check(self, exchanges, responses):
        contacted = defaultdict(set)
        for line in exchanges + responses:
            self.check_line(line.case)
            if not line.party:
                raise CaseStepError(gettext(
                        'training_abandon.msg_step_no_party',
                        case=line.case.rec_name))
            if (not line.at
                    or line.at > tools.now()
                    or line.case.local_date(line.at)
                    < line.case.opening_date):
                raise CaseStepError(gettext(
                        'training_abandon.msg_exchange_at',
                        case=line.case.rec_name,
                        party=line.party.rec_name))
        for exchange in exchanges:
            contacted[exchange.case].add(exchange.party)
        for response in responses:
            if response.proposal not in response.case.proposals:
                raise CaseStepError(gettext(
                        'training_abandon.msg_step_other_case',
                        case=response.proposal.rec_name
                        if response.proposal else ''))
        for case in self.cases:
            for follow_up in case.exchanges:
                contacted[case].add(follow_up.party)
            for role, parties in case.exchange_parties():
                if not contacted[case].intersection(parties):
                    raise CaseStepError(gettext(
                            'training_abandon.msg_exchange_missing',
                            case=case.rec_name,
                            party=', '.join(p.rec_name for p in parties)))

    def _record_exchanges(self, exchanges, steps):
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        FollowUp.save([
                FollowUp(
                    company=exchange.case.company,
                    enrolment=exchange.case.enrolment,
                    case=exchange.case,
                    step=steps[exchange.case.id],
                    kind=exchange.kind or FollowUp.default_kind(),
                    party=exchange.party,
                    done_at=exchange.at,
                    employee=tools.current_employee(
                        exchange.case.company),
                    outcome=exchange.outcome,
                    note=exchange.note)
                for exchange in exchanges])

    def _record_responses(self, responses):
        pool = Pool()
        Proposal = pool.get('training.abandon.proposal')
        Response = pool.get('training.abandon.proposal.response')
        Response.save([
                Response(
                    proposal=response.proposal,
                    party=response.party,
                    answer=response.answer,
                    at=response.at,
                    channel=response.channel or 'other')
                for response in responses])
        Proposal.settle(list({r.proposal for r in responses}))


class ExchangeStart(ModelView):
    __name__ = 'training.abandon.case.exchange.start'

    exchanges = fields.One2Many(
        'training.abandon.case.exchange.contact', None, "Exchanges",
        help="The lines without outcome are not recorded.")
    responses = fields.One2Many(
        'training.abandon.case.exchange.response', None, "Responses",
        help="The lines without answer are not recorded.")


def _answer(column):
    return fields.Selection(
        'get_answers', f"Proposal {column}", sort=False,
        states={
            'invisible': Len(Eval('proposals', [])) < column,
            },
        help="What the party answers to this proposal; leave empty if it "
        "does not.")


class ExchangeContact(ModelView):
    "What one party says of each of the proposals"
    __name__ = 'training.abandon.case.exchange.contact'

    case = fields.Many2One('training.abandon.case', "Case", required=True)
    party = fields.Many2One('party.party', "Party", required=True)
    phone = fields.Char("Phone", readonly=True, states={
            'invisible': ~Eval('phone'),
            })
    proposals = fields.Many2Many(
        'training.abandon.proposal', None, None, "Proposals", readonly=True,
        help="Those of the columns, in their order.")
    kind = fields.Selection(
        'get_kinds', "Kind", required=True, sort=False,
        help="By which means the party is contacted.")
    at = fields.DateTime(
        "At", required=True,
        help="When the party was contacted, not before the opening of the "
        "case.")
    outcome = fields.Selection(
        'get_outcomes', "Outcome", sort=False,
        help="What came of it: an attempt without answer counts too.")
    answer_1 = _answer(1)
    answer_2 = _answer(2)
    answer_3 = _answer(3)
    answer_4 = _answer(4)
    answer_5 = _answer(5)
    answer_6 = _answer(6)
    note = fields.Text(
        "Note", help="What was said.  Do not write any health detail.")

    def answers(self):
        "Return the responses of the columns that are filled"
        pool = Pool()
        Response = pool.get('training.abandon.case.exchange.response')
        for name, proposal in zip(ANSWERS, self.proposals or []):
            if answer := getattr(self, name):
                yield Response(
                    case=self.case, proposal=proposal, party=self.party,
                    answer=answer, at=self.at,
                    channel=_CHANNELS.get(self.kind, 'other'))

    @classmethod
    def default_kind(cls):
        return 'call'

    @classmethod
    def default_at(cls):
        return tools.now()

    @classmethod
    def get_kinds(cls):
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        return FollowUp.fields_get(['kind'])['kind']['selection']

    @classmethod
    def get_outcomes(cls):
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        return FollowUp.fields_get(['outcome'])['outcome']['selection']

    @classmethod
    def get_answers(cls):
        pool = Pool()
        Response = pool.get('training.abandon.case.exchange.response')
        return Response.get_answers()


class ExchangeResponse(ModelView):
    __name__ = 'training.abandon.case.exchange.response'

    case = fields.Many2One('training.abandon.case', "Case", required=True)
    proposal = fields.Many2One(
        'training.abandon.proposal', "Proposal", required=True,
        domain=[
            ('case', '=', Eval('case', -1)),
            ])
    party = fields.Many2One('party.party', "Party", required=True)
    answer = fields.Selection(
        'get_answers', "Answer", sort=False,
        help="If the party accepts the proposal; it is refused as soon as "
        "one party refuses it.")
    at = fields.DateTime(
        "At", required=True, help="When the party answered.")
    channel = fields.Selection(
        'get_channels', "Channel", sort=False,
        help="By which means the party answered.")

    @classmethod
    def default_at(cls):
        return tools.now()

    @classmethod
    def default_channel(cls):
        return 'call'

    @classmethod
    def get_answers(cls):
        pool = Pool()
        Response = pool.get('training.abandon.proposal.response')
        return [(None, "")] + (
            Response.fields_get(['answer'])['answer']['selection'])

    @classmethod
    def get_channels(cls):
        pool = Pool()
        Response = pool.get('training.abandon.proposal.response')
        return Response.fields_get(['channel'])['channel']['selection']
