// The view's data: undoes payload.py, and answers what lies where. Times are ns from a trace's start.

const END = 255, NOTHING = 7, CALLBACK = 6
const HOLDING = 0, RUNNING = 1, WAITING_GIL = 2, WAITING_LOCK = 3, BLOCKED = 4, STOPPED = 5

/** Inflate a view's data; columns become Float64Arrays. */
async function unpack(buffer) {
  const stream = new Blob([buffer]).stream().pipeThrough(new DecompressionStream("deflate"))
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer())
  const size = new DataView(bytes.buffer).getUint32(0, true)
  const data = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + size)))
  let at = 4 + size
  for (const [name, [rows, width, steps]] of Object.entries(data.columns)) {
    data.columns[name] = unfolded(bytes.subarray(at, at + rows * width), rows, width, steps)
    at += rows * width
  }
  return data
}

function unfolded(planes, rows, width, steps) {
  const result = new Float64Array(rows)
  for (let plane = 0, factor = 1; plane < width; plane++, factor *= 256) {
    for (let row = 0; row < rows; row++) result[row] += planes[plane * rows + row] * factor
  }
  for (let row = 0, last = 0; row < rows; row++) {
    const folded = result[row]
    const value = folded % 2 ? -(folded + 1) / 2 : folded / 2
    result[row] = steps ? (last += value) : value
  }
  return result
}

/** Segments in columns, lane after lane: those of a whole trace, or some of them exactly. */
class Segments {
  constructor(timeline, columns, prefix, offsets, grain) {
    // Where the lanes of threads end, which are the first.
    const thread_rows = offsets[Math.min(timeline.threads().length, offsets.length - 1)]
    Object.assign(this, { timeline, offsets, grain, thread_rows })
    for (const name of ["start", "state", "code", "count", "ref", "detail"]) {
      this[name] = columns[prefix + name]
    }
  }

  /** First of the rows [low, high) that starts after a time, or high. */
  after(low, high, time) {
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.start[middle] > time) high = middle
      else low = middle + 1
    }
    return low
  }

  /** Rows [from, to) of a lane that are seen between two times. */
  seen(lane, from_time, to_time) {
    const low = this.offsets[lane], high = this.offsets[lane + 1] - 1
    if (high < low) return [low, low]
    const from = Math.max(low, this.after(low, high, from_time) - 1)
    let to = this.after(from, high, to_time)
    if (to === from + 1 && this.start[to] <= from_time) to = from
    return [from, to]
  }

  /** The row of a lane at a time, or -1. */
  at(lane, time) {
    const low = this.offsets[lane], high = this.offsets[lane + 1] - 1
    const row = this.after(low, high, time) - 1
    return row < low || time > this.start[row + 1] || this.state[row] === NOTHING ? -1 : row
  }

  duration(row) {
    return this.start[row + 1] - this.start[row]
  }
}

/** Of each lock, the first position of those that go by its name, as a reader takes them for one. */
function first_alike(locks) {
  const first = new Map()
  return locks.map(({ group, kind }, place) => {
    const key = `${group}\n${kind}`
    if (!first.has(key)) first.set(key, place)
    return first.get(key)
  })
}

/** One trace of the view, and where it stands on the axis: axis = scale * ns + shift. */
class Timeline {
  constructor(number, meta, columns) {
    Object.assign(this, meta)
    this.number = number
    this.all = new Segments(this, columns, `${number}.`, meta.offsets, meta.grain)
    // Of a long trace: what is drawn is not divided by locks and threads, this is.
    this.tally = meta.tally_offsets
      ? new Segments(this, columns, `${number}.tally.`, meta.tally_offsets, meta.tally_grain) : null
    this.coded = false  // what is drawn must be divided so
    this.part = null  // exact segments from the kernel: {from, to, segments}
    this.raster = null  // a picture from the kernel: {from, to, width, images}
    this.calls = columns[`${number}.cb_start`] && {
      lane: columns[`${number}.cb_lane`], start: columns[`${number}.cb_start`],
      duration: columns[`${number}.cb_duration`], enter: columns[`${number}.cb_enter`],
      label: columns[`${number}.cb_label`],
    }
    this.named = columns[`${number}.sp_start`] && {
      lane: columns[`${number}.sp_lane`], start: columns[`${number}.sp_start`],
      duration: columns[`${number}.sp_duration`], bytes: columns[`${number}.sp_bytes`],
      label: columns[`${number}.sp_label`], depth: columns[`${number}.sp_depth`],
    }
    this.cpu = meta.cpu_offsets ? new CpuTimes(columns, `${number}.`, meta.cpu_offsets) : null
    this.scale = 1e-6
    this.shift = 0
    this.groups = first_alike(this.locks)
    this.show(meta.lanes.map((_, lane) => lane))
  }

  /** Show lanes, from the top. */
  show(lanes) {
    this.shown = lanes
    this.places = new Map(lanes.map((lane, place) => [lane, place]))
  }

  shows(lane) {
    return this.places.has(lane)
  }

  to_axis(time) {
    return this.scale * time + this.shift
  }

  from_axis(value) {
    return (value - this.shift) / this.scale
  }

  /** The best segments there are for a stretch of time. */
  segments(from, to) {
    const { part } = this
    if (part && part.from <= from && part.to >= to) return part.segments
    return this.coded ? this.counted() : this.all
  }

  /** All segments, divided by lock and other thread. */
  counted() {
    return this.tally ?? this.all
  }

  /** Rows of the spans of a lane between two times, the outermost first. */
  spans_of(lane, from, to) {
    const { named } = this, rows = []
    for (let row = 0; named && row < named.start.length && named.start[row] <= to; row++) {
      if (named.lane[row] === lane && named.start[row] + named.duration[row] >= from) rows.push(row)
    }
    return rows.sort((a, b) => named.depth[a] - named.depth[b])
  }

  /** A span in words. */
  span_text(row) {
    const { named } = this
    const size = named.bytes[row] < 0 ? "" : `, ${size_text(named.bytes[row])}`
    return `${this.span_labels[named.label[row]]}: ${time_text(named.duration[row])}${size}`
  }

  /** Height of a lane's middle, or null if it is not shown. */
  level(lane) {
    const place = this.places.get(lane)
    return place === undefined ? null : this.shown.length - place - 0.5
  }

  threads() {
    return this.lanes.flatMap((lane, number) => (lane.kind === "thread" ? [number] : []))
  }

  others() {
    return this.lanes.flatMap((lane, number) => (lane.kind === "thread" ? [] : [number]))
  }

  /** Lanes of threads that are shown, from the top. */
  shown_threads() {
    return this.shown.filter((lane) => this.lanes[lane].kind === "thread")
  }
}

/** A number of 0 or more to three digits, all of them from 1,000 on; as gilscope/text.py. */
function three_digits(value) {
  if (value >= 999.5) return Math.floor(value + 0.5).toLocaleString("en")
  const decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0
  return String(Math.floor(value * 10 ** decimals + 0.5) / 10 ** decimals)
}

/** A time in ns as people read it; as gilscope/text.py. */
function time_text(ns) {
  for (const [unit, factor] of [["s", 1e9], ["ms", 1e6], ["µs", 1e3]]) {
    if (ns / factor >= 0.9995) return `${three_digits(ns / factor)} ${unit}`
  }
  return ns ? `${three_digits(ns)} ns` : "0"
}

/** Bytes as people read them; as gilscope/text.py. */
function size_text(bytes) {
  for (const [unit, factor] of [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]]) {
    if (bytes >= factor) return `${three_digits(bytes / factor)} ${unit}`
  }
  return `${three_digits(bytes)} B`
}

const count_text = (number) => Math.round(number).toLocaleString("en")

/** Text that cannot be taken for markup: names come from the program under test. */
function safe(value) {
  const replaced = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" }
  return String(value).replace(/[&<>"']/g, (letter) => replaced[letter])
}
