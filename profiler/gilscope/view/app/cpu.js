// How long threads were ready to run and had no processor. It is known between two samples only, as
// a share: the moment in between is unknown.

/** @typedef {{ start: number, end: number, ran: number, ready: number }} Stretch ns each. */

export class CpuTimes {
  /**
   * @param {import("./types.js").Columns} columns
   * @param {string} prefix
   * @param {number[]} offsets Row at which the samples of each lane begin.
   */
  constructor(columns, prefix, offsets) {
    this.time = columns[`${prefix}cpu.time`]
    this.ran = columns[`${prefix}cpu.ran`]
    this.ready = columns[`${prefix}cpu.ready`]
    this.offsets = offsets
  }

  /**
   * Position of the first sample of a lane after a time, from the second to the last of them.
   * @param {number} lane
   * @param {number} time
   */
  after(lane, time) {
    let low = this.offsets[lane] + 1, high = this.offsets[lane + 1] - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.time[middle] > time) high = middle
      else low = middle + 1
    }
    return low
  }

  /**
   * What a thread did between two samples.
   * @param {number} first
   * @param {number} last
   * @returns {Stretch}
   */
  stretch(first, last) {
    const start = this.time[first], end = this.time[last]
    const limit = (/** @type {number} */ value, /** @type {number} */ most) =>
      Math.max(0, Math.min(most, value))
    const ran = limit(this.ran[last] - this.ran[first], end - start)
    return { start, end, ran, ready: limit(this.ready[last] - this.ready[first], end - start - ran) }
  }

  /**
   * Stretches of a lane that touch [from, to], none much shorter than `least`.
   * @param {number} lane
   * @param {number} from
   * @param {number} to
   * @param {number} least
   */
  stretches(lane, from, to, least) {
    /** @type {Stretch[]} */
    const found = []
    const end = this.offsets[lane + 1] - 1
    if (end <= this.offsets[lane]) return found
    for (let first = this.after(lane, from) - 1; first < end && this.time[first] < to;) {
      let last = first + 1
      while (last < end && this.time[last] - this.time[first] < least) last++
      found.push(this.stretch(first, last))
      first = last
    }
    return found.filter((one) => one.end > from && one.end > one.start)
  }

  /**
   * The stretch of a lane that a time falls into, or null.
   * @param {number} lane
   * @param {number} time
   */
  at(lane, time) {
    return this.stretches(lane, time, time + 1, 0).find((one) => one.start <= time) ?? null
  }

  /**
   * Time ready and not running between two times, in proportion at the ends; null if not known.
   * @param {number} lane
   * @param {number} from
   * @param {number} to
   */
  ready_time(lane, from, to) {
    const parts = this.stretches(lane, from, to, 0)
    if (!parts.length) return null
    return parts.reduce((sum, { start, end, ready }) =>
      sum + (ready * (Math.min(to, end) - Math.max(from, start))) / (end - start), 0)
  }
}

/**
 * The lines of the tooltip.
 * @param {import("./timeline.js").Timeline} timeline
 * @param {number} lane
 * @param {number} time
 */
export function cpu_tip(timeline, lane, time) {
  const found = timeline.cpu?.at(lane, time)
  if (!found) return []
  const { start, end, ran, ready } = found
  const share = (/** @type {number} */ part) => `${Math.round((100 * part) / (end - start))} %`
  const ms = (/** @type {number} */ ns) => Number((ns / 1e6).toFixed(1))
  return [`of the time between two samples, ${ms(start)} to ${ms(end)} ms:`,
          `${share(ran)} on a CPU, ${share(ready)} ready, waiting for a processor, ` +
          `${share(end - start - ran - ready)} asleep`]
}
