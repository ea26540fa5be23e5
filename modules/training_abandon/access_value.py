# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the clients may send as the values of the fields"
import datetime as dt
import math
import re
import reprlib
from decimal import Decimal

from trytond.i18n import gettext
from trytond.model import ModelSQL, fields

from .exceptions import RequestError

# The greatest id and the greatest integer of the databases
MAX_INTEGER = 2 ** 31 - 1


def _is_text(value):
    # PostgreSQL refuses the null characters, both of them the surrogates
    return (isinstance(value, str)
        and '\x00' not in value
        and (value.isascii() or not any(
                '\ud800' <= c <= '\udfff' for c in value)))


def _is_integer(value):
    return isinstance(value, int) and abs(value) <= MAX_INTEGER


def _is_date(value):
    return isinstance(value, dt.date) and not isinstance(value, dt.datetime)


def _is_datetime(value):
    return isinstance(value, dt.datetime) and not value.tzinfo


def _is_time(value):
    return isinstance(value, dt.time) and not value.tzinfo


def _is_decimal(value):
    return (isinstance(value, Decimal) and value.is_finite()
        or _is_integer(value))


def _is_float(value):
    return isinstance(value, (int, float)) and math.isfinite(value)


def _is_record(value):
    return _is_integer(value) or isinstance(value, dict)


def _is_list(value):
    return isinstance(value, (list, tuple)) and all(
        isinstance(v, (int, dict)) or isinstance(v, (list, tuple)) and v
        for v in value)


def _is_reference(value):
    if isinstance(value, str):
        return bool(re.fullmatch(r'[^,]+,-?\d+', value))
    return (isinstance(value, (list, tuple))
        and len(value) == 2 and isinstance(value[0], str))


def _is_selection(value):
    return isinstance(value, (str, int)) and (
        _is_text(value) or _is_integer(value))


def _is_multiselection(value):
    return isinstance(value, (list, tuple)) and all(map(_is_selection, value))


TESTS = {
    'binary': lambda value: isinstance(value, (bytes, bytearray)),
    'boolean': lambda value: isinstance(value, int),
    'char': _is_text,
    'date': _is_date,
    'datetime': _is_datetime,
    'float': _is_float,
    'integer': _is_integer,
    'many2many': _is_list,
    'many2one': _is_record,
    'multiselection': _is_multiselection,
    'numeric': _is_decimal,
    'one2many': _is_list,
    'reference': _is_reference,
    'selection': _is_selection,
    'text': _is_text,
    'time': _is_time,
    'timedelta': lambda value: isinstance(value, dt.timedelta),
    'timestamp': _is_datetime,
    }


def check_value(Model, name, value, stored):
    """Raise RequestError if the field does not take such a value, to store it
    or in a form"""
    field = Model._fields.get(name)
    if field is None:
        raise RequestError(gettext(
                'training_abandon.msg_request_field',
                field=_short(name), **Model.__names__()))
    test = TESTS.get(field._type)
    if (value is not None and test and not test(value)
            or stored and issubclass(Model, ModelSQL) and (
                _is_computed(field)
                or field._type == 'many2one' and not _is_stored(value))):
        raise RequestError(gettext(
                'training_abandon.msg_request_value',
                value=_short(value), **Model.__names__(name)))


def _is_stored(value):
    return value is None or isinstance(value, int) and value > 0


def _is_computed(field):
    "Return if the field has a getter and nothing that stores its value"
    return (isinstance(field, fields.Function)
        and not isinstance(field, fields.MultiValue)
        and not field.setter)


def check_ids(ids):
    "Raise RequestError if it is no list of ids"
    if not isinstance(ids, (list, tuple)) or not all(
            type(i) is int and 0 <= i <= MAX_INTEGER for i in ids):
        raise RequestError(gettext(
                'training_abandon.msg_request_ids', ids=_short(ids)))


def _short(value):
    "Return the value as words, ready for the message"
    return reprlib.repr(value).encode('ascii', 'backslashreplace').decode()
