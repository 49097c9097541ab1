// The details of the chosen segment: which thread waited for which, and the stacks of both.

import { holders_html, holds } from "./holders.js"
import { BLOCKED, RUNNING, STOPPED, WAITING_GIL, WAITING_LOCK } from "./states.js"
import { count_text, prose, safe, things, time_text } from "./text.js"

const SPANS_SHOWN = 4
const WAITS = [WAITING_GIL, WAITING_LOCK, BLOCKED, STOPPED]

/** @typedef {import("./types.js").Choice} Choice */
/** @typedef {import("./types.js").Detail | "asked" | null} Told What is known of the stacks. */

/**
 * @param {string} caption
 * @param {import("./types.js").Frame[] | undefined} frames
 */
function stack_html(caption, frames) {
  if (!frames?.length) return `<section><h4>${caption}</h4><p class="quiet">no stack in the trace</p></section>`
  const lines = frames.map(([name, file, line, native, source]) => {
    const base = file.split("/").at(-1)
    const place = base ? `${safe(base)}${line ? `:${line}` : ""}` : ""
    const code = source ? `<code>${safe(source)}</code>` : ""
    return `<li class="${native ? "native" : ""}" title="${safe(file)}"><b>${safe(name)}</b> ` +
      `<small>${place}${native ? " native" : ""}</small>${code}</li>`
  })
  return `<section><h4>${caption}</h4><ol class="stack">${lines.join("")}</ol></section>`
}

/** @param {Choice} choice @param {number} lane */
const name_of = ({ timeline }, lane) => safe(timeline.lanes[lane].name)

/** The thread that ended a wait, where the stacks tell of one. @param {Told} told */
const ender = (told) => (Array.isArray(told) ? told[1] : -1)

/**
 * What is known of the segment itself.
 * @param {Choice} choice
 * @param {Told} told
 */
function facts_of(choice, told) {
  const { timeline, lane, row, segments } = choice
  const [lock, peer, held] = timeline.codes[segments.code[row]]
  const count = segments.count[row], thread = timeline.lanes[lane].kind === "thread"
  const facts = [
    `<b>${name_of(choice, lane)}</b> · ${safe(timeline.build)}`,
    `from ${(choice.start / 1e6).toFixed(6)} to ${(choice.end / 1e6).toFixed(6)} ms`,
  ]
  if (lock >= 0) facts.push(`for <b>${prose(timeline.locks[lock].name)}</b> (${safe(timeline.locks[lock].kind)})`)
  if (peer >= 0) {
    const how = held ? "held by" : "ended by", when = held ? " when it began" : ""
    facts.push(`${how} <b>${name_of(choice, peer)}</b>${when}`)
  }
  if (thread) {
    const named = timeline.spans_of(lane, choice.start, choice.end)
    for (const one of named.slice(0, SPANS_SHOWN)) facts.push(`<b>${safe(timeline.span_text(one))}</b>`)
    if (named.length > SPANS_SHOWN) facts.push(things(named.length - SPANS_SHOWN, "more span"))
  }
  const by = ender(told)
  const said = peer >= 0 && !held && by === peer
  if (WAITS.includes(segments.state[row]) && by >= 0 && !said) facts.push(`ended by <b>${name_of(choice, by)}</b>`)
  if (count > 1) {
    facts.push(thread ? `${count_text(count)} intervals shorter than ${time_text(segments.grain)}, as one`
      : `${count_text(count)} intervals one after the other or at the same time`)
  }
  return facts
}

/**
 * The stacks, or why there are none.
 * @param {Choice} choice
 * @param {Told} told
 * @param {import("./types.js").Frame[][]} stacks
 */
function stacks_html(choice, told, stacks) {
  const { timeline, lane, row, segments } = choice
  const state = segments.state[row]
  if (told === "asked") return '<p class="quiet">looking up the stacks …</p>'
  if (!told) {
    if (timeline.lanes[lane].kind !== "thread" || state === RUNNING) return ""
    return `<p class="quiet">${segments.count[row] > 1 ? "Zoom in to see single intervals and their stacks." :
      "The stacks of this interval are not in this view."}</p>`
  }
  const [own, by, other] = told, name = name_of(choice, lane)
  if (!WAITS.includes(state)) return `<div class="stacks">${stack_html(name, stacks[own])}</div>`
  const what = state === WAITING_GIL ? "gives up the GIL" : "ends the wait"
  const caption = by >= 0 ? `${name_of(choice, by)}, which ${what}` : "unknown thread, which ended the wait"
  return `<div class="stacks">${stack_html(`${name}, which waits`, stacks[own])}` +
    `${stack_html(caption, stacks[other])}</div>`
}

/**
 * Who had meanwhile what was waited for.
 * @param {Choice} choice
 * @param {Told} told
 */
function held_html({ timeline, row, segments, start, end }, told) {
  const state = segments.state[row]
  if (state === WAITING_GIL) {
    return holders_html(timeline, start, end, holds(timeline, start, end), "Held the GIL", "nobody")
  }
  const known = Array.isArray(told) ? told[3] : null
  if (state !== WAITING_LOCK || !known) return ""
  const found = known.map(([lane, from, to]) => ({ lane, from, to }))
  return holders_html(timeline, start, end, found, "Had the lock", "not known, or nobody:")
}

/**
 * HTML of a choice.
 * @param {Choice} choice
 * @param {import("./types.js").Looks} looks
 * @param {Told} told
 * @param {import("./types.js").Frame[][]} stacks What `told` refers to.
 */
export function details_html(choice, looks, told, stacks) {
  const { lane, row, segments, other } = choice
  const state = segments.state[row]
  const jump = other >= 0 && other !== lane
    ? `<button class="plain" data-role="jump">Go to ${name_of(choice, other)} (J)</button>` : ""
  return `<h3><i class="dot" style="background:${looks.color[state]}"></i>${safe(looks.label[state])}: ` +
    `${time_text(choice.end - choice.start)}</h3><p>${facts_of(choice, told).join(" · ")} ${jump}</p>` +
    held_html(choice, told) + stacks_html(choice, told, stacks)
}
