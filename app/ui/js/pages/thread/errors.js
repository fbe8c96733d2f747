// What an error means, and what to do about it, in words: by its kind. Pure.

const KINDS = {
  timeout: ["The step took longer than it is given.", "Retry it if that was a passing matter; else give it more time in the workflow, or another agent."],
  silent: ["The step neither ended nor said anything for longer than it may.", "Retry it. If it comes again, its agent hangs."],
  network: ["The agent could not be reached.", "See that it runs and can be reached from the service, then retry."],
  expression: ["An expression in the workflow's document does not hold for the values of this thread.", "Mend the document, or skip the step with an output of yours."],
  configuration: ["The step cannot be done as it is set up: a name, a setting or a secret is missing.", "Mend what the message names, then retry."],
  validation: ["A value is not what the workflow's schema asks for.", "The message says what is missing. Skip the step with an output that fits, or mend the agent and retry."],
  invalid_output: ["The agent gave something that cannot be kept as JSON.", "Mend the agent and retry, or skip the step with an output of yours."],
  output_too_large: ["The output is larger than the service keeps.", "Let the agent give less, or a place where the whole can be found."],
  exception: ["The agent's own code raised an error.", "The logs of the step have more. Mend the code, then retry."],
  workflow_failed: ["The sub-workflow that this step started has failed.", "Open its thread, see why, and resume it there or retry here."],
  repeat_exhausted: ["It was done as often as it may be, and its condition did not come true.", "Look at its last iterations; raise the limit in the workflow, or skip the step with an output of yours."],
  items_changed: ["The list that the step is done for is another one than when it began.", "Run the step again from its beginning."],
  code_changed: ["The Python of this workflow asks for other steps than those that were recorded.", "Put the code back as it was, or start anew with the code of now."],
  state_corrupt: ["What is stored of this thread is damaged.", "Verify and repair it, or roll back to a version that is sound."],
  corrupt: ["What is stored of this thread is damaged.", "Verify and repair it, or roll back to a version that is sound."],
  internal: ["Something in the service went wrong while it drove this thread.", "Its log says what. What had completed is kept: resume it once that is mended."],
  recovery_exhausted: ["It was taken up again and again, and got no further: each time its process was lost or its run broke.", "Find out in the logs what ends the process, then resume."],
  overloaded: ["The agent has more to do than it can.", "Wait a little, then retry."],
  cancelled: ["Somebody stopped it.", "Resume it to go on with what has not completed."],
  max_cost_usd: ["The thread has cost what it may cost.", "Resume it with higher limits."],
  max_tokens: ["The thread has used the tokens that it may use.", "Resume it with higher limits."],
  deadline: ["The thread is over its deadline.", "Resume it with a later one."],
  disconnected: ["The connection to the agent broke off.", "Retry it."],
  stream_error: ["The agent's answer broke off in the middle.", "Retry it."],
  address_refused: ["The service does not call addresses of that kind.", "Allow the address in the settings, or give the step another one."],
  "llm.auth": ["The model does not take the key that it was given.", "Mend the key in the environment of the service, then retry."],
  "llm.quota": ["What was paid for at the model's house is used up.", "Raise it there, then retry, or run the step with another agent."],
  "llm.rate_limited": ["The model takes no more requests just now.", "Wait a little, then retry."],
  "llm.context_length": ["The input is longer than the model can read.", "Give it less, or run the step with an agent of a larger model."],
  "llm.refused": ["The model declined to answer.", "Change what it is asked, or run the step with another agent."],
  "llm.truncated": ["The model's answer was cut off at its longest.", "Allow it more tokens, then retry."],
  "llm.max_turns": ["The model used as many turns as it may without an answer.", "Allow it more, then retry."],
};
const MEND = "Mend the document, save it as a new version, and move this thread to it.";
const WHOLE = {
  exception: ["The workflow's own code raised an error, outside of its steps.", "Its logs have more. Mend the code, then resume."],
};
const HTTP = {
  401: ["The agent does not take the credentials that it was given.", "Mend them at the agent, then retry."],
  403: ["The agent does not allow that.", "Mend its permissions, then retry."],
  404: ["What the step asked for is not there.", "See the step's input and the agent's address, then retry."],
  429: ["The agent takes no more requests just now.", "Wait a little, then retry."],
};

/** `{means, todo}` of an error `{kind, message, retryable, step_id}`; `whole`: it is of the thread itself, and no step is left that could be skipped. */
export function meaning(error, whole = false) {
  if (whole) return ofWhole(error);
  const said = saidOf(error);
  // What undoes a step is none of the workflow: it cannot be skipped, and is owed to the next rollback too.
  return error.step_id?.endsWith(".undo") ? { ...said, todo: "Mend the cause and retry: nothing else of the thread runs before it is undone. A fork of a version begins without it." } : said;
}

function saidOf(error) {
  const found = Object.hasOwn(KINDS, error.kind) ? KINDS[error.kind] : ofHttp(error.kind);
  if (found) return { means: found[0], todo: found[1] };
  const means = error.retryable
    ? "It was tried as often as the workflow allows, and failed each time."
    : "The step says itself that another attempt would fail as well, so none was made.";
  return { means, todo: "Mend the cause and retry, skip the step with an output of yours, or roll back and go another way." };
}

function ofWhole({ kind }) {
  const own = Object.hasOwn(WHOLE, kind) ? WHOLE[kind] : Object.hasOwn(KINDS, kind) ? KINDS[kind] : null;
  if (!own) return { means: "It failed outside of its steps.", todo: "Mend the cause and resume, or roll back and go another way." };
  return { means: own[0], todo: /skip/i.test(own[1]) ? MEND : own[1] };
}

function ofHttp(kind) {
  const status = /^http\.(\d{3})$/.exec(kind ?? "")?.[1];
  if (!status) return null;
  if (HTTP[status]) return HTTP[status];
  return status >= "500"
    ? ["The agent has a fault of its own.", "Retry once it is mended."]
    : ["The agent refuses the request.", "See its message and the step's input. Another input, or another agent, may help."];
}
