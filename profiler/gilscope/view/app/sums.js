// What a stretch of time adds up to, as far as the filters leave it (kept.js).

import { BLOCKED, WAITING_GIL, WAITING_LOCK } from "./states.js"

const KINDS = 8

/**
 * Sums over lanes of threads between two times; segments that reach out count in part.
 * @param {import("./timeline.js").Timeline} timeline
 * @param {number} from
 * @param {number} to
 * @param {number[]} lanes
 * @param {import("./kept.js").Kept} [kept] All segments if it is missing.
 * @returns {import("./types.js").Totals}
 */
export function totals(timeline, from, to, lanes, kept) {
  const best = timeline.segments(from, to)
  const segments = best === timeline.all ? timeline.counted() : best
  const { start, state, code, count } = segments
  const codes = timeline.codes.length
  const states = lanes.map(() => new Float64Array(KINDS))
  // Of thousands of threads, each has waits of a few codes.
  const time = lanes.map(() => /** @type {Map<number, number>} */ (new Map()))
  const contended = lanes.map(() => /** @type {Map<number, number>} */ (new Map()))
  const times = new Float64Array(codes), longest = new Float64Array(codes)
  lanes.forEach((lane, place) => {
    const [low, high] = segments.seen(lane, from, to)
    for (let row = low; row < high; row++) {
      if (kept && !kept.segment(segments, row)) continue
      const part = Math.min(to, start[row + 1]) - Math.max(from, start[row])
      states[place][state[row]] += part
      if (state[row] !== WAITING_GIL && state[row] !== WAITING_LOCK && state[row] !== BLOCKED) continue
      grow(time[place], code[row], part)
      if (state[row] !== BLOCKED) grow(contended[place], code[row], part)
      times[code[row]] += count[row]
      if (count[row] === 1) longest[code[row]] = Math.max(longest[code[row]], start[row + 1] - start[row])
    }
  })
  return { lanes, states, time, contended, times, longest }
}

/** @param {Map<number, number>} sums @param {number} key @param {number} value */
function grow(sums, key, value) {
  sums.set(key, (sums.get(key) ?? 0) + value)
}

/**
 * Numbers of the callbacks that touch a stretch of time, by what they called.
 * @param {import("./timeline.js").Timeline} timeline
 * @param {number} from
 * @param {number} to
 * @param {import("./kept.js").Kept} kept
 */
export function callback_totals(timeline, from, to, kept) {
  const result = timeline.labels.map((label) => ({ label, count: 0, time: 0, enter: 0, longest: 0 }))
  const { calls } = timeline
  if (!calls) return []
  for (let row = 0; row < calls.start.length && calls.start[row] < to; row++) {
    if (calls.start[row] + calls.duration[row] < from || !kept.callback(timeline, row)) continue
    const sum = result[calls.label[row]]
    sum.count += 1
    sum.time += calls.duration[row]
    sum.enter += calls.enter[row]
    sum.longest = Math.max(sum.longest, calls.duration[row])
  }
  return result.filter((sum) => sum.count).sort((a, b) => b.time - a.time)
}

/**
 * Numbers of the spans that touch a stretch of time, by their names.
 * @param {import("./timeline.js").Timeline} timeline
 * @param {number} from
 * @param {number} to
 * @param {import("./kept.js").Kept} kept
 */
export function span_totals(timeline, from, to, kept) {
  const result = timeline.span_labels.map((label) =>
    ({ label, count: 0, time: 0, longest: 0, bytes: 0, sized: false }))
  const { named } = timeline
  if (!named) return []
  for (let row = 0; row < named.start.length && named.start[row] < to; row++) {
    if (named.start[row] + named.duration[row] < from || !kept.span(timeline, row)) continue
    const sum = result[named.label[row]]
    sum.count += 1
    sum.time += named.duration[row]
    sum.longest = Math.max(sum.longest, named.duration[row])
    sum.bytes += Math.max(0, named.bytes[row])
    sum.sized ||= named.bytes[row] >= 0
  }
  return result.filter((sum) => sum.count).sort((a, b) => b.time - a.time)
}
