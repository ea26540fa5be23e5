# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from collections import defaultdict

from trytond.i18n import gettext
from trytond.pool import Pool
from trytond.tools import grouped_slice

from .. import tools
from ..exceptions import CaseOpenError
from ..training.enrolment import CURRENT_STATES
from ..training.working_day import WorkingCalendar


class OpeningMixin:
    "Cases that are opened on enrolments"
    __slots__ = ()

    @classmethod
    def open_cases(cls, enrolments, origin, date, note=None):
        """Open a case on each of the enrolments, all or none, and return
        the cases."""
        pool = Pool()
        Configuration = pool.get('training.configuration')
        Step = pool.get('training.abandon.case.step')
        configuration = Configuration(1)

        cls._check_open(enrolments, date)
        by_company = defaultdict(list)
        for enrolment in enrolments:
            by_company[enrolment.company].append(enrolment)
        cases = []
        for company, company_enrolments in by_company.items():
            calendar = WorkingCalendar(company)
            employee = tools.current_employee(company)
            sequence = configuration.get_multivalue(
                'case_sequence', company=company.id)
            # A procedure that is refused takes no number
            procedures = {
                session: cls._session_procedure(session)
                for session in dict.fromkeys(
                    e.session for e in company_enrolments)}
            numbers = sequence.get_many(len(company_enrolments))
            for enrolment, number in zip(company_enrolments, numbers):
                procedure, revised = procedures[enrolment.session]
                case = cls(
                    number=number,
                    company=company,
                    enrolment=enrolment,
                    procedure=procedure,
                    origin=origin,
                    opening_date=date,
                    opened_by=employee,
                    note='\n'.join(filter(None, [note, revised])) or None)
                case.steps = Step.plan(case, calendar)
                cases.append(case)
        for sub_cases in grouped_slice(cases, tools.BATCH):
            cls.save(list(sub_cases))
        return cases

    @classmethod
    def _get_procedure(cls, company):
        pool = Pool()
        Procedure = pool.get('training.abandon.procedure')
        return Procedure.get_active(company)

    @classmethod
    def _session_procedure(cls, session):
        """Return the procedure that the cases of the session follow, and the
        words that tell if it is not the one of the session."""
        if not session.procedure:
            return cls._get_procedure(session.company), None
        procedure = session.procedure.check_in_force(session)
        if procedure == session.procedure:
            return procedure, None
        return procedure, gettext(
            'training_abandon.msg_case_procedure_revised',
            archived=session.procedure.rec_name,
            procedure=procedure.rec_name)

    @classmethod
    def _check_open(cls, enrolments, date):
        refused = [e for e in enrolments if e.state not in CURRENT_STATES]
        if refused:
            raise CaseOpenError(gettext(
                    'training_abandon.msg_case_open_state',
                    enrolments=tools.names(refused)))
        refused = [e for e in enrolments if e.session.state == 'cancelled']
        if refused:
            raise CaseOpenError(gettext(
                    'training_abandon.msg_case_open_session',
                    enrolments=tools.names(refused)))
        refused = [
            e for e in enrolments if date > tools.today(e.company)]
        if refused:
            raise CaseOpenError(gettext(
                    'training_abandon.msg_case_open_future',
                    enrolments=tools.names(refused)))
        cases = []
        for sub_enrolments in grouped_slice(enrolments, tools.BATCH):
            cases += cls.search([
                    ('enrolment', 'in', [e.id for e in sub_enrolments]),
                    ('closed_at', '=', None),
                    ], order=[])
        if cases:
            raise CaseOpenError(gettext(
                    'training_abandon.msg_case_open_already',
                    cases=tools.names(cases)))
