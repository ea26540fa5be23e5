# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""Drop and create the PostgreSQL database of the demo

python -m lib.demo.database URI"""

import sys
import urllib.parse

import psycopg
from psycopg import sql

from ..environment import refuse

# Only a database with this comment is ever dropped
MARK = 'training_abandon demo'


def main(uri):
    parts = urllib.parse.urlsplit(uri)
    name = parts.path.strip('/')
    try:
        with psycopg.connect(
                parts._replace(path='/postgres').geturl(), autocommit=True,
                connect_timeout=10) as connection:
            create(connection, name)
        with psycopg.connect(
                uri, autocommit=True, connect_timeout=10) as connection:
            set_up(connection)
    except psycopg.OperationalError as exc:
        refuse("The PostgreSQL server does not answer: start it, or correct "
            f"the URI of --database ({exc})")
    except psycopg.Error as exc:
        refuse(f"PostgreSQL refuses to create the database {name}: {exc}")


def create(connection, name):
    found = connection.execute(
        "SELECT shobj_description(oid, 'pg_database') "
        "FROM pg_database WHERE datname = %s", [name]).fetchone()
    if found and found[0] != MARK:
        refuse(f"The database {name} is not one of the demo: choose another "
            "name, or drop it yourself.")
    name = sql.Identifier(name)
    connection.execute(sql.SQL(
            'DROP DATABASE IF EXISTS {} WITH (FORCE)').format(name))
    connection.execute(sql.SQL(
            "CREATE DATABASE {} TEMPLATE template0 ENCODING 'unicode'"
            ).format(name))
    connection.execute(sql.SQL('COMMENT ON DATABASE {} IS {}').format(
            name, sql.Literal(MARK)))
    # As the documentation says to set it up
    connection.execute(
        sql.SQL('ALTER DATABASE {} SET jit = off').format(name))


def set_up(connection):
    "Have the names indexed by their parts"
    available = connection.execute(
        "SELECT 1 FROM pg_available_extensions "
        "WHERE name = 'pg_trgm'").fetchone()
    if available:
        connection.execute('CREATE EXTENSION IF NOT EXISTS pg_trgm')


if __name__ == '__main__':
    main(*sys.argv[1:])
