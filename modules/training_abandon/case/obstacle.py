# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the end of an enrolment, or of its session, does to its cases"
from sql.operators import Exists

from trytond.i18n import gettext, ngettext
from trytond.model import fields
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.tools import grouped_slice
from trytond.transaction import without_check_access

from .. import tools
from ..exceptions import CaseStepError
from ..procedure.states import PROGRESS_STATES
from ..training.enrolment import CURRENT_STATES


class ObstacleMixin:
    "Cases that lose their reason when their enrolment ends without them"
    __slots__ = ()

    obstacle = fields.Function(
        fields.Text(
            "Why It Cannot Be Validated",
            states={
                'invisible': ~Eval('obstacle'),
                }),
        'get_obstacle')

    def get_obstacle(self, name):
        "Return why the abandonment cannot be validated any more, or None"
        enrolment, session = self.enrolment, self.enrolment.session
        if self.state not in PROGRESS_STATES:
            return None
        if session.state == 'cancelled':
            return gettext(
                'training_abandon.msg_case_session_cancelled',
                session=session.rec_name)
        if enrolment.state not in CURRENT_STATES:
            return gettext(
                'training_abandon.msg_case_enrolment_ended',
                enrolment=enrolment.rec_name,
                state=enrolment.state_string)

    @classmethod
    def pending_sql(cls, case):
        """Return the SQL expression that is false when the enrolment of a
        case has ended without the decision on the case."""
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Session = pool.get('training.session')
        enrolment, session = Enrolment.__table__(), Session.__table__()
        ended = (enrolment
            .join(session, condition=session.id == enrolment.session)
            .select(
                enrolment.id,
                where=(enrolment.id == case.enrolment)
                & (~enrolment.state.in_(CURRENT_STATES)
                    | (session.state == 'cancelled'))))
        return ~case.state.in_(PROGRESS_STATES) | ~Exists(ended)

    @classmethod
    def undecided(cls, name, ids):
        """Return the cases without decision whose field, name, is among the
        ids."""
        cases = []
        for sub_ids in grouped_slice(sorted(ids), tools.BATCH):
            cases += cls.search([
                    (name, 'in', list(sub_ids)),
                    ('state', 'in', PROGRESS_STATES),
                    ], order=[('id', 'ASC')])
        return cases

    @classmethod
    def _check_session(cls, cases, decision, ground):
        "Refuse what does not fit the cases of the cancelled sessions"
        if decision != 'validated' and ground != 'resumed':
            return
        refused = [
            c for c in cases if c.enrolment.session.state == 'cancelled']
        if refused:
            raise CaseStepError(gettext(
                    'training_abandon.msg_decision_session_cancelled',
                    cases=tools.names(refused)))

    @classmethod
    @without_check_access
    def on_enrolment_end(cls, enrolments):
        "Stop the mails of the cases and tell their owners"
        cases = cls.undecided('enrolment', [e.id for e in enrolments])
        if not cases:
            return
        cls.stop_mails(cases)
        cls.notify_owners(cases, lambda cases: (
                ngettext(
                    'training_abandon.msg_cases_enrolment_ended',
                    len(cases), count=len(cases)),
                ' · '.join(tools.first(
                        f'{c.rec_name}: {c.get_obstacle(None)}'
                        for c in cases))))

    @classmethod
    def stop_mails(cls, cases):
        "Cancel the mails of the cases that have not left"
        pool = Pool()
        Mail = pool.get('training.mail')
        mails = cls.waiting_mails(cases)
        Mail.write(mails, Mail._end('cancelled', gettext(
                    'training_abandon.msg_mail_enrolment_ended')))

    @classmethod
    def waiting_mails(cls, cases):
        pool = Pool()
        Mail = pool.get('training.mail')
        mails = []
        for sub_cases in grouped_slice(cases, tools.BATCH):
            mails += Mail.search([
                    ('case', 'in', [c.id for c in sub_cases]),
                    ('state', 'in', ['draft', 'queued']),
                    ], order=[])
        return mails
