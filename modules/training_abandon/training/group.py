# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Who goes where: groups of trainees and exemptions"
from collections import defaultdict

from sql import Literal
from sql.operators import Exists

from trytond.i18n import gettext
from trytond.model import Index, ModelSQL, ModelView, Unique, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import Eval

from .. import tools
from ..exceptions import GroupWarning, TrainingValidationError
from .expectation import ExpectationMixin


class Group(ModelSQL, ModelView):
    __name__ = 'training.session.group'

    session = fields.Many2One(
        'training.session', "Session", required=True, ondelete='CASCADE')
    name = fields.Char("Name", required=True)
    slots = fields.Many2Many(
        'training.session.slot-training.session.group', 'group', 'slot',
        "Slots",
        domain=[
            ('session', '=', Eval('session', -1)),
            ],
        help="The slots that are for the group and not for all.")
    enrolments = fields.Many2Many(
        'training.enrolment-training.session.group', 'group', 'enrolment',
        "Enrolments",
        domain=[
            ('session', '=', Eval('session', -1)),
            ])

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('session')
        t = cls.__table__()
        cls._sql_constraints += [
            ('name_unique', Unique(t, t.session, t.name),
                'training_abandon.msg_group_name_unique'),
            ]
        cls._order.insert(0, ('name', 'ASC'))


class Slot_Group(ExpectationMixin, ModelSQL):
    __name__ = 'training.session.slot-training.session.group'
    _expectation_of = 'slot'

    slot = fields.Many2One(
        'training.session.slot', "Slot", required=True, ondelete='CASCADE')
    group = fields.Many2One(
        'training.session.group', "Group", required=True, ondelete='RESTRICT')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('slot')
        t = cls.__table__()
        cls._sql_indexes.update({
                Index(t, (t.slot, Index.Equality())),
                Index(t, (t.group, Index.Equality())),
                })

    @classmethod
    def validate_fields(cls, records, field_names):
        super().validate_fields(records, field_names)
        for record in records:
            check_session(record.slot, record.group)

    @classmethod
    def check_modification(cls, mode, records, values=None, external=False):
        super().check_modification(
            mode, records, values=values, external=external)
        for record in records:
            if record.slot.state in {'open', 'held'}:
                raise AccessError(gettext(
                        f'training_abandon.msg_group_slot_{record.slot.state}',
                        slot=record.slot.rec_name))


class Enrolment_Group(ExpectationMixin, ModelSQL):
    __name__ = 'training.enrolment-training.session.group'

    enrolment = fields.Many2One(
        'training.enrolment', "Enrolment", required=True, ondelete='CASCADE')
    group = fields.Many2One(
        'training.session.group', "Group", required=True, ondelete='RESTRICT')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('enrolment')
        t = cls.__table__()
        cls._sql_indexes.update({
                Index(t, (t.enrolment, Index.Equality())),
                Index(t, (t.group, Index.Equality())),
                })

    @classmethod
    def validate_fields(cls, records, field_names):
        super().validate_fields(records, field_names)
        for record in records:
            check_session(record.enrolment, record.group)

    @classmethod
    def on_modification(cls, mode, records, field_names=None):
        super().on_modification(mode, records, field_names=field_names)
        if mode in {'create', 'write'}:
            cls._warn_empty({r.group for r in records})
            cls._note(records, 'training_abandon.msg_group_joined')

    @classmethod
    def _warn_empty(cls, groups):
        "Warn of the groups without slot"
        pool = Pool()
        Warning = pool.get('res.user.warning')
        empty = sorted(g for g in groups if not g.slots)
        if empty:
            key = Warning.format('training_group_without_slot', empty)
            if Warning.check(key):
                raise GroupWarning(key, gettext(
                        'training_abandon.msg_group_without_slot',
                        groups=tools.names(empty)))

    @classmethod
    def on_delete(cls, records):
        callback = super().on_delete(records)
        cls._note(records, 'training_abandon.msg_group_left')
        return callback

    @classmethod
    def _note(cls, records, message):
        pool = Pool()
        Event = pool.get('training.enrolment.event')
        same = defaultdict(list)
        for record in records:
            if record.enrolment.state != 'draft':
                same[record.group].append(record.enrolment)
        for group, enrolments in same.items():
            Event.record(
                enrolments, 'groups',
                description=gettext(message, group=group.rec_name))


def check_session(record, group):
    if record.session != group.session:
        raise TrainingValidationError(gettext(
                'training_abandon.msg_group_other_session',
                record=record.rec_name,
                group=group.rec_name))


class Subject(ModelSQL, ModelView):
    __name__ = 'training.course.subject'

    course = fields.Many2One(
        'training.course', "Course", required=True, ondelete='CASCADE')
    name = fields.Char("Name", required=True)

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('course')
        t = cls.__table__()
        cls._sql_constraints += [
            ('name_unique', Unique(t, t.course, t.name),
                'training_abandon.msg_subject_name_unique'),
            ]
        cls._order.insert(0, ('name', 'ASC'))


class Exemption(ExpectationMixin, ModelSQL, ModelView):
    __name__ = 'training.enrolment.exemption'

    enrolment = fields.Many2One(
        'training.enrolment', "Enrolment", required=True, ondelete='CASCADE')
    subject = fields.Many2One(
        'training.course.subject', "Subject", ondelete='RESTRICT',
        domain=[
            ('course', '=', Eval('course', -1)),
            ],
        states={
            'required': ~Eval('slot'),
            'readonly': Eval('slot', 0) > 0,
            })
    slot = fields.Many2One(
        'training.session.slot', "Slot", ondelete='CASCADE',
        domain=[
            ('session', '=', Eval('session', -1)),
            ],
        states={
            'required': ~Eval('subject'),
            'readonly': Eval('subject', 0) > 0,
            })
    reason = fields.Char(
        "Reason", required=True, help="Do not write any health detail.")
    session = fields.Function(
        fields.Many2One('training.session', "Session"),
        'on_change_with_session')
    course = fields.Function(
        fields.Many2One('training.course', "Course"),
        'on_change_with_course')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('enrolment')
        t = cls.__table__()
        cls._sql_indexes.add(Index(t, (t.enrolment, Index.Equality())))

    @fields.depends('enrolment', '_parent_enrolment.session')
    def on_change_with_session(self, name=None):
        return self.enrolment.session if self.enrolment else None

    @fields.depends('enrolment', '_parent_enrolment.session')
    def on_change_with_course(self, name=None):
        if self.enrolment and self.enrolment.session:
            return self.enrolment.session.course

    def get_rec_name(self, name):
        return (self.subject or self.slot).rec_name

    @classmethod
    def search_rec_name(cls, name, clause):
        return ['OR',
            ('subject.rec_name', *clause[1:]),
            ('slot.rec_name', *clause[1:]),
            ]

    @classmethod
    def on_modification(cls, mode, exemptions, field_names=None):
        super().on_modification(mode, exemptions, field_names=field_names)
        if mode in {'create', 'write'}:
            cls._note(
                exemptions, 'training_abandon.msg_exemption_changed')

    @classmethod
    def on_delete(cls, exemptions):
        callback = super().on_delete(exemptions)
        cls._note(exemptions, 'training_abandon.msg_exemption_deleted')
        return callback

    @classmethod
    def _note(cls, exemptions, message):
        pool = Pool()
        Event = pool.get('training.enrolment.event')
        same = defaultdict(list)
        for exemption in exemptions:
            same[exemption.reason, exemption.rec_name].append(
                exemption.enrolment)
        for (reason, name), enrolments in same.items():
            Event.record(
                enrolments, 'exemption', reason=reason,
                description=gettext(message, exemption=name))


class GroupsMixin:
    "Enrolments of groups, with exemptions"
    __slots__ = ()

    groups = fields.Many2Many(
        'training.enrolment-training.session.group', 'enrolment', 'group',
        "Groups",
        domain=[
            ('session', '=', Eval('session', -1)),
            ],
        help="Where the trainee goes when a slot is not for all.")
    exemptions = fields.One2Many(
        'training.enrolment.exemption', 'enrolment', "Exemptions",
        help="The subjects and the slots at which the trainee is not "
        "expected.")

    @classmethod
    def _grouped_sql(cls, enrolment_id, slot_id):
        "Return if the slot is for all or for a group of the enrolment"
        pool = Pool()
        SlotGroup = pool.get('training.session.slot-training.session.group')
        EnrolmentGroup = pool.get('training.enrolment-training.session.group')
        any_, shared = SlotGroup.__table__(), SlotGroup.__table__()
        own = EnrolmentGroup.__table__()
        return ~Exists(any_.select(
                Literal(1), where=any_.slot == slot_id)) | Exists(
            shared.join(own, condition=own.group == shared.group).select(
                Literal(1),
                where=(shared.slot == slot_id)
                & (own.enrolment == enrolment_id)))

    @classmethod
    def _exempted_sql(cls, enrolment_id, slot, slot_id):
        pool = Pool()
        Exemption = pool.get('training.enrolment.exemption')
        exemption = Exemption.__table__()
        return Exists(exemption.select(
                Literal(1),
                where=(exemption.enrolment == enrolment_id)
                & ((exemption.slot == slot_id)
                    | (exemption.subject == slot.subject))))
