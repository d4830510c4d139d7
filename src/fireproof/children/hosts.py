"""Which hosts playbooks reach, and how: the inventory, ssh's options, a group for each component.

What is said here about ssh is said as extra variables, which no inventory can overrule: host keys
are checked against the file that was given, the key is the one that was named, nobody is asked.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fireproof.errors import EnvironmentRefusal

if TYPE_CHECKING:
    from fireproof.model.environment import Environment

LOCALHOST = "localhost"
CONNECT_WITHIN_S = 10
_NOT_A_GROUP = ("all", "ungrouped", LOCALHOST)

Reach = dict[str, Any]
"""JSON: ``groups`` (component: hosts), ``limit`` (hosts that may be touched), and of remote ones
``inventory``, ``key``, ``known_hosts``, ``user``. Paths are absolute; it holds no secret.
"""


def reach_of(environment: Environment, project: Path, component: str | None = None) -> Reach:
    """How playbooks reach an environment; with a component, its hosts alone.

    Raises:
        EnvironmentRefusal: when a file that ssh needs is not there.
    """
    hosts = environment.component(component).hosts if component else environment.hosts()
    found: Reach = {
        "groups": {
            name: list(each.hosts) or [LOCALHOST]
            for name, each in environment.components.items()
            if name not in _NOT_A_GROUP
        },
        "limit": [*hosts, LOCALHOST],
    }
    inventory = environment.inventory
    if inventory is None:
        return found
    paths = {
        "inventory": inventory.file,
        "key": inventory.key.removeprefix("file:"),
        "known_hosts": inventory.known_hosts,
    }
    for what, text in paths.items():
        path = (project / Path(text).expanduser()).absolute()
        if not path.exists():
            raise EnvironmentRefusal(
                f"environment {environment.environment!r}: inventory: there is no {path}"
            )
        found[what] = str(path)
    return found | {"user": inventory.user}


def remote_hosts(reach: Reach) -> list[str]:
    """Those of its hosts that are not this one."""
    return [host for host in reach["limit"] if host != LOCALHOST]


def groups_text(reach: Reach, here: Mapping[str, str]) -> str:
    """An inventory (JSON is YAML): each component is a group of the hosts it lives on.

    Args:
        reach: see ``Reach``.
        here: variables of this host.
    """
    local = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
    }
    found: dict[str, Any] = {"all": {"hosts": {LOCALHOST: {**local, **here}}}}
    for name, hosts in reach["groups"].items():
        if name not in hosts:  # a host of that very name is what the play means
            found[name] = {"hosts": {host: {} for host in hosts}}
    return json.dumps(found)


def inventories(reach: Reach, groups: Path) -> list[str]:
    """Inventory sources, in Ansible's order: what comes later is added to what came first."""
    return [*([reach["inventory"]] if "inventory" in reach else []), str(groups)]


def ssh_variables(reach: Reach) -> dict[str, Any]:
    """Extra variables for remote hosts; none when there are none."""
    if "inventory" not in reach:
        return {}
    options = {
        "UserKnownHostsFile": f'"{reach["known_hosts"]}"',
        "GlobalKnownHostsFile": "none",
        "StrictHostKeyChecking": "yes",
        "BatchMode": "yes",
        "PasswordAuthentication": "no",
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "ForwardAgent": "no",
        "ConnectTimeout": str(CONNECT_WITHIN_S),
        "ServerAliveInterval": "5",
        "ServerAliveCountMax": "3",
    }
    said = _joined(part for name, value in options.items() for part in ("-o", f"{name}={value}"))
    found: dict[str, Any] = {
        "ansible_ssh_args": "-F none -o ControlMaster=no -o ControlPath=none",
        "ansible_ssh_common_args": said,
        "ansible_ssh_extra_args": "",
        "ansible_sftp_extra_args": "",
        "ansible_scp_extra_args": "",
        "ansible_ssh_executable": "ssh",
        "ansible_ssh_private_key_file": reach["key"],
        "ansible_host_key_checking": True,
        "ansible_ssh_host_key_checking": True,
    }
    return found | ({"ansible_user": reach["user"]} if reach.get("user") else {})


def by_hand(playbook: str, reach: Reach, facts: Mapping[str, Any]) -> str:
    """A shell command that runs the playbook as we would."""
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    words = [program]
    for source in inventories(reach, Path("$groups"))[:-1]:
        words += ["-i", source]
    words += ["--limit", ",".join(reach["limit"]), playbook]
    variables = json.dumps({**facts, **ssh_variables(reach)})
    groups = shlex.quote(groups_text(reach, {}))
    return (
        "groups=$(mktemp --suffix=.yml) && "
        f'printf %s {groups} > "$groups" && '
        f'LC_ALL=C.UTF-8 {_joined(words)} -i "$groups" -e {shlex.quote(variables)}; '
        'told=$?; rm -f "$groups"; (exit $told)'
    )


def _joined(words: Iterable[str]) -> str:
    return " ".join(map(shlex.quote, words))
