"""Hazards as text for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gilscope.analysis.order.model import Found, Hazard, Step

MOST_FRAMES = 6


def text(found: Found) -> str:
    """Return all hazards as text, with a summary line at the end."""
    return "\n\n".join([*map(hazard_text, found.hazards), summary(found)])


def hazard_text(hazard: Hazard) -> str:
    """Return one hazard with each thread's part in it and its repair."""
    suspected = ", suspected" if hazard.suspected else ""
    lines = [f"{hazard.severity}{suspected}: {hazard.title}"]
    if hazard.suspected:
        lines.append(f"    {hazard.reservation}")
    for step in hazard.steps:
        lines += step_lines(step)
    if hazard.kind not in ("fork-with-lock", "native-thread-at-exit"):
        lines.append("    when each thread is at its place, none can go on")
    if hazard.confirmation:
        lines.append(f"    {hazard.confirmation}")
    lines.append(f"    do: {hazard.advice}")
    lines.append(f"    see: gilscope explain {hazard.kind}")
    return "\n".join(lines)


def step_lines(step: Step) -> list[str]:
    """Return a thread's part: what it does in one line, then where, a line a frame."""
    times = "once" if step.count == 1 else f"{step.count} times"
    if step.part:
        first = f"    {_who(step)} {step.part}{':' if step.stack else ''}"
    elif step.owed:
        first = f"    {_who(step)} has to pass {step.asked} before it brings about {step.held}:"
    else:
        at = _taken(step)
        verb = "waits for" if step.awaited != step.asked else "asks for"
        first = f"    {_who(step)} holds {step.held}{at} and {verb} {step.awaited}, {times}:"
    lines = [first, *(f"        {frame}" for frame in step.stack[:MOST_FRAMES])]
    if len(step.stack) > MOST_FRAMES:
        lines.append(f"        and {len(step.stack) - MOST_FRAMES} more")
    return lines


def _who(step: Step) -> str:
    """Return the subject of a step's sentence."""
    has_word = step.thread == step.held or step.thread.startswith(("native thread", "the "))
    return step.thread if has_word else f"thread {step.thread}"


def _taken(step: Step) -> str:
    at = step.held_at
    return f" (taken at {at.file}:{at.line})" if at is not None and at.line else ""


def summary(found: Found) -> str:
    """Return how much was found and watched, and a line for each thing that was not watched."""
    count = len(found.hazards)
    word = "hazard" if count == 1 else "hazards"
    line = f"{count} {word}; {found.threads} threads, {found.locks} locks that are in some order"
    if found.left_out:
        line += f"; {found.left_out} dropped because the table was full"
    return "\n".join([line, *(f"not watched: {what}" for what in found.missing)])
