# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What a letter of the procedure says of a case, before it leaves"
from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.transaction import Transaction, check_access
from trytond.wizard import Button, StateView, Wizard

from ..exceptions import CaseStepError


class LetterPreview(Wizard):
    __name__ = 'training.abandon.procedure.letter.preview'

    start = StateView(
        'training.abandon.procedure.letter.preview.start',
        'training_abandon.procedure_letter_preview_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Preview", 'show', 'tryton-ok', default=True),
            ])
    show = StateView(
        'training.abandon.procedure.letter.preview.show',
        'training_abandon.procedure_letter_preview_show_view_form', [
            Button("Other Case", 'start', 'tryton-back'),
            Button("Close", 'end', 'tryton-close', default=True),
            ])

    def default_start(self, fields):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Lang = pool.get('ir.lang')
        case = getattr(self.start, 'case', None)
        with check_access():
            cases = [case] if case else Case.search([], limit=1)
        return {
            'letter': self.record.id if self.record else None,
            'case': cases[0].id if cases else None,
            'language': Lang.get(Transaction().language).id,
            }

    def default_show(self, fields):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Lang = pool.get('ir.lang')
        case, letter = getattr(self.start, 'case', None), self.record
        if not case or not letter:
            raise CaseStepError(gettext('training_abandon.msg_step_no_case'))
        with check_access():
            Case.read([case.id], ['number'])
            self.model.read([letter.id], ['subject'])
        return letter.preview_on(
            case, getattr(self.start, 'language', None) or Lang.get())


class LetterPreviewStart(ModelView):
    __name__ = 'training.abandon.procedure.letter.preview.start'

    letter = fields.Many2One(
        'training.abandon.procedure.letter', "Letter", readonly=True)
    case = fields.Many2One('training.abandon.case', "Case", required=True)
    language = fields.Many2One(
        'ir.lang', "Language", required=True,
        domain=[
            ('translatable', '=', True),
            ])


class LetterPreviewShow(ModelView):
    __name__ = 'training.abandon.procedure.letter.preview.show'

    subject = fields.Char("Subject", readonly=True)
    text = fields.Text(
        "Text", readonly=True,
        help="What the letter would say of the case: nothing is sent.")
    error = fields.Text(
        "Cannot Be Written", readonly=True,
        states={
            'invisible': ~Eval('error'),
            },
        help="What keeps the letter from being written, with its line.")
