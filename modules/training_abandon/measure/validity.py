# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.model import Index, fields
from trytond.pyson import Bool, Eval, If


def valid_on(date):
    "Return the domain of what is valid on the date, that may be PYSON"
    return [
        ['OR',
            ('start_date', '=', None),
            ('start_date', '<=', date),
            ],
        ['OR',
            ('end_date', '=', None),
            ('end_date', '>=', date),
            ],
        ]


class ValidityMixin:
    "Records with dates of validity, of a company or of all of them"
    __slots__ = ()

    company = fields.Many2One(
        'company.company', "Company",
        help="Leave empty for all the companies.")
    start_date = fields.Date(
        "Start Date",
        domain=[If(Bool(Eval('start_date')) & Bool(Eval('end_date')),
                ('start_date', '<=', Eval('end_date')),
                ()),
            ],
        help="Leave empty for always until the end date.")
    end_date = fields.Date(
        "End Date",
        domain=[If(Bool(Eval('start_date')) & Bool(Eval('end_date')),
                ('end_date', '>=', Eval('start_date')),
                ()),
            ],
        help="Leave empty as long as it is valid.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.add(
            Index(
                t, (t.company, Index.Equality()),
                (t.start_date, Index.Range())))

    @classmethod
    def valid_domain(cls, company, date):
        "Return the domain of what is valid for the company on the date"
        return [
            ('company', 'in', [company.id, None]),
            *valid_on(date),
            ]

    @classmethod
    def valid_at(cls, company, date):
        """Return the latest that is valid for the company on the date, its own
        rather than those of all, or None"""
        records = cls.search(
            cls.valid_domain(company, date),
            order=[
                ('company', 'ASC NULLS LAST'),
                ('start_date', 'DESC NULLS LAST'),
                ('id', 'DESC'),
                ], limit=1)
        return records[0] if records else None
