# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.model import ModelSQL, ModelView, Unique, fields
from trytond.pool import Pool


class ExternalCode(ModelSQL, ModelView):
    __name__ = 'training.external_code'
    _rec_name = 'code'

    source = fields.Char(
        "Source", required=True,
        help="The system whose codes these are.")
    code = fields.Char("Code", required=True)
    record = fields.Reference(
        "Record", selection='get_models', required=True)
    model = fields.Char("Model", required=True, readonly=True)

    @classmethod
    def __setup__(cls):
        cls.code.search_unaccented = False
        cls.source.search_unaccented = False
        super().__setup__()
        t = cls.__table__()
        # A party and a session may bear the same code in their system
        cls._sql_constraints += [
            ('source_code_unique', Unique(t, t.source, t.model, t.code),
                'training_abandon.msg_external_code_unique'),
            ]

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
