// Segments of a timeline's lanes, as columns.

import { NOTHING } from "./states.js"

/** Segments lane after lane: those of a whole trace, or some of them exactly. Times are ns. */
export class Segments {
  /**
   * @param {import("./timeline.js").Timeline} timeline
   * @param {import("./types.js").Columns} columns
   * @param {string} prefix Of the columns' names.
   * @param {number[]} offsets Row at which each lane begins; its last row is its end.
   * @param {number} grain Segments shorter than this may have been merged.
   */
  constructor(timeline, columns, prefix, offsets, grain) {
    this.timeline = timeline
    this.offsets = offsets
    this.grain = grain
    /** Where the lanes of threads end, which are the first. */
    this.thread_rows = offsets[Math.min(timeline.threads().length, offsets.length - 1)]
    this.start = columns[`${prefix}start`]
    this.state = columns[`${prefix}state`]
    this.code = columns[`${prefix}code`]
    this.count = columns[`${prefix}count`]
    /** @type {import("./types.js").Column | undefined} Row in the trace, or -1; in a notebook. */
    this.ref = columns[`${prefix}ref`]
    /** @type {import("./types.js").Column | undefined} Row of `Timeline.details`; in a report. */
    this.detail = columns[`${prefix}detail`]
  }

  /** Whether a lane is among these: parts from the kernel have the lanes of threads only. @param {number} lane */
  has(lane) {
    return lane < this.offsets.length - 1
  }

  /**
   * First of the rows [low, high) that starts after a time, or high.
   * @param {number} low
   * @param {number} high
   * @param {number} time
   */
  after(low, high, time) {
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.start[middle] > time) high = middle
      else low = middle + 1
    }
    return low
  }

  /**
   * Rows [from, to) of a lane that are seen between two times.
   * @param {number} lane
   * @param {number} from_time
   * @param {number} to_time
   * @returns {[from: number, to: number]}
   */
  seen(lane, from_time, to_time) {
    const low = this.offsets[lane], high = this.offsets[lane + 1] - 1
    if (high < low) return [low, low]
    const from = Math.max(low, this.after(low, high, from_time) - 1)
    let to = this.after(from, high, to_time)
    if (to === from + 1 && this.start[to] <= from_time) to = from
    return [from, to]
  }

  /**
   * The row of a lane at a time, or -1.
   * @param {number} lane
   * @param {number} time
   */
  at(lane, time) {
    const low = this.offsets[lane], high = this.offsets[lane + 1] - 1
    const row = this.after(low, high, time) - 1
    return row < low || time > this.start[row + 1] || this.state[row] === NOTHING ? -1 : row
  }

  /** @param {number} row */
  duration(row) {
    return this.start[row + 1] - this.start[row]
  }
}
