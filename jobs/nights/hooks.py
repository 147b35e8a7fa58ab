"""Hooks: tell a program or an address what happened. One that fails costs a notice, never the run."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...schemas.counted import counted
from ...schemas.errors import ConfigError
from ...schemas.night import Event, Hook


def check(hooks: Sequence[Hook]) -> None:
    """Raise `ConfigError` at the start for an address that the environment lacks."""
    for hook in hooks:
        if hook.url_env is not None and not os.environ.get(hook.url_env):
            raise ConfigError(f"night.hooks: url_env: the environment variable {hook.url_env} is not set")


def tell(hooks: Sequence[Hook], event: Event, facts: Mapping[str, Any], notice: Callable[[str], None]) -> None:
    """Call the hooks of this event, one after another."""
    for hook in hooks:
        if event in hook.events:
            try:
                _call(hook, json.dumps(slack(facts) if hook.body == "slack" else facts).encode())
            except (OSError, ValueError, subprocess.SubprocessError, urllib.error.URLError) as error:
                # an address may be a secret
                name = hook.command[0] if hook.command else (hook.url_env or "the address under night.hooks")
                notice(f"hook {name} on {event} failed: {_why(error)}")


def slack(facts: Mapping[str, Any]) -> dict[str, str]:
    """The facts as one line of text."""
    hours = facts.get("hours") or {}
    counts = facts.get("counts") or {}
    words = [f"auricle {facts['event']}: {facts['dataset']}"]
    if facts.get("version") is not None:
        words.append(f"version {facts['version']}")
    if counts:
        words.append(f"{counts['kept']:,} of {counted(counts['clips'], 'clip')} kept, {hours.get('kept', 0.0):,.2f} h")
    if facts.get("worst_severity"):
        words.append(f"gate: {facts['worst_severity']}")
    if facts.get("exit_code"):
        words.append(f"exit code {facts['exit_code']}, {facts.get('error')}: {facts.get('message') or 'see its log'}")
    return {"text": ", ".join(words)}


def _call(hook: Hook, body: bytes) -> None:
    if hook.command is not None:
        done = subprocess.run(
            hook.command, input=body, timeout=hook.timeout_s, check=True, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )  # fmt: skip
        del done
        return
    url = hook.url or os.environ[str(hook.url_env)]
    if not url.startswith(("http://", "https://")):
        raise ValueError("its address is not http:// or https://")
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method="POST")
    with urllib.request.urlopen(request, timeout=hook.timeout_s):
        return


def _why(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        said = (error.stderr or b"").decode(errors="replace").strip().splitlines()
        return f"exit code {error.returncode}{f': {said[-1][:200]}' if said else ''}"
    if isinstance(error, subprocess.TimeoutExpired):
        return f"no end within {error.timeout:g} s"
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code}"
    if isinstance(error, urllib.error.URLError):
        return str(error.reason)
    return str(error).splitlines()[0] if str(error) else type(error).__name__
