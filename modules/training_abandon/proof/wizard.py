# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.model import ModelView, fields
from trytond.wizard import Button, StateView

from ..home.wizard import OpenFigure
from .row import NUMBERS


class OpenConformity(OpenFigure):
    "The records that a number of the conformity counts"
    __name__ = 'training.conformity.open'
    start_state = 'start'
    start = StateView(
        'training.conformity.open.start',
        'training_abandon.conformity_open_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Open", 'open_', 'tryton-ok', default=True),
            ])

    def _opened(self, figures):
        return self.model.opened(figures, self.start.number)


class OpenConformityStart(ModelView):
    __name__ = 'training.conformity.open.start'

    number = fields.Selection(
        NUMBERS, "Number", required=True, sort=False,
        help="The number of which to see the records.")

    @classmethod
    def default_number(cls):
        return 'cases'
