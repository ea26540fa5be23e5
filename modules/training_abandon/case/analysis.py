# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.i18n import gettext
from trytond.model import ModelSQL, ModelView, Unique, fields
from trytond.model.exceptions import AccessError
from trytond.pyson import Eval


class CaseRecordMixin:
    "What the steps record on the case, that nobody changes otherwise"
    __slots__ = ()

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('case')

    @classmethod
    def check_modification(cls, mode, records, values=None, external=False):
        super().check_modification(
            mode, records, values=values, external=external)
        if external:
            for record in records:
                raise AccessError(gettext(
                        'training_abandon.msg_case_modify',
                        case=record.case.rec_name))


class CaseCompanyMixin:
    __slots__ = ()

    company = fields.Function(fields.Many2One(
            'company.company', "Company"),
        'on_change_with_company')

    @fields.depends('case', '_parent_case.company')
    def on_change_with_company(self, name=None):
        return self.case.company if self.case else None


class CaseReason(CaseRecordMixin, ModelSQL):
    "A reason that the trainee declared"
    __name__ = 'training.abandon.case-training.abandon.reason'

    case = fields.Many2One(
        'training.abandon.case', "Case", required=True, ondelete='CASCADE')
    reason = fields.Many2One(
        'training.abandon.reason', "Reason", required=True,
        ondelete='RESTRICT')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_constraints += [
            ('case_reason_unique', Unique(t, t.case, t.reason),
                'training_abandon.msg_case_reason_unique'),
            ]


class Cause(CaseCompanyMixin, CaseRecordMixin, ModelSQL, ModelView):
    "A cause that the analysis determined"
    __name__ = 'training.abandon.case.cause'

    case = fields.Many2One(
        'training.abandon.case', "Case", required=True, ondelete='CASCADE')
    cause = fields.Many2One(
        'training.abandon.reason', "Cause", required=True,
        ondelete='RESTRICT',
        domain=[
            ('company', 'in', [Eval('company', -1), None]),
            ])
    responsible = fields.Selection([
            ('trainee', "Trainee"),
            ('employer', "Employer"),
            ('provider', "Training Provider"),
            ('external', "External"),
            ], "Responsible", required=True, sort=False)
    responsible_string = responsible.translated('responsible')
    note = fields.Text(
        "Note", help="Read by the group Sensitive Reasons only.")

    @classmethod
    def default_responsible(cls):
        return 'trainee'

    def get_rec_name(self, name):
        return self.cause.rec_name

    @classmethod
    def search_rec_name(cls, name, clause):
        return [('cause.rec_name', *clause[1:])]


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
            })
    description = fields.Text(
        "Description",
        help="The terms of the solution, as the trainee and the prescriber "
        "read them.")
    state = fields.Selection([
            ('proposed', "Proposed"),
            ('accepted', "Accepted"),
            ('refused', "Refused"),
            ('expired', "Expired"),
            ], "State", required=True, readonly=True, sort=False)
    state_string = state.translated('state')
    responses = fields.One2Many(
        'training.abandon.proposal.response', 'proposal', "Responses",
        readonly=True)

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
            answers = {}
            for response in proposal.responses:
                answers[response.party] = response.answer
            trainee = proposal.case.enrolment.trainee.party
            if 'refused' in answers.values():
                refused.append(proposal)
            elif answers.get(trainee) == 'accepted':
                accepted.append(proposal)
        cls.write(accepted, {'state': 'accepted'})
        cls.write(refused, {'state': 'refused'})

    @classmethod
    def expire(cls, proposals):
        cls.write(
            [p for p in proposals if p.state == 'proposed'],
            {'state': 'expired'})


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
            ], "Answer", required=True, sort=False)
    answer_string = answer.translated('answer')
    at = fields.DateTime("At", required=True)
    channel = fields.Selection([
            ('call', "Phone Call"),
            ('meeting', "Meeting"),
            ('email', "Email"),
            ('letter', "Letter"),
            ('other', "Other"),
            ], "Channel", required=True, sort=False)

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

    def get_rec_name(self, name):
        return f'{self.party.rec_name} - {self.answer_string}'

    @classmethod
    def search_rec_name(cls, name, clause):
        return [('party.rec_name', *clause[1:])]
