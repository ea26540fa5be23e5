# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"A concern, from the trainer who raises it to what the trainer reads of it"

import datetime as dt

from playwright.sync_api import expect

from proteus import Model
from trytond.modules.training_abandon.tests import tools

from .test_attendance import TO_FIRST_CELL, keys

TRAINEE = "Nour Haddad"
WORD = "Ne parle plus à personne"


def create_session(training):
    "Return the session of yesterday that the user gives"
    Employee = Model.get('company.employee')
    session = tools.create_session(
        "Soudure", training.today - dt.timedelta(days=1))
    trainer, = Employee.find([('party.name', '=', "Andrea Lopez")])
    session.trainers.append(trainer.party)
    session.save()
    enrolment = tools.create_enrolment(session, tools.create_party(
            TRAINEE, email='nour@example.org', lang='fr'))
    return session, enrolment


def test_concern(client, training):
    "Test that a trainer is told what became of the own concern"
    session, enrolment = create_session(training)

    client.login('formateur')
    assert client.menu_paths("Formation") == [
        ("Formation", "Mes séances", name) for name in [
            "Feuilles d'émargement", "Sessions", "Stagiaires", "Alertes",
            "Mes signalements"]]
    client.open_menu("Formation", "Mes séances", "Sessions")
    expect(client.rows()).to_have_count(1)
    client.open_row(session.number)
    client.screenshot('80-trainer-session')
    client.open_menu("Formation", "Mes séances", "Feuilles d'émargement")
    client.open_row(session.number)
    client.press('open')
    client.screenshot('81-trainer-sheet')
    keys(client, *TO_FIRST_CELL, 'a', 'Enter', 'Escape')
    client.press('close')
    expect(client.field('state')).to_have_value('"held"')
    expect(client.buttons('open')).to_have_count(0)
    assert [a.state for a in session.slots[0].attendances] == ['absent']
    client.open_menu("Formation", "Mes séances", "Stagiaires")
    client.open_row(TRAINEE)
    client.screenshot('82-trainer-trainee')
    client.action("Signaler une inquiétude")
    client.field('kind').select_option(label="Motivation")
    client.fill('word', WORD)
    client.screenshot('83-concern')
    client.answer("Signaler")
    client.open_menu("Formation", "Mes séances", "Mes signalements")
    expect(client.rows(WORD)).to_contain_text("Personne ne s'en est encore")
    client.open_menu("Formation", "Mes séances", "Alertes")
    client.open_row(TRAINEE)
    client.logout()

    client.login('assistant')
    client.open_menu("Formation", "Stagiaires", "Alertes")
    client.open_row(TRAINEE)
    expect(client.field('word')).to_have_value(WORD)
    client.screenshot('84-alert')
    call(enrolment)
    client.open_menu("Formation", "Abandons", "Suivis", "Appels du jour")
    expect(client.rows(TRAINEE)).to_have_count(1)
    client.screenshot('85-calls')
    client.open_menu("Formation", "Stagiaires", "Alertes")
    client.open_row(TRAINEE)
    client.press('open_case')
    expect(client.field('state')).to_have_value('"handled"')
    client.logout()

    client.login('formateur')
    client.screenshot('86-trainer-told')
    client.open_menu("Formation", "Mes séances", "Mes signalements")
    expect(client.rows(WORD)).to_contain_text("Un dossier est ouvert")
    client.open_row(TRAINEE)
    client.screenshot('87-outcome')
    expect(client.front).not_to_contain_text("Abandons")


def call(enrolment):
    "Call the trainee, who does not answer, and plan another call"
    FollowUp = Model.get('training.follow_up')
    now = dt.datetime.now(dt.timezone.utc).replace(tzinfo=None, microsecond=0)
    values = {
        'enrolment': enrolment,
        'kind': 'call',
        'party': enrolment.trainee.party,
        }
    FollowUp(done_at=now, outcome='no_answer', **values).save()
    FollowUp(planned_at=now + dt.timedelta(minutes=1), **values).save()
