# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Compares the slots of a session with those that a calendar plans"
from collections import defaultdict, deque

from trytond.i18n import gettext

from .expansion import whole

RECORDED = {'open', 'held'}
FIELDS = ['date', 'start', 'end', 'uid', 'recurrence']


class Change:
    "What becomes of a slot, None if it is new, for what is planned"

    def __init__(self, planned, slot=None):
        self.planned = planned
        self.slot = slot
        self.action = None
        self.reason = ''

    def line(self):
        planned, slot = self.planned, self.slot
        return {
            'action': self.action,
            'date': planned['date'] if planned else slot.date,
            'old': [slot.date, slot.start, slot.end] if slot else None,
            'new': [planned[n] for n in ['date', 'start', 'end']]
            if planned else None,
            'uid': planned['uid'] if planned else slot.uid,
            'summary': planned.get('summary', ''),
            'line': planned.get('line'),
            'reason': self.reason,
            }

    def decide(self, action, reason=''):
        self.action, self.reason = action, reason

    @property
    def trainer(self):
        trainer = self.planned.get('trainer')
        if self.slot and (not trainer or (
                    self.slot.state in RECORDED and not self.slot.trainer)):
            return _trainer(self.slot)
        return trainer

    @property
    def place(self):
        return self.planned['date'], self.planned['start'], self.trainer

    @property
    def values(self):
        "Return the values to write on the slot"
        values = {name: self.planned[name] for name in FIELDS}
        values['calendar_status'] = 'confirmed'
        if self.slot:
            values = {
                name: value for name, value in values.items()
                if getattr(self.slot, name) != value}
        if not self.slot or self.trainer != _trainer(self.slot):
            values['trainer'] = self.trainer
        return values

    def same_times(self):
        return all(
            getattr(self.slot, name) == self.planned[name]
            for name in ['date', 'start', 'end'])

    def cancelled_by_hand(self):
        return (
            self.slot.state == 'cancelled'
            and self.slot.calendar_status != 'cancelled'
            and self.same_times())


class Plan:
    """The changes that make the slots those of the expansion of a calendar.

    If those missing are to be cancelled, the slots of the events which are no
    longer in the calendar are."""

    def __init__(self, slots, expansion, missing=True):
        self._free = {slot.id: slot for slot in slots}
        self._replaced = set()
        self._kept = _keys(expansion['kept'])
        self._cancelled = _keys(expansion['cancelled'])
        self._whole = set(expansion['whole'])
        self._missing = missing
        self.changes = self._match(expansion['slots'])
        self._fill()
        self._remove()

    def _match(self, slots):
        """Find the slot of what is planned: by identity, by day, by time with
        the trainer and by time alone."""
        changes = [
            Change(planned) for planned in sorted(
                slots, key=lambda p: (
                    p['date'], p['start'], p['uid'], p['recurrence'] or ''))]
        for key in [_identity, _day, _time_trainer, _time]:
            self._match_by(key, [c for c in changes if not c.slot])
        return changes

    def _match_by(self, key, changes):
        index = defaultdict(list)
        for slot in sorted(self._free.values(), key=_rank):
            if key is not _identity and self._protected(slot):
                continue
            index[key(
                    slot.date, slot.start, slot.uid, slot.recurrence,
                    _trainer(slot))].append(slot)
        for change in changes:
            planned = change.planned
            found = index[key(*map(planned.get, [
                            'date', 'start', 'uid', 'recurrence',
                            'trainer']))]
            # Which slot of the day has moved is known if there is one
            if found and (key is not _day or len(found) == 1):
                change.slot = found.pop()
                del self._free[change.slot.id]

    def _protected(self, slot):
        return _key(slot) in self._kept or (slot.uid, None) in self._kept

    def _gone(self, slot):
        "Tell if the slot comes from an event which is gone"
        if slot.id in self._replaced:
            return True
        if not slot.uid or self._protected(slot):
            return False
        return (
            _key(slot) in self._cancelled
            or (slot.uid, None) in self._cancelled
            or slot.uid in self._whole
            or bool(self._missing and slot.calendar_status))

    def _fill(self):
        "Decide what becomes of each slot that is planned"
        owners = {_place(slot): slot for slot in self._free.values()}
        waiting = deque()
        for change in self.changes:
            slot = change.slot
            if slot and slot.state in RECORDED:
                owners[_place(slot)] = slot
                if change.same_times() and change.trainer == _trainer(slot):
                    change.decide('link' if change.values else 'keep')
                else:
                    change.decide('conflict', gettext(
                            'training_abandon.msg_ical_recorded'))
            elif slot and change.cancelled_by_hand():
                owners[_place(slot)] = slot
                change.decide('conflict', gettext(
                        'training_abandon.msg_ical_cancelled'))
            elif slot and change.place == _place(slot):
                waiting.appendleft(change)
            else:
                waiting.append(change)
        while waiting:
            self._put(waiting.popleft(), owners, waiting)
        for change in self.changes:
            if not change.action:
                change.decide(_action(change))

    def _put(self, change, owners, waiting):
        "Give its time to what is planned, or refuse it"
        owner = owners.get(change.place)
        if owner is None or owner is change:
            owners[change.place] = change
        elif not isinstance(owner, Change) and self._reusable(owner):
            old, change.slot = change.slot, owner
            del self._free[owner.id]
            owners[change.place] = change
            self._leave(old, owners, waiting)
        else:
            change.decide('reject', gettext(
                    'training_abandon.msg_ical_same_time'))
            self._leave(change.slot, owners, waiting)

    def _leave(self, slot, owners, waiting):
        """The slot is no longer the one of an event, but keeps its time,
        which somebody else may have got."""
        if not slot:
            return
        self._free[slot.id] = slot
        self._replaced.add(slot.id)
        owner = owners.get(_place(slot))
        owners[_place(slot)] = slot
        if isinstance(owner, Change):
            waiting.append(owner)

    def _reusable(self, slot):
        return (
            slot.id in self._free and slot.state not in RECORDED
            and (self._gone(slot) or slot.calendar_status == 'cancelled'))

    def _remove(self):
        "Cancel the slots of the events which are gone"
        for slot in self._free.values():
            if not self._gone(slot) or slot.state == 'cancelled':
                continue
            change = Change({}, slot)
            if slot.state in RECORDED:
                change.decide('conflict', gettext(
                        'training_abandon.msg_ical_removed'))
            else:
                change.decide('cancel')
            self.changes.append(change)

    def of(self, *actions):
        return [c for c in self.changes if c.action in actions]

    def slots(self, *actions):
        return [c.slot for c in self.of(*actions)]

    def lines(self):
        "Return the changes as values to show, those to look at first"
        order = [
            'reject', 'conflict', 'cancel', 'move', 'reinstate', 'create',
            'link', 'keep']
        return sorted(
            (c.line() for c in self.changes),
            key=lambda line: (
                order.index(line['action']), line['date'], line['new'] or []))


def writes(changes):
    """Return the (slot, values) pairs to write in that order, so that no two
    slots ever have the same time."""
    pairs = [
        (c.slot, c.values) for c in changes
        if c.action in {'move', 'reinstate', 'link'} and c.values]
    targets = {
        c.place for c in changes if c.action in {'move', 'reinstate'}
        and c.place != _place(c.slot)}
    parked = {
        slot.id: (slot, {'start': _away(slot.start)})
        for slot, values in pairs
        if _place(slot) in targets
        and {'date', 'start', 'trainer'} & values.keys()}
    return list(parked.values()) + [
        (slot, {'start': slot.start, **values})
        if slot.id in parked else (slot, values)
        for slot, values in pairs]


def _away(time):
    "Return a time that nothing else has"
    return time.replace(second=(time.second + 31) % 60)


def _action(change):
    if not change.slot:
        return 'create'
    elif change.slot.state == 'cancelled':
        return 'reinstate'
    elif {'date', 'start', 'end', 'trainer'} & change.values.keys():
        return 'move'
    return 'link' if change.values else 'keep'


def _keys(pairs):
    return {(uid, recurrence) for uid, recurrence in pairs}


def _key(slot):
    return slot.uid, whole(slot.recurrence)


def _identity(date, start, uid, recurrence, trainer):
    return uid, recurrence


def _day(date, start, uid, recurrence, trainer):
    return uid, date


def _time_trainer(date, start, uid, recurrence, trainer):
    return date, start, trainer


def _time(date, start, uid, recurrence, trainer):
    return date, start


def _place(slot):
    return slot.date, slot.start, _trainer(slot)


def _trainer(slot):
    return getattr(slot.trainer, 'id', slot.trainer)


def _rank(slot):
    "The higher the better to be the one of an event"
    return (
        slot.state in RECORDED, slot.state == 'planned',
        slot.calendar_status is not None, -(slot.id or 0))
