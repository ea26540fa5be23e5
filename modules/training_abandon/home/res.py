# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.transaction import Transaction

from .. import tools


class User(metaclass=PoolMeta):
    __name__ = 'res.user'

    training_home = fields.Boolean(
        "Open the Training Home",
        help="Check to open first at login what is yours to do: the home of "
        "the trainings, the cases to settle, the sheets or the samples.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._preferences_fields.append('training_home')

    @classmethod
    def __register__(cls, module):
        table_h = cls.__table_handler__(module)
        has_home = table_h.column_exist('training_home')
        super().__register__(module)
        if not has_home:
            table = cls.__table__()
            Transaction().connection.cursor().execute(*table.update(
                    [table.training_home], [True]))

    @classmethod
    def default_training_home(cls):
        return True

    @classmethod
    def _get_preferences(cls, user, context_only=False):
        preferences = super()._get_preferences(
            user, context_only=context_only)
        if (not context_only
                and user.training_home
                and (home := cls._home_action())):
            preferences['actions'] = [home] + [
                a for a in preferences['actions'] if a != home]
        return preferences

    @classmethod
    def set_preferences(cls, values):
        "Keep what the user does with the home in the list of the actions"
        values, home, actions = dict(values), cls._home_action(), []
        for action, ids, *args in values.get('actions') or []:
            if action in {'add', 'remove'} and home in ids:
                values['training_home'] = action == 'add'
                ids = [i for i in ids if i != home]
            actions.append((action, ids, *args))
        if actions:
            values['actions'] = actions
        super().set_preferences(values)

    @classmethod
    def _home_actions(cls):
        "The groups with what opens first for them, those who do most first"
        return [('group_training', 'act_home')]

    @classmethod
    def _home_action(cls):
        pool = Pool()
        Action = pool.get('ir.action')
        ModelData = pool.get('ir.model.data')
        for group, action in cls._home_actions():
            if tools.is_member(group):
                return Action.get_action_id(
                    ModelData.get_id('training_abandon', action))
