# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the server does for the import: all or nothing, and dry runs"
from pathlib import Path

from trytond.exceptions import TrytonException
from trytond.model import Model
from trytond.pool import Pool
from trytond.rpc import RPC, RPCReturnException
from trytond.tools import is_instance_method
from trytond.transaction import Transaction

from ...tools import savepoint
from .answers import Answers
from .attendance import Attendance
from .client import Client, Refused, message
from .enrolments import Enrolments
from .follow_ups import FollowUps
from .importer import Options, replaced
from .measures import Measures
from .parties import Parties
from .sessions import Sessions
from .table import Errors, Rows

KINDS = {
    kind.__name__.lower(): kind
    for kind in [
        Parties, Sessions, Enrolments, Attendance, FollowUps, Measures,
        Answers]}


class Tried(RPCReturnException):
    "What a dry run has found: the server undoes what it has done"

    def __init__(self, found):
        super().__init__()
        self.found = found

    def result(self):
        return self.found


class Import(Model):
    __name__ = 'training.import'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__rpc__.update(
            apply=RPC(readonly=False),
            try_calendar=RPC(readonly=False),
            try_out=RPC(readonly=False))

    @classmethod
    def apply(cls, calls):
        """Make the calls, all of them or none, return their results.

        The records that a call creates may have numbers, by which the next
        ones name them."""
        pool = Pool()
        made, results = {}, []
        for call in calls:
            Model = pool.get(call['model'])
            result = execute(
                Model, call['method'], replaced(call['args'], made),
                Transaction().context)
            if call['numbers']:
                made.update(zip(call['numbers'], result))
            results.append(result)
        return results

    @classmethod
    def try_out(cls, kind, header, rows, options):
        "Import the rows, tell what becomes of them and undo everything"
        table = Rows(header)
        table.path = Path('table')
        for line, raw in rows:
            table.add(line, raw)
        errors = Errors(table)
        importer = KINDS[kind](
            LocalClient(), table, errors, Options(**options), Silent())
        stopped = None
        # Else the first one inside would end the transaction of SQLite
        Transaction().connection.cursor().execute('SAVEPOINT training_tried')
        try:
            importer.run()
        except Refused as exc:
            stopped = str(exc)
        raise Tried({
                'rejected': list(errors.reasons()),
                'outcomes': [
                    [row.line, outcome]
                    for row, outcome in importer.found.items()],
                'stopped': stopped,
                })

    @classmethod
    def try_calendar(cls, group, missing=True):
        "Load the slots of a session, return the lines and undo everything"
        pool = Pool()
        Session = pool.get('training.session')
        raise Tried(Session.load_calendar(group, missing))


class Silent:
    def update(self, number):
        pass


def execute(Model, method, args, context):
    "Do as when the user calls the method of the model"
    if method in Model.__rpc__:
        rpc = Model.__rpc__[method]
    elif method in getattr(Model, '_buttons', {}):
        rpc = RPC(readonly=False, instantiate=0)
    else:
        raise TypeError(f"{method} of {Model.__name__} can not be called")
    private = {
        name: context[name] for name in ['_skip_warnings']
        if name in context}
    args, kwargs, context, _ = rpc.convert(Model, *args, dict(context))
    with Transaction().set_context(context, **private):
        function = getattr(Model, method)
        if rpc.instantiate is None or not is_instance_method(Model, method):
            return rpc.result(function(*args, **kwargs))
        records, *args = args
        return [
            rpc.result(function(record, *args, **kwargs))
            for record in records]


class LocalClient(Client):
    "Calls inside one transaction, each undone alone when it is refused"

    def __init__(self):
        self.context = dict(Transaction().context)

    def call(self, model, method, *args, **context):
        pool = Pool()
        try:
            with savepoint(), Transaction().reset_context():
                return execute(
                    pool.get(model), method, args,
                    {**self.context, **context})
        except RPCReturnException as exc:
            return exc.result()
        except TrytonException as exc:
            raise Refused(message(str(exc))) from exc
