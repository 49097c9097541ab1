// How many threads make progress, column by column.

import { HOLDING, RUNNING } from "./states.js"

const ROUNDING = 1e-6  // columns

/** Columns of a lane: how much of each a thread was awake, and how much it had a processor. */
class Awake {
  /** @param {number} left ns @param {number} step ns a column @param {number} width */
  constructor(left, step, width) {
    this.left = left
    this.step = step
    this.awake = new Float64Array(width)
    this.had = new Float64Array(width)
    /** Columns that are in use: [first, end). */
    this.first = width
    this.end = 0
  }

  /** Forget the last lane. */
  clear() {
    this.awake.fill(0, this.first, this.end)
    this.first = this.awake.length
    this.end = 0
  }

  /** @param {number} time */
  column(time) {
    return Math.max(0, Math.min(this.awake.length, Math.round((time - this.left) / this.step)))
  }

  /**
   * Take the segments of a lane in which its thread does not wait.
   * @param {import("./segments.js").Segments} segments
   * @param {[from: number, to: number]} rows
   */
  take({ start, state }, [from, to]) {
    const { left, step, awake } = this
    for (let row = from; row < to; row++) {
      if (state[row] !== HOLDING && state[row] !== RUNNING) continue
      const x0 = Math.max(0, (start[row] - left) / step)
      const x1 = Math.min(awake.length, (start[row + 1] - left) / step)
      if (x1 <= x0) continue
      const first = Math.floor(x0), end = Math.ceil(x1)
      for (let column = first; column < end; column++) {
        awake[column] += Math.min(x1, column + 1) - Math.max(x0, column)
      }
      this.first = Math.min(this.first, first)
      this.end = Math.max(this.end, end)
    }
  }

  /** Leave what had a processor, as far as is known of the thread. @param {import("./cpu.js").Stretch[]} stretches */
  limit(stretches) {
    const { awake, had } = this
    for (let column = this.first; column < this.end; column++) had[column] = awake[column]
    // Samples are taken soon after a start, and shortly before an end: what is beyond is like what is next.
    stretches.forEach(({ start, end, ran }, place) => {
      const first = this.column(start), last = Math.max(first + 1, this.column(end))
      let sum = 0
      for (let column = first; column < Math.min(last, awake.length); column++) sum += awake[column]
      // It ran for a part of the stretch: of the moments in which it did not wait.
      const part = (ran / (end - start)) * (Math.min(last, awake.length) - first)
      const factor = sum > 0 ? Math.min(1, part / sum) : 1
      const from = place ? Math.max(first, this.first) : this.first
      const to = place < stretches.length - 1 ? Math.min(last, this.end) : this.end
      for (let column = from; column < to; column++) had[column] = awake[column] * factor
    })
  }
}

/**
 * Threads that do not wait and have a processor, column by column, as far as that is known.
 * @param {import("./timeline.js").Timeline} timeline
 * @param {number[]} lanes
 * @param {number} left ns
 * @param {number} right ns
 * @param {number} width Columns.
 */
export function active(timeline, lanes, left, right, width) {
  const step = (right - left) / width
  const one = new Awake(left, step, width)
  const result = new Float64Array(width)
  for (const lane of lanes) {
    const segments = timeline.segments_of(lane, left, right)
    one.clear()
    one.take(segments, segments.seen(lane, left, right))
    if (one.end <= one.first) continue
    one.limit(timeline.cpu?.stretches(lane, left, right, step) ?? [])
    for (let column = one.first; column < one.end; column++) result[column] += one.had[column]
  }
  return result
}

/**
 * The curve of the threads that make progress, while the run lasts, and the most of them.
 * @param {import("./timeline.js").Timeline} timeline
 * @param {Float64Array} sums Threads in each column.
 * @param {number} left ns
 * @param {number} right ns
 */
export function progress(timeline, sums, left, right) {
  /** @type {number[]} */
  const x = []
  /** @type {number[]} */
  const y = []
  const width = sums.length, step = (right - left) / width
  // Whole columns only: in the one in which a run ends it would seem to stall.
  const first = Math.max(0, Math.ceil(-left / step - ROUNDING))
  const last = Math.min(width, Math.floor((timeline.duration - left) / step + ROUNDING))
  for (let column = first; column < last; column++) {
    x.push(timeline.to_axis(left + step * column))
    // What a thread ran is known for stretches only: in a part of one, the sum may be too large.
    y.push(Math.min(sums[column], timeline.processors))
  }
  const most = Math.max(0, ...y)
  // One point that is nowhere keeps its sign in the legend.
  x.push(timeline.to_axis(y.length ? left + step * last : 0))
  y.push(y.at(-1) ?? NaN)
  return { curve: { x, y }, most }
}
