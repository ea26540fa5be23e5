# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
import quopri
from pathlib import Path
from unittest.mock import patch

from sql import Column

from trytond.filestore import filestore
from trytond.model import ModelSQL, fields
from trytond.modules.party.exceptions import InvalidPhoneNumber
from trytond.modules.training_abandon import tools
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DatabaseTestCase, analyse, create_enrolments, create_party,
    create_session, get_reason, mail_server, open_cases, run_wizard, set_email,
    set_up)

# What is the same for all the trainees
OTHERS = (
    'training.abandon.procedure', 'training.abandon.reason',
    'training.abandon.settlement.rule', 'training.abandon.solution',
    'training.apprenticeship.rule', 'training.audit.grading',
    'training.closure', 'training.configuration',
    'training.improvement.action', 'training.improvement.meeting',
    'training.course', 'training.declaration.rule', 'training.journal.day',
    'training.measure.kind',
    'training.questionnaire.question', 'training.risk.rule',
    'training.session', 'training.success.plan', 'ir.email.template')
# What neither names them nor tells of them
KEPT = {
    ('ir.email', 'message_id'),
    ('training.abandon.case', 'number'),
    ('training.abandon.case', 'previous_enrolment_state'),
    ('training.abandon.case', 'journal_head'),
    ('training.abandon.certificate', 'sha256'),
    # What the law has the provider keep of its accounts
    ('training.abandon.settlement', 'explanation'),
    ('training.completion_certificate', 'number'),
    # What the recipient calls it
    ('training.declaration', 'code'),
    ('training.declaration', 'reference'),
    ('training.completion_certificate', 'sha256'),
    ('training.evidence_pack', 'manifest_sha256'),
    ('training.completion_certificate', 'content_sha256'),
    ('training.abandon.settlement.line', 'source'),
    ('training.abandon.settlement.line', 'words'),
    ('training.enrolment', 'agreement_reference'),
    ('training.enrolment.funding', 'file_number'),
    ('training.alert', 'fingerprint'),
    ('training.alert', 'slot_ids'),
    ('training.audit.sample', 'population_ids'),
    ('training.audit.sample', 'population_numbers'),
    ('training.audit.sample', 'population_sha256'),
    ('training.audit.sample.line', 'step_conformities'),
    ('training.calendar.feed', 'content_hash'),
    ('training.enrolment', 'number'),
    ('training.enrolment', 'previous_state'),
    ('training.external_code', 'model'),
    ('training.external_code', 'source'),
    ('training.journal.entry', 'digest'),
    ('training.journal.entry', 'hash'),
    ('training.journal.entry', 'previous'),
    ('training.mail', 'from_'),
    ('training.mail', 'message_sha256'),
    ('training.questionnaire', 'name'),
    ('training.mail.reply', 'message_digest'),
    ('training.mail.reply', 'message_id'),
    ('training.trainee', 'code'),
    # The period, the sessions or the courses
    ('training.evidence_pack', 'choice'),
    # JSON, in which write_all has the word
    ('training.enrolment', 'planned_periods'),
    }


class PartyTestCase(DatabaseTestCase):
    "Test the parties that are erased or replaced"

    @with_transaction()
    def test_phone(self):
        "Test that a phone number has digits and no words"
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')
        party = create_party("Party")

        def create(value, type_='phone'):
            mechanism, = ContactMechanism.create([{
                        'party': party.id,
                        'type': type_,
                        'value': value,
                        }])
            return mechanism

        for value in [
                "04 93 00 00 00", "+33 (0)4.93.00.00.00", "39-49",
                "04 93 00 00 00 poste 12", "0493000000 ext. 3"]:
            with self.subTest(value=value):
                create(value)
        for value in ["04 93 AB", "bureau", "06 00 00 00 00 le soir"]:
            for type_ in ['phone', 'mobile']:
                with self.subTest(value=value, type=type_), \
                        self.assertRaisesRegex(InvalidPhoneNumber, value):
                    create(value, type_)
        create("who@example.com", 'email')
        mechanism = create("04 93 00 00 01")
        with self.assertRaises(InvalidPhoneNumber):
            ContactMechanism.write([mechanism], {'value': "x"})

    @with_transaction()
    def test_party_erase(self):
        "Test that erasing a trainee erases what was written"
        pool = Pool()
        Erase = pool.get('party.erase', type='wizard')
        with set_up() as (company, session, prescriber):
            case, = open_cases(create_enrolments(session))
            party = case.trainee.party
            run_wizard('training.abandon.case.ask_reasons', [case])
            analyse(
                [case], reasons=[get_reason('time.lack').id],
                reason_comment="Private")
            session_id, _, _ = Erase.create()
            party.active = False
            party.save()
            with self.assertRaisesRegex(Exception, "open abandonment case"):
                Erase(session_id).check_erase(party)
            type(case).cancel([case])
            Erase.execute(
                session_id, {'ask': {'party': party.id}}, 'erase')
            for cache in Transaction().cache.values():
                cache.clear()
            case = type(case)(case.id)
            self.assertIsNone(case.reason_comment)
            self.assertIsNone(case.causes[0].note)
            mail, = case.mails
            self.assertEqual((mail.to, mail.body), ('****', None))
            self.assertFalse(mail.message)

    @with_transaction()
    def test_erase_everywhere(self):
        "Test that nothing in the database or in the files names the erased"
        pool = Pool()
        Attachment = pool.get('ir.attachment')
        Code = pool.get('training.external_code')
        Erase = pool.get('party.erase', type='wizard')
        Justification = pool.get('training.justification')
        Notification = pool.get('res.notification')
        Queue = pool.get('ir.filestore.queue')
        Task = pool.get('ir.queue')
        with set_up() as (company, session, prescriber):
            enrolment, = create_enrolments(session, prescriber=prescriber)
            party = enrolment.trainee.party
            party.name = "Éloïse Unforgotten"
            party.save()
            set_email(party, 'eloise@unforgotten.example')
            case, = open_cases([enrolment])
            run_wizard('training.abandon.case.inform', [case])
            run_wizard('training.abandon.case.ask_reasons', [case])
            type(case).cancel([case])
            Code.create([{
                        'source': 'test',
                        'code': 'unforgotten',
                        'record': str(record),
                        } for record in [party, enrolment.trainee, enrolment]])
            Justification.create([{
                        'company': company.id,
                        'enrolment': enrolment.id,
                        'kind': 'sick_leave',
                        'start_date': DATE,
                        'end_date': DATE,
                        'filename': "unforgotten.pdf",
                        'note': "unforgotten",
                        'document': b'%PDF unforgotten',
                        }])
            Attachment.create([{
                        'name': "unforgotten.pdf",
                        'data': b'unforgotten',
                        'resource': str(case),
                        }])
            Notification.create([{
                        'user': Transaction().user,
                        'label': "Reply",
                        'icon': 'tryton-email',
                        name: "Reply of Éloïse Unforgotten",
                        } for name in ['label', 'description']])
            # Whose name begins the same is another person
            other, = Notification.create([{
                        'user': Transaction().user,
                        'label': "Reply of Éloïse Unforgottenson",
                        'icon': 'tryton-email',
                        }])
            done, waiting = Task.create([{
                        'name': "task",
                        'data': {'party': "Éloïse Unforgotten"},
                        'finished_at': at,
                        } for at in [tools.now(), None]])
            self.assertTrue(self.found('unforgotten'))
            self.assertTrue(self.found_files(b'unforgotten'))
            party.active = False
            party.save()
            session_id, _, _ = Erase.create()
            Erase.execute(session_id, {'ask': {'party': party.id}}, 'erase')
            Erase.delete(session_id)
            self.assertEqual(set(self.found('unforgotten')), {
                    ('ir.queue', 'data', waiting.id),
                    ('res.notification', 'label', other.id)})
            Queue.remove()
            self.assertEqual(self.found_files(b'unforgotten'), [])

    @with_transaction()
    def test_erase_words(self):
        "Test that what was written of the erased goes from each column"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Erase = pool.get('party.erase', type='wizard')
        Mail = pool.get('training.mail')
        with set_up() as (company, session, prescriber):
            case = self.write_all(company, session, prescriber)
            self.assertIn('unforgotten', case.enrolment.planned_periods)
            Case.cancel([case])
            self.assertTrue(Mail.search([('state', '=', 'queued')]))
            self.assertEqual(self.mark('unforgotten'), set())
            party = case.trainee.party
            party.active = False
            party.save()
            session_id, _, _ = Erase.create()
            Erase.execute(session_id, {'ask': {'party': party.id}}, 'erase')
            Erase.delete(session_id)
            self.assertEqual({
                    (name, column)
                    for name, column, _ in self.found('unforgotten')},
                {('ir.filestore.queue', 'file_id')})
            self.assertFalse(Mail.search([('state', '=', 'queued')]))

    def found(self, word):
        "Return the columns of the database that hold the word"
        cursor = Transaction().connection.cursor()
        found = []
        for name, Model in Pool().iterobject():
            if not issubclass(Model, ModelSQL) or Model._is_table_query():
                continue
            for table in [Model.__table__()] + (
                    [Model.__table_history__()] if Model._history else []):
                cursor.execute(*table.select())
                columns = [d[0] for d in cursor.description]
                for row in cursor.fetchall():
                    for column, value in zip(columns, row):
                        if isinstance(value, (bytes, memoryview)):
                            value = bytes(value).decode('utf-8', 'replace')
                        if word in str(value).lower():
                            found.append((name, column, row[0]))
        return found

    def write_all(self, company, session, prescriber):
        "Return a case of which all the models have a record"
        pool = Pool()
        Alert = pool.get('training.alert')
        Attachment = pool.get('ir.attachment')
        Attendance = pool.get('training.attendance')
        Case = pool.get('training.abandon.case')
        Certificate = pool.get('training.abandon.certificate')
        Code = pool.get('training.external_code')
        CaseCompletion = pool.get('training.abandon.case.completion')
        Completion = pool.get('training.completion_certificate')
        Declaration = pool.get('training.declaration')
        DeclarationRule = pool.get('training.declaration.rule')
        Event = pool.get('training.improvement.event')
        Exemption = pool.get('training.enrolment.exemption')
        Feed = pool.get('training.calendar.feed')
        Finding = pool.get('training.audit.finding')
        FollowUp = pool.get('training.follow_up')
        Justification = pool.get('training.justification')
        Mail = pool.get('training.mail')
        Measure = pool.get('training.measure')
        MeasureKind = pool.get('training.measure.kind')
        Pack = pool.get('training.evidence_pack')
        Period = pool.get('training.enrolment.period')
        Proposal = pool.get('training.abandon.proposal')
        Questionnaire = pool.get('training.questionnaire')
        Reply = pool.get('training.mail.reply')
        Sample = pool.get('training.audit.sample')
        Settlement = pool.get('training.abandon.settlement')
        Slot = pool.get('training.session.slot')
        Solution = pool.get('training.abandon.solution')
        Answer = pool.get('training.questionnaire.answer')
        Task = pool.get('training.success.task')
        enrolment, = create_enrolments(session, prescriber=prescriber)
        slot = session.slots[0]
        Slot.open([slot])
        Attendance.write(list(slot.attendances), {'state': 'absent'})
        Slot.close([slot])
        Period.write(list(enrolment.periods), {'reason': "unforgotten"})
        type(enrolment).end_expectation([enrolment], DATE)
        alert, = Alert.raise_concern([enrolment], 'other', "Word")
        Alert.dismiss_for([alert], "Reason")
        case, = open_cases([enrolment])
        run_wizard('training.abandon.case.inform', [case])
        mail = case.mails[0]
        with mail_server():
            Mail.deliver([mail])
        Transaction().tasks.clear()
        Case.undo_step([case], "Mistake", "You were told wrong")
        while case.next_kind != 'analyse':
            Case.skip_step([case], "Not needed")
        analyse([case])
        # What somebody else says of the trainee
        Reply.create([{
                    'mail': mail.id,
                    'case': case.id,
                    'party': prescriber.id,
                    'received_at': tools.now(),
                    'message_id': '<1@example.com>',
                    }])
        FollowUp.create([{
                    'company': company.id,
                    'enrolment': enrolment.id,
                    'case': case.id,
                    'party': prescriber.id,
                    }])
        Event.create([{
                    'company': company.id,
                    'case': case.id,
                    'name': "Complaint",
                    'description': "Words",
                    'answer': "Answer",
                    }])
        solution, = Solution.search([], limit=1)
        Proposal.create([{'case': case.id, 'solution': solution.id}])
        Certificate.create([{
                    'case': case.id,
                    'kind': 'statement',
                    'document': b'pdf',
                    'sha256': '0',
                    'issued_at': tools.now(),
                    }])
        CaseCompletion.create([{
                    'case': case.id,
                    'kind': 'return_date',
                    'at': tools.now(),
                    }])
        Justification.create([{
                    'company': company.id,
                    'enrolment': enrolment.id,
                    'kind': 'sick_leave',
                    'start_date': DATE,
                    'end_date': DATE,
                    }])
        Exemption.create([{
                    'enrolment': enrolment.id,
                    'slot': session.slots[1].id,
                    'reason': "Exempted",
                    }])
        sample = Sample.freeze({
                'company': company.id, 'start_date': DATE, 'end_date': DATE,
                'method': 'random', 'seed': 1,
                }, [case.id], [case.id], 0)
        Finding.create([{
                    'sample': sample.id,
                    'line': sample.lines[0].id,
                    'grade': 'minor',
                    'text': "Finding",
                    }])
        Feed.create([{
                    'company': company.id,
                    'name': "Trainee",
                    'kind': 'trainee',
                    'trainee': enrolment.trainee.id,
                    }])
        Code.create([{
                    'source': 'test', 'code': 'E1', 'record': str(enrolment)}])
        questionnaire, = Questionnaire.create([{
                    'name': "Needs",
                    'questions': [('create', [{'name': "Why?"}])],
                    }])
        question, = questionnaire.questions
        Answer.create([{
                    'company': company.id,
                    'enrolment': enrolment.id,
                    'question': question.id,
                    'text': "Because",
                    }])
        kind, = MeasureKind.search([], limit=1)
        Measure.create([{
                    'company': company.id,
                    'name': "Tutoring",
                    'kind': kind.id,
                    'enrolment': enrolment.id,
                    }])
        Task.create([{
                    'company': company.id,
                    'enrolment': enrolment.id,
                    'name': "Tutoring",
                    'due_date': DATE,
                    }])
        Settlement.create([{
                    'company': company.id,
                    'case': case.id,
                    'enrolment': enrolment.id,
                    'ground': 'abandonment',
                    'effective_date': DATE,
                    'currency': enrolment.currency.id,
                    'lines': [('create', [{
                                    'payer': prescriber.id,
                                    'kind': 'none',
                                    'reason': "Reduced",
                                    }])],
                    }])
        rule, *_ = DeclarationRule.search([])
        Declaration.create([{
                    'company': company.id,
                    'enrolment': enrolment.id,
                    'rule': rule.id,
                    'event': rule.event,
                    'kind': rule.kind,
                    'recipient_kind': rule.recipient,
                    'date': DATE,
                    'channel': rule.channel,
                    'note': "Told by phone",
                    }])
        Completion.create([{
                    'number': '1',
                    'company': company.id,
                    'enrolment': enrolment.id,
                    'start_date': DATE,
                    'end_date': DATE,
                    'done': dt.timedelta(hours=1),
                    'document': b'pdf',
                    'sha256': '0',
                    'content_sha256': '0',
                    'issued_at': tools.now(),
                    }])
        Attachment.create([{
                    'name': "scan.pdf",
                    'data': b'scan',
                    'resource': str(r),
                    } for r in [case, enrolment, *case.follow_ups]])
        Pack.request([case], "Choice")
        Transaction().tasks.clear()
        return case

    def mark(self, word):
        """Write the word in all the columns of the models that tell of the
        trainee and return those that have no record"""
        cursor = Transaction().connection.cursor()
        missing = set()
        for name, Model in Pool().iterobject():
            if (not issubclass(Model, ModelSQL) or Model._is_table_query()
                    or not name.startswith(('training.', 'ir.email'))
                    or name.startswith(OTHERS)):
                continue
            table = Model.__table__()
            columns = [
                Column(table, n) for n, f in Model._fields.items()
                if isinstance(f, (fields.Char, fields.Binary))
                and not isinstance(f, fields.Function)
                and (name, n) not in KEPT]
            cursor.execute(*table.select(table.id))
            ids = [id_ for id_, in cursor]
            if columns and not ids:
                missing.add(name)
            for id_ in ids if columns else []:
                # The values of some columns are unique
                cursor.execute(*table.update(
                        columns, [f'{word} {id_}'] * len(columns),
                        where=table.id == id_))
        return missing

    def found_files(self, word):
        "Return the files of the database that hold the word"
        directory = Path(
            filestore._filename('0000', Transaction().database.name))
        directory = directory.parent.parent.parent
        return [
            path for path in directory.rglob('*')
            if path.is_file()
            and word in quopri.decodestring(path.read_bytes()).lower()]

    @with_transaction()
    def test_party_replace(self):
        "Test that replacing a trainee keeps one trainee"
        pool = Pool()
        Party = pool.get('party.party')
        Replace = pool.get('party.replace', type='wizard')
        with set_up() as (company, session, prescriber):
            source, = create_enrolments(session)
            destination, = create_enrolments(create_session(company))
            session_id, _, _ = Replace.create()
            with patch.object(
                    Replace, 'check_similarity', lambda self: None):
                Replace.execute(session_id, {'ask': {
                            'source': source.trainee.party.id,
                            'destination': destination.trainee.party.id,
                            }}, 'replace')
            self.assertEqual(source.trainee, destination.trainee)
            self.assertEqual(
                len(Party.search([('replaced_by', '!=', None),
                            ('active', 'in', [True, False])])), 1)
