"""Step `readability`: how hard each page is to read. Sentences by sentencex, syllables by Pyphen.

Two measures, because each misleads alone: Flesch reading ease (Flesch 1948; English only, 0 very hard to 100 very
easy; hyphenation finds slightly too few syllables, so it errs on the easy side) and LIX (Björnsson 1968; any
language, below 40 easy, above 60 very hard), which counts words of more than six letters.
"""

# ruff: noqa: PLC0415 - libraries load with the step that needs them, not with the service

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from statistics import mean, median

from app.examples.content_strategy.model import Json, Page, shorten
from app.examples.content_strategy.reading import pages_of
from app.runners.registration import agent

LONG_SENTENCE = 40
LONG_WORD = 6
MIN_BLOCK_WORDS = 5
MIN_WORDS = 60
MAX_LONG_SENTENCES = 120
WORDS_A_MINUTE = 220
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")


@agent("readability", run_in="process")
def readability(input: Json) -> Json:  # noqa: A002
    """Flesch, LIX and sentence lengths of each page of `input.collection`, in the language `input.language`.

    Pages with fewer than MIN_WORDS words of running text are not scored: the measures mean nothing there.
    """
    language = str(input.get("language") or "en")
    syllables = _syllables(language) if language == "en" else None
    scored: list[Json] = []
    long_sentences: list[Json] = []
    for page in pages_of(input["collection"]):
        sentences = _sentences(page, language)
        long_sentences += _long(page, sentences)
        score = _score(page, [words for _, _, words in sentences], syllables)
        if score is not None:
            scored.append(score)
    long_sentences.sort(key=lambda sentence: -int(sentence["words"]))
    return {
        "pages": scored,
        "median_lix": round(median(page["lix"] for page in scored), 1) if scored else None,
        "median_flesch": round(median(page["flesch"] for page in scored), 1) if scored and syllables else None,
        "long_sentences": long_sentences[:MAX_LONG_SENTENCES],
        "long_sentence_count": len(long_sentences),
    }


def _sentences(page: Page, language: str) -> list[tuple[int, str, list[str]]]:
    """Line of the paragraph, text and words of every sentence of running text; table cells are none."""
    # The module is compiled and ships no types.
    segment: Callable[[str, str], list[str]] = import_module("sentencex").segment
    found: list[tuple[int, str, list[str]]] = []
    for block in page.parts.blocks:
        if block.kind == "cell" or len(block.prose.split()) < MIN_BLOCK_WORDS:
            continue
        for sentence in segment(language, block.prose):
            words: list[str] = _WORD.findall(sentence)
            if words:
                found.append((block.line, sentence, words))
    return found


def _long(page: Page, sentences: list[tuple[int, str, list[str]]]) -> list[Json]:
    """Sentences that are too long even between their semicolons: a list in one line is not what is meant."""
    found: list[Json] = []
    for line, sentence, words in sentences:
        if len(words) > LONG_SENTENCE:
            longest = max(sentence.split(";"), key=lambda clause: len(_WORD.findall(clause)))
            count = len(_WORD.findall(longest))
            if count > LONG_SENTENCE:
                found.append({"page": page.path, "line": line, "words": count, "quote": shorten(longest)})
    return found


def _score(page: Page, sentences: list[list[str]], syllables: Callable[[str], int] | None) -> Json | None:
    words = [word for sentence in sentences for word in sentence]
    if len(words) < MIN_WORDS:
        return None
    length = mean(len(sentence) for sentence in sentences)
    flesch = None
    if syllables is not None:
        flesch = round(206.835 - 1.015 * length - 84.6 * mean(syllables(word.lower()) for word in words), 1)
    long_words = sum(len(word) > LONG_WORD for word in words)
    return {
        "path": page.path,
        "words": len(words),
        "sentences": len(sentences),
        "mean_sentence": round(length, 1),
        "flesch": flesch,
        "lix": round(length + 100 * long_words / len(words), 1),
        "minutes": round(page.words / WORDS_A_MINUTE, 1),
    }


def _syllables(language: str) -> Callable[[str], int]:
    import pyphen

    hyphens = pyphen.Pyphen(lang=language, left=1, right=1)

    @lru_cache(maxsize=50_000)
    def count(word: str) -> int:
        return len(hyphens.positions(word)) + 1

    return count
