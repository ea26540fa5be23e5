# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""The lists, their tabs and relates in a database that grows

The baseline is the time within which a list opens without being noticed. Of
each kind of what a client asks the slowest is told, and all that are slower
than the baseline."""

from collections import defaultdict
from contextlib import contextmanager
from itertools import chain
from statistics import median, quantiles

from ..environment import say
from .common import measure, seconds

RUNS = 3
# The lines of the sheets
SIZES = [10_000, 100_000, 1_000_000]
# Some of the slots have no sheet
SHEETS = 0.89
BASELINE = 0.3
BAR = 1.0
# Names, numbers and what is not found
WORDS = ['camille martin', 'martin', 'E4711', 'S123', 'C777', 'zzzzzz']
COMPLETED = [
    'party.party', 'training.trainee', 'training.session',
    'training.session.slot', 'training.enrolment', 'training.abandon.case']


def run(client):
    bench = Bench(client)
    bench.set_up()
    done = 0
    for size in SIZES:
        bench.grow(size - done)
        done = size
        times = defaultdict(list)
        for kind, name, function in bench.questions():
            best = min(seconds(function) for _ in range(RUNS))
            times[kind].append((best, name))
            if best > BASELINE:
                say(f"{size:>9} {kind:10} {best:6.2f} s {name}")
        for kind, values in times.items():
            bests = [best for best, _ in values]
            worst, name = max(values)
            say(f"{size:>9} {kind:10} {len(values):4} measured, median "
                f"{median(bests):.3f} s, 95 % "
                f"{quantiles([*bests, *bests], n=20)[-1]:.3f} s, slowest "
                f"{worst:.3f} s {name}")
            yield measure(
                f'{kind} of {size}', 1, [worst], 1, [BASELINE], BAR)


class Bench:
    "A user who has all the rights of the module"

    def __init__(self, client):
        self.client = client
        self.user = None

    @contextmanager
    def transaction(self, user=None):
        from trytond.transaction import Transaction

        with Transaction().start(
                self.client.config.database_name,
                user or self.client.config.user,
                context=dict(self.client.context, _skip_warnings=True)
                ) as transaction:
            yield transaction

    def set_up(self):
        from trytond.modules.training_abandon.tests.common import create_user
        from trytond.pool import Pool

        with self.transaction() as transaction:
            pool = Pool()
            Company = pool.get('company.company')
            Group = pool.get('res.group')
            User = pool.get('res.user')
            user = create_user(
                'lists', Company(transaction.context['company']))
            User.write([user], {
                    'groups': [('add', [g.id for g in Group.search([])])],
                    })
            self.user = user.id

    def grow(self, attendances):
        from trytond.modules.training_abandon.tests.common import live
        from trytond.modules.training_abandon.tests.volume import Volume
        from trytond.pool import Pool

        with self.transaction() as transaction, live():
            Company = Pool().get('company.company')
            Volume(
                Company(transaction.context['company']),
                int(attendances / SHEETS)).fill()
        self.vacuum()

    def vacuum(self):
        "Do what PostgreSQL does after a while"
        from trytond import backend
        from trytond.transaction import Transaction

        if backend.name == 'postgresql':
            with Transaction().start(
                    self.client.config.database_name, 0,
                    autocommit=True) as transaction:
                transaction.connection.cursor().execute('VACUUM ANALYZE')

    def questions(self):
        """Yield the kind, the name and the function of what a client asks,
        each in the transaction of a user"""
        from trytond.modules.training_abandon.tests.common import as_user
        from trytond.modules.training_abandon.tests.lists import (
            COUNTED, PAGE, TAB_COUNTED, lists)
        from trytond.pool import Pool

        with self.transaction():
            pool = Pool()
            User = pool.get('res.user')
            with as_user(User(self.user)):
                searched = set()
                for list_ in lists():
                    for tab in list_.tabs:
                        kind = 'relate' if list_.model else 'page'
                        yield kind, tab.name, Question(
                            list_.page, tab.domain)
                        yield 'count', tab.name, Question(
                            list_.count, tab.domain,
                            TAB_COUNTED if tab.count else COUNTED)
                    if list_.model:
                        continue
                    for column in list_.sortable:
                        yield 'order', f'{list_.name} {column}', Question(
                            list_.search, list_.tabs[-1].domain,
                            [(column, 'ASC')])
                    name = list_.Model.__name__
                    if name not in searched:
                        searched.add(name)
                        for word in WORDS:
                            yield 'search', f'{name} {word}', Question(
                                list_.page, [
                                    ('rec_name', 'ilike', f'%{word}%'),
                                    *list_.domain])
                for name, word in chain.from_iterable(
                        ((n, w) for w in WORDS) for n in COMPLETED):
                    yield 'completion', f'{name} {word}', Question(
                        pool.get(name).autocomplete, word, [], PAGE)


class Question:
    "Ask it as a request that has read nothing yet"

    def __init__(self, function, *arguments):
        self.function = function
        self.arguments = arguments

    def __call__(self):
        from trytond.modules.training_abandon.tools import forget_read

        forget_read()
        self.function(*self.arguments)
