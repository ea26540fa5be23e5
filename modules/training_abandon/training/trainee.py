# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt

from sql.conditionals import Coalesce, NullIf
from sql.functions import Extract

from trytond.i18n import gettext
from trytond.model import (
    DeactivableMixin, Index, ModelSQL, ModelView, Unique, fields)
from trytond.pool import Pool
from trytond.tools import grouped_slice
from trytond.transaction import Transaction, check_access

from .. import tools
from ..exceptions import TrainingValidationError
from ..global_search import FOUND, GlobalSearchMixin, contains_folded
from ..rec_name import CompletionMixin, search_allowed, search_names

# The age of the majority: article 414 of the civil code
MAJORITY = 18


def majority_date(birth_date):
    "Return the day on which who was born on the date comes of age"
    try:
        return birth_date.replace(year=birth_date.year + MAJORITY)
    except ValueError:
        # Born on the 29th of February
        return dt.date(birth_date.year + MAJORITY, 3, 1)


def is_of_age_at(birth_date, at):
    """Return the SQL expression that is true when who was born on the date is
    of age at the time, by its day in UTC"""
    def number(date, years=0):
        return ((Extract('YEAR', date) + years) * 10_000
            + Extract('MONTH', date) * 100
            + Extract('DAY', date))

    return number(birth_date, MAJORITY) <= number(at)


class Trainee(
        CompletionMixin, GlobalSearchMixin, DeactivableMixin, ModelSQL,
        ModelView):
    __name__ = 'training.trainee'
    _given_fields = {'code'}
    _order_name = 'rec_name'

    party = fields.Many2One(
        'party.party', "Party", required=True, ondelete='RESTRICT')
    family_name = fields.Char(
        "Family Name",
        help="The attendance sheets are in the order of the family names, "
        "or of the names of those without.")
    code = fields.Char("Code", readonly=True)
    birth_date = fields.Date(
        "Birth Date",
        help="Until the trainee comes of age, the legal guardians of the "
        "enrolment are asked the reasons and sign too.")
    kind = fields.Selection([
            ('employee', "Employee"),
            ('apprentice', "Apprentice"),
            ('job_seeker', "Job Seeker"),
            ('individual', "Individual"),
            ('other', "Other"),
            ], "Kind", required=True, sort=False,
        help="The situation of the trainee; what binds it to the provider "
        "is on the enrolment.")
    phone = fields.Function(fields.Char("Phone"), 'get_contact')
    mobile = fields.Function(fields.Char("Mobile"), 'get_contact')
    email = fields.Function(fields.Char("Email"), 'get_contact')
    enrolments = fields.One2Many(
        'training.enrolment', 'trainee', "Enrolments", readonly=True)

    @classmethod
    def __setup__(cls):
        cls.code.search_unaccented = False
        super().__setup__()
        t = cls.__table__()
        cls._sql_constraints += [
            ('party_unique', Unique(t, t.party),
                'training_abandon.msg_trainee_party_unique'),
            ]
        cls._sql_indexes.add(
            Index(t, (Coalesce(t.code, ''), Index.Similarity())))
        cls._order.insert(0, ('party.name', 'ASC'))

    @classmethod
    def default_kind(cls):
        return 'employee'

    def get_rec_name(self, name):
        return self.party.rec_name

    @classmethod
    def get_contact(cls, trainees, names):
        return {
            name: {
                t.id: getattr(t.party, name) if t.party else None
                for t in trainees}
            for name in names}

    @classmethod
    def of_enrolments(cls, trainees, Model):
        """Return by trainee the ids of the records of the enrolments, those
        that the user may read"""
        result = {t.id: [] for t in trainees}
        for sub_trainees in grouped_slice(trainees, tools.BATCH):
            # Tryton calls the getters without the access of the user
            with check_access():
                records = Model.search([
                        ('enrolment.trainee', 'in',
                            [t.id for t in sub_trainees]),
                        ])
            for record in records:
                result[record.enrolment.trainee.id].append(record.id)
        return result

    @classmethod
    def search_folded(cls, text):
        pool = Pool()
        Party = pool.get('party.party')
        if not text.strip():
            return []
        party = Party.__table__()
        found = party.select(
            party.id, where=contains_folded(party.name, text))
        return cls.search([
                ('party', 'in', search_allowed(Party, ('id', 'in', found))),
                ], limit=FOUND)

    @classmethod
    def order_rec_name(cls, tables):
        return cls.party.convert_order('party', tables, cls)

    @classmethod
    def order_family_name(cls, tables):
        table, _ = tables[None]
        # Those who have one stand among those who have none
        name, = cls.party.convert_order('party.name', tables, cls)
        return [Coalesce(NullIf(table.family_name, ''), name), name]

    @classmethod
    def search_rec_name(cls, name, clause):
        return search_names(cls, clause, 'party.rec_name', 'code')

    def is_of_age(self, date):
        "Return if the trainee is of age on the day, or None if unknown"
        if self.birth_date:
            return majority_date(self.birth_date) <= date

    @classmethod
    def validate_fields(cls, trainees, field_names):
        super().validate_fields(trainees, field_names)
        cls.check_birth_date(trainees, field_names)

    @classmethod
    def check_birth_date(cls, trainees, field_names=None):
        if field_names and 'birth_date' not in field_names:
            return
        today = tools.now().date()
        for trainee in trainees:
            if trainee.birth_date and trainee.birth_date > today:
                raise TrainingValidationError(gettext(
                        'training_abandon.msg_trainee_birth_date',
                        trainee=trainee.rec_name))

    @classmethod
    def preprocess_values(cls, mode, values):
        pool = Pool()
        Configuration = pool.get('training.configuration')
        values = super().preprocess_values(mode, values)
        if mode == 'create' and not values.get('code'):
            configuration = Configuration(1)
            if sequence := configuration.get_multivalue('trainee_sequence'):
                values['code'] = sequence.get()
        return values

    @classmethod
    def copy(cls, trainees, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('code')
        default.setdefault('enrolments')
        return super().copy(trainees, default=default)

    @classmethod
    def fields_to_replace(cls):
        "Return the list of the model and the field that refer to a trainee"
        return [
            ('training.enrolment', 'trainee'),
            ('training.external_code', 'record'),
            ]

    def replace_by(self, trainee):
        "Give what refers to it to the trainee of another party"
        pool = Pool()
        for name in ['birth_date', 'family_name']:
            if (value := getattr(self, name)) and not getattr(trainee, name):
                self.write([trainee], {name: value})
        for model_name, field_name in self.fields_to_replace():
            Model = pool.get(model_name)
            source, destination = self.id, trainee.id
            if Model._fields[field_name]._type == 'reference':
                source, destination = str(self), str(trainee)
            records = Model.search([(field_name, '=', source)])
            with Transaction().set_context(training_replace=True):
                Model.write(records, {field_name: destination})
        self.delete([self])
