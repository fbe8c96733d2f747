#!/bin/sh
# Start, poll, stream, resume and roll back with nothing but curl. It prints what it asks and what is answered.
set -eu
U="${BACKSTITCH_URL:-http://127.0.0.1:8000}"
THREAD="curl-$(date +%s)-$$" # an id of our own for the thread; without one the service makes one

say() { printf '\n# %s\n' "$*"; }
ask() { curl --silent --show-error --fail-with-body "$@" && echo; }
# The thread's own status is the first of the document; those of its steps come after a "[".
status() { ask "$U/api/invoke/status/$THREAD" | sed -n 's/^[^[]*"status":"\([a-z]*\)".*/\1/p'; }
ended() { until case "$(status)" in completed | failed | cancelled | interrupted) ;; *) false ;; esac do sleep 0.2; done; }

say "Start a workflow, here as a whole document; the second step will fail. Once this is answered, it is durable."
ask "$U/api/invoke/async" -H 'Content-Type: application/json' -H "Idempotency-Key: start $THREAD" -d '{
  "thread_id": "'"$THREAD"'",
  "workflow": {
    "name": "curl-tour",
    "steps": [
      {"id": "work", "sleep": "200ms"},
      {"id": "read", "agent": "collector", "input": {"paths": "{input.paths}"}},
      {"id": "links", "agent": "link-checker", "input": {"collection": "{read.output}"}}
    ],
    "output": {"pages": "{size(read.output.pages)}"}
  },
  "input": {"paths": ["/no/such/folder"]}
}'

say "Poll it until it has ended"
ended
ask "$U/api/invoke/status/$THREAD"

say "Stream it: the events from the first, or with Last-Event-ID those after that one. The stream ends with the thread."
ask --no-buffer "$U/api/invoke/stream/$THREAD" -H 'Last-Event-ID: 4'

say "Resume it, with another input for the step that failed; what had completed does not run again"
ask "$U/api/invoke/resume/$THREAD" -H 'Content-Type: application/json' -d '{"overrides": {"read": {"input": {"paths": []}}}}'
ended
status

say "Look back: one version for each step that has ended"
ask "$U/api/invoke/history/$THREAD"

say "Roll it back to version 3, which the step read has written, and run on from there"
ask "$U/api/invoke/rollback/$THREAD" -H 'Content-Type: application/json' -d '{"to_version": 3, "reason": "a tour"}'
ended
status
