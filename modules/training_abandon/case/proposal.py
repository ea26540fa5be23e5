# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The alternatives and what the parties answer"
from trytond.i18n import gettext
from trytond.model import ModelSQL, ModelView, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import Eval

from .analysis import CaseCompanyMixin, CaseRecordMixin


class Proposal(CaseCompanyMixin, CaseRecordMixin, ModelSQL, ModelView):
    "An alternative proposed to the trainee"
    __name__ = 'training.abandon.proposal'

    case = fields.Many2One(
        'training.abandon.case', "Case", required=True, ondelete='CASCADE')
    solution = fields.Many2One(
        'training.abandon.solution', "Solution", ondelete='RESTRICT',
        domain=[
            ('company', 'in', [Eval('company', -1), None]),
            ],
        states={
            'required': ~Eval('description'),
            },
        help="What is proposed, from the catalogue of the solutions.")
    description = fields.Text(
        "Terms",
        help="The terms of the solution, as the trainee and the prescriber "
        "read them.\n"
        "Do not write any health detail.")
    state = fields.Selection([
            ('proposed', "Proposed"),
            ('accepted', "Accepted"),
            ('refused', "Refused"),
            ('expired', "Expired"),
            ], "State", required=True, readonly=True, sort=False,
        help="Accepted when the trainee accepts and nobody refuses, refused "
        "as soon as one party refuses.")
    state_string = state.translated('state')
    responses = fields.One2Many(
        'training.abandon.proposal.response', 'proposal', "Responses",
        readonly=True, help="What each party answered, and when.")

    @classmethod
    def default_state(cls):
        return 'proposed'

    def get_rec_name(self, name):
        description = ' '.join((self.description or '').split())
        if not self.solution:
            return description
        return ' – '.join(filter(None, [self.solution.name, description]))

    @classmethod
    def search_rec_name(cls, name, clause):
        return ['OR',
            ('solution.name', *clause[1:]),
            ('description', *clause[1:]),
            ]

    @classmethod
    def settle(cls, proposals):
        """Set the state of the proposals from their responses: one refusal
        is enough to refuse, the trainee is needed to accept."""
        accepted, refused = [], []
        for proposal in cls.browse(proposals):
            answers = {
                r.party: r.answer for r in proposal.last_responses()}
            trainee = proposal.case.enrolment.trainee.party
            if 'refused' in answers.values():
                refused.append(proposal)
            elif answers.get(trainee) == 'accepted':
                accepted.append(proposal)
        cls.write(accepted, {'state': 'accepted'})
        cls.write(refused, {'state': 'refused'})

    def last_responses(self):
        "Return the last response of each party"
        return list({r.party: r for r in self.responses}.values())

    @classmethod
    def expire(cls, proposals):
        cls.write(
            [p for p in proposals if p.state == 'proposed'],
            {'state': 'expired'})

    @classmethod
    def renew(cls, proposals):
        cls.write(
            [p for p in proposals if p.state == 'expired'],
            {'state': 'proposed'})


class ProposalResponse(ModelSQL, ModelView):
    __name__ = 'training.abandon.proposal.response'

    proposal = fields.Many2One(
        'training.abandon.proposal', "Proposal", required=True,
        ondelete='CASCADE')
    party = fields.Many2One(
        'party.party', "Party", required=True, ondelete='RESTRICT')
    answer = fields.Selection([
            ('accepted', "Accepted"),
            ('refused', "Refused"),
            ], "Answer", required=True, sort=False,
        help="If the party accepts the proposal; it is refused as soon as "
        "one party refuses it.")
    answer_string = answer.translated('answer')
    at = fields.DateTime(
        "At", required=True, help="When the party answered.")
    channel = fields.Selection([
            ('call', "Phone Call"),
            ('meeting', "Meeting"),
            ('email', "Email"),
            ('letter', "Letter"),
            ('other', "Other"),
            ], "Channel", required=True, sort=False,
        help="By which means the party answered.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('proposal')
        cls._order.insert(0, ('at', 'ASC'))

    @classmethod
    def check_modification(cls, mode, responses, values=None, external=False):
        super().check_modification(
            mode, responses, values=values, external=external)
        if external:
            for response in responses:
                raise AccessError(gettext(
                        'training_abandon.msg_case_modify',
                        case=response.proposal.case.rec_name))

    @classmethod
    def on_modification(cls, mode, responses, field_names=None):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        super().on_modification(mode, responses, field_names=field_names)
        if mode == 'create':
            Case.on_answer([r.proposal.case for r in responses])

    def get_rec_name(self, name):
        return f'{self.party.rec_name} - {self.answer_string}'

    @classmethod
    def search_rec_name(cls, name, clause):
        return [('party.rec_name', *clause[1:])]
