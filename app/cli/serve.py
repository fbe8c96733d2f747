"""Runs the service in the foreground; the one command that loads the server's own modules."""

from __future__ import annotations

from app.api.server import run_server
from app.cli.annexes import annexes
from app.cli.rendering import complain
from app.domain.errors import StartupError
from app.settings import SettingsError, load_settings
from app.telemetry import logs

CANNOT_START = 2


def run_service(**given: object) -> int:
    """Serve until told to stop; 2 with one line on stderr when the service cannot start.

    `given` are settings by name; those that are None come from the environment, `.env` or the defaults.
    """
    try:
        settings = load_settings(**{name: value for name, value in given.items() if value is not None})
        logs.configure(settings.log_level)
        run_server(settings, annexes(settings))
    except (SettingsError, StartupError) as error:
        complain(str(error))
        return CANNOT_START
    except KeyboardInterrupt:
        return 0
    return 0
