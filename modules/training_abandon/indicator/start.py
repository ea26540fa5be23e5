# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Which enrolments are the starts of the trainees, and which were abandoned"
from sql import Null, With

from trytond.pool import Pool


def continued():
    """Return the query of the ids of the enrolments of those who had already
    started in the session from which they were transferred"""
    origins, origin = _origins(), _enrolment()
    return (origins
        .join(origin, condition=origin.id == origins.origin)
        .select(
            origins.id,
            where=origin.first_presence != Null,
            distinct=True,
            with_=[origins]))


def abandoned():
    """Return the query of the ids of the enrolments of which an abandonment
    is validated, there or where the trainee was transferred to"""
    origins, case, transferred = _origins(), _case(), _case()
    return case.select(
        case.enrolment,
        where=_is_abandonment(case),
        # Of the whole union
        with_=[origins]) | (origins
        .join(transferred, condition=transferred.enrolment == origins.id)
        .select(origins.origin, where=_is_abandonment(transferred)))


def _origins():
    "Return the transferred enrolments with each of those they come from"
    child, parent = _enrolment(), _enrolment()
    origins = With('id', 'origin', recursive=True)
    origins.query = child.select(
        child.id, child.transferred_from,
        where=child.transferred_from != Null)
    origins.query |= (parent
        .join(origins, condition=origins.origin == parent.id)
        .select(
            origins.id, parent.transferred_from,
            where=parent.transferred_from != Null))
    return origins


def _is_abandonment(case):
    return (
        (case.ground == 'abandonment') & (case.state != 'cancelled')
        & (case.decision != Null))


def _enrolment():
    pool = Pool()
    return pool.get('training.enrolment').__table__()


def _case():
    pool = Pool()
    return pool.get('training.abandon.case').__table__()
