# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""What the users read and write by the doors that Tryton leaves open

Tryton leaves to its clients what a form shows as read-only, and reads without
the access of the user what is exported, copied or named by a form. The mixins
close these doors for the models and the wizards of the module and for what is
attached to their records."""
import re
from collections import defaultdict
from functools import wraps
from itertools import chain

from trytond.i18n import gettext
from trytond.model import Model, ModelStorage, fields
from trytond.model.exceptions import AccessError
from trytond.model.modelstorage import _record_eval_pyson
from trytond.pool import Pool
from trytond.tools import grouped_slice
from trytond.transaction import (
    Transaction, check_access, inactive_records, without_check_access)
from trytond.wizard import StateView

from .access_value import MAX_INTEGER, check_ids, check_value
from .exceptions import RequestError
from .tools import BATCH, browse_by_id

LISTS = {'one2many', 'many2many'}
RELATIONS = {'many2one', 'one2one', 'reference', *LISTS}
# What no client can send, in the context of a copy
_COPYING = object()
ATTACHED = {'ir.attachment', 'ir.note', 'ir.email', 'ir.model.log'}


def is_ours(cls):
    return cls.__name__.startswith('training.')


def is_user():
    "Return if what is done is done with the access of a user"
    transaction = Transaction()
    return bool(transaction.user and transaction.check_access)


def is_guarded(name):
    "Return if what the name of the record of the model tells is guarded"
    return name.startswith('training.') or name in ATTACHED


def check_context():
    """Raise an error if the context names a company for which the user does
    not work

    Tryton takes it from the client."""
    pool = Pool()
    User = pool.get('res.user')
    transaction = Transaction()
    company = transaction.context.get('company')
    # The forms give -1 as long as they have none
    if company not in (None, -1) and transaction.user:
        check_ids([company])
        if company not in User.get_companies():
            raise AccessError(gettext('training_abandon.msg_access_company'))


def check_readable(named):
    """Raise AccessError if the user may not read one of the records

    named is the ids by name of model."""
    pool = Pool()
    if not Transaction().user:
        return
    with check_access(), inactive_records():
        for name, ids in named.items():
            Model_ = pool.get(name)
            if max(ids, default=0) > MAX_INTEGER:
                raise AccessError(gettext(
                        'training_abandon.msg_access_record',
                        **Model_.__names__()))
            for sub_ids in grouped_slice(sorted(ids), BATCH):
                Model_.read(list(sub_ids), ['id'])


def named_by(Model_, values, named=None):
    """Return the ids by name of model of the records that the values name

    values is the fields that a client sends, as it sends them or as the
    instances made of them."""
    if named is None:
        named = defaultdict(set)
    _name_values(Model_, values, named, set())
    return named


def _name_values(Model_, values, named, seen):
    for name, value in values.items():
        field = Model_._fields.get(name)
        if not value or not field or field._type not in RELATIONS:
            continue
        if field._type != 'reference':
            _name(field.get_target(), value, named, seen)
        elif isinstance(value, Model):
            _name(type(value), value, named, seen)
        else:
            _name_reference(value, named, seen)


def _name_reference(value, named, seen):
    pool = Pool()
    model, id_ = value.split(',') if isinstance(value, str) else value
    try:
        Target = pool.get(model)
    except KeyError:
        raise AccessError(gettext(
                'training_abandon.msg_access_record', model=model))
    _name(Target, id_, named, seen)


def _name(Target, value, named, seen):
    "Add the records of the value, the actions of a list included"
    if isinstance(value, Model):
        if id(value) in seen:
            return
        seen.add(id(value))
        Target = value.__class__
        _name(Target, value.id, named, seen)
        if value._values:
            _name_values(Target, dict(value._values._items()), named, seen)
    elif isinstance(value, dict):
        _name(Target, value.get('id'), named, seen)
        _name_values(Target, value, named, seen)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _name(Target, item, named, seen)
    elif value is not None and issubclass(Target, ModelStorage):
        try:
            # As the fields do of whatever they are given
            id_ = int(value)
        except (TypeError, ValueError, OverflowError):
            return
        if id_ >= 0:
            named[Target.__name__].add(id_)


def check_values(Model_, values, stored=False):
    """Raise RequestError for a value that the fields do not take, to store it
    or in a form"""
    for name, value in values.items():
        if '.' in name:
            continue
        check_value(Model_, name, value, stored)
        field = Model_._fields[name]
        if field._type in LISTS:
            for item in value or []:
                _check_items(field.get_target(), item, stored)
        elif field._type == 'many2one' and isinstance(value, dict):
            check_values(field.get_target(), value, stored)


def _check_items(Target, item, stored):
    "Check the values of a line, or those that an action of a list holds"
    if isinstance(item, dict):
        check_values(Target, item, stored)
    elif isinstance(item, (list, tuple)):
        for value in item:
            _check_items(Target, value, stored)


def guard(cls):
    """Check what the procedure calls of the model, the wizard or the report
    are given"""
    for rpc in cls.__rpc__.values():
        if not getattr(rpc.decorator, 'is_guard', False):
            # What modifies records is for those that are saved
            saved = not rpc.readonly and rpc.instantiate == 0
            rpc.decorator = _guard(rpc.decorator, saved)


def _guard(decorator, saved):
    "Return the decorator that checks before it calls what the other makes"
    def guarded(method):
        decorated = decorator(method) if decorator else method

        @wraps(method)
        def wrapper(*args, **kwargs):
            check_context()
            _check_records(args[0] if args else None, saved)
            return decorated(*args, **kwargs)
        return wrapper
    guarded.is_guard = True
    return guarded


def _check_records(records, saved):
    "Check that the user may read the records, and those that they name"
    if isinstance(records, Model):
        records = [records]
    if isinstance(records, (list, tuple)):
        named, seen = defaultdict(set), set()
        records = [r for r in records if isinstance(r, Model)]
        if saved:
            check_ids([r.id for r in records])
        for record in records:
            _name(type(record), record, named, seen)
        check_readable(named)


class NameMixin:
    "Models of which the defaults tell no name that the user may not read"
    __slots__ = ()

    @classmethod
    def default_get(cls, fields_names=None, with_rec_name=True, **kwargs):
        values = super().default_get(
            fields_names, with_rec_name=with_rec_name, **kwargs)
        if is_user():
            for name in [n[:-1] for n in values if n.endswith('.')]:
                named = named_by(cls, {name: values[name]})
                try:
                    check_readable({
                            n: ids for n, ids in named.items()
                            if is_guarded(n)})
                except AccessError:
                    del values[f'{name}.']
        return values


class GuardMixin:
    "What is called with records that the user may read only"
    __slots__ = ()

    def __init_subclass__(cls):
        super().__init_subclass__()
        if is_guarded(cls.__name__):
            guard(cls)


class StorageMixin:
    """Records of which the users read, export, copy and write what their
    forms show them"""
    __slots__ = ()

    @classmethod
    def _before_create(cls, vlist):
        if is_ours(cls) and is_user():
            named = defaultdict(set)
            for values in vlist:
                check_values(cls, values, stored=True)
                named_by(cls, values, named)
            check_readable(named)
            with without_check_access():
                cls._check_readonly_new(vlist)
        return super()._before_create(vlist)

    @classmethod
    def _before_write(cls, *args):
        if is_ours(cls) and is_user():
            named = defaultdict(set)
            for records, values in zip(args[::2], args[1::2]):
                named[cls.__name__].update(map(int, records))
                check_values(cls, values, stored=True)
                named_by(cls, values, named)
            check_readable(named)
            with without_check_access():
                cls._check_readonly(*args)
        return super()._before_write(*args)

    @classmethod
    def _before_read(cls, ids, fields_names):
        if is_ours(cls) and is_user() and isinstance(ids, (list, tuple)):
            check_ids(ids)
        return super()._before_read(ids, fields_names)

    @classmethod
    def _before_delete(cls, records):
        if is_ours(cls) and is_user():
            check_readable({cls.__name__: set(map(int, records))})
        return super()._before_delete(records)

    @classmethod
    def _check_readonly_new(cls, vlist):
        """Raise AccessError for a value that no form lets the user give to a
        new record"""
        # What a new record computes again, whatever it is given, or has from
        # another system is declared by the models
        given = set(getattr(cls, '_given_fields', ()))
        if Transaction().context.get('_copying') is _COPYING:
            given.update(
                f.file_id for f in cls._fields.values()
                if isinstance(f, fields.Binary))
        names = {
            n for n in set(chain(*vlist))
            if cls._fields[n].readonly and n not in given}
        if not names:
            return
        defaults = cls.default_get(list(names), with_rec_name=False)
        for values in vlist:
            for name in names & values.keys():
                value = values[name]
                if value and value != defaults.get(name):
                    raise AccessError(gettext(
                            'training_abandon.msg_access_readonly_new',
                            **cls.__names__(name)))

    @classmethod
    def _check_readonly(cls, *args):
        """Raise AccessError for a value that no form lets the user change

        The values that exclude each other are changed together: the
        condition of a field holds for the old ones and for the new ones."""
        by_id = browse_by_id(
            cls, set(chain(*(map(int, r) for r in args[::2]))))
        for records, values in zip(args[::2], args[1::2]):
            names = [
                n for n in values
                if cls._fields[n].readonly
                or 'readonly' in (cls._fields[n].states or {})]
            if not names:
                continue
            for record in records:
                old = by_id[record.id]
                changed = [n for n in names if changes(old, n, values[n])]
                if not changed:
                    continue
                new = cls(record.id)
                for name, value in values.items():
                    if cls._fields[name]._type not in LISTS:
                        setattr(new, name, value)
                for name in changed:
                    field = cls._fields[name]
                    if field.readonly or all(
                            _record_eval_pyson(r, field.states['readonly'])
                            for r in [old, new]):
                        raise AccessError(gettext(
                                'training_abandon.msg_access_readonly',
                                **cls.__names__(name, old)))

    @classmethod
    def export_data(cls, records, fields_names, header=False):
        if is_user():
            cls._keep_readable(records, [n.split('/') for n in fields_names])
        return super().export_data(records, fields_names, header=header)

    @classmethod
    def _keep_readable(cls, records, paths):
        "Give to the records what the user may read of the relations exported"
        records = [r for r in records if r]
        tails = defaultdict(list)
        for name, *tail in paths:
            tails[re.match(r'\w+', name)[0]].append(tail)
        rows = {
            row['id']: row
            for sub_records in grouped_slice(records, BATCH)
            for row in cls.read(
                list(dict.fromkeys(r.id for r in sub_records)), list(tails))}
        for name, tails in tails.items():
            field = cls._fields[name]
            if field._type not in RELATIONS:
                continue
            if field._type in LISTS:
                Target = field.get_target()
                for record in records:
                    setattr(
                        record, name, Target.browse(rows[record.id][name]))
                targets = [t for r in records for t in getattr(r, name)]
            else:
                targets = [
                    t for r in records
                    if isinstance(t := getattr(r, name), ModelStorage)]
            by_model = defaultdict(list)
            for target in targets:
                by_model[type(target)].append(target)
            for Target, targets in by_model.items():
                Target._keep_readable(targets, [t for t in tails if t])

    @classmethod
    def copy(cls, records, default=None):
        if not is_user() or not is_guarded(cls.__name__):
            return super().copy(records, default=default)
        check_readable({cls.__name__: set(map(int, records))})
        default = cls._readable_default(default)
        # The copy has the files, that nobody may name
        with Transaction().set_context(_copying=_COPYING):
            return super().copy(records, default=default)

    @classmethod
    def _readable_default(cls, default):
        "Return default with nothing in the fields that the user may not read"
        pool = Pool()
        FieldAccess = pool.get('ir.model.field.access')
        default = dict(default or {})
        if _names_file(default):
            raise AccessError(gettext(
                    'training_abandon.msg_access_record', model='ir.file'))
        access = FieldAccess.get_access([cls.__name__])[cls.__name__]
        for name, field in cls._fields.items():
            if (not access.get(name, {}).get('read', True)
                    and not (isinstance(field, fields.Function)
                        and not isinstance(field, fields.MultiValue))):
                default.setdefault(name)
        return default


def _names_file(value):
    "Return if the default values of a copy name a file of the disk"
    if isinstance(value, dict):
        return any(
            str(n).endswith('file_id') or _names_file(v)
            for n, v in value.items())
    return isinstance(value, (list, tuple)) and any(map(_names_file, value))


def changes(record, name, value):
    "Return if the value that a client sends is another one for the record"
    field = record._fields[name]
    if field._type in LISTS:
        return bool(value)
    current = getattr(record, name)
    if isinstance(current, Model):
        current = (
            str(current) if field._type == 'reference' else current.id)
    return (current or None) != (value or None)


class WizardMixin(GuardMixin):
    "Wizards that act for the groups of their actions on readable records"
    __slots__ = ()

    @classmethod
    def check_access(cls):
        if not is_ours(cls):
            return super().check_access()
        with Transaction().set_context(cls._checked_context()):
            super().check_access()

    @classmethod
    def _checked_context(cls):
        "Return what the context says of the action and of the records"
        pool = Pool()
        ActionWizard = pool.get('ir.action.wizard')
        context = Transaction().context
        ids = context.get('active_ids') or []
        if (id_ := context.get('active_id')) is not None:
            check_ids([id_])
        check_ids(ids)
        action = context.get('action_id')
        with without_check_access():
            actions = ActionWizard.search([('wiz_name', '=', cls.__name__)])
        if action not in [a.id for a in actions]:
            action = None
        model = context.get('active_model')
        try:
            if model:
                pool.get(model)
        except (KeyError, TypeError):
            raise AccessError(gettext(
                    'training_abandon.msg_access_record', model=model))
        if not model and ids:
            raise RequestError(gettext(
                    'training_abandon.msg_request_records'))
        # Each record once
        return {'action_id': action, 'active_ids': list(dict.fromkeys(ids))}

    @classmethod
    def execute(cls, session_id, data, state_name):
        pool = Pool()
        if not is_ours(cls):
            return super().execute(session_id, data, state_name)
        cls._check_opened(session_id)
        cls._check_sent(data, state_name)
        named = defaultdict(set)
        for name, values in data.items():
            state = cls.states[name]
            named_by(pool.get(state.model_name), values, named)
        check_readable(named)
        # The defaults are those of the wizard
        transaction = Transaction()
        context = {
            n: v for n, v in transaction.context.items()
            if not n.startswith('default_')}
        with transaction.reset_context(), transaction.set_context(context):
            return super().execute(session_id, data, state_name)

    @classmethod
    def delete(cls, session_id):
        if is_ours(cls):
            cls._check_opened(session_id)
        return super().delete(session_id)

    @classmethod
    def _check_opened(cls, session_id):
        """Raise AccessError if another user has opened the wizard

        Tryton executes the states of any session."""
        pool = Pool()
        Session = pool.get('ir.session.wizard')
        check_ids([session_id])
        user = Transaction().user
        with without_check_access():
            if user and not Session.search([
                        ('id', '=', session_id),
                        ('create_uid', '=', user),
                        ], limit=1):
                raise AccessError(gettext(
                        'training_abandon.msg_access_session'))

    @classmethod
    def _check_sent(cls, data, state_name):
        pool = Pool()
        views = {
            name: state.model_name for name, state in cls.states.items()
            if isinstance(state, StateView)}
        if (not isinstance(state_name, str)
                or state_name not in {*cls.states, cls.end_state}
                or not isinstance(data, dict)
                or not data.keys() <= views.keys()
                or not all(isinstance(v, dict) for v in data.values())):
            raise RequestError(gettext('training_abandon.msg_request_state'))
        for name, values in data.items():
            check_values(pool.get(views[name]), values)


class ReportMixin(GuardMixin):
    "Reports that are made by their own actions of readable records"
    __slots__ = ()

    @classmethod
    def execute(cls, ids, data):
        if is_ours(cls) and is_user():
            cls._check_request(ids, data)
        return super().execute(ids, data)

    @classmethod
    def _check_request(cls, ids, data):
        """Raise an error if it is not asked as the client does

        Tryton makes the report of any action."""
        pool = Pool()
        ActionReport = pool.get('ir.action.report')
        check_ids(ids)
        if not ids:
            raise RequestError(gettext('training_abandon.msg_request_records'))
        action = data.get('action_id') if isinstance(data, dict) else 0
        with without_check_access():
            actions = ActionReport.search([
                    ('report_name', '=', cls.__name__)])
        if (getattr(cls, 'internal', False)
                or action is not None
                and action not in [a.id for a in actions]):
            raise AccessError(gettext(
                    'training_abandon.msg_access_report',
                    report=actions[0].name if actions else ''))
