"""Programs for the Python of Airflow on a scheduler host: fill the table of connections, read it as tasks do."""

SEED = r"""
import json, logging, sys
logging.disable(logging.CRITICAL)
from airflow.models import Connection
from airflow.providers_manager import ProvidersManager
from airflow.utils.session import create_session

count, secret = {count}, {secret!r}
awkward = [
    dict(password="quotes ' and \" %s %% " + secret),
    dict(password="two\nlines\tand a tab " + secret),
    dict(password="emoji \U0001f600 \ud55c\uae00 " + secret),
    dict(password=(secret + " ") * 160),
    dict(password=None, login=None, host=None, schema=None, port=None, extra=None),
    dict(password=None, login="", host="", schema="", extra="", description=""),
    dict(extra=json.dumps(dict(a=dict(b=[dict(api_token=secret), 1, None, True]), region="eu"))),
    dict(extra=json.dumps(dict(keyfile_dict=json.dumps(dict(private_key=secret)), endpoint="https://mn01p:8443/x"))),
    dict(extra="no json at all, " + secret),
    dict(extra='{{"b": 1,    "a": {{"z": 1, "y": "\ud55c\uae00"}}}}'),
    dict(extra='["a", "list"]'),
    dict(host="http://mn01p:8080/path", schema="https"),
    dict(host="dn01p:9092,dn02p:9092", extra=json.dumps({{"bootstrap.servers": "dn01p:9092,dn02p:9092"}})),
    dict(conn_type="a_type_of_no_provider", host="mn02p"),
    dict(description="a line\nand another \ud55c\uae00"),
]
types = sorted(ProvidersManager().hooks)
with create_session() as session:
    session.query(Connection).delete()
    for number in range(count):
        fields = dict(
            conn_type=types[number % len(types)], host="mn01p", port=1000 + number, schema="s%d" % number,
            login="user%d" % number, password="%s-%d" % (secret, number), extra=None, description=None,
        )
        fields.update(awkward[number] if number < len(awkward) else {{}})
        row = Connection(conn_id="c%04d.id-%s" % (number, "x" if number % 2 else "Y"))
        for name, value in fields.items():
            setattr(row, name, value)
        if fields["host"] == "":
            row._password = ""
        session.add(row)
print("ANSWER" + json.dumps(types))
"""

ADD = r"""
import json, logging, sys
logging.disable(logging.CRITICAL)
from airflow import models
from airflow.utils.session import create_session
with create_session() as session:
    for fields in {rows!r}:
        row = getattr(models, {model!r})()
        for name, value in fields.items():
            setattr(row, name, value)
        session.add(row)
print("ANSWER null")
"""

# What a task gets, field by field.
LOADED = r"""
import json, logging, sys
logging.disable(logging.CRITICAL)
from airflow.hooks.base import BaseHook
from airflow.models import Connection
from airflow.utils import log
from airflow.utils.log import secrets_masker
from airflow.utils.session import create_session
# The masker of the log grows with each password, which takes long for hundreds of them.
secrets_masker._secrets_masker().add_mask = lambda *_: None
with create_session() as session:
    ids = [name for name, in session.query(Connection.conn_id)]
fields = ("conn_type", "host", "port", "schema", "login", "password", "extra", "description")
found = {{}}
for name in ids:
    connection = BaseHook.get_connection(name)
    found[name] = {{field: getattr(connection, field) for field in fields}}
print("ANSWER" + json.dumps(found))
"""
