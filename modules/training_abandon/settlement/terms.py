# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the settlements of the cases are calculated from"
import datetime as dt
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal

from sql.aggregate import Min, Sum

from trytond.pool import Pool
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from .. import tools
from ..attendance.facts import ATTENDED
from ..stored import of_ids
from ..training.half_day import half_day
from .calculation import (
    FUNDED_KINDS, Clause, Contract, Funding, Refused, Terms, Withdrawal)
from .rule import rules_at

MINUTE = dt.timedelta(minutes=1)
ZERO = dt.timedelta()


@dataclass(frozen=True)
class Invoiced:
    "What a payer was invoiced for an enrolment, without the taxes"
    payer: object
    amount: Decimal
    date: object = None
    paid: Decimal = Decimal(0)


class Facts:
    "What the database knows of the cases, read at once for all of them"

    def __init__(self, cases, invoiced):
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Rule = pool.get('training.abandon.settlement.rule')
        self.enrolments = [c.enrolment for c in cases]
        self.attended = Enrolment.times_attended(self.enrolments)
        self.attended_days = hours_by_day(self.enrolments)
        self.open = first_open_days(self.enrolments)
        self.missing = first_missing_days(self.enrolments)
        self.cancelled = self._cancelled()
        self.evidences = self._evidences(cases)
        self.invoiced = invoiced
        self.rules = Rule.search([])

    def _cancelled(self):
        """Return by id of the enrolment the time that the provider does not
        give any more, of what was planned before the decision"""
        cursor = Transaction().connection.cursor()
        by_id = {e.id: e for e in self.enrolments}
        cancelled, kept = defaultdict(dt.timedelta), defaultdict(dt.timedelta)
        spans = {id_: e._planned_spans() for id_, e in by_id.items()}
        for sub_ids in grouped_slice(list(by_id), tools.BATCH):
            cursor.execute(*tools.apply_types(
                    _planning_query(of_ids(sub_ids)),
                    None, 'DATE', None, None, None, 'INTERVAL'))
            for id_, date, half, weekday, state, duration in cursor:
                if _covers(
                        spans[id_], half_day(date, half),
                        f'{weekday}_{half}'):
                    times = cancelled if state == 'cancelled' else kept
                    times[id_] += duration
        return {
            id_: min(
                cancelled[id_],
                max((e.agreed_hours or ZERO) - kept[id_], ZERO))
            for id_, e in by_id.items()}

    def _evidences(self, cases):
        "Return the cases to which a document is attached"
        pool = Pool()
        Attachment = pool.get('ir.attachment')
        result = set()
        for sub_cases in grouped_slice(
                [c for c in cases if c.ground == 'exclusion'], tools.BATCH):
            result.update(a.resource for a in Attachment.search([
                        ('resource', 'in', list(map(str, sub_cases))),
                        ]))
        return result


def hours_by_day(enrolments):
    "Return by id of the enrolment the list of the (day, time attended)"
    pool = Pool()
    Attendance = pool.get('training.attendance')
    cursor = Transaction().connection.cursor()
    result = defaultdict(list)
    for sub_enrolments in grouped_slice(enrolments, tools.BATCH):
        held = Attendance._held_query(of_ids(e.id for e in sub_enrolments))
        cursor.execute(*tools.apply_types(held.select(
                    held.enrolment.as_('enrolment'),
                    held.date.as_('date'),
                    (Sum(held.duration) - Sum(held.missed)).as_('hours'),
                    where=held.state.in_(ATTENDED),
                    group_by=[held.enrolment, held.date],
                    order_by=[held.enrolment, held.date]),
                None, 'DATE', 'INTERVAL'))
        for enrolment, date, hours in cursor:
            if hours:
                result[enrolment].append((date, hours))
    return result


def first_open_days(enrolments):
    "Return by id of the enrolment the first day of a sheet that is open"
    return _first_days(_open_query, enrolments)


def first_missing_days(enrolments):
    """Return by id of the enrolment the first day of a slot without sheet on
    which the trainee is expected"""
    return _first_days(_missing_query, enrolments)


def _first_days(query, enrolments):
    "Return by id of the enrolment the first day that the query finds"
    cursor = Transaction().connection.cursor()
    result = {}
    for sub_enrolments in grouped_slice(enrolments, tools.BATCH):
        cursor.execute(*tools.apply_types(
                query(of_ids(e.id for e in sub_enrolments)),
                None, 'DATE'))
        result.update(cursor)
    return result


def _open_query(of):
    "Return the query of the open sheets that have the trainees"
    pool = Pool()
    Attendance = pool.get('training.attendance')
    query, attendance, slot, _ = Attendance._joined()
    return query.select(
        attendance.enrolment.as_('enrolment'), Min(slot.date).as_('date'),
        where=of(attendance.enrolment) & (slot.state == 'open'),
        group_by=[attendance.enrolment])


def _missing_query(of):
    "Return the query of the slots without sheet where they are expected"
    pool = Pool()
    Enrolment = pool.get('training.enrolment')
    Slot = pool.get('training.session.slot')
    enrolment, slot = Enrolment.__table__(), Slot.__table__()
    return (enrolment
        .join(slot, condition=slot.session == enrolment.session)
        .select(
            enrolment.id.as_('enrolment'), Min(slot.date).as_('date'),
            where=of(enrolment.id) & (slot.state == 'planned')
            & Enrolment.expected_sql(enrolment, slot),
            group_by=[enrolment.id]))


def _planning_query(of):
    """Return the query of the time of the slots for the trainees, whatever
    their periods"""
    pool = Pool()
    Enrolment = pool.get('training.enrolment')
    Slot = pool.get('training.session.slot')
    enrolment, slot = Enrolment.__table__(), Slot.__table__()
    by = [slot.date, slot.half, slot.weekday, slot.state]
    return (enrolment
        .join(slot, condition=slot.session == enrolment.session)
        .select(
            enrolment.id.as_('enrolment'),
            *(c.as_(c.name) for c in by),
            Sum(slot.duration).as_('duration'),
            where=of(enrolment.id)
            & Enrolment._grouped_sql(enrolment.id, slot.id)
            & ~Enrolment._exempted_sql(enrolment.id, slot, slot.id),
            group_by=[enrolment.id, *by]))


def _covers(spans, at, weekday):
    "Return if one of the spans expects the trainee at the half-day"
    return any(
        span['kind'] == 'expected'
        and (span['start'] is None or span['start'] <= at)
        and (span['end'] is None or at <= span['end'])
        and (not span['weekdays'] or weekday in span['weekdays'])
        for span in spans)


def get_terms(case, facts):
    "Return the terms of the decided case, or raise Refused"
    enrolment = case.enrolment
    if not case.decision or case.state == 'cancelled':
        raise Refused('not_decided')
    if (day := facts.open.get(enrolment.id)) and day <= case.effective_date:
        raise Refused('open_sheet', date=day)
    start = first_day(enrolment)
    after = sum(
        (hours for day, hours in facts.attended_days[enrolment.id]
            if day > case.effective_date), ZERO)
    return Terms(
        kind=enrolment.agreement_kind,
        ground=case.ground,
        price=enrolment.price,
        price_tax_included=enrolment.price_tax_included,
        fees=enrolment.indivisible_fees or Decimal(0),
        planned=minutes(enrolment.agreed_hours),
        done=minutes(facts.attended[enrolment] - after),
        new_enrolment=bool(
            case.new_enrolment and case.new_enrolment.state != 'cancelled'),
        attended_after=minutes(after),
        cancelled=minutes(facts.cancelled[enrolment.id]),
        digits=enrolment.currency.digits,
        fundings=tuple(
            Funding(
                f.funder, f.share, f.amount, f.ceiling, f.hourly_rate)
            for f in enrolment.fundings),
        payer=_payer(enrolment),
        employer=enrolment.employer,
        clause=_clause(enrolment),
        days_before_start=(start - case.effective_date).days,
        contract=Contract(
            start=enrolment.contract_start,
            end=enrolment.break_date or case.contract_end_date,
            npec=enrolment.npec_annual,
            level=(
                int(enrolment.diploma_level)
                if enrolment.diploma_level else None),
            practical_days=enrolment.practical_days,
            previous_broken=bool(enrolment.previous_contract_broken),
            still_in_training=bool(enrolment.still_in_training)),
        withdrawal=Withdrawal(
            (withdrawn_on(case) - enrolment.agreement_date).days
            if enrolment.agreement_date else None,
            enrolment.agreement_signature in {
                'at_a_distance', 'off_premises'}),
        rules=rules_at(
            enrolment.agreement_date or enrolment.contract_start or start,
            facts.rules))


def first_day(enrolment):
    "Return the first day on which the trainee is expected"
    start = enrolment.session.start_date
    return max(enrolment.start_date or start, start)


def minutes(duration):
    return (duration or ZERO) // MINUTE


def withdrawn_on(case):
    return case.enrolment.withdrawal_date or case.effective_date


def _payer(enrolment):
    trainee = enrolment.trainee.party
    if enrolment.agreement_kind == 'contract':
        return trainee
    payer = enrolment.client or enrolment.employer
    if enrolment.agreement_kind in FUNDED_KINDS and payer == trainee:
        return None
    return payer


def _clause(enrolment):
    if not enrolment.indemnity_kind:
        return None
    scale = None
    if enrolment.indemnity_kind == 'scale':
        scale = tuple(
            (b.days_before_start, b.rate) for b in enrolment.indemnity_scale)
    return Clause(
        tuple(enrolment.indemnity_grounds or []), enrolment.indemnity_rate,
        scale)


def warn(case, facts, terms, result):
    "Add the warnings that the calculation does not know"
    enrolment = case.enrolment
    if ((day := facts.missing.get(enrolment.id))
            and day <= case.effective_date):
        result.warn('sheets_missing')
    if case.ground == 'exclusion' and case not in facts.evidences:
        result.warn('exclusion_procedure_evidence_missing')
    if terms.kind == 'contract':
        _warn_payments(enrolment, facts, terms, result)


def _warn_payments(enrolment, facts, terms, result):
    "Warn of what was paid before it could be asked"
    rule = terms.rules.get('withdrawal')
    if not rule or rule.state != 'active':
        return
    before_start = Decimal(0)
    for invoiced in facts.invoiced.get(enrolment.id, []):
        if not invoiced.paid or not invoiced.date:
            continue
        if invoiced.date < first_day(enrolment):
            before_start += invoiced.paid
        if enrolment.agreement_date and invoiced.date <= (
                enrolment.agreement_date + dt.timedelta(days=rule.days)):
            result.warn('payment_before_withdrawal_expiry')
    withdrawn = terms.ground == 'withdrawal_period'
    if not withdrawn and before_start > rule.rate * (terms.price or 0):
        result.warn('over_30_percent_before_start')


def invoiced_by_payer(invoiced):
    result = defaultdict(Decimal)
    for line in invoiced:
        result[line.payer] += line.amount
    return result
