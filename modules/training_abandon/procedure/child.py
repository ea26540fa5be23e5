# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What only a draft procedure may change"
from trytond.i18n import gettext
from trytond.model import fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import Eval

CHILD_STATES = {
    'readonly': Eval('procedure_state') != 'draft',
    }


class ProcedureChildMixin:
    "A record that is protected with its procedure"
    __slots__ = ()

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('procedure')

    @classmethod
    def check_modification(cls, mode, records, values=None, external=False):
        pool = Pool()
        Procedure = pool.get('training.abandon.procedure')
        super().check_modification(
            mode, records, values=values, external=external)
        if external:
            procedures = {r.procedure for r in records}
            if values and values.get('procedure') is not None:
                procedures.add(Procedure(values['procedure']))
            for procedure in procedures:
                if procedure.state != 'draft':
                    raise AccessError(gettext(
                            'training_abandon.msg_procedure_not_draft',
                            procedure=procedure.rec_name))


class ProcedureStateMixin(ProcedureChildMixin):
    __slots__ = ()

    procedure_state = fields.Function(fields.Selection(
            'get_procedure_states', "Procedure State"),
        'on_change_with_procedure_state')

    @fields.depends('procedure', '_parent_procedure.state')
    def on_change_with_procedure_state(self, name=None):
        return self.procedure.state if self.procedure else None

    @classmethod
    def get_procedure_states(cls):
        pool = Pool()
        Procedure = pool.get('training.abandon.procedure')
        return Procedure.fields_get(['state'])['state']['selection']
