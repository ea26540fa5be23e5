# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
from collections import defaultdict

from sql import Null
from sql.aggregate import Min

from trytond.i18n import gettext
from trytond.model import Index, ModelSQL, ModelView, Workflow, fields
from trytond.model.exceptions import AccessError
from trytond.modules.company.model import employee_field
from trytond.pool import Pool
from trytond.pyson import Eval, If
from trytond.tools import grouped_slice
from trytond.transaction import Transaction, without_check_access
from trytond.wizard import Button, StateTransition, StateView, Wizard

from .. import tools
from ..attendance.minutes import PARTIAL_STATES
from ..exceptions import TrainingValidationError
from ..kept import KeptMixin
from ..rec_name import search_names
from ..tools import BATCH

KINDS = [
    ('sick_leave', "Sick Leave"),
    ('family', "Family Event"),
    ('transport', "Transport"),
    ('work', "Work"),
    ('summons', "Official Summons"),
    ('other', "Other"),
    ]


class Justification(KeptMixin, Workflow, ModelSQL, ModelView):
    "What excuses the trainee at the slots of its period"
    __name__ = 'training.justification'

    _states = {
        'readonly': Eval('state') != 'received',
        }

    company = fields.Many2One(
        'company.company', "Company", required=True, states=_states)
    enrolment = fields.Many2One(
        'training.enrolment', "Enrolment", required=True, ondelete='CASCADE',
        domain=[
            ('company', '=', Eval('company', -1)),
            ],
        states=_states)
    kind = fields.Selection(
        KINDS, "Kind", required=True, sort=False, states=_states,
        help="Read by the group Sensitive Reasons only.")
    start_date = fields.Date("Start Date", required=True, states=_states)
    start_time = fields.Time(
        "Start Time", format='%H:%M', states=_states,
        help="The time of the first day from which it holds, in the time zone "
        "of the company.\nLeave empty for the whole day.")
    end_date = fields.Date(
        "End Date", required=True,
        domain=[
            If(Eval('start_date') & Eval('end_date'),
                ('end_date', '>=', Eval('start_date', None)),
                ()),
            ],
        states=_states)
    end_time = fields.Time(
        "End Time", format='%H:%M', states=_states,
        help="The time of the last day until which it holds, in the time zone "
        "of the company.\nLeave empty for the whole day.")
    document = fields.Binary(
        "Document", filename='filename', states=_states,
        file_id='document_file_id', store_prefix=None,
        help="Read by the group Sensitive Reasons only.")
    document_file_id = fields.Char("Document File ID", readonly=True)
    filename = fields.Char("File Name")
    received_at = fields.DateTime(
        "Received at", required=True, states=_states,
        help="When the document arrived.")
    reply = fields.Many2One(
        'training.mail.reply', "Reply", readonly=True, ondelete='RESTRICT',
        states={
            'invisible': ~Eval('reply'),
            },
        help="The email by which it came.")
    note = fields.Text(
        "Note",
        help="Do not write any health detail.\n"
        "Read by the group Sensitive Reasons only.")
    attendances = fields.One2Many(
        'training.attendance', 'justified_by', "Excused Slots",
        readonly=True,
        help="The lines of the sheets that it excuses once accepted.")
    decided_by = employee_field(
        "Decided by", states=['received', 'accepted', 'refused'])
    decided_at = fields.DateTime(
        "Decided at", readonly=True, help="When it was accepted or refused.")
    refusal_reason = fields.Text(
        "Refusal Reason", readonly=True,
        states={
            'invisible': Eval('state') != 'refused',
            },
        help="Why the absence stays unexcused.\n"
        "Do not write any health detail.\n"
        "Read by the group Sensitive Reasons only.")
    state = fields.Selection([
            ('received', "To Decide"),
            ('accepted', "Accepted"),
            ('refused', "Refused"),
            ], "State", readonly=True, required=True, sort=False,
        help="Once accepted, it excuses the absences between its dates, "
        "also those of the sheets still to come.")

    del _states

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.update({
                Index(t, (t.state, Index.Equality(cardinality='low'))),
                Index(t, (t.enrolment, Index.Equality())),
                Index(
                    t, (t.reply, Index.Equality()), where=t.reply != Null),
                Index(
                    t, (t.start_date, Index.Range()), (t.id, Index.Range())),
                })
        cls._order.insert(0, ('start_date', 'DESC'))
        cls._transitions |= {
            ('received', 'accepted'),
            ('received', 'refused'),
            ('accepted', 'refused'),
            ('refused', 'accepted'),
            ('accepted', 'received'),
            ('refused', 'received'),
            }
        cls._buttons.update(
            accept={
                'invisible': Eval('state') == 'accepted',
                'depends': ['state'],
                },
            refuse={
                'invisible': Eval('state') == 'refused',
                'depends': ['state'],
                },
            reset={
                'invisible': Eval('state') == 'received',
                'depends': ['state'],
                })

    @classmethod
    def default_company(cls):
        return Transaction().context.get('company')

    @classmethod
    def default_kind(cls):
        return 'other'

    @classmethod
    def default_received_at(cls):
        return tools.now()

    @classmethod
    def default_state(cls):
        return 'received'

    @fields.depends('start_date', 'end_date')
    def on_change_start_date(self):
        if self.start_date and not self.end_date:
            self.end_date = self.start_date

    @fields.depends('enrolment', '_parent_enrolment.company')
    def on_change_enrolment(self):
        if self.enrolment:
            self.company = self.enrolment.company

    def get_rec_name(self, name):
        pool = Pool()
        Lang = pool.get('ir.lang')
        lang = Lang.get()

        def at(date, time):
            return ' '.join(filter(None, [
                        lang.strftime(date) if date else '',
                        time.strftime('%H:%M') if time else '']))

        start = at(self.start_date, self.start_time)
        end = at(
            self.end_date if self.end_date != self.start_date else None,
            self.end_time)
        return ' – '.join(filter(None, [start, end]))

    @classmethod
    def search_rec_name(cls, name, clause):
        return search_names(cls, clause, 'enrolment.rec_name')

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual',
                If(Eval('state') == 'received', 'warning',
                    If(Eval('state') == 'refused', 'muted', ''))),
            ]

    @classmethod
    def validate_fields(cls, justifications, field_names):
        super().validate_fields(justifications, field_names)
        cls.check_period(justifications, field_names)

    @classmethod
    def check_period(cls, justifications, field_names=None):
        if field_names and not field_names & {
                'start_date', 'start_time', 'end_date', 'end_time'}:
            return
        for justification in justifications:
            start = dt.datetime.combine(
                justification.start_date,
                justification.start_time or dt.time.min)
            end = dt.datetime.combine(
                justification.end_date, justification.end_time or dt.time.max)
            if end <= start:
                raise TrainingValidationError(gettext(
                        'training_abandon.msg_justification_period',
                        justification=justification.rec_name))

    @classmethod
    def check_modification(
            cls, mode, justifications, values=None, external=False):
        super().check_modification(
            mode, justifications, values=values, external=external)
        if not external:
            return
        decision = {'state', 'decided_by', 'decided_at', 'refusal_reason'}
        for justification in justifications:
            if (mode == 'create' and justification.state != 'received'
                    or mode == 'write' and values.keys() & decision):
                raise AccessError(gettext(
                        'training_abandon.msg_justification_decide',
                        justification=justification.rec_name))
            elif (justification.state != 'received'
                    and (mode == 'delete'
                        or mode == 'write' and values.keys() - {'note'})):
                raise AccessError(gettext(
                        'training_abandon.msg_justification_modify',
                        justification=justification.rec_name))

    @classmethod
    def copy(cls, justifications, default=None):
        default = default.copy() if default is not None else {}
        for name in [
                'attendances', 'decided_by', 'decided_at', 'refusal_reason',
                'reply']:
            default.setdefault(name)
        return super().copy(justifications, default=default)

    @classmethod
    @ModelView.button
    @Workflow.transition('accepted')
    def accept(cls, justifications):
        "Excuse the absences of the period"
        cls._decide(justifications)
        cls._excuse(justifications)
        cls._correct_notices(cls._excused_by(justifications))
        cls._tell_cases(justifications)

    @classmethod
    @ModelView.button_action('training_abandon.wizard_justification_refuse')
    def refuse(cls, justifications):
        pass

    @classmethod
    @Workflow.transition('refused')
    def refuse_for(cls, justifications, reason):
        "Refuse the justifications for the reason"
        cls._decide(justifications, reason)
        cls._release(justifications)

    @classmethod
    @ModelView.button
    @Workflow.transition('received')
    def reset(cls, justifications):
        "Take the decision back"
        cls.write(justifications, {
                'decided_by': None,
                'decided_at': None,
                'refusal_reason': None,
                })
        cls._release(justifications)

    @classmethod
    def _decide(cls, justifications, refusal_reason=None):
        cls.keep(justifications)
        companies = defaultdict(list)
        for justification in justifications:
            companies[justification.company].append(justification)
        for company, company_justifications in companies.items():
            employee = tools.current_employee(company)
            cls.write(company_justifications, {
                    'decided_by': employee.id if employee else None,
                    'decided_at': tools.now(),
                    'refusal_reason': refusal_reason,
                    })

    @classmethod
    def covers_sql(cls, justification, slot):
        """Return the SQL expression that is true when a part of the slot is
        in the period of the justification."""
        return (
            (slot.date >= justification.start_date)
            & (slot.date <= justification.end_date)
            & ((slot.date > justification.start_date)
                | (justification.start_time == Null)
                | (slot.end > justification.start_time))
            & ((slot.date < justification.end_date)
                | (justification.end_time == Null)
                | (slot.start < justification.end_time)))

    @classmethod
    def excuse_at(cls, slots):
        "Excuse the absences at the slots that what is accepted justifies"
        for sub_slots in grouped_slice(slots, BATCH):
            ids = [s.id for s in sub_slots]
            cls._excuse_where(lambda justification, slot:
                fields.SQL_OPERATORS['in'](slot.id, ids)
                & (justification.state == 'accepted'))

    @classmethod
    def _excuse(cls, justifications):
        "Excuse the absences in the period of the justifications"
        for sub_justifications in grouped_slice(justifications, BATCH):
            ids = [j.id for j in sub_justifications]
            cls._excuse_where(lambda justification, slot:
                fields.SQL_OPERATORS['in'](justification.id, ids))

    @classmethod
    def _excuse_where(cls, get_where):
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Slot = pool.get('training.session.slot')
        cursor = Transaction().connection.cursor()
        justification = cls.__table__()
        attendance, slot = Attendance.__table__(), Slot.__table__()
        cursor.execute(*justification
            .join(attendance,
                condition=attendance.enrolment == justification.enrolment)
            .join(slot, condition=slot.id == attendance.slot)
            .select(
                attendance.id, attendance.source, justification.id,
                attendance.state,
                where=get_where(justification, slot)
                & ((attendance.state == 'absent')
                    | (attendance.state.in_(PARTIAL_STATES)
                        & (attendance.justified_by == Null)))
                & cls.covers_sql(justification, slot),
                order_by=[justification.id, attendance.id]))
        rows = cursor.fetchall()
        justifications, partial = (
            tools.browse_by_id(Model, ids) for Model, ids in [
                (cls, {id_ for _, _, id_, _ in rows}),
                (Attendance, {
                        id_ for id_, _, _, state in rows
                        if state in PARTIAL_STATES})])
        lines, excused = defaultdict(list), set()
        for attendance_id, source, id_, state in rows:
            justification = justifications[id_]
            if attendance_id in excused or (
                    state in PARTIAL_STATES
                    and not justification._covers(partial[attendance_id])):
                continue
            excused.add(attendance_id)
            if state == 'absent':
                state = 'excused'
            lines[source, state, id_, justification.rec_name].append(
                attendance_id)
        cls._write_lines(lines)

    def _covers(self, attendance):
        "Return if a part of the time missed by the trainee is in the period"
        start = dt.datetime.combine(
            self.start_date, self.start_time or dt.time.min)
        end = dt.datetime.combine(self.end_date, self.end_time or dt.time.max)
        return any(
            start < missed_end and missed_start < end
            for missed_start, missed_end in attendance.missed_periods())

    @classmethod
    def _excused_by(cls, justifications):
        "Return the attendances that the justifications excuse"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        result = []
        for sub_justifications in grouped_slice(justifications, BATCH):
            result += Attendance.search([
                    ('justified_by', 'in', [j.id for j in sub_justifications]),
                    ])
        return result

    @classmethod
    def _correct_notices(cls, attendances):
        "Correct the notices of the attendances on the official sheets"
        pool = Pool()
        Notice = pool.get('training.attendance.notice')
        slots = list(dict.fromkeys(a.slot for a in attendances))
        Notice.correct([s for s in slots if s.state == 'held'])

    @classmethod
    def _tell_cases(cls, justifications):
        "Tell the owners of the open cases what is justified meanwhile"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        by_enrolment = defaultdict(list)
        for justification in justifications:
            by_enrolment[justification.enrolment.id].append(justification)
        cases = []
        for sub_ids in grouped_slice(list(by_enrolment), BATCH):
            cases += Case.search([
                    ('enrolment', 'in', list(sub_ids)),
                    ('closed_at', '=', None),
                    ], order=[])

        def describe(cases):
            justified = [
                (c, j) for c in cases for j in by_enrolment[c.enrolment.id]]
            # The kind of the justification is private
            return gettext(
                'training_abandon.msg_case_justified',
                count=len(justified)), ' · '.join(tools.first(
                        ': '.join([c.rec_name, j.get_rec_name('rec_name')])
                        for c, j in justified))

        if cases:
            Case.notify_owners(cases, describe, icon='tryton-info')

    @classmethod
    def _release(cls, justifications):
        """Have absent, or late without excuse, again those whom only these
        justifications excuse"""
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        attendances = cls._excused_by(justifications)
        lines = defaultdict(list)
        for attendance in attendances:
            state = attendance.state
            if state == 'excused':
                state = 'absent'
            lines[attendance.source, state, None, None].append(
                attendance.id)
        enrolments = sorted({a.enrolment.id for a in attendances})
        with Enrolment.store_facts_once():
            cls._write_lines(lines)
            for sub_enrolments in grouped_slice(enrolments, BATCH):
                cls._excuse(cls.search([
                            ('enrolment', 'in', list(sub_enrolments)),
                            ('state', '=', 'accepted'),
                            ('id', 'not in', [j.id for j in justifications]),
                            ]))
        cls._correct_notices(attendances)

    @classmethod
    def _write_lines(cls, lines):
        """Write on the attendances their source, state, justification and
        its name, even if their sheets are closed: the logs tell it.

        The source is kept because nobody has looked at the lines, and so is
        the state of a lateness."""
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Enrolment = pool.get('training.enrolment')
        names = ['source', 'state', 'justified_by', 'justification']
        excused, justified = [], []
        for values, ids in lines.items():
            actions, values = excused, dict(zip(names, values))
            if values['state'] in PARTIAL_STATES:
                del values['state']
                actions = justified
            for sub_ids in grouped_slice(ids, BATCH):
                actions += [Attendance.browse(list(sub_ids)), values]
        with without_check_access(), Transaction().set_context(_log=True), \
                Enrolment.store_facts_once():
            # The lines written together are computed again together
            for actions in filter(None, [excused, justified]):
                Attendance.write(*actions)

    @classmethod
    def expected_excused(cls, slots):
        """Return the enrolment, slot and justification of the trainees
        expected at the slots, without line yet, who are excused."""
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Enrolment = pool.get('training.enrolment')
        Slot = pool.get('training.session.slot')
        cursor = Transaction().connection.cursor()
        result = []
        for sub_slots in grouped_slice(slots, BATCH):
            justification, slot = cls.__table__(), Slot.__table__()
            enrolment = Enrolment.__table__()
            attendance = Attendance.__table__()
            cursor.execute(*justification
                .join(enrolment,
                    condition=enrolment.id == justification.enrolment)
                .join(slot, condition=slot.session == enrolment.session)
                .join(attendance, 'LEFT',
                    condition=(attendance.enrolment == enrolment.id)
                    & (attendance.slot == slot.id))
                .select(
                    enrolment.id, slot.id, Min(justification.id),
                    where=fields.SQL_OPERATORS['in'](
                        slot.id, [s.id for s in sub_slots])
                    & (justification.state == 'accepted')
                    & (attendance.id == Null)
                    & Enrolment.awaited_sql(enrolment, slot)
                    & cls.covers_sql(justification, slot),
                    group_by=[enrolment.id, slot.id]))
            result += cursor.fetchall()
        return result


class Refuse(Wizard):
    __name__ = 'training.justification.refuse'

    start = StateView(
        'training.justification.refuse.start',
        'training_abandon.justification_refuse_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Refuse", 'apply', 'tryton-ok', default=True),
            ])
    apply = StateTransition()

    def transition_apply(self):
        pool = Pool()
        Justification = pool.get('training.justification')
        Justification.refuse_for(self.records, self.start.reason)
        return 'end'


class RefuseStart(ModelView):
    __name__ = 'training.justification.refuse.start'

    reason = fields.Text(
        "Reason", required=True,
        help="Do not write any health detail.")
