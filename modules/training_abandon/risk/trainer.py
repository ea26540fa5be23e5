# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""What the trainers reach

Who is in the group of the trainers, and neither in the one that does the
trainings nor in the one that reads them, reaches of the trainings only what is
named here, by any door: a model or a field that is added later is hidden from
them until it is named.  Who reads them all writes no more than a trainer."""
from trytond.pool import Pool
from trytond.transaction import Transaction, check_access, without_check_access

from .. import tools
from ..reach import Reach

# The fields that they read: no list of them has records that the rules hide,
# which the client would fail to show
READ = {
    'training.alert': {
        'age', 'closed_at', 'closed_by', 'company', 'enrolment', 'facts',
        'first_seen', 'kind', 'last_seen', 'level', 'outcome', 'owner',
        'raised_by', 'rule', 'session', 'since', 'state', 'trainee', 'what',
        'withdrawn'},
    'training.attendance': {
        'consecutive_absences', 'date', 'enrolment', 'enrolment_session',
        'late_by', 'late_minutes', 'left_by', 'left_minutes', 'missed',
        'slot', 'slot_state', 'source', 'state', 'trainee', 'trainee_name'},
    'training.course': {
        'active', 'code', 'company', 'days', 'duration', 'name', 'subjects'},
    'training.course.subject': {'course', 'name'},
    'training.enrolment': {
        'absence_count', 'alerts', 'attendance_rate', 'company',
        'consecutive_absences', 'course', 'end_date', 'groups',
        'last_presence', 'late_count', 'number', 'risk_level', 'session',
        'start_date', 'state', 'trainee'},
    'training.follow_up': {
        'cancelled_at', 'company', 'done_at', 'employee', 'enrolment', 'kind',
        'outcome', 'party', 'planned_at', 'planned_until'},
    'training.session': {
        'company', 'course', 'end_date', 'enrolments', 'groups', 'location',
        'number', 'start_date', 'state', 'trainers'},
    'training.session.group': {'enrolments', 'name', 'session'},
    'training.session.slot': {
        'absent_count', 'attendance_count', 'attendances',
        'calendar_background_color', 'calendar_description', 'closed_at',
        'closed_by', 'course', 'date', 'day', 'duration', 'end', 'end_at',
        'expected_count', 'filled_count', 'groups', 'half', 'location',
        'mine', 'parallel', 'session', 'start', 'start_at', 'state',
        'subject', 'trainer', 'unchecked_count', 'weekday'},
    'training.trainee': {
        'active', 'alerts', 'code', 'email', 'family_name', 'mobile',
        'party', 'phone', 'risk_facts', 'risk_level', 'risk_since'},
    }
# The fields that they write
WRITTEN = {
    'training.attendance': {
        'late_by', 'late_minutes', 'left_by', 'left_minutes', 'state'},
    'training.follow_up': {
        'company', 'done_at', 'employee', 'enrolment', 'kind', 'outcome',
        'party', 'planned_at', 'planned_until'},
    'training.session.slot': {'attendances'},
    }


class TrainerReach(Reach):
    "What who writes as a trainer reaches: who reads them all reads on"

    def applies(self):
        return writes_as_trainer()

    @without_check_access
    def rule_context(self):
        pool = Pool()
        Employee = pool.get('company.employee')
        User = pool.get('res.user')
        return {
            'is_trainer': is_trainer(),
            'writes_as_trainer': True,
            'trainer_user': Transaction().user,
            'trainers': sorted({
                    e.party.id
                    for e in Employee.browse(User.get_employees())}),
            }

    def cache_key(self):
        return (Transaction().user, tuple(self.rule_context()['trainers']))

    def restrict_model(self, name, access):
        return super().restrict_model(
            name, access, reads_all=not is_trainer())

    def restrict_fields(self, name, accesses):
        return super().restrict_fields(
            name, accesses, reads_all=not is_trainer())


REACH = TrainerReach(READ, WRITTEN)


def writes_as_trainer():
    "Return if the user writes of the trainings what a trainer does"
    return bool(
        Transaction().user
        and tools.is_member('group_trainer')
        and not tools.is_member('group_training'))


def is_trainer():
    "Return if the user also reads them as a trainer"
    return writes_as_trainer() and not tools.is_member(
        'group_training_reading')


def check_written(Model, records):
    """Raise AccessError for the records that a trainer does not write

    The buttons ask only for the right to read."""
    pool = Pool()
    Rule = pool.get('ir.rule')
    if writes_as_trainer():
        with check_access():
            Rule.check(Model.__name__, list(map(int, records)), mode='write')
