"""Safeguards of the doers of steps, and of what is read and written: JSON, documents, digests."""

from __future__ import annotations

from tests.ablation.safeguard import Edit, Room

PYTHON = "unit/runners/test_python.py::"
CHILDREN = "unit/engine/test_children.py::"
BUGS = "acceptance/test_named_bugs.py::"
JSON = "unit/domain/test_jsontext.py::"
INPUTS = "unit/domain/test_input_schema.py::"
ASIDE = "unit/runners/test_aside.py::"

python = Room("app/runners/python.py")
python(
    "a function gets a copy of its input",
    "            value = jsontext.loads(jsontext.dumps(value))\n",
    "            value = attempt.input\n",
    "unit/engine/test_steps.py::test_a_value_that_a_step_changes_is_changed_for_nobody_else",
)
python(
    "what means something to the loop is an error",
    "except (StopIteration, KeyboardInterrupt, GeneratorExit) as error:",
    "except ZeroDivisionError as error:",
    PYTHON + "test_what_would_stop_the_event_loop_arrives_as_an_error",
)
python(
    "a thread that is left behind settles nothing",
    "        if future.done():\n            return\n",
    "",
    PYTHON + "test_a_thread_that_was_left_behind_ends_without_a_word",
    promise="G2",
)
workflow = Room("app/runners/workflow.py")
workflow(
    "a child is known by the key of its step",
    "jsontext.dumps([attempt.context.idempotency_key,",
    "jsontext.dumps([attempt.context.run_id, attempt.context.attempt,",
    CHILDREN + "test_a_retry_of_the_step_goes_on_with_its_child",
    promise="G2",
)
workflow(
    "an outage spends no attempt of a parent",
    "        except Unavailable:  # an outage of the store spends no attempt\n",
    "        except ZeroDivisionError:\n",
    CHILDREN + "test_an_outage_while_a_child_is_looked_at_spends_no_attempt",
    promise="G13",
)
sleep = Room("app/runners/sleep.py")
sleep(
    "a crash does not make a sleep begin anew",
    "left = seconds(attempt.target) - attempt.waited",
    "left = seconds(attempt.target) - 0",
    "unit/engine/test_recovery.py::test_a_long_sleep_survives_a_restart_and_ends_on_time",
    "unit/runners/test_sleep.py::test_what_is_left_of_a_short_one_is_waited_for",
    promise="G2",
)
jsontext = Room("app/domain/jsontext.py", promise="G14")
jsontext(
    "numbers that are none are refused",
    'if b"null" in text and not _finite(value):',
    'if b"null" in text and value is text:',
    JSON + "test_what_json_cannot_carry_is_refused",
)
jsontext(
    "lone surrogates beside long numbers are refused",
    "    json.dumps(value, ensure_ascii=False).encode()  # the standard",
    "    # the standard",
    JSON + "test_what_is_not_json_is_refused",
)
jsontext(
    "numbers are read without loss",
    "_loads_slowly(raw) if _LONG_NUMBER in raw.translate(_DIGITS_AS_ZERO) else orjson.loads(raw)",
    "orjson.loads(raw)",
    JSON + "test_a_long_number_is_read_whole",
)
jsontext(
    "nesting has a limit",
    'if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH and _too_deep(value):',
    "if value is raw:",
    JSON + "test_what_is_not_json_is_refused",
)
document = Room("app/domain/document_text.py")
document(
    "a tag in a document is refused",
    'if event.tag not in {None, "!"}:',
    "if event is None:",
    "unit/domain/test_document.py::test_a_text_that_is_no_document_is_refused_as_a_whole",
    also=(
        Edit(
            file="app/domain/document_text.py",
            old='if event.tag not in {None, "!", "tag:yaml.org,2002:str"}:',
            new="if event is None:",
        ),
    ),
)
document(
    "aliases are counted as often as they are used",
    "        self._count(nodes)\n",
    "",
    "unit/domain/test_document.py::test_aliases_are_counted_as_often_as_they_are_used",
)
document(
    "a key stands once",
    "        if key in opened.value:\n",
    "        if key is None:\n",
    "unit/domain/test_document.py::test_a_key_that_stands_twice_is_refused",
)
document(
    "a document is read by nothing that makes objects",
    "        document = _from_yaml(text)\n",
    "        import yaml\n\n        document = yaml.unsafe_load(text)\n",
    BUGS + "test_a_document_with_a_tag_runs_no_code",
)
ids = Room("app/domain/ids.py")
ids(
    "an empty id is refused",
    "[A-Za-z0-9._:-]{1,128}",
    "[A-Za-z0-9._:-]{0,128}",
    BUGS + "test_an_empty_id_is_refused_and_starts_nothing",
    promise="G8",
)

workflow(
    "a damaged output of a sub-workflow is not used",
    "if digest is not None and not is_text(output, digest):",
    "if digest is not None and child is None:",
    "unit/engine/test_children.py::test_a_damaged_output_of_a_child_is_not_used",
    promise="G14",
)

schemas = Room("app/domain/schema_size.py")
schemas(
    "a schema of too much work is refused",
    "                raise TooMuchWork(message)\n            found[number]",
    "                return found\n            found[number]",
    "unit/domain/test_schema_size.py::test_what_unrolls_to_too_much_is_refused",
)

inputs = Room("app/domain/input_schema.py")
inputs(
    "of a heavy value the library writes out one fault",
    "    if is_heavy(value):",
    "    if False:",
    INPUTS + "test_of_a_heavy_value_the_first_fault_alone_is_looked_for",
)
inputs(
    "a large value is not written out once more for its message",
    " and jsontext.weight(error.instance, _WRITTEN) <= _WRITTEN:",
    ":",
    INPUTS + "test_a_large_value_is_not_written_out_to_shorten_its_message",
)
asked = Room("app/engine/asked.py")
asked(
    "a heavy input is held against its schema off the loop",
    "    if input_schema.is_heavy(value):",
    "    if False:",
    ASIDE + "test_a_heavy_value_is_held_against_its_schema_in_a_thread",
)
asides = Room("app/runners/aside.py")
asides(
    "what agents take and give is held against its schema off the loop",
    "    if input_schema.is_heavy(value):",
    "    if False:",
    ASIDE + "test_a_heavy_value_is_held_against_its_schema_in_a_thread",
)

templates = Room("app/domain/template.py")
templates(
    "there is a limit to the holes of templates",
    "return self._most is not None and self._found > self._most",
    "return self._most == self._found == -1",
    "unit/domain/test_template.py::test_a_thousand_holes_are_let_in_and_one_more_is_not",
    "unit/domain/test_document.py::test_the_holes_of_all_steps_are_counted_together",
)
catalog = Room("app/engine/catalog.py")
catalog(
    "a workflow of many holes that is stored already goes on",
    "await parse(record.document, stored=True)",
    "await parse(record.document)",
    "unit/engine/test_catalog.py::test_what_is_stored_already_runs_however_many_holes_it_has",
)
catalog(
    "a workflow of many holes that is stored already may be sent again",
    "        return await parse(source, stored=True)\n\n    def check",
    "        return await parse(source)\n\n    def check",
    "unit/engine/test_catalog.py::test_what_is_stored_already_may_be_registered_again_however_many_holes_it_has",
)
catalog(
    "a workflow of many holes that is stored already keeps nobody from starting",
    "        spec = await parse(source, stored=True)\n",
    "        spec = await parse(source)\n",
    "unit/engine/test_catalog.py::test_what_is_stored_already_keeps_nobody_from_starting",
)
secrets = Room("app/domain/secret_names.py")
secrets(
    "a secret in a URL is refused",
    "yield from ((pointer, said) for said in _in_url(value))",
    "return",
    "unit/domain/test_secret_names.py::test_a_secret_in_a_url_is_refused_and_not_repeated",
)
secrets(
    "literal braces are no hole that a secret could hide behind",
    '"{" not in _BRACES.sub("", value)',
    '"{" not in value',
    "unit/domain/test_secret_names.py::test_text_under_a_secret_name_is_found_at_its_place",
)
secrets(
    "a number at the end hides no secret",
    'words[-1].isdecimal() or words[-1] == "v"',
    "False",
    "unit/domain/test_secret_names.py::test_a_secret_is_known_by_its_name",
)
agents = Room("app/domain/agent_document.py")
agents(
    "a secret is kept out of what is stored and shown",
    "in find_secrets(agent.config)]",
    "in find_secrets({})]",
    "unit/domain/test_agent_document.py::test_a_secret_is_refused_wherever_it_stands",
)

ROOMS = (
    templates,
    inputs,
    asked,
    asides,
    catalog,
    secrets,
    agents,
    schemas,
    python,
    workflow,
    sleep,
    jsontext,
    document,
    ids,
)
