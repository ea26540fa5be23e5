# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from sql import Null

from trytond import backend
from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.transaction import Transaction

from ..attendance.facts import ATTENDED
from ..procedure.states import GROUND_STATES
from ..tools import apply_types
from ..training.half_day import date_half, half_day
from ..training.period import dump


class Period(metaclass=PoolMeta):
    __name__ = 'training.enrolment.period'

    case = fields.Many2One(
        'training.abandon.case', "Case", readonly=True, ondelete='SET NULL')

    @classmethod
    def __register__(cls, module):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        TableHandler = backend.TableHandler
        is_dated = TableHandler.table_exist(cls._table) and (
            cls.__table_handler__(module).column_exist('case'))
        super().__register__(module)
        if not is_dated and TableHandler.table_exist(Case._table):
            cls._date_decisions()

    @classmethod
    def _origin_names(cls):
        return [*super()._origin_names(), 'case']

    @classmethod
    def _date_decisions(cls):
        """End the periods as the decisions did and give back to the
        enrolments the end that was planned."""
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        decisions = cls._decisions()
        for row in decisions:
            cls._date_decision(*row)
        Enrolment.store_records({e for _, e, *_ in decisions})

    @classmethod
    def _decisions(cls):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Enrolment = pool.get('training.enrolment')
        case, enrolment = Case.__table__(), Enrolment.__table__()
        cursor = Transaction().connection.cursor()
        cursor.execute(*apply_types(case
                .join(enrolment, condition=enrolment.id == case.enrolment)
                .select(
                    case.id.as_('case'), enrolment.id.as_('enrolment'),
                    enrolment.state.as_('state'),
                    case.ground.as_('ground'),
                    enrolment.end_date.as_('current_end_date'),
                    enrolment.start_date.as_('start_date'),
                    case.effective_date.as_('effective_date'),
                    case.previous_end_date.as_('end_date'),
                    where=(case.decision == 'validated'),
                    order_by=[case.id]),
                None, None, None, None, 'DATE', 'DATE', 'DATE', 'DATE'))
        decisions, planned = {}, {}
        for case, enrolment, state, ground, current, start, date, end in (
                cursor):
            # The end that an earlier decision gave was not planned
            ended, end_date = planned.get(enrolment, (None, None))
            if end and end == ended:
                end = end_date
            planned[enrolment] = (date, end)
            if ground == 'transfer' and state == 'cancelled':
                # The hours of who was transferred stay
                state = 'withdrawn'
            if GROUND_STATES[ground] == state and current == date:
                decisions[enrolment] = (
                    case, enrolment, state, start, date, end)
        return list(decisions.values())

    @classmethod
    def _date_decision(
            cls, case_id, enrolment_id, state, start_date, effective_date,
            end_date):
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        table, enrolment = cls.__table__(), Enrolment.__table__()
        cursor = Transaction().connection.cursor()
        planned = {
            'start': half_day(start_date),
            'end': half_day(end_date, 'afternoon'),
            'kind': 'expected',
            'weekdays': [],
            }
        cursor.execute(*enrolment.update(
                [
                    enrolment.state, enrolment.end_date,
                    enrolment.planned_periods],
                [state, end_date, dump([[planned]])],
                where=enrolment.id == enrolment_id))
        end_half = cls._last_half(enrolment_id, effective_date)
        columns = [
            table.enrolment, table.kind, table.case, table.start_date,
            table.start_half, table.end_date, table.end_half]
        cursor.execute(*table.delete(where=table.enrolment == enrolment_id))
        if not start_date or start_date <= effective_date:
            cursor.execute(*table.insert(columns, [[
                            enrolment_id, 'expected', case_id, start_date,
                            'morning', effective_date, end_half]]))
        if state == 'suspended':
            next_date, next_half = date_half(
                half_day(effective_date, end_half) + 1)
            cursor.execute(*table.insert(columns, [[
                            enrolment_id, 'suspended', case_id, next_date,
                            next_half, Null, 'afternoon']]))

    @classmethod
    def _last_half(cls, enrolment_id, date):
        "Return the last half of the day attended, else that of the evening"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        query, attendance, slot, _ = Attendance._joined()
        cursor = Transaction().connection.cursor()
        cursor.execute(*query.select(
                slot.half,
                where=(attendance.enrolment == enrolment_id)
                & (slot.date == date)
                & (slot.state == 'held')
                & attendance.state.in_(ATTENDED)))
        halves = {half for half, in cursor}
        return 'morning' if halves == {'morning'} else 'afternoon'
