# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from sql.conditionals import Coalesce

from trytond import backend
from trytond.model import ModelSQL, ModelView, Unique, fields
from trytond.pool import Pool
from trytond.transaction import Transaction


class ExternalCode(ModelSQL, ModelView):
    __name__ = 'training.external_code'
    _given_fields = {'company', 'model', 'scope'}
    _rec_name = 'code'

    source = fields.Char(
        "Source", required=True,
        help="The system whose codes these are.")
    code = fields.Char("Code", required=True)
    record = fields.Reference(
        "Record", selection='get_models', required=True,
        help="What the code identifies here.")
    model = fields.Char("Model", required=True, readonly=True)
    company = fields.Many2One(
        'company.company', "Company", ondelete='CASCADE',
        help="The company of the record, empty for what the companies share.")
    # What is empty is never the same for the database
    scope = fields.Integer(
        "Scope", readonly=True, required=True,
        help="The identifier of the company, 0 for what the companies share.")

    @classmethod
    def __setup__(cls):
        cls.code.search_unaccented = False
        cls.source.search_unaccented = False
        super().__setup__()
        t = cls.__table__()
        # A party and a session may bear the same code in their system
        cls._sql_constraints += [
            ('source_code_scope_unique',
                Unique(t, t.source, t.model, t.code, t.scope),
                'training_abandon.msg_external_code_unique'),
            ]

    @classmethod
    def __register__(cls, module):
        migrate = (
            backend.TableHandler.table_exist(cls._table)
            and not cls.__table_handler__(module).column_exist('company'))
        super().__register__(module)
        table_h = cls.__table_handler__(module)
        # Migration from 8.0.0: a code is of a company
        table_h.drop_constraint('source_code_unique')
        if migrate:
            cls._migrate_company()
            table_h.not_null_action('scope', 'add')

    @classmethod
    def _migrate_company(cls):
        pool = Pool()
        Session = pool.get('training.session')
        Slot = pool.get('training.session.slot')
        cursor = Transaction().connection.cursor()
        code, session, slot = (
            m.__table__() for m in [cls, Session, Slot])
        id_ = cls.record.sql_id(code.record, cls)
        for name in ['training.course', 'training.session',
                'training.enrolment']:
            record = pool.get(name).__table__()
            cursor.execute(*code.update(
                    [code.company],
                    [record.select(record.company, where=record.id == id_)],
                    where=code.model == name))
        cursor.execute(*code.update(
                [code.company],
                [slot.join(session, condition=slot.session == session.id
                        ).select(session.company, where=slot.id == id_)],
                where=code.model == Slot.__name__))
        cursor.execute(*code.update(
                [code.scope], [Coalesce(code.company, 0)]))

    @classmethod
    def default_scope(cls):
        return 0

    @classmethod
    def _get_models(cls):
        "Return the names of the models that may have external codes"
        return [
            'party.party', 'training.course', 'training.session',
            'training.session.slot', 'training.trainee',
            'training.enrolment']

    @classmethod
    def get_models(cls):
        pool = Pool()
        Model = pool.get('ir.model')
        get_name = Model.get_name
        return [(None, "")] + [(m, get_name(m)) for m in cls._get_models()]

    @classmethod
    def preprocess_values(cls, mode, values):
        values = super().preprocess_values(mode, values)
        if record := values.get('record'):
            values['model'] = str(record).split(',', 1)[0]
        return values

    def compute_fields(self, field_names=None):
        values = super().compute_fields(field_names=field_names)
        company = self.record_company
        scope = company.id if company else 0
        if self.company != company or self.scope != scope:
            values.update(company=company, scope=scope)
        return values

    @property
    def record_company(self):
        "The company of the record, or None"
        record = self.record
        if record.__name__ == 'training.session.slot':
            record = record.session
        return getattr(record, 'company', None)
