// Which threads had the GIL, or a lock, while another one waited for it.

import { HOLDING } from "./states.js"
import { safe, time_text } from "./text.js"

const MOST = 5000  // holds
const GAP = 0.002  // of the wait: holds of one thread that are nearer than this are one
const NAMED = 6
const LEAST_REST = 0.01  // of the wait
const COLORS = ["#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#882255"]
const OTHER = "#999999"

/** @typedef {{ lane: number, from: number, to: number }} Hold ns. */

/**
 * The holds in a stretch of time, in order; null where they are merged, and so not known one by one.
 * @param {import("./timeline.js").Timeline} timeline
 * @param {number} start
 * @param {number} end
 * @returns {Hold[] | null}
 */
export function holds(timeline, start, end) {
  /** @type {Hold[]} */
  const found = []
  for (const lane of timeline.threads()) {
    const segments = timeline.segments_of(lane, start, end)
    const [first, last] = segments.seen(lane, start, end)
    for (let row = first; row < last; row++) {
      if (segments.state[row] !== HOLDING) continue
      if (segments.count[row] > 1 || found.length === MOST) return null
      found.push({ lane, from: Math.max(start, segments.start[row]), to: Math.min(end, segments.start[row + 1]) })
    }
  }
  return found.sort((a, b) => a.from - b.from)
}

/**
 * Time of each lane, the longest first.
 * @param {Hold[]} found
 * @returns {[lane: number, ns: number][]}
 */
export function held(found) {
  /** @type {Map<number, number>} */
  const sums = new Map()
  for (const { lane, from, to } of found) sums.set(lane, (sums.get(lane) ?? 0) + to - from)
  return [...sums].sort(([, a], [, b]) => b - a)
}

/**
 * Join holds of one thread that the bar would show as one.
 * @param {Hold[]} found
 * @param {number} gap ns
 */
function joined(found, gap) {
  /** @type {Hold[]} */
  const result = []
  for (const one of found) {
    const last = result.at(-1)
    if (last && last.lane === one.lane && one.from - last.to < gap) last.to = one.to
    else result.push({ ...one })
  }
  return result
}

/**
 * A bar of the holders in time, and how long each of them had what was waited for; "" if that is
 * not known.
 * @param {import("./timeline.js").Timeline} timeline
 * @param {number} start
 * @param {number} end
 * @param {Hold[] | null} every In order.
 * @param {string} words What they did meanwhile.
 * @param {string} rest What the rest of the time is.
 */
export function holders_html(timeline, start, end, every, words, rest) {
  const found = every?.filter(({ from, to }) => to > from)
  if (!found?.length) return ""
  const sums = held(found)
  const colors = new Map(sums.map(([lane], place) => [lane, COLORS[place] ?? OTHER]))
  const share = (/** @type {number} */ ns) => `${((100 * ns) / (end - start)).toFixed(2)}%`
  const bars = joined(found, GAP * (end - start)).map(({ lane, from, to }) =>
    `<i style="left:${share(from - start)};width:${share(to - from)};background:${colors.get(lane)}"></i>`)
  const named = sums.slice(0, NAMED).map(([lane, ns]) =>
    `<span><i class="dot" style="background:${colors.get(lane)}"></i>` +
    `${safe(timeline.lanes[lane].name)} ${time_text(ns)}</span>`)
  const more = sums.length - NAMED
  if (more > 0) named.push(`<span>and ${more} more</span>`)
  const left = end - start - sums.reduce((sum, [, ns]) => sum + ns, 0)
  if (left > LEAST_REST * (end - start)) named.push(`<span><i class="dot rest"></i>${rest} ${time_text(left)}</span>`)
  return `<div class="holders" aria-hidden="true">${bars.join("")}</div>` +
    `<p class="holder-names">${words} meanwhile: ${named.join(" ")}</p>`
}
