"""Agents of the kind `llm`: models of OpenAI, of Anthropic, and of whatever speaks their protocols."""

from app.runners.llm.kind import LlmKind, llm_kind

__all__ = ["LlmKind", "llm_kind"]
