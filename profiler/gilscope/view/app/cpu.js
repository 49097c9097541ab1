// How long threads were ready to run and had no processor. It is known between two samples only, as
// a share: when in between, nobody knows.

const FOOT = 0.18  // of a lane's height: what is drawn below the rest where there are samples
const FOOT_GAP = 0.01
const CLEARLY = 0.05  // share below which nothing is drawn

class CpuTimes {
  constructor(columns, prefix, offsets) {
    for (const name of ["time", "ran", "ready"]) this[name] = columns[`${prefix}cpu.${name}`]
    this.offsets = offsets
  }

  /** Position of the first sample of a lane after a time, from the second to the last of them. */
  after(lane, time) {
    let low = this.offsets[lane] + 1, high = this.offsets[lane + 1] - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.time[middle] > time) high = middle
      else low = middle + 1
    }
    return low
  }

  /** What a thread did between two samples: ns each. */
  stretch(first, last) {
    const start = this.time[first], end = this.time[last]
    const limit = (value, most) => Math.max(0, Math.min(most, value))
    const ran = limit(this.ran[last] - this.ran[first], end - start)
    return { start, end, ran, ready: limit(this.ready[last] - this.ready[first], end - start - ran) }
  }

  /** Stretches of a lane that touch [from, to], none much shorter than `least`. */
  stretches(lane, from, to, least) {
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

  /** The stretch of a lane that a time falls into, or null. */
  at(lane, time) {
    return this.stretches(lane, time, time + 1, 0).find((one) => one.start <= time) ?? null
  }

  /** Time ready and not running between two times, in proportion at the ends; null if not known. */
  ready_time(lane, from, to) {
    const parts = this.stretches(lane, from, to, 0)
    if (!parts.length) return null
    return parts.reduce((sum, { start, end, ready }) =>
      sum + (ready * (Math.min(to, end) - Math.max(from, start))) / (end - start), 0)
  }
}

Object.assign(Painter.prototype, {
  /** For each column the share of its time in which a thread that does not wait had a processor. */
  on_processor(shares, lane, left, step, width) {
    const { cpu } = this.timeline
    const active = Float64Array.from({ length: width }, (_, column) =>
      shares[column] + shares[width + column])
    if (!cpu || lane === undefined) return active
    const found = active.slice()
    const column_of = (time) => Math.max(0, Math.min(width, Math.round((time - left) / step)))
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
  },

  /** Draw the share of each stretch as a bar at the foot of the lane. */
  draw_ready(from, to) {
    const { timeline } = this
    if (!timeline.cpu) return
    const data = { left: [], right: [], bottom: [], top: [] }
    const least = (2 * (to - from)) / this.width  // pixels
    for (const lane of timeline.threads()) {
      if (timeline.level(lane) === null) continue
      for (const { start, end, ready } of timeline.cpu.stretches(lane, from, to, least)) {
        const share = ready / (end - start)
        if (share < CLEARLY) continue
        data.left.push(timeline.to_axis(start))
        data.right.push(timeline.to_axis(end))
        // It hangs from what it belongs to.
        const top = this.bottom(lane) - FOOT_GAP
        data.bottom.push(top - FOOT * share)
        data.top.push(top)
      }
    }
    this.ready.data = data
  },
})

/** What the pointer is told of it. */
function cpu_tip(timeline, lane, time) {
  const found = timeline.cpu?.at(lane, time)
  if (!found) return []
  const { start, end, ran, ready } = found
  const share = (part) => `${Math.round((100 * part) / (end - start))} %`
  const ms = (ns) => Number((ns / 1e6).toFixed(1))
  return [`of the time between two samples, ${ms(start)} to ${ms(end)} ms:`,
          `${share(ran)} on a CPU, ${share(ready)} runnable but off CPU, ` +
          `${share(end - start - ran - ready)} asleep`]
}
