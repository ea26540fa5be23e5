# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from werkzeug.wsgi import wrap_file

from trytond.protocols.wrappers import (
    HTTPStatus, Response, abort, with_pool, with_transaction)
from trytond.transaction import Transaction, check_access
from trytond.wsgi import app


# The cookie of the session is for the path of the name of the database
@app.route(
    '/<string:database_name>/training/evidence_pack/<int:pack_id>',
    methods={'GET'})
@app.auth_required
@with_pool
def evidence_pack(request, pool, pack_id):
    found = _open(request, pool, pack_id)
    if not found:
        abort(HTTPStatus.NOT_FOUND)
    name, file = found
    # It is sent by piece
    response = Response(
        wrap_file(request.environ, file), content_type='application/zip',
        direct_passthrough=True)
    response.headers.set('Content-Disposition', 'attachment', filename=name)
    response.cache_control.no_store = True
    return response


@with_transaction(readonly=False, user='request')
def _open(request, pool, pack_id):
    Pack = pool.get('training.evidence_pack')
    User = pool.get('res.user')
    context = User.get_preferences(context_only=True)
    with Transaction().set_context(context), check_access():
        return Pack.open_file(pack_id)
