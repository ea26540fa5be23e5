# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
from collections import defaultdict

from sql import Literal, Null, Union

from trytond import backend
from trytond.i18n import gettext
from trytond.model import ModelSQL, ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Date, DateTime, Eval, If
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from .. import tools
from ..access_value import check_ids
from . import sources
from .gone import GoneMixin
from .source import COLUMNS, URGENT


class Task(GoneMixin, ModelSQL, ModelView):
    "What waits for somebody today"
    __name__ = 'training.task'

    kind = fields.Selection([
            (None, ""),
            ('step', "Step"),
            ('mail', "Undelivered Mail"),
            ('reply', "Reply"),
            ('justification', "Justification"),
            ('follow_up', "Follow-Up"),
            ('signature', "Signature"),
            ('sheet', "Attendance Sheet"),
            ('absentee', "Absentee"),
            ('hold', "Case on Hold"),
            ('setup', "Set-Up"),
            ], "Kind", sort=False,
        help="What the task is about; each tab of the list has some of "
        "these kinds.")
    record = fields.Reference(
        "Record", selection='get_models', help="What the button Handle opens.")
    company = fields.Many2One('company.company', "Company")
    trainee = fields.Many2One('training.trainee', "Trainee")
    session = fields.Many2One('training.session', "Session")
    owner = fields.Many2One(
        'company.employee', "Owner",
        help="Who answers for it: the owner of the case, the trainer of the "
        "slot or the employee of the follow-up.")
    since = fields.Date(
        "Since", help="Since when it waits.")
    due = fields.Date(
        "Due Date", help="The day before the end of which it is to be done.")
    priority = fields.Integer("Priority")
    what = fields.Function(
        fields.Char(
            "What", help="What is to be done, or what is wrong."),
        'get_what')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order = [
            ('priority', 'ASC'),
            ('due', 'ASC NULLS LAST'),
            ('since', 'ASC NULLS LAST'),
            ('id', None),
            ]
        # What is done meanwhile refuses nothing
        cls._buttons.update(handle={})

    @classmethod
    def sources(cls):
        """Return the list of the sources of the tasks

        The id of a task is made of the id of the record and of the position
        of its source: those of the other wings are added to the end."""
        return [
            sources.HeldMails(),
            sources.MailServerDown(),
            sources.NoProcedure(),
            sources.ArchivedProcedure(),
            sources.UndeliveredMails(),
            sources.Replies(),
            sources.Steps(),
            sources.ObstructedCases(),
            sources.AwaitedOutcomes(),
            sources.Justifications(),
            sources.FollowUps(),
            sources.Signatures(),
            sources.Sheets(),
            sources.Absentees(),
            ]

    @classmethod
    def get_models(cls):
        pool = Pool()
        Model = pool.get('ir.model')
        return [(None, "")] + [
            (m, Model.get_name(m))
            for m in dict.fromkeys(s.model for s in cls.sources())]

    @classmethod
    def table_query(cls):
        all_sources = cls.sources()
        count = len(all_sources)
        ids = Transaction().context.get('training_tasks')
        queries = []
        for position, source in enumerate(all_sources):
            source_ids = None
            if ids is not None:
                source_ids = [
                    i // count for i in ids if i % count == position]
                if not source_ids:
                    continue
            query = source.query(
                lambda id_, position=position: id_ * count + position,
                source_ids)
            if query:
                queries.append(query)
        return Union(*queries, all_=True) if queries else cls._nothing()

    @classmethod
    def _nothing(cls):
        "Return the query of those who may read none of the models"
        pool = Pool()
        table = pool.get('company.company').__table__()
        return table.select(
            table.id.as_('id'),
            *(cls._fields[n].sql_cast(Null).as_(n) for n in COLUMNS),
            where=Literal(False))

    @classmethod
    def source_of(cls, id_):
        "Return the source of the task and the id of its record"
        all_sources = cls.sources()
        id_, position = divmod(id_, len(all_sources))
        return all_sources[position], id_

    @classmethod
    def read(cls, ids, fields_names):
        check_ids(ids)
        result = []
        for sub_ids in grouped_slice(ids, backend.MAX_QUERY_PARAMS // 4):
            sub_ids = list(sub_ids)
            # Only the records of the tasks are looked for
            with Transaction().set_context(training_tasks=sub_ids):
                result += super().read(sub_ids, fields_names)
        return result

    @classmethod
    def gone(cls, id_, fields_names):
        row = super().gone(id_, fields_names)
        for name in {'what', 'rec_name'} & row.keys():
            row[name] = gettext('training_abandon.msg_task_done')
        return row

    @classmethod
    def by_source(cls, tasks):
        "Return the list of the sources with their tasks by id of record"
        all_sources, result = cls.sources(), defaultdict(dict)
        for task in tasks:
            if task.kind:
                id_, position = divmod(task.id, len(all_sources))
                result[position][id_] = task
        return [(all_sources[p], by_id) for p, by_id in result.items()]

    @classmethod
    def get_what(cls, tasks, name):
        words = {
            t.id: gettext('training_abandon.msg_task_done') for t in tasks}
        for source, by_id in cls.by_source(tasks):
            records = tools.browse_sets(source.Model, by_id, tools.BATCH)
            for id_, text in source.words(records).items():
                words[by_id[id_].id] = text
        return words

    def get_rec_name(self, name):
        who = self.trainee or self.session
        return who.rec_name if who else self.what

    @classmethod
    def search_rec_name(cls, name, clause):
        return ['OR',
            ('trainee.rec_name', *clause[1:]),
            ('session.rec_name', *clause[1:]),
            ]

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual',
                If(~Eval('kind'), 'muted',
                    If((Eval('priority', 0) == URGENT)
                        | (Eval('due', dt.date.max) < Date(start=DateTime())),
                        'danger', ''))),
            ]

    @classmethod
    @ModelView.button
    def handle(cls, tasks):
        "Open what the first task that is still there is about"
        for source, by_id in cls.by_source(tasks):
            for id_ in by_id:
                return cls._get_action(*source.action(source.Model(id_)))

    @classmethod
    def _get_action(cls, name, values):
        pool = Pool()
        Action = pool.get('ir.action')
        ModelData = pool.get('ir.model.data')
        action_id = Action.get_action_id(
            ModelData.get_id('training_abandon', name))
        return {**Action(action_id).get_action_value(), **values}
