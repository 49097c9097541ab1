// One trace of a view. Times are ns from the trace's start.

import { CpuTimes } from "./cpu.js"
import { samples_of } from "./samples.js"
import { Segments } from "./segments.js"
import { size_text, time_text } from "./text.js"

/**
 * Of each lock, the first position of those that go by its name, as a reader takes them for one.
 * @param {import("./types.js").Lock[]} locks
 * @returns {number[]}
 */
export function first_alike(locks) {
  /** @type {Map<string, number>} */
  const first = new Map()
  return locks.map(({ group, kind }, place) => {
    const key = `${group}\n${kind}`
    const found = first.get(key) ?? place
    first.set(key, found)
    return found
  })
}

/** One trace, and where it stands on the axis: axis = scale * ns + shift. */
export class Timeline {
  /**
   * @param {number} number
   * @param {import("./types.js").TimelineMeta} meta
   * @param {import("./types.js").Columns} columns
   */
  constructor(number, meta, columns) {
    this.number = number
    const { titles, build, key, lanes, codes, locks, duration, grain } = meta
    this.titles = titles
    this.build = build
    this.key = key
    this.lanes = lanes
    this.codes = codes
    this.locks = locks
    this.duration = duration
    this.grain = grain
    /** Number of callbacks and spans in the trace, of which the page may have a part. */
    this.callbacks = meta.callbacks
    this.spans = meta.spans
    this.labels = meta.labels
    this.span_labels = meta.span_labels
    this.sampled = meta.sampled
    this.details = meta.details
    this.stacks = meta.stacks
    this.all = new Segments(this, columns, `${number}.`, meta.offsets, grain)
    /** Of a long trace: what is drawn is not divided by locks and threads, this is. */
    this.tally = meta.tally_offsets &&
      new Segments(this, columns, `${number}.tally.`, meta.tally_offsets, meta.tally_grain)
    /** Whether what is drawn must be divided so. */
    this.coded = false
    /** @type {import("./types.js").Part | null} */
    this.part = null
    /** @type {import("./types.js").Raster | null} */
    this.raster = null
    this.calls = calls_of(columns, `${number}.cb_`)
    this.named = spans_of(columns, `${number}.sp_`)
    this.samples = samples_of(columns, `${number}.sm_`)
    this.cpu = meta.cpu_offsets && new CpuTimes(columns, `${number}.`, meta.cpu_offsets)
    this.scale = 1e-6
    this.shift = 0
    this.groups = first_alike(locks)
    /** @type {number[]} Lanes from the top. */
    this.shown = []
    /** @type {Map<number, number>} */
    this.places = new Map()
    this.show(lanes.map((_, lane) => lane))
  }

  /** Show lanes, from the top. @param {number[]} lanes */
  show(lanes) {
    this.shown = lanes
    this.places = new Map(lanes.map((lane, place) => [lane, place]))
  }

  /** @param {number} lane */
  shows(lane) {
    return this.places.has(lane)
  }

  /** @param {number} time */
  to_axis(time) {
    return this.scale * time + this.shift
  }

  /** @param {number} value */
  from_axis(value) {
    return (value - this.shift) / this.scale
  }

  /**
   * The best segments there are for a stretch of time.
   * @param {number} from
   * @param {number} to
   */
  segments(from, to) {
    const { part } = this
    if (part && part.from <= from && part.to >= to) return part.segments
    return this.coded ? this.counted() : this.all
  }

  /**
   * The same for a lane: parts from the kernel have the lanes of threads only.
   * @param {number} lane
   * @param {number} from
   * @param {number} to
   */
  segments_of(lane, from, to) {
    const best = this.segments(from, to)
    return best.has(lane) ? best : this.all
  }

  /** All segments, divided by lock and other thread. */
  counted() {
    return this.tally ?? this.all
  }

  /**
   * Rows of the spans of a lane between two times, the outermost first.
   * @param {number} lane
   * @param {number} from
   * @param {number} to
   */
  spans_of(lane, from, to) {
    const { named } = this
    if (!named) return []
    const { start, duration, depth } = named
    const rows = []
    for (let row = 0; row < start.length && start[row] <= to; row++) {
      if (named.lane[row] === lane && start[row] + duration[row] >= from) rows.push(row)
    }
    return rows.sort((a, b) => depth[a] - depth[b])
  }

  /**
   * When spans of a lane between two times begin and end.
   * @param {number} lane
   * @param {number} from
   * @param {number} to
   * @returns {[start: number, end: number][]}
   */
  stretches_of(lane, from, to) {
    const { named } = this
    return this.spans_of(lane, from, to).map((row) => {
      const start = Number(named?.start[row])
      return [start, start + Number(named?.duration[row])]
    })
  }

  /** A span in words. @param {number} row */
  span_text(row) {
    const { named } = this
    if (!named) return ""
    const size = named.bytes[row] < 0 ? "" : `, ${size_text(named.bytes[row])}`
    return `${this.span_labels[named.label[row]]}: ${time_text(named.duration[row])}${size}`
  }

  /** Height of a lane's middle, or null if it is not shown. @param {number} lane */
  level(lane) {
    const place = this.places.get(lane)
    return place === undefined ? null : this.shown.length - place - 0.5
  }

  /** Lanes of threads. */
  threads() {
    return this.lanes.flatMap((lane, number) => (lane.kind === "thread" ? [number] : []))
  }

  /** Lanes of locks and callbacks. */
  others() {
    return this.lanes.flatMap((lane, number) => (lane.kind === "thread" ? [] : [number]))
  }

  /** Lanes of threads that are shown, from the top. */
  shown_threads() {
    return this.shown.filter((lane) => this.lanes[lane].kind === "thread")
  }
}

/**
 * Callbacks one by one, if the page has them.
 * @param {import("./types.js").Columns} columns
 * @param {string} prefix
 */
function calls_of(columns, prefix) {
  if (!columns[`${prefix}start`]) return null
  return {
    lane: columns[`${prefix}lane`],
    start: columns[`${prefix}start`],
    duration: columns[`${prefix}duration`],
    enter: columns[`${prefix}enter`],
    label: columns[`${prefix}label`],
  }
}

/**
 * Spans one by one, if there are any.
 * @param {import("./types.js").Columns} columns
 * @param {string} prefix
 */
function spans_of(columns, prefix) {
  if (!columns[`${prefix}start`]) return null
  return {
    lane: columns[`${prefix}lane`],
    start: columns[`${prefix}start`],
    duration: columns[`${prefix}duration`],
    bytes: columns[`${prefix}bytes`],
    label: columns[`${prefix}label`],
    depth: columns[`${prefix}depth`],
  }
}
