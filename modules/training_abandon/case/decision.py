# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The decision on a case and what it does to the enrolment"
from collections import defaultdict

from sql.aggregate import Max, Sum

from trytond.i18n import gettext
from trytond.pool import Pool
from trytond.report.report import Report
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from .. import tools
from ..attendance.facts import ATTENDED
from ..exceptions import (
    CaseStepError, DecisionDateWarning, LetterError, RecipientError)
from ..mail.address import check_address
from ..procedure.states import (
    ABSENT_GROUNDS, BEFORE_SESSION_GROUNDS, GROUND_STATES, INVALID_GROUNDS,
    OPEN_STATES, TRAINEE_KINDS)
from ..stored import of_ids
from ..training.enrolment import CURRENT_STATES
from ..training.res import HOURS_CONVERTER
from .undo import DECISION_KINDS


class DecisionMixin:
    "Cases that validate or invalidate an abandonment"
    __slots__ = ()

    @classmethod
    def apply_decision(
            cls, cases, decision, ground, effective_date, note=None,
            **outcome):
        """Validate or invalidate the abandonment of the cases, all or none.

        outcome may have the new_session, the return_date and the
        contract_end_date."""
        resumed = ground == 'resumed'
        if resumed:
            cases, steps = cls._take_open(cases)
        else:
            cases, steps = cls.take(cases, 'decide')
        cls._check_decision(
            cases, decision, ground, effective_date, **outcome)
        if decision == 'validated':
            cls._warn_presences(cases, effective_date)
        ended = [c for c in cases if c.has_ended_enrolment]
        if replaced := [c for c in cases if c.decision]:
            cls._replace_decisions(replaced, cls._ground_label(ground))

        def write(cases, steps):
            cls._write_decision(
                cases, decision, ground, effective_date, note)

        if decision == 'validated':
            cls.move_to('validated', cases, steps, write)
            cls._end_enrolments(cases, ground, effective_date)
            if ground != 'abandonment':
                cls._skip_certificate(cases)
            if ground == 'postponed':
                cls.end_waiting([c.enrolment for c in cases], but=cases)
        else:
            cls.move_to('invalidated', cases, steps, write)
            cls._skip_rest(
                cls.browse(cases),
                gettext('training_abandon.msg_step_skip_invalidated'),
                by_procedure=True)
            cls._end(cases)
            cls.restore_enrolments(
                ended, effective_date if resumed else None)
        cases = cls.browse(cases)
        cls._write_outcome(cases, **outcome)
        cls.on_decided(cases)
        cls._send_decision(cases, steps)

    @classmethod
    def on_decided(cls, cases):
        "Hook called once a decision on the cases is applied or completed"

    @classmethod
    def _replace_decisions(cls, cases, reason):
        "Undo what the decisions that another one replaces have produced"
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        cls.check_undo(cases)
        cls.lock_mails(m for c in cases for m in c.mails)
        cls._record_decisions('replaced', cases)
        cls._cancel_transfers(cases)
        cls.cancel_waiting(
            m for c in cases for m in c.mails if m.kind in DECISION_KINDS)
        cls._void_certificates(cases, reason)
        Step.reopen([
                s for c in cases for s in c.steps
                if s.kind == 'certify' and s.state == 'done'])

    @classmethod
    def _skip_certificate(cls, cases):
        "Skip the certificate, that is made of abandonments only"
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        Step.skip([
                s for c in cls.browse(cases) for s in c.steps
                if s.kind == 'certify' and s.state == 'todo'],
            gettext('training_abandon.msg_step_skip_no_certificate'),
            by_procedure=True)

    @classmethod
    def _take_open(cls, cases):
        cases = cls.lock_cases(cases)
        refused = [c for c in cases if c.state not in OPEN_STATES]
        if refused:
            raise CaseStepError(gettext(
                    'training_abandon.msg_case_not_open',
                    cases=tools.names(refused)))
        return cases, {
            c.id: s for c in cases for s in c.steps
            if s.kind == 'decide' and s.state == 'todo'}

    @classmethod
    def _check_decision(
            cls, cases, decision, ground, effective_date, **outcome):
        if not decision or not ground or not effective_date:
            raise CaseStepError(gettext(
                    'training_abandon.msg_decision_missing'))
        grounds = (
            GROUND_STATES if decision == 'validated' else INVALID_GROUNDS)
        if ground not in grounds:
            raise CaseStepError(gettext(
                    'training_abandon.msg_decision_ground',
                    ground=cls._ground_label(ground)))
        cls._check_session(cases, decision, ground)
        for case in cases:
            cls._check_effective_date(
                case, decision, ground, effective_date)
            case.check_outcome(decision, ground, effective_date, **outcome)
        ended = [c for c in cases
            if c.enrolment.state not in CURRENT_STATES]
        if decision == 'validated' and ended:
            raise CaseStepError(gettext(
                    'training_abandon.msg_decision_enrolment_ended',
                    cases=tools.names(ended)))
        if ground in ABSENT_GROUNDS:
            cls._check_never_attended(cases, ground)

    @classmethod
    def _check_never_attended(cls, cases, ground):
        hours = cls._hours_attended(cases)
        attended = [c for c in cases if c.enrolment.id in hours]
        if attended:
            raise CaseStepError(gettext(
                    'training_abandon.msg_decision_attended',
                    ground=cls._ground_label(ground),
                    cases=tools.names(attended)))

    @classmethod
    def _warn_presences(cls, cases, effective_date):
        "Warn that the trainees attended after the effective date"
        pool = Pool()
        Lang = pool.get('ir.lang')
        Warning = pool.get('res.user.warning')
        hours = cls._hours_attended(cases, effective_date)
        attended = [c for c in cases if c.enrolment.id in hours]
        if not attended:
            return
        key = Warning.format(
            f'training_decision_presences_{effective_date}', attended)
        if Warning.check(key):
            lang = Lang.get()
            raise DecisionDateWarning(key, gettext(
                    'training_abandon.msg_decision_presences',
                    date=lang.strftime(effective_date),
                    cases='\n'.join(tools.first(
                            cls._describe_presences(
                                c, *hours[c.enrolment.id], lang)
                            for c in attended))))

    @classmethod
    def _describe_presences(cls, case, hours, last, lang):
        return gettext(
            'training_abandon.msg_decision_presence',
            case=case.rec_name,
            hours=Report.format_timedelta(hours, HOURS_CONVERTER, lang),
            date=lang.strftime(last))

    @classmethod
    def _hours_attended(cls, cases, after=None):
        """Return the time attended and the day of the last presence, by id of
        the enrolments that attended, after the date if any."""
        pool = Pool()
        Attendance = pool.get('training.attendance')
        cursor = Transaction().connection.cursor()
        result = {}
        for sub_cases in grouped_slice(cases, tools.BATCH):
            held = Attendance._held_query(
                of_ids(c.enrolment.id for c in sub_cases))
            where = held.state.in_(ATTENDED)
            if after:
                where &= held.date > after
            cursor.execute(*tools.apply_types(
                    held.select(
                        held.enrolment.as_('enrolment'),
                        (Sum(held.duration) - Sum(held.missed)).as_('hours'),
                        Max(held.date).as_('last'),
                        where=where,
                        group_by=[held.enrolment]),
                    None, 'INTERVAL', 'DATE'))
            result.update((id_, values) for id_, *values in cursor)
        return result

    @classmethod
    def _ground_label(cls, ground):
        labels = dict(cls.fields_get(['ground'])['ground']['selection'])
        return labels.get(ground, ground)

    @classmethod
    def _check_effective_date(cls, case, decision, ground, effective_date):
        if effective_date > tools.today(case.company):
            raise CaseStepError(gettext(
                    'training_abandon.msg_decision_date_future',
                    case=case.rec_name))
        enrolment = case.enrolment
        start = max(filter(None, [
                    enrolment.start_date, enrolment.session.start_date]))
        if (decision == 'validated'
                and ground not in BEFORE_SESSION_GROUNDS
                and effective_date < start):
            raise CaseStepError(gettext(
                    'training_abandon.msg_decision_date_before_start',
                    case=case.rec_name,
                    grounds=', '.join(
                        map(cls._ground_label, BEFORE_SESSION_GROUNDS))))

    @classmethod
    def _write_decision(cls, cases, decision, ground, effective_date, note):
        values = {
            'decision': decision,
            'ground': ground,
            'effective_date': effective_date,
            'decision_note': note,
            'new_enrolment': None,
            'return_date': None,
            'return_ended_on': None,
            'contract_end_date': None,
            }
        groups = defaultdict(list)
        for case in cases:
            employee = tools.current_employee(case.company)
            previous = {}
            if decision == 'validated':
                previous = {
                    'previous_enrolment_state': case.enrolment.state,
                    'previous_end_date': case.enrolment.end_date,
                    }
            groups[employee, tuple(previous.items())].append(case)
        for (employee, previous), group in groups.items():
            cls.write(group, {
                    **values, **dict(previous),
                    'decided_by': employee.id if employee else None,
                    })

    @classmethod
    def _end_enrolments(cls, cases, ground, effective_date):
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        state = GROUND_STATES[ground]
        end = {
            'withdrawn': Enrolment.withdraw,
            'cancelled': Enrolment.call_off,
            'suspended': Enrolment.suspend,
            }[state]
        enrolments = Enrolment.browse([c.enrolment.id for c in cases])
        Enrolment.end_expectation(
            enrolments, effective_date, reason=cls._ground_label(ground),
            origins={c.enrolment: {'case': c.id} for c in cases},
            suspended=state == 'suspended')
        end(enrolments)

    @classmethod
    def restore_enrolments(cls, cases, date=None):
        """Give the trainees back the enrolment that the decision ended, from
        the date, or as if it had never been."""
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        restore = {
            'draft': Enrolment.redraft_as_before,
            'confirmed': Enrolment.reconfirm,
            'suspended': Enrolment.suspend,
            'started': Enrolment.restart,
            }
        by_state = defaultdict(list)
        for case in cases:
            state = case.previous_enrolment_state
            if date and state == 'suspended':
                # Who comes back is not suspended any more
                state = 'started'
            by_state[state].append(case)
        for state, group in by_state.items():
            enrolments = Enrolment.browse([c.enrolment.id for c in group])
            restore[state](enrolments)
            enrolments = Enrolment.browse(enrolments)
            if date:
                Enrolment.resume_expectation(enrolments, date)
            else:
                Enrolment.restore_expectation(enrolments)
            Enrolment.follow_session(enrolments)

    @property
    def has_ended_enrolment(self):
        "If the enrolment still is as the decision of the case left it"
        return (self.decision == 'validated'
            and self.enrolment.state == GROUND_STATES[self.ground])

    @classmethod
    def _send_decision(cls, cases, steps):
        "Send the letters that the procedure has for the ground"
        procedures, recipients = {}, []
        for case in cases:
            # One instance keeps its letters
            procedure = procedures.setdefault(case.procedure, case.procedure)
            recipients += case._to_tell(procedure.get_letter(
                    'decide', case.ground, 'stakeholder'))
        lines = cls.render_letters(
            recipients, 'decide', lambda case: case.ground, to_end=True)
        not_told = []
        for line in list(lines):
            try:
                check_address(line['to'], line['party'])
                if line['error']:
                    raise LetterError(line['error'])
            except (LetterError, RecipientError):
                lines.remove(line)
                not_told.append(line)
        cls.create_mails(steps, lines)
        if not_told:
            cls._notify_not_told(not_told)

    @classmethod
    def _notify_not_told(cls, lines):
        "Tell the user, or the owners, who is not written to for want of email"
        def describe(cases):
            is_resumed = cases[0].ground == 'resumed'
            return gettext(
                'training_abandon.msg_decide_not_told' if is_resumed
                else 'training_abandon.msg_decision_not_told'), ', '.join(
                    tools.first(
                        line['party'].rec_name for line in lines
                        if line['case'] in cases))

        cases = list(dict.fromkeys(line['case'] for line in lines))
        if Transaction().user:
            cls.notify_user(cases, 'tryton-warning', *describe(cases))
        else:
            cls.notify_owners(cases, describe)

    def _to_tell(self, letter):
        """Return the list of (case, audience, party) to tell of the decision:
        the stakeholders are those of the roles of the letter to them, if any.

        The resumption is told to those who were told of the absence."""
        audiences = ['trainee']
        if letter:
            audiences += letter.roles or ['stakeholder']
        recipients = self.recipients([self], audiences)
        if self.ground == 'resumed':
            told = self._told()
            recipients = [
                r for r in recipients if r[1] == 'trainee' or r[2] in told]
            known = {party for _, _, party in recipients}
            recipients += [
                (self, 'stakeholder', p) for p in self._concerned()
                if p in told and p not in known]
        return recipients

    def _concerned(self):
        """Return the list of the stakeholders, of the funders and of those
        who were written to as such"""
        return list(dict.fromkeys([
                    *(p for _, p in self.enrolment.stakeholders()),
                    *(p for _, p in self.enrolment.stakeholders('funder')),
                    *(p for m in self.mails if m.kind not in TRAINEE_KINDS
                        for p in m.parties),
                    ]))

    def _told(self):
        "Return the parties that know of the absence"
        return {
            p for m in self.mails
            if m.state not in {'failed', 'cancelled'}
            and not m.bounced_at
            for p in m.parties} | {
            f.party for f in self.follow_ups
            if f.done_at
            and f.outcome not in {None, 'no_answer', 'wrong_contact'}}
