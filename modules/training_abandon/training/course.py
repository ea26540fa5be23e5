# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt

from trytond.i18n import gettext
from trytond.model import DeactivableMixin, ModelSQL, ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval, If
from trytond.transaction import Transaction

from ..exceptions import SessionError


class Course(DeactivableMixin, ModelSQL, ModelView):
    __name__ = 'training.course'

    name = fields.Char("Name", required=True)
    code = fields.Char("Code")
    modality = fields.Selection([
            ('onsite', "On Site"),
            ('remote', "Remote"),
            ('blended', "Blended"),
            ], "Modality", required=True, sort=False,
        help="If the trainees come, follow from a distance, or both.")
    kind = fields.Selection([
            ('continuing', "Continuing Training"),
            ('apprenticeship', "Apprenticeship"),
            ('skills_assessment', "Skills Assessment"),
            ('vae', "Validation of Acquired Experience"),
            ], "Kind", required=True, sort=False,
        help="The category of action of the national quality framework.")
    kind_string = kind.translated('kind')
    duration = fields.TimeDelta(
        "Duration", 'training_hours',
        domain=['OR',
            ('duration', '=', None),
            ('duration', '>=', dt.timedelta()),
            ],
        help="The planned training time.")
    days = fields.Float(
        "Days", digits=(None, 1),
        domain=['OR',
            ('days', '=', None),
            ('days', '>=', 0),
            ],
        help="The number of training days, by half-days.")
    company = fields.Many2One(
        'company.company', "Company",
        help="Leave empty to share the course between the companies.")
    subjects = fields.One2Many(
        'training.course.subject', 'course', "Subjects",
        help="What the slots are about, from which a trainee may be "
        "exempted.")
    sessions = fields.One2Many(
        'training.session', 'course', "Sessions", readonly=True)
    external_codes = fields.One2Many(
        'training.external_code', 'record', "External Codes",
        help="The codes by which the imports find the record again.")

    @classmethod
    def __setup__(cls):
        cls.code.search_unaccented = False
        super().__setup__()
        cls._order.insert(0, ('name', 'ASC'))

    @classmethod
    def default_modality(cls):
        return 'onsite'

    @classmethod
    def default_kind(cls):
        return 'continuing'

    def get_rec_name(self, name):
        if self.code:
            return f'[{self.code}] {self.name}'
        return self.name

    @classmethod
    def search_rec_name(cls, name, clause):
        _, operator, operand, *extra = clause
        if operator.startswith('!') or operator.startswith('not '):
            bool_op = 'AND'
        else:
            bool_op = 'OR'
        return [bool_op,
            ('name', operator, operand, *extra),
            ('code', operator, operand, *extra),
            ]

    def check_open(self):
        "Check that the course may have new sessions"
        if not self.active:
            raise SessionError(gettext(
                    'training_abandon.msg_session_course_closed',
                    course=self.rec_name))

    @classmethod
    def copy(cls, courses, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('code')
        default.setdefault('sessions')
        default.setdefault('external_codes')
        return super().copy(courses, default=default)


class Closure(ModelSQL, ModelView):
    __name__ = 'training.closure'

    company = fields.Many2One('company.company', "Company", required=True)
    name = fields.Char("Name", required=True)
    start_date = fields.Date(
        "Start Date", required=True,
        domain=[
            If(Eval('start_date') & Eval('end_date'),
                ('start_date', '<=', Eval('end_date', None)),
                ()),
            ])
    end_date = fields.Date(
        "End Date", required=True,
        domain=[
            If(Eval('start_date') & Eval('end_date'),
                ('end_date', '>=', Eval('start_date', None)),
                ()),
            ])

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order.insert(0, ('start_date', 'DESC'))

    @classmethod
    def default_company(cls):
        return Transaction().context.get('company')

    @fields.depends('start_date', 'end_date')
    def on_change_start_date(self):
        if self.start_date and not self.end_date:
            self.end_date = self.start_date

    @classmethod
    def default_start_date(cls):
        pool = Pool()
        Date = pool.get('ir.date')
        return Date.today()
