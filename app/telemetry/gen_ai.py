"""The attributes of OpenTelemetry's semantic conventions for generative AI, as far as they are told.

https://github.com/open-telemetry/semantic-conventions-genai; written out here since the package has them as incubating.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from app.domain.records import Usage
    from app.domain.runner import ModelCall

AGENT_VERSION: Final = "gen_ai.agent.version"
_OPERATION: Final = "gen_ai.operation.name"
_LONGEST: Final = 200
"""Characters of what a provider says of itself."""


def invocation(agent: str, thread_id: str) -> dict[str, Any]:
    """Of an attempt by an agent."""
    return {_OPERATION: "invoke_agent", "gen_ai.agent.name": agent, "gen_ai.conversation.id": thread_id}


def chat(call: ModelCall) -> dict[str, Any]:
    """Of a call of a model."""
    told: dict[str, Any] = {
        _OPERATION: "chat",
        "gen_ai.provider.name": call.provider,
        "gen_ai.request.model": call.model,
        **tokens(call.usage),
    }
    if call.answered_by is not None:
        told["gen_ai.response.model"] = call.answered_by[:_LONGEST]
    if call.stop is not None:
        told["gen_ai.response.finish_reasons"] = (call.stop[:_LONGEST],)
    if call.usage.cost_usd:
        told["backstitch.cost_usd"] = call.usage.cost_usd
    return told


def tokens(usage: Usage) -> dict[str, int]:
    """Of whatever has used them."""
    return {"gen_ai.usage.input_tokens": usage.input_tokens, "gen_ai.usage.output_tokens": usage.output_tokens}
