# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The indemnity and the fundings of the imported enrolments"

from decimal import Decimal

from . import cells
from .table import Rejected

# What ends the names of the columns of each funder
NUMBERS = ['', '_2', '_3']
FUNDERS = [f'funder{number}' for number in NUMBERS]
FUNDING_COLUMNS = {
    'share': cells.percentage,
    'amount': cells.price,
    'ceiling': cells.price,
    'hourly_rate': cells.price,
    'file_number': cells.code,
    }
COLUMNS = {
    'indemnity_rate': cells.percentage,
    'indemnity_scale': cells.scale,
    'indemnity_grounds': cells.grounds,
    **{f'{name}{number}': convert
        for number in NUMBERS
        for name, convert in [
            ('funder', cells.code), *FUNDING_COLUMNS.items()]},
    }
BAND = 'training.enrolment.indemnity'
BAND_FIELDS = ['days_before_start', 'rate']


def check(row):
    "Raise Rejected if what the row tells does not fit together"
    if row['indemnity_rate'] is not None and row['indemnity_scale']:
        raise Rejected(
            "The indemnity has a rate or a scale: empty one of the cells.",
            'indemnity_scale')
    for number in NUMBERS:
        told = [
            f'{name}{number}' for name in FUNDING_COLUMNS
            if row[f'{name}{number}'] is not None]
        if told and not row[f'funder{number}']:
            raise Rejected(
                "It needs its funder: fill the column "
                f"funder{number}.", told[0])
        if {f'share{number}', f'amount{number}'} <= set(told):
            raise Rejected(
                "A funder pays a share or an amount: empty one of the cells.",
                f'amount{number}')
    if problem := funder_twice(row):
        raise Rejected(*problem)


def funder_twice(row):
    "Return why the row cannot name the same party by several codes"
    parties = [(name, row[name]) for name in FUNDERS if row[name]]
    for index, (name, party) in enumerate(parties):
        if party in [p for _, p in parties[:index]]:
            return "The funder is there twice: keep one of them.", name


def clause(row):
    "Return the values of the indemnity but for its scale"
    values = {}
    if row['indemnity_rate'] is not None:
        values.update(
            indemnity_kind='rate', indemnity_rate=row['indemnity_rate'])
    elif row['indemnity_scale']:
        values['indemnity_kind'] = 'scale'
    if row['indemnity_grounds']:
        values['indemnity_grounds'] = row['indemnity_grounds']
    return values


def clause_conflict(row, kind=None):
    "Return why the row cannot be of an agreement with the kind of indemnity"
    if row['indemnity_rate'] is not None and kind == 'scale':
        return (
            "The agreement has an indemnity by days before the start: change "
            "it by hand.", 'indemnity_rate')
    if row['indemnity_scale'] and kind == 'rate':
        return (
            "The agreement has one rate of indemnity: change it by hand.",
            'indemnity_scale')
    if (row['indemnity_grounds'] and not kind
            and 'indemnity_kind' not in clause(row)):
        return (
            "The grounds need an indemnity: fill the column indemnity_rate "
            "or indemnity_scale.", 'indemnity_grounds')


def scale_changes(row, bands=()):
    new = row['indemnity_scale'] or []
    if not new or set(new) == {
            tuple(b[name] for name in BAND_FIELDS) for b in bands}:
        return []
    changes = [('create', [dict(zip(BAND_FIELDS, band)) for band in new])]
    if bands:
        changes.insert(0, ('delete', [b['id'] for b in bands]))
    return changes


def _fundings(row):
    "Return by funder what the row tells of its funding"
    fundings = {}
    for number in NUMBERS:
        if funder := row[f'funder{number}']:
            values = fundings[funder] = {
                name: row[f'{name}{number}'] for name in FUNDING_COLUMNS
                if row[f'{name}{number}'] is not None}
            if 'amount' in values:
                values['share'] = None
            elif 'share' in values:
                values['amount'] = None
    return fundings


def _compare(row, fundings):
    """Return what the row tells of the funders who fund nothing yet, and the
    fundings of which it does not name the funder"""
    told, known = _fundings(row), {f['funder'] for f in fundings}
    return (
        {p: values for p, values in told.items() if p not in known},
        [f for f in fundings if f['funder'] not in told])


def funding_conflict(row, fundings):
    new, others = _compare(row, fundings)
    if new and len(others) > 1:
        return (
            "The enrolment has several fundings: change them by hand.",
            next(n for n in FUNDERS if row[n] in new))


def funding_changes(row, fundings=()):
    told, changes = _fundings(row), []
    new, others = _compare(row, fundings)
    if new and others:
        # What was agreed with the former one is not of the new one
        changes.append(('delete', [f['id'] for f in others]))
    for funding in fundings:
        changed = {
            name: value
            for name, value in told.pop(funding['funder'], {}).items()
            if funding[name] != value}
        if changed:
            changes.append(('write', [funding['id']], changed))
    if new:
        changes.append(('create', [
                    {'funder': party, 'share': Decimal(1), **values}
                    for party, values in new.items()]))
    return changes
