"""The workflows of the worlds that the page is looked at in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.acceptance.service import Service

CONTENT = """
name: content-strategy-live
description: From a brief to a plan that somebody has approved.
input:
  type: object
  required: [topic]
  properties:
    topic: {type: string, title: Topic, description: What the piece is about., minLength: 2}
    tone: {type: string, enum: [calm, bold, playful], default: calm}
    words: {type: integer, minimum: 50, maximum: 2000, default: 400}
    pace: {type: number, default: 0, title: Seconds a word}
    tags: {type: array, items: {type: string}}
    publish: {type: boolean, default: false}
    until: {type: string}
    unless: {type: string}
defaults: {retry: {max_attempts: 2, initial_interval: 200ms}}
steps:
  - id: analyst
    agent: analyst
    input: {topic: "{input.topic}", pace: "{has(input.pace) ? input.pace : 0}"}
    assign: insights
  - id: research
    needs: [analyst]
    for_each: "{analyst.output.queries}"
    agent: researcher
    input: {question: "{item}", pace: "{has(input.pace) ? input.pace : 0}"}
  - id: marketer
    needs: [analyst]
    agent: marketer
    input: "{input}"
  - id: approve
    needs: [research, marketer]
    gate:
      title: Publish this plan?
      show: "{marketer.output}"
      form:
        type: object
        required: [approved]
        properties:
          approved: {type: boolean, title: Approved}
          note: {type: string, title: Note to the writer}
      timeout: 24h
      on_timeout: {approved: false}
  - id: publish
    needs: [approve]
    when: "approve.output.approved"
    agent: publisher
    effect: irreversible
    input: {title: "{marketer.output.title}"}
output: {title: "{marketer.output.title}", approved: "{approve.output.approved}", sources: "{research.output}"}
"""

FRAGILE = """
name: fragile
description: Its second step fails until a file is there.
input: {type: object}
steps:
  - {id: first, python: collect, input: {value: 1}, assign: first}
  - {id: second, python: fail, input: "{input}"}
  - {id: third, python: collect, input: {second: "{second.output}"}}
"""

CHAIN = """
name: chain
description: Four steps, one after the other.
input: {type: object}
steps:
  - {id: one, python: collect, input: {value: "{has(input.value) ? input.value : 1}"}, assign: one}
  - {id: two, python: collect, input: {value: "{context.one.value}", more: [1, 2, 3]}, assign: two}
  - {id: three, python: collect, input: {from: "{context.two}"}}
  - {id: four, python: collect, input: {last: "{three.output}"}}
"""

WAITING = """
name: waiting
description: Waits for a file, and streams nothing.
input: {type: object}
steps:
  - {id: begin, python: collect, input: {value: 1}}
  - {id: hold, python: slow, input: "{input}"}
  - {id: end, python: collect, input: {done: true}}
"""

LARGE = """
name: large
description: One output of as many bytes as asked for.
input: {type: object, required: [bytes], properties: {bytes: {type: integer}}}
steps:
  - {id: bulk, python: bulk, input: "{input}"}
"""

TRIP = """
name: trip
description: Books what can be undone, sends what cannot, and fails until a file is there.
input: {type: object, required: [undo, unless], properties: {undo: {type: string}, unless: {type: string}}}
steps:
  - {id: plan, python: collect, input: {to: Porto}, effect: none, assign: plan}
  - id: flight
    python: collect
    input: {booking: F1}
    effect: idempotent
    compensate: {python: fail, input: {unless: "{input.undo}", message: the airline does not answer}}
  - {id: hotel, python: collect, input: {booking: H1}, effect: idempotent, compensate: {python: collect}}
  - {id: mail, python: collect, input: {to: me}, effect: irreversible}
  - {id: print, python: fail, input: "{input}"}
"""

DOCUMENTS = (CONTENT, FRAGILE, CHAIN, WAITING, LARGE, TRIP)


def wide(steps: int) -> dict[str, Any]:
    """A workflow of so many steps: a fan of chains of ten."""
    made: list[dict[str, Any]] = []
    for number in range(steps):
        needs = [f"s{number - 1}"] if number % 10 else []
        made.append({"id": f"s{number}", "python": "collect", "needs": needs, "input": {"value": number}})
    return {"name": f"wide-{steps}", "steps": made}


def registered(service: Service, name: str, **more: Any) -> int:
    """A workflow of two steps; its version."""
    steps = [{"id": "one", "python": "collect"}, {"id": "two", "needs": ["one"], "python": "collect"}]
    answer = service.http.post("/api/workflows", json={"name": name, "steps": steps, **more})
    assert answer.status_code in (200, 201), answer.text
    return answer.json()["version"]
