"""The automatic part of the preliminary review: completeness and reasonableness (R18 to R22)."""

from dataclasses import dataclass

from services.register import completeness
from services.register.unit import Actor, Register

JOB_TYPE = "preliminary-review"


@dataclass(frozen=True)
class ReviewPreliminarily:
    application_id: str


@dataclass(frozen=True)
class PreliminarilyReviewed:
    application_complete: bool


async def handle(command: ReviewPreliminarily, register: Register) -> PreliminarilyReviewed:
    complete = await register.run(Actor("worker", JOB_TYPE), completeness.review, command.application_id)
    return PreliminarilyReviewed(complete)
