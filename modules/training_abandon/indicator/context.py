# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.model import ModelView, fields
from trytond.pyson import Eval, If
from trytond.transaction import Transaction

from .window import Window, period_name


class Context(ModelView):
    __name__ = 'training.indicator.context'

    company = fields.Many2One('company.company', "Company", required=True)
    from_date = fields.Date(
        "From Date", required=True,
        domain=[
            If(Eval('to_date') & Eval('from_date'),
                ('from_date', '<=', Eval('to_date', None)),
                ()),
            ],
        help="The first day of the period.")
    to_date = fields.Date(
        "To Date", required=True,
        domain=[
            If(Eval('from_date') & Eval('to_date'),
                ('to_date', '>=', Eval('from_date', None)),
                ()),
            ],
        help="The last day of the period; the previous period has as many "
        "months before the first day.")
    period = fields.Selection([
            ('month', "Month"),
            ('quarter', "Quarter"),
            ('year', "Year"),
            ], "Period", required=True, sort=False,
        help="How the indicators by period cut the time.")
    course = fields.Many2One(
        'training.course', "Course",
        domain=[
            ('company', 'in', [Eval('company', -1), None]),
            ],
        help="Leave empty for all the courses.")

    @classmethod
    def default_company(cls):
        return Transaction().context.get('company')

    @classmethod
    def default_from_date(cls):
        return Window.of_context().start

    @classmethod
    def default_to_date(cls):
        return Window.of_context().end

    @classmethod
    def default_period(cls):
        return period_name()

    @classmethod
    def default_course(cls):
        return Transaction().context.get('course')
