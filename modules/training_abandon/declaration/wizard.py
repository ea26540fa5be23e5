# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What records that declarations were made, or are not needed"
from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.pyson import Eval
from trytond.wizard import Button, StateTransition, StateView, Wizard

from .. import tools
from ..exceptions import DeclarationError


class Record(Wizard):
    __name__ = 'training.declaration.record'

    start = StateView(
        'training.declaration.record.start',
        'training_abandon.declaration_record_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Record", 'apply', 'tryton-ok', default=True),
            ])
    apply = StateTransition()

    def default_start(self, fields):
        if not self.records:
            raise DeclarationError(gettext(
                    'training_abandon.msg_declaration_none'))
        declaration = self.records[0]
        is_alone = len(self.records) == 1
        return {
            'done_on': tools.today(declaration.company),
            'is_alone': is_alone,
            'code': declaration.code if is_alone else None,
            'content': '\n\n'.join(tools.first(
                    '\n'.join(filter(None, [d.rec_name, d.content]))
                    for d in self.records)),
            }

    def transition_apply(self):
        start = self.start
        self.model.record_done(
            self.records, start.done_on,
            code=start.code if len(self.records) == 1 else None,
            reference=start.reference, proof=start.proof,
            proof_name=start.proof_name, note=start.note)
        return 'end'

    def end(self):
        return 'reload'


class RecordStart(ModelView):
    __name__ = 'training.declaration.record.start'

    content = fields.Text(
        "Content", readonly=True, help="What has to be declared.")
    is_alone = fields.Boolean("Is Alone", readonly=True)
    done_on = fields.Date(
        "Declared on", required=True, help="The day of the declaration.")
    code = fields.Char(
        "Code",
        states={
            'invisible': ~Eval('is_alone', False),
            },
        help="What the recipient calls the reason.")
    reference = fields.Char(
        "Reference", help="The number that the recipient gave.")
    proof = fields.Binary(
        "Proof", filename='proof_name',
        help="The receipt, the screen or the letter.")
    proof_name = fields.Char("Proof Name")
    note = fields.Text(
        "Note",
        help="What else is to be known.  Do not write any health detail.")


class Cancel(Wizard):
    __name__ = 'training.declaration.cancel'

    start = StateView(
        'training.declaration.cancel.start',
        'training_abandon.declaration_cancel_start_view_form', [
            Button("Keep", 'end', 'tryton-cancel'),
            Button("Cancel the Declarations", 'apply', 'tryton-ok',
                default=True),
            ])
    apply = StateTransition()

    def transition_apply(self):
        if not self.records:
            raise DeclarationError(gettext(
                    'training_abandon.msg_declaration_none'))
        self.model.call_off_todo(self.records, self.start.reason)
        return 'end'

    def end(self):
        return 'reload'


class CancelStart(ModelView):
    __name__ = 'training.declaration.cancel.start'

    reason = fields.Char(
        "Reason", required=True,
        help="Why nothing has to be declared.\n"
        "Do not write any health detail.")
