#!/usr/bin/env python3
"""Users of examples/tenant.yaml, who ask a gateway for session tokens and note what they get.

  users.py token SUBJECT                  prints a user's token
  users.py ask PORT FILE                  asks until it is terminated: CLIENTS at a steady pace for 100 users in turn, and somebody new ten times
                                          a second. FILE gets a line for each answer.
  users.py cost FILE SINCE ALLOWED WHAT   waits until all are served again, a minute at most, and prints what it cost since then. Fails if more
                                          users than ALLOWED that were known before got no token.
  users.py compare FILE                   looks for each token in the ledger, whose rows are on standard input: session|outcome|hash

ACME_JWT_SECRET is the secret of the tenant's issuer.
"""
import base64
import collections
import hashlib
import hmac
import http.client
import json
import os
import signal
import sys
import threading
import time

CLIENTS = 5
PACE = 0.05
NEW_PACE = 0.1
CALM = 3


def user_token(subject):
    now = int(time.time())
    claims = {"iss": "acme-backend", "aud": "acme-app", "sub": subject, "iat": now, "exp": now + 3600}

    def part(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    signed = b".".join(part(json.dumps(each).encode()) for each in ({"alg": "HS256", "typ": "JWT"}, claims))
    mac = hmac.digest(os.environ["ACME_JWT_SECRET"].encode(), signed, "sha256")
    return (signed + b"." + part(mac)).decode()


def one_answer(connection, token):
    """The outcome, the session and the hash of its token."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    try:
        connection.request("POST", "/v1/session-token", "{}", headers)
        answer = connection.getresponse()
        text = answer.read()
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        return f"no answer: {type(error).__name__}", None, None
    try:
        body = json.loads(text)
    except ValueError:
        return f"{answer.status} of the balancer", None, None
    if answer.status != 200:
        return f"{answer.status} {body.get('code')}", None, None
    return "200", body["sessionId"], hashlib.sha256(body["sessionToken"].encode()).hexdigest()


def ask(port, file):
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    lock = threading.Lock()
    out = open(file, "w", buffering=1)
    known = [user_token(f"user-{number}") for number in range(100)]

    def client(pace, tokens, new):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        while not stopped.wait(pace):
            sent = time.time()
            outcome, session, digest = one_answer(connection, next(tokens))
            line = {"sent": sent, "took": time.time() - sent, "outcome": outcome, "new": new, "session": session, "hash": digest}
            with lock:
                print(json.dumps(line), file=out)

    def in_turn(first):
        while True:
            yield known[first % len(known)]
            first += CLIENTS

    def newcomers():
        number = 0
        while True:
            number += 1
            yield user_token(f"newcomer-{number}")

    clients = [threading.Thread(target=client, args=(PACE, in_turn(number), False)) for number in range(CLIENTS)]
    clients.append(threading.Thread(target=client, args=(NEW_PACE, newcomers(), True)))
    for each in clients:
        each.start()
    for each in clients:
        each.join()


def read(file):
    with open(file) as lines:
        return [json.loads(line) for line in lines if line.endswith("\n")]


def is_well(asked):
    since = time.time() - CALM
    for new in (False, True):
        lately = [one for one in asked if one["new"] == new and one["sent"] + one["took"] > since]
        if len(lately) < CLIENTS or any(one["outcome"] != "200" or one["took"] > 1 for one in lately):
            return False
    return True


def cost(file, since, allowed, what):
    end = time.time() + 60
    while time.time() < since + CALM or not is_well(asked := read(file)):
        if time.time() > end:
            sys.exit(f"{what}: users are not served again after a minute")
        time.sleep(0.5)
    print(what)
    lost = 0
    for new, name in ((False, "known users"), (True, "newcomers")):
        those = [one for one in asked if one["new"] == new and one["sent"] + one["took"] > since]
        failed = collections.Counter(one["outcome"] for one in those if one["outcome"] != "200")
        slowest = max(one["took"] for one in those if one["outcome"] == "200")
        bad = [one["sent"] - since for one in those if one["outcome"] != "200" or one["took"] > 1]
        lasted = f"; well again after {max(0, max(bad)):.1f} s" if bad else ""
        outcomes = "".join(f", {count} x {outcome}" for outcome, count in failed.items())
        print(f"    {name}: {len(those)} requests, {failed.total()} without a token{outcomes}; slowest token {slowest * 1000:.0f} ms{lasted}")
        lost += 0 if new else failed.total()
    if lost > allowed:
        sys.exit(f"{what}: {lost} known users got no token; {allowed} may")


def compare(file):
    ledger = dict((row[0], row[1:]) for row in (line.rstrip("\n").split("|") for line in sys.stdin))
    asked = [one for one in read(file) if one["session"]]
    missing = [one for one in asked if one["session"] not in ledger]
    wrong = [one for one in asked if one["session"] in ledger and ledger[one["session"]] not in (["issued", one["hash"]], ["unknown", ""], ["", ""])]
    twice = len(asked) - len({one["hash"] for one in asked})
    open_ones = sum(outcome in ("", "unknown") for outcome, _ in ledger.values())
    print(f"{len(asked)} tokens: {len(missing)} not in the ledger, {len(wrong)} with another outcome there, {twice} given twice; ", end="")
    print(f"the ledger has {len(ledger)} sessions, {open_ones} without an outcome")
    if missing or wrong or twice or not asked:
        sys.exit("the ledger does not have what users got")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["token", subject]:
            print(user_token(subject))
        case ["ask", port, file]:
            ask(int(port), file)
        case ["cost", file, since, allowed, what]:
            cost(file, float(since), int(allowed), what)
        case ["compare", file]:
            compare(file)
        case _:
            sys.exit(__doc__)
