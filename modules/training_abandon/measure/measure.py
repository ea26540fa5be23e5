# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What is done so that the trainees stay: the engagement register"
from sql import Null

from trytond import backend
from trytond.i18n import gettext
from trytond.model import Index, ModelSQL, ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Bool, Eval, If
from trytond.transaction import Transaction

from .. import tools
from ..access_value import MAX_INTEGER
from ..exceptions import TrainingValidationError
from ..rec_name import search_names
from .validity import ValidityMixin, valid_on


class MeasureKind(ValidityMixin, ModelSQL, ModelView):
    "An evidence of a version of the guide of the framework"
    __name__ = 'training.measure.kind'

    guide = fields.Char(
        "Guide", required=True, help="The version of the guide.")
    number = fields.Integer("Number", required=True)
    name = fields.Char("Name", required=True, translate=True)
    apprenticeship = fields.Boolean(
        "Work-Study",
        help="The guide asks it of the providers of work-study courses.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order = [
            ('start_date', 'DESC NULLS LAST'),
            ('guide', 'DESC'),
            ('number', 'ASC'),
            ('id', None),
            ]

    def get_rec_name(self, name):
        return f'{self.guide} - {self.number} - {self.name}'

    @classmethod
    def search_rec_name(cls, name, clause):
        domain = search_names(cls, clause, 'guide', 'name')
        value = clause[2].strip(' %') if isinstance(clause[2], str) else ''
        if not value.isdecimal() or int(value) > MAX_INTEGER:
            return domain
        if clause[1].startswith(('!', 'not ')):
            return [domain, ('number', '!=', int(value))]
        return ['OR', domain, ('number', '=', int(value))]


class Measure(ModelSQL, ModelView):
    __name__ = 'training.measure'

    company = fields.Many2One('company.company', "Company", required=True)
    name = fields.Char("Name", required=True)
    kind = fields.Many2One(
        'training.measure.kind', "Evidence", required=True,
        ondelete='RESTRICT',
        domain=[
            ('company', 'in', [Eval('company', -1), None]),
            If(Bool(Eval('date')), valid_on(Eval('date')), []),
            ],
        help="The kind of evidence of the guide of the indicator.")
    course = fields.Many2One(
        'training.course', "Course", ondelete='RESTRICT',
        domain=[
            ('company', 'in', [Eval('company', -1), None]),
            ],
        states={
            'invisible': Bool(Eval('session')) | Bool(Eval('enrolment')),
            })
    session = fields.Many2One(
        'training.session', "Session", ondelete='RESTRICT',
        domain=[
            ('company', '=', Eval('company', -1)),
            If(Bool(Eval('course')),
                ('course', '=', Eval('course', -1)),
                ()),
            ],
        states={
            'invisible': Bool(Eval('enrolment')),
            })
    enrolment = fields.Many2One(
        'training.enrolment', "Enrolment", ondelete='RESTRICT',
        domain=[
            ('company', '=', Eval('company', -1)),
            If(Bool(Eval('session')),
                ('session', '=', Eval('session', -1)),
                ()),
            ],
        help="Leave the course, the session and the enrolment empty for a "
        "measure of the whole company.")
    date = fields.Date("Date", required=True)
    description = fields.Text(
        "Description",
        states={
            'invisible': Bool(Eval('enrolment')) & ~Eval('description'),
            },
        help="What was done, without naming any trainee.\n"
        "What is told of an enrolment becomes its note.")
    note = fields.Text(
        "Note",
        states={
            'invisible': ~Eval('enrolment'),
            },
        help="What was done for the trainee.  Do not write any health "
        "detail.\n"
        "Read by the group Sensitive Reasons only.")
    external_codes = fields.One2Many(
        'training.external_code', 'record', "External Codes",
        help="The codes by which the imports find the record again.")
    attachments = fields.One2Many(
        'ir.attachment', 'resource', "Attachments",
        help="What shows that it was done.\n"
        "Read by all those who read the measure: attach nothing private.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.update(
            Index(t, (column, Index.Equality()))
            for column in [t.course, t.session, t.enrolment])
        cls._order.insert(0, ('date', 'DESC'))

    @classmethod
    def __register__(cls, module):
        table_h = cls.__table_handler__(module)
        migrate = (
            backend.TableHandler.table_exist(cls._table)
            and not table_h.column_exist('note'))
        super().__register__(module)
        # Migration from 8.0.0: what is told of a trainee is private
        if migrate:
            table = cls.__table__()
            Transaction().connection.cursor().execute(*table.update(
                    [table.note, table.description],
                    [table.description, Null],
                    where=table.enrolment != Null))

    @fields.depends('enrolment', 'description', 'note')
    def on_change_enrolment(self):
        if (self.enrolment and self.description
                and tools.is_member('group_sensitive_reason')):
            self.note, self.description = self.description, None

    def compute_fields(self, field_names=None):
        values = super().compute_fields(field_names=field_names)
        # What is told of a trainee is private, whoever tells it
        if self.enrolment and self.description:
            # Told again, it is there already
            if self.description not in (self.note or ''):
                values['note'] = '\n'.join(
                    filter(None, [self.note, self.description]))
            values['description'] = None
        return values

    @classmethod
    def default_company(cls):
        return Transaction().context.get('company')

    @classmethod
    def default_date(cls):
        pool = Pool()
        Date = pool.get('ir.date')
        return Date.today()

    @classmethod
    def search_rec_name(cls, name, clause):
        return search_names(cls, clause, 'name', 'kind.rec_name')

    @classmethod
    def validate_fields(cls, measures, field_names):
        super().validate_fields(measures, field_names)
        cls.check_date(measures, field_names)

    @classmethod
    def check_date(cls, measures, field_names=None):
        if field_names and 'date' not in field_names:
            return
        for measure in tools.later_than_today(measures, 'date'):
            raise TrainingValidationError(gettext(
                    'training_abandon.msg_measure_future',
                    measure=measure.rec_name))

    @classmethod
    def copy(cls, measures, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('attachments')
        default.setdefault('external_codes')
        return super().copy(measures, default=default)
