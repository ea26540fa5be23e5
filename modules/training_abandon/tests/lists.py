# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the clients ask of the server to show the lists of the module"
from collections import namedtuple
from functools import cached_property
from xml.etree import ElementTree

from trytond.model import ModelSingleton, ModelSQL
from trytond.pool import Pool
from trytond.pyson import PYSONDecoder
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

# How many records a client asks for, how many it counts, and those of a tab
PAGE, COUNTED, TAB_COUNTED = 1000, 100_000, 1000
# How many of the records of a page it reads at once
READ = 100
# What a wizard opens on a case only
OF_CASE = {'act_case_conversation'}

Tab = namedtuple('Tab', 'name domain count')


class List:
    "An action that opens a list, for records when it is a relate"

    def __init__(self, action, model=None):
        self.action = action
        # The model of the records from which it is opened
        self.model = model

    @cached_property
    def name(self):
        "The identifier in the XML"
        return xml_id(self.action)

    @cached_property
    def Model(self):
        return Pool().get(self.action.res_model)

    @cached_property
    def active_ids(self):
        "The id of a record amidst the others"
        return amidst(self.model) if self.model else []

    def decode(self, value):
        context = dict(Transaction().context)
        context.pop('_check_access', None)
        context.update(
            context=dict(context),
            active_model=self.model,
            active_id=self.active_ids[0] if self.active_ids else None,
            active_ids=self.active_ids)
        return PYSONDecoder(context).decode(value or 'null')

    @cached_property
    def domain(self):
        domain = self.decode(self.action.pyson_domain) or []
        if self.name in OF_CASE:
            domain = [
                domain, ('case', 'in', amidst('training.abandon.case'))]
        return domain

    @cached_property
    def order(self):
        return self.decode(self.action.pyson_order)

    @cached_property
    def tabs(self):
        if not self.action.act_window_domains:
            return [Tab(self.name, self.domain, False)]
        return [
            Tab(
                xml_id(tab),
                ['AND', self.decode(tab.domain) or [], self.domain],
                tab.count)
            for tab in self.action.act_window_domains]

    @cached_property
    def fields(self):
        "The fields of the tree view that opens"
        views = [v.view for v in self.action.act_window_views] or [None]
        for view in views:
            definition = self.Model.fields_view_get(
                view.id if view else None, 'tree')
            if definition['type'] == 'tree':
                return list(definition['fields']), ElementTree.fromstring(
                    definition['arch'])
        return [], None

    @property
    def columns(self):
        "The names of the fields that the list shows"
        _, tree = self.fields
        if tree is None:
            return []
        return [
            e.attrib['name'] for e in tree.findall('field')
            if e.attrib.get('tree_invisible') != '1']

    @property
    def sortable(self):
        "The names of the columns that a click sorts"
        return [
            n for n in self.columns
            if self.Model._fields[n].sortable(self.Model)]

    def search(self, domain, order=None, query=False):
        return self.Model.search(
            domain, 0, PAGE, order or self.order, query=query)

    def count(self, domain, limit=COUNTED, query=False):
        return self.Model.search(
            domain, 0, limit, count=True, query=query)

    def page(self, domain, order=None):
        "Search and read the first page"
        ids = [r.id for r in self.search(domain, order)]
        names, _ = self.fields
        return self.Model.read(ids[:READ], names) if names else ids


def amidst(name):
    "Return the id of a record of the model amidst the others, in a list"
    Model = Pool().get(name)
    table = Model.__table__()
    ids = Model.search([], order=[], query=True)
    cursor = Transaction().connection.cursor()
    cursor.execute(*table.select(
            table.id, where=table.id.in_(ids), order_by=[table.id],
            offset=Model.search([], count=True) // 2, limit=1))
    return [id_ for id_, in cursor]


def xml_id(record):
    ModelData = Pool().get('ir.model.data')
    data, = ModelData.search([
            ('model', '=', record.__name__),
            ('db_id', '=', record.id),
            ])
    return data.fs_id


def lists():
    "Yield the lists of the module that the database stores"
    pool = Pool()
    Action = pool.get('ir.action.act_window')
    Keyword = pool.get('ir.action.keyword')
    ModelData = pool.get('ir.model.data')
    ids = [d.db_id for d in ModelData.search([
                ('module', '=', 'training_abandon'),
                ('model', '=', 'ir.action.act_window'),
                ], order=[('db_id', 'ASC')])]
    for sub_ids in grouped_slice(ids):
        for action in Action.browse(list(sub_ids)):
            Model = action.res_model and pool.get(action.res_model)
            if (not Model or not issubclass(Model, ModelSQL)
                    or issubclass(Model, ModelSingleton)):
                continue
            keywords = Keyword.search([
                    ('action', '=', action.action.id),
                    ('keyword', '=', 'form_relate'),
                    ])
            models = {
                k.model.__name__ if hasattr(k.model, '__name__')
                else str(k.model).partition(',')[0]
                for k in keywords if k.model}
            for model in sorted(models) or [None]:
                yield List(action, model)
