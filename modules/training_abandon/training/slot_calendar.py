# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The calendars of slots, that have no pages"
import hashlib

from trytond.i18n import gettext
from trytond.pool import Pool
from trytond.transaction import Transaction, without_check_access

from ..exceptions import SlotCalendarWarning


class CalendarMixin:
    """Slots of which a calendar tells that it does not show all of them: what
    is beyond its limit would look free"""
    __slots__ = ()

    @classmethod
    def search(
            cls, domain, offset=0, limit=None, order=None, count=False,
            query=False):
        result = super().search(
            domain, offset=offset, limit=limit, order=order, count=count,
            query=query)
        if (limit and not count and not query
                and Transaction().context.get('slot_calendar')
                and len(result) >= limit and _is_period(domain)):
            cls._warn_calendar(domain, limit)
        return result

    @classmethod
    def _warn_calendar(cls, domain, limit):
        "Tell the user, once a day for the same slots, that there are more"
        pool = Pool()
        Date = pool.get('ir.date')
        Warning = pool.get('res.user.warning')
        transaction = Transaction()
        user = transaction.user
        if not user or transaction.context.get('_skip_warnings'):
            return
        number = super().search(domain, order=[], count=True)
        if number <= limit:
            return
        digest = hashlib.md5(
            repr((domain, number, Date.today())).encode('utf-8'),
            usedforsecurity=False).hexdigest()
        name = f'{digest}.slot_calendar'
        # A search cannot delete the answer, as the check of Tryton does
        with without_check_access():
            is_told = Warning.search([
                    ('user', '=', user),
                    ('name', '=', name),
                    ], count=True)
        if not is_told:
            raise SlotCalendarWarning(
                name,
                gettext('training_abandon.msg_slot_calendar_limit',
                    limit=limit, count=number),
                gettext('training_abandon.msg_slot_calendar_limit_help'))


def _is_period(domain):
    "Return if the client asks for what it shows between two times"
    return {'start_at', 'end_at'} <= set(_names(domain))


def _names(domain):
    "Yield the names of the fields of the domain"
    for clause in domain:
        if isinstance(clause, (list, tuple)) and clause:
            if isinstance(clause[0], str) and clause[0] not in {'AND', 'OR'}:
                yield clause[0]
            else:
                yield from _names(clause)
