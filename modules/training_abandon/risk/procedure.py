# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The letter that tells what became of a concern"
import datetime as dt
from functools import partial

from trytond.i18n import gettext
from trytond.pool import PoolMeta

from ..procedure.letter import Name, example_of
from .outcome import LETTER_KIND

# The names of the letter
CONCERN_NAMES = {
    'concern_date': Name(dt.date(2027, 3, 15), is_optional=False),
    'outcome': Name(
        lambda lang: gettext(
            'training_abandon.msg_concern_follow_up',
            date=lang.strftime(dt.date(2027, 3, 16))),
        is_optional=False),
    }


class ProcedureLetter(metaclass=PoolMeta):
    __name__ = 'training.abandon.procedure.letter'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.step_kind.selection = [
            *cls.step_kind.selection, (LETTER_KIND, "Concern")]

    def preview_context(self, case):
        context = super().preview_context(case)
        if self.step_kind == LETTER_KIND:
            context.update({
                    n: partial(example_of, name)
                    for n, name in CONCERN_NAMES.items()})
        return context

    def known(self):
        names = super().known()
        if self.step_kind == LETTER_KIND:
            names.update(CONCERN_NAMES)
        return names
