# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.protocols.wrappers import Response
from trytond.wsgi import app

from .manual import FILE, PATH


@app.route(PATH, methods={'GET'})
def manual(request):
    response = Response(
        FILE.read_bytes(), content_type='text/html; charset=utf-8')
    response.headers['Content-Security-Policy'] = (
        "default-src 'none'; style-src 'unsafe-inline'")
    response.add_etag()
    return response.make_conditional(request)
