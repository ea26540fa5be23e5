# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The words of an accountant for the steps of a calculation"
import datetime as dt
from decimal import Decimal

from trytond.i18n import gettext
from trytond.pool import Pool

from ..training.enrolment import hours_name
from .terms import MINUTE

MONEY = {
    'amount', 'base', 'ceiling', 'divided', 'due', 'fees', 'hourly',
    'included', 'npec', 'price'}
PERCENTAGES = {'percent', 'share'}
MINUTES = {'done', 'planned'}


class Words:
    "Words with amounts of a currency, in the language of the user"

    def __init__(self, currency):
        pool = Pool()
        Lang = pool.get('ir.lang')
        self.lang = Lang.get()
        self.currency = currency

    def get(self, message, values):
        return gettext(f'training_abandon.{message}', **self.values(values))

    def values(self, values):
        return {n: self._value(n, v) for n, v in values.items()}

    def _value(self, name, value):
        if name in MONEY:
            return self.lang.currency(value, self.currency, grouping=True)
        elif name in PERCENTAGES:
            return self.lang.format_number(
                (value * 100).normalize() + Decimal(0))
        elif name in MINUTES:
            return hours_name(value * MINUTE)
        elif isinstance(value, dt.date):
            return self.lang.strftime(value)
        return value
