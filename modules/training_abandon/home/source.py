# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Where the tasks come from: the records of a model that wait for somebody"
from sql import Literal, Null
from sql.conditionals import Case as SQLCase
from sql.operators import Concat

from trytond.model import fields
from trytond.pool import Pool
from trytond.transaction import Transaction

# The order of the tasks: what keeps the others from being told, what is late
# and the rest
URGENT, LATE, NORMAL = 1, 2, 3
COLUMNS = [
    'kind', 'record', 'company', 'trainee', 'session', 'owner', 'since',
    'due', 'priority']


class Source:
    """The records of a model that are tasks of a kind

    They are those of the domain that the user may read and of which the
    condition holds: the domain is on the own fields of the model, as a search
    that follows relations runs other searches."""
    kind = None
    model = None
    urgent = False

    def __init__(self):
        pool = Pool()
        Company = pool.get('company.company')
        Date = pool.get('ir.date')
        self.Model = pool.get(self.model)
        self.today = Date.today()
        company = Transaction().context.get('company')
        self.timezone = (
            Company(company).timezone if company and company > 0 else None)

    def domain(self):
        "Return the domain of the records"
        return []

    def tables(self, table):
        """Return the tables joined to the one of the model, the columns by
        name and the condition or None"""
        raise NotImplementedError

    def words(self, records):
        "Return the words that tell what there is to do, by id of record"
        raise NotImplementedError

    def action(self, record):
        """Return the name of the action that is exact for the record and what
        it opens it with"""
        return 'act_task_record', self.form(record)

    def form(self, record, view_id=None):
        return {
            'name': self.Model.__names__()['model'],
            'res_model': self.model,
            'res_id': [record.id],
            'views': [(view_id, 'form')],
            }

    def day(self, at):
        "Return the SQL expression of the day of the company at that time"
        return fields.Date('day').sql_cast(at, timezone=self.timezone)

    def query(self, shard, ids=None):
        """Return the query of the tasks, or None if the user may not read the
        model

        shard returns the id of the task of the column of an id, and ids are
        those of the only records that are looked for."""
        pool = Pool()
        ModelAccess = pool.get('ir.model.access')
        if not ModelAccess.check(self.model, 'read', raise_exception=False):
            return
        table = self.Model.__table__()
        domain = self.domain()
        if ids is not None:
            domain = [('id', 'in', ids), domain]
        found = self.Model.search(domain, order=[], query=True)
        from_, columns, condition = self.tables(table)
        where = table.id.in_(found)
        if condition is not None:
            where &= condition
        columns = {
            'kind': Literal(self.kind),
            'record': Concat(
                f'{self.model},', fields.Char('id').sql_cast(table.id)),
            'priority': self._priority(columns.get('due')),
            **columns}
        return from_.select(
            shard(table.id).as_('id'),
            *(self._cast(name, columns.get(name, Null)).as_(name)
                for name in COLUMNS),
            where=where)

    def _priority(self, due):
        if self.urgent:
            return Literal(URGENT)
        elif due is None:
            return Literal(NORMAL)
        return SQLCase((due < self.today, LATE), else_=NORMAL)

    def _cast(self, name, column):
        pool = Pool()
        Task = pool.get('training.task')
        return Task._fields[name].sql_cast(column)

    def labels(self, name):
        "Return the translated labels of the selection of the model"
        selection = self.Model.fields_get([name])[name]['selection']
        if isinstance(selection, str):
            selection = getattr(self.Model, selection)()
        return dict(selection)


def join(from_, column, model):
    "Return the tables joined to the records of the column, and their table"
    pool = Pool()
    table = pool.get(model).__table__()
    return from_.join(table, 'LEFT', condition=table.id == column), table


def enrolled(enrolment, company, **columns):
    "Return the columns of a task that is about an enrolment"
    return {
        'company': company,
        'trainee': enrolment.trainee,
        'session': enrolment.session,
        **columns}
