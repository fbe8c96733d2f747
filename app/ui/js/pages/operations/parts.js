// The parts that a service's health is made of: what each is, its figures in words, and what to do when it is not well.
import { own } from "../../lib/own.js";
import { bytes, duration, number, plural } from "../../lib/words.js";

const some = (...texts) => texts.filter(Boolean).join(" · ");

/** By name: `is` what it is for, `says(part)` its figures in words, `help` what to do, `leads` where there is more. */
export const PARTS = {
  database: {
    label: "Database", is: "where all state is kept", leads: "/operations?tab=database",
    says: (part) => some(part.latency_ms === null || part.latency_ms === undefined ? null : `answers in ${duration(part.latency_ms)}`, part.pool
      && `${part.pool.in_use} of ${part.pool.size} connections in use`, part.pool?.waiting > 0 && `${plural(part.pool.waiting, "caller")} wait`),
    help: "Look after PostgreSQL: does it run, is its disk full? If only connections are short, raise DATABASE_POOL_SIZE. Threads go on once it is back; nothing is lost.",
  },
  journal: {
    label: "Journal", is: "what writes each step’s result",
    says: (part) => some(`${plural(part.queued ?? 0, "write")} ${part.queued === 1 ? "waits" : "wait"}`, part.lanes > 1
      && `${part.connected} of ${part.lanes} lanes connected`, part.last_flush_ms === null || part.last_flush_ms === undefined ? "nothing written yet"
      : `wrote ${duration(part.last_flush_ms)} ago`),
    help: "The database does not take writes: look at its log for locks and at its disk.",
  },
  worker: {
    label: "Worker", is: "what drives threads", leads: "/operations?tab=workers",
    says: (part) => some(`${plural(part.running ?? 0, "thread")} driven`, `${plural(part.free_slots ?? 0, "slot")} free`, `looked for work ${duration(part.last_claim_ms)} ago`),
    help: "It takes up no threads. If the database is well, read the service’s log and restart the process: its threads go on elsewhere or after it.",
  },
  monitor: {
    label: "Monitor", is: "what keeps the lease and watches the clock", leads: "/operations?tab=workers",
    says: (part) => some(part.lease ? "holds its lease" : "has lost its lease", part.line === false ? "does not hear other processes" : null, part.loops
      && `${plural(Object.keys(part.loops).length, "loop")} turn`),
    help: "As a rule the database is away or slow; else an async step computes and blocks the process.",
  },
  queue: {
    label: "Queues", is: "who waits for a slot", leads: "/operations?tab=queues",
    says: (part) => some(`${number(part.depth ?? 0)} wait`, `${number(part.running ?? 0)} run`, part.oldest_wait_ms > 0
      && `longest wait ${duration(part.oldest_wait_ms)}`),
    help: "Raise the limit of the queue that is full, start another process, or hold the starts back.",
  },
  agents: { label: "Agents", is: "those in files and code", leads: "/agents", says: () => "all are as their files say",
    help: "A file in the folder of agents is refused: the list of agents says which and why. What it said before holds." },
  breakers: { label: "Circuit breakers", is: "what holds the steps of failing agents back", leads: "/agents?state=needs", says: () => "all are closed",
    help: "The steps of these agents wait. Mend what they need, then close the breaker or wait for its next probe." },
  webhooks: {
    label: "Webhooks", is: "who is told of events", leads: "/operations?tab=webhooks",
    says: (part) => some(`${plural(part.pending ?? 0, "delivery", "deliveries")} ${part.pending === 1 ? "waits" : "wait"}`, part.failing > 0
      && `${number(part.failing)} failing`, part.disabled > 0 && `${number(part.disabled)} disabled`),
    help: "A receiver refuses or is gone. Mend it, send it a test, then let it recover what has failed.",
  },
  mcp: { label: "MCP servers", is: "tools for steps", leads: "/operations?tab=mcp", says: () => "those that are configured answer",
    help: "A server failed: its entry says why, mostly a command that is not installed." },
  mcp_server: { label: "MCP", is: "this service’s own MCP server", says: (part) => some(part.loaded
    ? `${plural(part.calls ?? 0, "call")} under way` : "loaded when it is first called"), help: "It cannot be loaded. The rest of the service works without." },
  telemetry: { label: "Traces", is: "what is sent to a collector", says: (part) => (part.traces === "off" ? "off" : String(part.traces ?? "sent")),
    help: "Traces are wanted and not sent: look at the address of the collector." },
  settings: { label: "Store", is: "which store is in use", leads: "/operations?tab=settings", says: (part) => some(part.checkpointer, part.note),
    help: "See the note." },
  disk: {
    label: "Disk", is: "of the data folder", says: (part) => (part.free_bytes === undefined ? "" : `${bytes(part.free_bytes)} of ${bytes(part.size_bytes)} free`),
    help: "Free some of it: PostgreSQL stops when it cannot write its log. Retention can delete what ended long ago.",
  },
  service: { label: "Service", is: "the process", says: () => "runs",
    help: "The process shuts down; its threads go on in another one, or when it is started again." },
};

/** What is known of a part by that name, or what can be said of any. */
export function partOf(name) {
  return own(PARTS, name) ?? { label: name, is: "", says: () => "", help: "" };
}
