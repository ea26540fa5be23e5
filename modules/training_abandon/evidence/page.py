# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The pages of the pack, and what they say in the language of the company"
import datetime as dt
from collections import namedtuple

from trytond.modules.company import CompanyReport
from trytond.pool import Pool

from .. import tools

# What a page shows: a text, that leads to a file of the pack if it has an href
Cell = namedtuple('Cell', 'text href', defaults=[None])
Section = namedtuple('Section', 'id title headers rows notes', defaults=[()])
Page = namedtuple(
    'Page', 'title links notes problems facts sections none footer')


class PageReport(CompanyReport):
    "The frame of the pages: they open without network"
    __name__ = 'training.evidence_pack.page'
    # The pack makes it, nobody prints it
    internal = True

    @classmethod
    def get_context(cls, records, header, data):
        context = super().get_context(records, header, data)
        context['page'] = data.get('page')
        return context


class Words:
    "The labels and the values of the records in the language"

    def __init__(self, company):
        pool = Pool()
        Lang = pool.get('ir.lang')
        self._company = company
        self._lang = Lang.get()
        self._labels, self._selections = {}, {}

    def label(self, model, name):
        "Return the label of the field"
        pool = Pool()
        if (model, name) not in self._labels:
            self._labels[model, name] = (
                pool.get(model).__names__(name)['field'])
        return self._labels[model, name]

    def labels(self, model, *names):
        return [self.label(model, name) for name in names]

    def model(self, name):
        "Return the name of the model"
        pool = Pool()
        return pool.get(name).__names__()['model']

    def selection(self, record, name):
        "Return the label of the value of the field"
        Model, value = type(record), getattr(record, name)
        if not value:
            return ''
        key = Model.__name__, name
        if key not in self._selections:
            self._selections[key] = Model._fields[name].get_selection(
                Model, name, record)
        return self._selections[key][value]

    def text(self, value):
        "Return the words for the value"
        if value is None:
            return ''
        elif isinstance(value, dt.datetime):
            return self._lang.strftime(
                tools.local_datetime(value, self._company),
                f'{self._lang.date} %H:%M')
        elif isinstance(value, dt.date):
            return self._lang.strftime(value)
        elif isinstance(value, dt.time):
            return value.strftime('%H:%M')
        return str(value)

    def cells(self, *values):
        "Return the cells of the values"
        return [
            v if isinstance(v, Cell) else Cell(self.text(v)) for v in values]
