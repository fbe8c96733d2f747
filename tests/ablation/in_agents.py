"""Safeguards of the agents: their versions, the copy that steps go by, and files."""

from __future__ import annotations

from tests.ablation.safeguard import Room

STORED = "contracts/test_agents.py::"
KNOWN = "unit/engine/test_agents.py::"
FILES = "unit/engine/test_agent_folder.py::"
STEPS = "unit/runners/test_agents.py::"

versions = Room("app/store/agents.py")
versions(
    "versions of an agent are given under its lock",
    'await connection.execute(_SQL["lock"], self._tenant, name)',
    'await connection.execute("SELECT $1::text, $2::text", self._tenant, name)',
    STORED + "test_registrations_at_once_number_every_content_once[postgres]",
)
versions(
    "a name has one owner",
    "            check_owner(before, agent, expected)\n",
    "",
    STORED + "test_a_name_belongs_to_the_source_that_registered_it_first[postgres]",
)
directory = Room("app/engine/agents.py")
directory(
    "what was read before a change here does not undo it",
    "            if edits == self._edits:",
    "            if edits >= 0:",
    KNOWN + "test_what_was_read_before_a_change_here_does_not_undo_it",
)
directory(
    "what the code has comes back",
    "                await self._restore()\n",
    "                await asyncio.sleep(0)\n",
    KNOWN + "test_an_agent_of_the_code_comes_back",
)
folder = Room("app/engine/agent_folder.py")
folder(
    "a folder that cannot be read takes nothing away",
    "            self._note_unreadable(error.strerror or str(error))\n            return\n",
    "            self._note_unreadable(error.strerror or str(error))\n            changed, self._gone = {}, set(known)\n",
    FILES + "test_a_folder_that_cannot_be_read_takes_nothing_away",
)
folder(
    "a file that does not hold leaves what it said before",
    "        file = _File(state, held)\n",
    "        file = _File(state, None)\n",
    FILES + "test_a_refused_file_is_still_the_home_of_its_agent",
)
runner = Room("app/runners/agents.py")
runner(
    "an outage spends no attempt of a step whose agent is not known yet",
    "                return Asleep(seconds=_OUTAGE_PAUSE)",
    "                agent = None",
    STEPS + "test_without_the_store_an_unknown_agent_is_no_failure",
    promise="G13",
)

ROOMS = (versions, directory, folder, runner)
