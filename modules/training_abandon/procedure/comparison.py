# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What a revision of a procedure changes"
from difflib import unified_diff

from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.transaction import check_access
from trytond.wizard import Button, StateView, Wizard

# What differs between all the revisions, or is shown apart
_EXCLUDED = {
    'id', 'active', 'company', 'create_uid', 'create_date', 'write_uid',
    'write_date', 'procedure', 'sequence', 'state'}
_LISTS = {'one2many', 'many2many', 'one2one'}


def describe(record):
    "Return the lines that tell the values of the record by their labels"
    lines = []
    definitions = record.fields_get()
    for name, field in record._fields.items():
        value = getattr(record, name) if (
            name not in _EXCLUDED and field._type not in _LISTS
            and not isinstance(field, fields.Function)) else None
        if value is None or value is False or value in {'', ()}:
            continue
        string = definitions[name]['string']
        if field._type == 'text':
            lines += [f'{string}', *value.splitlines()]
        else:
            lines.append(f'{string} – {_words(record, name, field, value)}')
    return lines


def _words(record, name, field, value):
    pool = Pool()
    Lang = pool.get('ir.lang')
    if value is True:
        return '✓'
    elif field._type in {'selection', 'multiselection'}:
        selection = dict(record.fields_get([name])[name]['selection']) if (
            not isinstance(field.selection, str)) else dict(
            getattr(record, field.selection)())
        values = value if field._type == 'multiselection' else [value]
        return ', '.join(selection.get(v) or v for v in values)
    elif field._type == 'many2one':
        return value.rec_name
    elif field._type == 'date':
        return Lang.get().strftime(value)
    return str(value)


class ComparisonMixin:
    "Procedures that are compared with their other revisions"
    __slots__ = ()

    def describe(self):
        "Return the lines that tell the procedure, by the title of their part"
        parts = {self.name: describe(self)}
        for record in [*self.steps, *self.letters]:
            name = record.rec_name.removeprefix(f'{self.rec_name} - ')
            parts[name] = describe(record)
        reasons = self.__class__.fields_get(['reasons'])['reasons']['string']
        parts[reasons] = [r.rec_name for r in self.reasons]
        return parts

    def previous_revision(self):
        "Return the revision before the procedure, or None"
        revisions = self.search([
                ('code', '=', self.code),
                ('company', '=', self.company.id if self.company else None),
                ('id', '<', self.id),
                ], order=[('id', 'DESC')], limit=1)
        return revisions[0] if revisions else None

    def differences(self, other):
        "Return the text of what the procedure has other than the other one"
        parts, others = self.describe(), other.describe()
        if other.name != self.name:
            others = {
                self.name if n == other.name else n: v
                for n, v in others.items()}
        text = []
        for name in dict.fromkeys([*parts, *others]):
            lines = list(unified_diff(
                    others.get(name, []), parts.get(name, []),
                    n=1, lineterm=''))[2:]
            if lines:
                text += [f'■ {name}', *map(self._difference, lines), '']
        return '\n'.join(text) or gettext(
            'training_abandon.msg_procedure_same')

    @staticmethod
    def _difference(line):
        if line.startswith('@@'):
            return '    …'
        return {'-': '  − ', '+': '  + ', ' ': '    '}[line[0]] + line[1:]


class Compare(Wizard):
    __name__ = 'training.abandon.procedure.compare'

    start = StateView(
        'training.abandon.procedure.compare.start',
        'training_abandon.procedure_compare_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Compare", 'show', 'tryton-ok', default=True),
            ])
    show = StateView(
        'training.abandon.procedure.compare.show',
        'training_abandon.procedure_compare_show_view_form', [
            Button("Other Revisions", 'start', 'tryton-back'),
            Button("Close", 'end', 'tryton-close', default=True),
            ])

    def default_start(self, fields):
        if not self.record:
            return {}
        previous = self.record.previous_revision()
        return {
            'before': previous.id if previous else None,
            'after': self.record.id,
            }

    def default_show(self, fields):
        pool = Pool()
        Procedure = pool.get('training.abandon.procedure')
        before, after = (
            getattr(self.start, n, None) for n in ['before', 'after'])
        if not before or not after:
            return {}
        with check_access():
            Procedure.read([before.id, after.id], ['code'])
        return {
            'title': f'{before.rec_name} → {after.rec_name}',
            'differences': after.differences(before),
            }


class CompareStart(ModelView):
    __name__ = 'training.abandon.procedure.compare.start'

    before = fields.Many2One(
        'training.abandon.procedure', "Before", required=True,
        domain=[
            ('id', '!=', Eval('after', -1)),
            ],
        help="The revision to which the other one is compared.")
    after = fields.Many2One(
        'training.abandon.procedure', "After", required=True,
        domain=[
            ('id', '!=', Eval('before', -1)),
            ],
        help="The revision to compare, usually the latest.")


class CompareShow(ModelView):
    __name__ = 'training.abandon.procedure.compare.show'

    title = fields.Char("Revisions", readonly=True)
    differences = fields.Text(
        "Differences", readonly=True,
        help="What the revision after has no more begins with −, what it has "
        "more begins with +.")
