"""A client of Warifu's API, written from its OpenAPI document alone; only Python's standard library.

    export WARIFU_API=http://127.0.0.1:8080/api/v1 WARIFU_KEY=wfk_...
    echo 123456 | python3 warifu_client.py verify demo-bank tanaka
    python3 warifu_client.py status demo-bank tanaka
    python3 warifu_client.py release demo-bank tanaka
    python3 warifu_client.py revoke demo-bank tanaka

Prints the answer as JSON. Exit status: 0 done (for a verification: accepted), 1 not accepted, 2 usage, 3 a problem.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

TIMEOUT_S = 10
TRIES_MAX = 4


class Problem(Exception):
    """What the server answers when something was not done (RFC 9457). `code` is stable."""

    def __init__(self, document):
        super().__init__(f"{document.get('code')}: {document.get('detail')}")
        self.status = document.get("status")
        self.code = document.get("code")
        self.request_id = document.get("request_id")


class Warifu:
    """The API at one address, with one key."""

    def __init__(self, url, key):
        self._url = url.rstrip("/")
        self._key = key

    def verify(self, service_id, login_id, code):
        """Is this code right, once? Only the verdict `accepted` lets somebody in."""
        return self._ask("POST", self._user(service_id, login_id, "/verify"), {"code": code})

    def user(self, service_id, login_id):
        """The user with the latest token."""
        return self._ask("GET", self._user(service_id, login_id, ""))

    def release(self, service_id, login_id):
        """Lifts a suspension."""
        return self._ask("POST", self._user(service_id, login_id, "/release"))

    def revoke(self, service_id, login_id):
        """Ends a token for good."""
        return self._ask("POST", self._user(service_id, login_id, "/revoke"))

    @staticmethod
    def _user(service_id, login_id, what):
        service_id, login_id = (urllib.parse.quote(part, safe="") for part in (service_id, login_id))
        return f"/services/{service_id}/users/{login_id}{what}"

    def _ask(self, method, path, body=None):
        headers = {"Authorization": f"Bearer {self._key}", "Accept": "application/json", "Accept-Language": "en"}
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        if method != "GET":
            # One name for all tries: whatever became of the first one, it is done once and answered alike.
            headers["Idempotency-Key"] = str(uuid.uuid4())
        request = urllib.request.Request(self._url + path, data=data, headers=headers, method=method)
        for tries_left in reversed(range(TRIES_MAX)):
            try:
                with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                if error.code not in (429, 503) or tries_left == 0:
                    raise Problem(_document(error)) from None
                wait_s = int(error.headers.get("Retry-After") or 1)
            except OSError:
                if tries_left == 0:
                    raise
                wait_s = 1
            time.sleep(min(wait_s, TIMEOUT_S))
        raise AssertionError("the last try ends the loop")


def _document(error):
    try:
        return json.load(error)
    except ValueError:
        return {"status": error.code, "code": "unknown", "detail": error.reason}


def main(arguments):
    commands = ("verify", "status", "release", "revoke")
    if len(arguments) != 3 or arguments[0] not in commands:
        print(__doc__, file=sys.stderr)
        return 2
    command, service_id, login_id = arguments
    warifu = Warifu(os.environ["WARIFU_API"], os.environ["WARIFU_KEY"])
    try:
        if command == "verify":
            answer = warifu.verify(service_id, login_id, sys.stdin.readline().strip())
        elif command == "status":
            answer = warifu.user(service_id, login_id)
        elif command == "release":
            answer = warifu.release(service_id, login_id)
        else:
            answer = warifu.revoke(service_id, login_id)
    except Problem as problem:
        print(f"{problem} (request {problem.request_id})", file=sys.stderr)
        return 3
    except OSError as error:
        print(f"the server cannot be reached: {error}", file=sys.stderr)
        return 3
    print(json.dumps(answer, ensure_ascii=False))
    return 1 if command == "verify" and answer["verdict"] != "accepted" else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
