# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What comes after a decision: the new session, the return, the contract"
import datetime as dt
from collections import defaultdict

from trytond import backend
from trytond.i18n import gettext
from trytond.model import ModelSQL, ModelView, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.tools import grouped_slice
from trytond.transaction import Transaction, without_check_access

from .. import tools
from ..exceptions import CaseBusyError, CaseStepError
from ..rec_name import search_names

# The states of the sessions that nobody joins any more
ENDED_SESSION_STATES = ['done', 'cancelled']


class OutcomeMixin:
    "Cases whose decision tells where the trainee goes, and when"
    __slots__ = ()

    new_enrolment = fields.Many2One(
        'training.enrolment', "New Enrolment", readonly=True,
        ondelete='RESTRICT',
        states={
            'invisible': (
                (Eval('ground') != 'transfer') & ~Eval('new_enrolment')),
            },
        help="The enrolment in the session to which the trainee is "
        "transferred.\nThe hours attended stay on the former one.")
    return_date = fields.Date(
        "Return Date", readonly=True,
        states={
            'invisible': (
                (Eval('ground') != 'postponed') & ~Eval('return_date')),
            },
        help="The day on which the trainee is expected back.")
    return_ended_on = fields.Date(
        "Waiting Ended on", readonly=True,
        states={
            'invisible': ~Eval('return_ended_on'),
            },
        help="The day on which the trainee came back.")
    apprenticeship = fields.Function(
        fields.Boolean("Apprenticeship"), 'on_change_with_apprenticeship')
    contract_end_date = fields.Date(
        "Contract End Date", readonly=True,
        states={
            'invisible': ~Eval('apprenticeship'),
            },
        help="The day on which the apprenticeship contract was broken.\n"
        "The training ends on the effective date only.")
    completions = fields.One2Many(
        'training.abandon.case.completion', 'case', "Completions",
        readonly=True,
        states={
            'invisible': ~Eval('completions'),
            },
        help="The new session and the dates that were told after the "
        "decision.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        is_decided = Eval('decision') & (Eval('state') != 'cancelled')
        is_awaited = (Eval('decision') == 'validated') & Eval('ground').in_(
            ['transfer', 'postponed'])
        cls._buttons.update(
            complete_decision={
                'invisible': ~(
                    is_decided & (is_awaited | Eval('apprenticeship'))),
                'depends': ['decision', 'ground', 'state', 'apprenticeship'],
                })

    @fields.depends('enrolment', '_parent_enrolment.agreement_kind')
    def on_change_with_apprenticeship(self, name=None):
        return bool(self.enrolment
            and self.enrolment.agreement_kind == 'apprenticeship')

    @classmethod
    @ModelView.button_action(
        'training_abandon.wizard_case_complete_decision')
    def complete_decision(cls, cases):
        pass

    @classmethod
    def complete_decisions(
            cls, cases, new_session=None, return_date=None,
            contract_end_date=None, note=None):
        """Tell afterwards what the decision on the cases left open, or move
        it, all or none."""
        pool = Pool()
        Completion = pool.get('training.abandon.case.completion')
        values = {
            'new_session': new_session,
            'return_date': return_date,
            'contract_end_date': contract_end_date,
            }
        values = {name: value for name, value in values.items() if value}
        if not values:
            raise CaseStepError(gettext(
                    'training_abandon.msg_completion_missing'))
        cases = cls.lock_cases(cases)
        refused = [
            c for c in cases if not c.decision or c.state == 'cancelled']
        if refused:
            raise CaseStepError(gettext(
                    'training_abandon.msg_completion_not_decided',
                    cases=tools.names(refused)))
        for case in cases:
            case._check_completion(**values)
            case.check_outcome(
                case.decision, case.ground, case.effective_date, **values)
        cls._write_outcome(cases, **values)
        Completion.record(cases, values, note)
        cls.on_decided(cls.browse(cases))

    def _check_completion(self, new_session=None, return_date=None, **others):
        if (new_session and self.new_enrolment
                and self.new_enrolment.state != 'cancelled'):
            raise CaseStepError(gettext(
                    'training_abandon.msg_completion_transferred',
                    case=self.rec_name,
                    enrolment=self.new_enrolment.rec_name))
        if return_date and (
                self.return_ended_on or self.enrolment.state != 'suspended'):
            raise CaseStepError(gettext(
                    'training_abandon.msg_completion_not_suspended',
                    case=self.rec_name,
                    enrolment=self.enrolment.rec_name))

    def check_outcome(
            self, decision, ground, effective_date, new_session=None,
            return_date=None, contract_end_date=None):
        "Check that the values go with the decision on the case"
        is_validated = decision == 'validated'
        if new_session:
            if not is_validated or ground != 'transfer':
                raise CaseStepError(gettext(
                        'training_abandon.msg_decision_session_ground',
                        ground=self._ground_label('transfer')))
            self._check_new_session(new_session, effective_date)
        if return_date:
            if not is_validated or ground != 'postponed':
                raise CaseStepError(gettext(
                        'training_abandon.msg_decision_return_ground',
                        ground=self._ground_label('postponed')))
            if return_date <= effective_date:
                raise CaseStepError(gettext(
                        'training_abandon.msg_decision_return_date',
                        case=self.rec_name))
        if contract_end_date and not self.apprenticeship:
            raise CaseStepError(gettext(
                    'training_abandon.msg_decision_contract_end',
                    case=self.rec_name))

    def _check_new_session(self, session, effective_date):
        if session == self.enrolment.session:
            raise CaseStepError(gettext(
                    'training_abandon.msg_decision_session_same',
                    case=self.rec_name,
                    session=session.rec_name))
        if session.company != self.company:
            raise CaseStepError(gettext(
                    'training_abandon.msg_decision_session_company',
                    case=self.rec_name,
                    session=session.rec_name))
        start = self._transfer_date(session, effective_date)
        if (session.state in ENDED_SESSION_STATES
                or start and start > session.end_date):
            raise CaseStepError(gettext(
                    'training_abandon.msg_decision_session_ended',
                    case=self.rec_name,
                    session=session.rec_name))

    def _transfer_date(self, session, effective_date):
        """Return the first day of the trainee in the session that has already
        started, or None for the first one of the session."""
        date = max(
            tools.today(self.company), effective_date + dt.timedelta(days=1))
        return date if session.start_date < date else None

    @classmethod
    def _write_outcome(
            cls, cases, new_session=None, return_date=None,
            contract_end_date=None):
        values = {}
        if return_date:
            values['return_date'] = return_date
        if contract_end_date:
            values['contract_end_date'] = contract_end_date
        if values:
            cls.write(cases, values)
        if new_session:
            cls._transfer(cases, new_session)

    @classmethod
    def _transfer(cls, cases, session):
        "Enrol the trainees in the session on the terms of their enrolment"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        session = cls._lock_session(cases, session)
        starts = {
            c.enrolment.id: c._transfer_date(session, c.effective_date)
            for c in cases}
        actions = []
        for sub_cases in grouped_slice(cases, tools.BATCH):
            sub_cases = list(sub_cases)
            enrolments = Enrolment.copy(
                [c.enrolment for c in sub_cases], default={
                    'session': session.id,
                    'start_date': lambda data: starts[data['id']],
                    'end_date': None,
                    'groups': None,
                    'agreed_hours': None,
                    'state': 'draft',
                    'transferred_from': lambda data: data['id'],
                    })
            Enrolment.confirm(enrolments)
            for case, enrolment in zip(sub_cases, enrolments):
                actions += [[case], {'new_enrolment': enrolment.id}]
        cls.write(*actions)

    @classmethod
    def _lock_session(cls, cases, session):
        "Keep the session as it is now, unless it takes nobody any more"
        pool = Pool()
        Session = pool.get('training.session')
        busy = gettext(
            'training_abandon.msg_case_busy', cases=tools.names(cases))
        try:
            tools.lock_records(Session, [session.id])
        except backend.DatabaseOperationalError as exception:
            raise CaseBusyError(busy) from exception
        tools.forget_read()
        session = Session(session.id)
        for case in cls.browse(cases):
            case._check_new_session(session, case.effective_date)
        return session

    @classmethod
    def _cancel_transfers(cls, cases):
        """Cancel the enrolments to which the trainees were transferred, for
        the decision that is taken back."""
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        transferred = [c for c in cases
            if c.new_enrolment
            and c.new_enrolment.state not in {'cancelled', 'withdrawn'}]
        followed = [c for c in transferred
            if c.new_enrolment.state not in {'draft', 'confirmed'}]
        if followed:
            raise CaseStepError(gettext(
                    'training_abandon.msg_case_transferred',
                    cases=tools.names(followed),
                    enrolments=tools.names(
                        [c.new_enrolment for c in followed])))
        if transferred:
            Enrolment.cancel([c.new_enrolment for c in transferred])

    @classmethod
    def _waiting_domain(cls):
        return [
            ('decision', '=', 'validated'),
            ('ground', '=', 'postponed'),
            ('state', '!=', 'cancelled'),
            ('return_ended_on', '=', None),
            ]

    @classmethod
    def end_waiting(cls, enrolments, but=()):
        "Wait no more for the return of the trainees, except for some cases"
        but = set(but)
        for sub_enrolments in grouped_slice(enrolments, tools.BATCH):
            cases = cls.search([
                    cls._waiting_domain(),
                    ('enrolment', 'in', [e.id for e in sub_enrolments]),
                    ], order=[])
            companies = defaultdict(list)
            for case in cases:
                if case not in but:
                    companies[case.company].append(case)
            with without_check_access():
                for company, company_cases in companies.items():
                    cls.write(company_cases, {
                            'return_ended_on': tools.today(company)})


class Completion(ModelSQL, ModelView):
    "What was told, or moved, after the decision on a case"
    __name__ = 'training.abandon.case.completion'

    case = fields.Many2One(
        'training.abandon.case', "Case", required=True, readonly=True,
        ondelete='CASCADE')
    kind = fields.Selection([
            ('new_session', "New Session"),
            ('return_date', "Return Date"),
            ('contract_end_date', "Contract End Date"),
            ], "Kind", required=True, readonly=True, sort=False,
        help="What was told, or moved, after the decision.")
    kind_string = kind.translated('kind')
    session = fields.Many2One(
        'training.session', "Session", readonly=True, ondelete='RESTRICT',
        states={
            'invisible': Eval('kind') != 'new_session',
            })
    date = fields.Date(
        "Date", readonly=True,
        states={
            'invisible': Eval('kind') == 'new_session',
            })
    note = fields.Text(
        "Note", readonly=True, help="Do not write any health detail.")
    at = fields.DateTime("At", required=True, readonly=True)
    employee = fields.Many2One(
        'company.employee', "Employee", readonly=True, ondelete='RESTRICT')
    user = fields.Many2One(
        'res.user', "User", readonly=True, ondelete='RESTRICT')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('case')
        cls._order.insert(0, ('at', 'DESC'))

    def get_rec_name(self, name):
        return f'{self.case.rec_name} - {self.kind_string}'

    @classmethod
    def search_rec_name(cls, name, clause):
        return search_names(cls, clause, 'case.rec_name')

    @classmethod
    def check_modification(
            cls, mode, completions, values=None, external=False):
        super().check_modification(
            mode, completions, values=values, external=external)
        if external or mode in {'write', 'delete'}:
            for completion in completions:
                raise AccessError(gettext(
                        'training_abandon.msg_case_modify',
                        case=completion.case.rec_name))

    @classmethod
    def record(cls, cases, values, note=None):
        "Record the values told for the cases"
        common = {
            'note': note,
            'at': tools.now(),
            'user': Transaction().user,
            }
        employees = {
            c: tools.current_employee(c) for c in {c.company for c in cases}}
        rows = []
        for case in cases:
            employee = employees[case.company]
            for kind, value in values.items():
                is_session = kind == 'new_session'
                rows.append({
                        **common,
                        'case': case.id,
                        'kind': kind,
                        'session': value.id if is_session else None,
                        'date': None if is_session else value,
                        'employee': employee.id if employee else None,
                        })
        cls.create(rows)
