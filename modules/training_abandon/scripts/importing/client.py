# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Calls to a Tryton server, in process or over the network, with proteus"

import configparser
import logging
import os
import re
import urllib.parse
import xmlrpc.client
from contextlib import ExitStack, suppress
from http.client import HTTPException
from xml.parsers.expat import ExpatError

try:
    from proteus import config as pconfig
except ModuleNotFoundError:
    pconfig = None

# Larger lists of records cost the server more than more calls
BATCH = 200
# Codes of UserError, UserWarning and ConcurrencyException
REFUSALS = {1, 2, 4}
# What answers is not a server of Tryton, or stops in the middle
NO_ANSWER = (xmlrpc.client.ResponseError, HTTPException, ExpatError)
NO_PROTEUS = (
    "proteus is not installed here: install the extra import of the package, "
    "like pip install 'trytond_training_abandon[import]'")
UNKNOWN_MODEL = (
    "the server does not know {model}: activate the module training_abandon "
    "in this database.")


def add_server_arguments(parser):
    "Add the options that choose the server, return their exclusive group"
    server = parser.add_mutually_exclusive_group(required=True)
    server.add_argument('--database', metavar='URI',
        help="work in this process on the database, "
        "like sqlite:///NAME or postgresql://user@host/NAME")
    server.add_argument('--url',
        help="work with a server, like https://user@host:8000/NAME/")
    parser.add_argument('--config', metavar='FILE',
        help="trytond.conf to use with --database")
    parser.add_argument('--user', default='admin',
        help="login to use with --database (default: %(default)s)")
    return server


class Refused(Exception):
    "The server refuses the values: the message is for the user"


class Stopped(Exception):
    "The server is not able to answer"


class ConnectionFailed(Exception):
    "There is no server, no database or no right to use them"


def grouped(items, size=BATCH):
    items = list(items)
    for start in range(0, len(items), size):
        yield items[start:start + size]


class Client:
    "Calls to the models by lists and in the context of one company"

    def __init__(self, config, close=lambda: None):
        self.config = config
        self._close = close
        # No warning can be answered here
        config.skip_warning = True
        self.context = dict(
            config.context, skip_slot_conflicts=True,
            skip_sheet_notices=True)
        self._proxies = {}
        self._refusals, self._failures = _exceptions()

    def close(self):
        # The server may have stopped before
        with suppress(OSError, xmlrpc.client.Error, *NO_ANSWER):
            self._close()

    def proxy(self, model):
        if model not in self._proxies:
            try:
                self._proxies[model] = self.config.get_proxy(model)
            except KeyError as exc:
                raise Stopped(UNKNOWN_MODEL.format(model=model)) from exc
        return self._proxies[model]

    def call(self, model, method, *args, **context):
        try:
            return getattr(self.proxy(model), method)(
                *args, dict(self.context, **context))
        except xmlrpc.client.Fault as exc:
            if exc.faultCode in REFUSALS:
                raise Refused(message(exc.faultString)) from exc
            raise Stopped(f"the server fails: {exc.faultString}") from exc
        except xmlrpc.client.ProtocolError as exc:
            raise Stopped(f"the server fails: {exc.errmsg}") from exc
        except NO_ANSWER as exc:
            raise Stopped("the server gives no valid answer.") from exc
        except self._refusals as exc:
            raise Refused(message(str(exc))) from exc
        except self._failures as exc:
            raise Stopped(f"the database fails: {exc}") from exc

    def search_read(self, model, domain, names, **context):
        return self.call(
            model, 'search_read', domain, 0, None, None, list(names),
            **context)

    def read_in(self, model, field, values, names, domain=(), size=BATCH):
        """Read the records, even inactive, whose field is in values, by
        lists of a size that keeps the answers short."""
        result = []
        for part in grouped(dict.fromkeys(values), size):
            result += self.search_read(
                model, [(field, 'in', part), *domain], names,
                active_test=False)
        return result

    def create(self, model, values):
        return self.call(model, 'create', values) if values else []

    def write(self, model, *pairs):
        "Write with (ids, values) pairs in one transaction"
        if pairs:
            self.call(model, 'write', *(x for pair in pairs for x in pair))

    def click(self, model, button, ids, **context):
        for part in grouped(ids):
            self.call(model, button, part, **context)


def _exceptions():
    """Exceptions of a server in process that are meant for the user, and
    those of its database"""
    try:
        from trytond import backend
        from trytond.exceptions import TrytonException
    except ImportError:
        return (), ()
    return (TrytonException,), (
        backend.DatabaseOperationalError, backend.DatabaseDataError,
        backend.DatabaseIntegrityError, backend.DatabaseTimeoutError)


def message(text):
    "The message of a refusal, without its description when it is empty"
    return text.removesuffix(' - ')


def check_proteus():
    if not pconfig:
        raise ConnectionFailed(NO_PROTEUS)


def connect_database(database, user='admin', config_file=None):
    "Return a client working in this process on the database of the URI"
    # The modules of trytond keep what they find in the configuration
    import trytond.config as config

    check_proteus()
    # It repeats each second what the exception says at the end
    logging.getLogger('psycopg.pool').setLevel(logging.CRITICAL)
    config_file = config_file or os.environ.pop('TRYTOND_CONFIG', None)
    if config_file:
        if not os.path.exists(config_file):
            raise ConnectionFailed(f"There is no file {config_file}.")
        try:
            config.update_etc(config_file)
        except (configparser.Error, UnicodeDecodeError) as exc:
            raise ConnectionFailed(
                f"{config_file} is not a configuration: "
                f"{str(exc).splitlines()[0]}") from exc
    try:
        parts = urllib.parse.urlsplit(database)
        if parts.scheme:
            config.set('database', 'uri', f'{parts.scheme}://{parts.netloc}')
        return Client(pconfig.set_trytond(database, user))
    except IndexError as exc:
        raise ConnectionFailed(f"There is no user '{user}'.") from exc
    except Exception as exc:
        # Each backend has its own
        raise ConnectionFailed(
            f"The database {_without_password(database)} can not be used: "
            f"{exc or type(exc).__name__}") from exc


def connect_url(url, password=None):
    "Return a client of the server at https://user:password@host/database/"
    check_proteus()
    try:
        parts = urllib.parse.urlsplit(url)
        parts.port
    except ValueError:
        parts = urllib.parse.urlsplit('')
    database = parts.path.strip('/').removesuffix('/rpc')
    if (parts.scheme not in {'http', 'https'} or not parts.hostname
            or not database):
        raise ConnectionFailed(
            "The URL must be like https://user@host:port/database/")
    user = urllib.parse.unquote(parts.username or 'admin')
    password = password or urllib.parse.unquote(parts.password or '')
    parts = parts._replace(
        netloc=parts.netloc.rpartition('@')[2], path=f'/{database}/rpc/')
    stack = ExitStack()
    try:
        # Without session the server checks the password at each call
        config = stack.enter_context(pconfig.set_xmlrpc_session(
                parts.geturl(), user, password))
        return Client(config, stack.close)
    except (TypeError, xmlrpc.client.Fault):
        reason = "the user or the password is wrong"
    except xmlrpc.client.ProtocolError as exc:
        reason = {
            401: "the user or the password is wrong",
            404: "the server does not know this database",
            429: "too many attempts, wait a moment",
            503: "the server does not know this database",
            }.get(exc.errcode, exc.errmsg)
    except OSError as exc:
        reason = exc.strerror or exc
    except NO_ANSWER:
        reason = "what answers there is not a Tryton server"
    raise ConnectionFailed(
        f"No connection to {_without_password(url)}: {reason}")


def _without_password(url):
    return re.sub('(//[^:/]*):.*@', r'\1:***@', url)


def use_company(client, name=None):
    "Set the company to work for, return its name"
    company = client.context.get('company')
    if name is None:
        if not company:
            raise ConnectionFailed(
                "The user works for no company: choose one in the "
                "preferences of the user.")
        domain = [('id', '=', company)]
    elif name.isdigit():
        domain = [('id', '=', int(name))]
    else:
        domain = [('party.name', '=', name)]
    companies = client.search_read(
        'company.company', domain, ['id', 'rec_name', 'party'])
    if len(companies) != 1:
        raise ConnectionFailed(
            f"There is no company '{name}', or more than one.")
    found, = companies
    if (found['id'] != company
            and client.context.get('company_filter') != 'all'):
        raise ConnectionFailed(
            f"The user does not work for '{found['rec_name']}': choose it "
            "in the preferences of the user.")
    client.context['company'] = found['id']
    return found
