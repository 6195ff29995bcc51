#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""headd_cost.py - what the control point costs: streams, joins, requests, memory

Prints medians. Wants root; everything stays on loopback.
"""
import os
import statistics
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/system"))
import headd

STREAMS = (0, 8, 80)  # together within WEB_PER_ADDRESS_MAX
ROUNDS = 20


def private_kb(pid):
    return sum(int(line.split()[1]) for line in headd.read(f"/proc/{pid}/smaps_rollup").splitlines()
               if line.startswith("Private"))


def cpu_s(pid):
    fields = headd.read(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def streams(head, n):
    """Seconds from a change until the last of n streams has shown it; median and worst."""
    events = [headd.Events(head) for _ in range(n)]
    seen = threading.Barrier(n + 1)

    def follow(e):
        for _ in range(ROUNDS):
            e.next()
            seen.wait()

    threads = [threading.Thread(target=follow, args=(e,)) for e in events]
    for t in threads:
        t.start()
    web = head.children()["headd-web"]
    took = []
    connection = head.connect()
    for _ in range(ROUNDS):
        start = time.monotonic()
        connection.request("POST", "/api/v1/tokens", "{}", {"Content-Type": "application/json"})
        connection.getresponse().read()
        seen.wait()
        took.append(time.monotonic() - start)
    before, begun = cpu_s(web), time.monotonic()
    time.sleep(5)
    idle = (cpu_s(web) - before) / (time.monotonic() - begun)
    print(f"{n:4} streams: event at all of them after {1000 * statistics.median(took):6.1f} ms "
          f"(worst {1000 * max(took):6.1f}), web process {private_kb(web):6} kB private, "
          f"idle {100 * idle:.2f} % of a core")
    for t in threads:
        t.join()
    for e in events:
        e.connection.close()
    connection.close()


def rate(what, count, do):
    start = time.monotonic()
    for _ in range(count):
        do()
    print(f"{what}: {count / (time.monotonic() - start):6.0f} a second")


def main():
    headd.need_root()
    with headd.Headd() as head:
        for n in STREAMS:
            streams(head, n)
        kept = head.connect()

        def get(path):
            kept.request("GET", "/api/v1" + path)
            kept.getresponse().read()

        rate("GET /nodes on one connection", 500, lambda: get("/nodes"))
        kept.close()
        rate("GET /health, a new TLS connection each", 100, lambda: head.ask("GET", "/health", who=None))
        requests = [headd.make_csr() for _ in range(50)]
        token = head.token(count=50)
        rate("joins, a new TLS connection each", 50, lambda: head.ask(
            "POST", "/join", {"csr": requests.pop(), "name": "n", "token": token}, who=None))


if __name__ == "__main__":
    main()
