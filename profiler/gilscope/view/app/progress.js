// How many threads make progress, column by column.

import { HOLDING, RUNNING } from "./states.js"

const ROUNDING = 1e-6  // columns

/**
 * For each column the share of its time in which a thread that does not wait had a processor.
 * @param {import("./timeline.js").Timeline} timeline
 * @param {Float64Array} shares Of the states, as `Painter.shares` returns them.
 * @param {number | undefined} lane
 * @param {number} left ns
 * @param {number} step ns a column
 * @param {number} width
 */
export function on_processor({ cpu }, shares, lane, left, step, width) {
  const active = Float64Array.from({ length: width }, (_, column) =>
    shares[HOLDING * width + column] + shares[RUNNING * width + column])
  if (!cpu || lane === undefined) return active
  const found = active.slice()
  const column_of = (/** @type {number} */ time) =>
    Math.max(0, Math.min(width, Math.round((time - left) / step)))
  for (const { start, end, ran } of cpu.stretches(lane, left, left + step * width, step)) {
    const first = column_of(start), last = Math.max(first + 1, column_of(end))
    let sum = 0
    for (let column = first; column < Math.min(last, width); column++) sum += active[column]
    // It ran for a part of the stretch: of the moments in which it did not wait.
    const part = (ran / (end - start)) * (Math.min(last, width) - first)
    const factor = sum > 0 ? Math.min(1, part / sum) : 1
    for (let column = first; column < Math.min(last, width); column++) {
      found[column] = active[column] * factor
    }
  }
  return found
}

/**
 * The curve of the threads that make progress, while the run lasts, and the most of them.
 * @param {import("./timeline.js").Timeline} timeline
 * @param {Float64Array[]} every Shares of each lane.
 * @param {number} left ns
 * @param {number} right ns
 * @param {number} width Columns.
 * @param {number[]} [lanes] Whose shares they are, to tell when they had a processor.
 */
export function progress(timeline, every, left, right, width, lanes = []) {
  /** @type {number[]} */
  const x = []
  /** @type {number[]} */
  const y = []
  const step = (right - left) / width
  const sums = every.map((shares, place) =>
    on_processor(timeline, shares, lanes[place], left, step, width))
  // Whole columns only: in the one in which a run ends it would seem to stall.
  const first = Math.max(0, Math.ceil(-left / step - ROUNDING))
  const last = Math.min(width, Math.floor((timeline.duration - left) / step + ROUNDING))
  for (let column = first; column < last; column++) {
    x.push(timeline.to_axis(left + step * column))
    y.push(sums.reduce((sum, share) => sum + share[column], 0))
  }
  const most = Math.max(0, ...y)
  // One point that is nowhere keeps its sign in the legend.
  x.push(timeline.to_axis(y.length ? left + step * last : 0))
  y.push(y.at(-1) ?? NaN)
  return { curve: { x, y }, most }
}
