# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
import hashlib
import logging

from trytond import backend
from trytond.protocols.wrappers import (
    HTTPStatus, Response, abort, with_pool, with_transaction)
from trytond.wsgi import app

logger = logging.getLogger(__name__)


@app.route(
    '/<base64:database_name>/training/calendar/<token>.ics', methods={'GET'})
@with_pool
def calendar(request, pool, token):
    feed_id, content, content_hash, changed_at = _render(request, pool, token)
    if not changed_at:
        try:
            changed_at = _note_use(request, pool, feed_id, content_hash)
        except backend.DatabaseOperationalError:
            logger.warning(
                "Failed to note the use of calendar feed %s", feed_id,
                exc_info=True)
    response = Response(content, content_type='text/calendar; charset=utf-8')
    response.headers['Content-Disposition'] = 'inline; filename=calendar.ics'
    response.cache_control.private = True
    response.cache_control.no_cache = True
    response.set_etag(content_hash)
    if changed_at:
        response.last_modified = changed_at.replace(tzinfo=dt.timezone.utc)
    return response.make_conditional(request)


@with_transaction(readonly=True)
def _render(request, pool, token):
    "Return the content of the feed, and when it changed unless to be noted"
    Feed = pool.get('training.calendar.feed')
    feed = Feed.from_token(token)
    if not feed:
        abort(HTTPStatus.NOT_FOUND)
    content = feed.render()
    content_hash = hashlib.sha256(content).hexdigest()
    return (
        feed.id, content, content_hash,
        feed.changed_at if feed.is_noted(content_hash) else None)


@with_transaction(readonly=False)
def _note_use(request, pool, feed_id, content_hash):
    Feed = pool.get('training.calendar.feed')
    return Feed(feed_id).note_use(content_hash)
