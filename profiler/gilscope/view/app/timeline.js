// One trace of a view. Times are ns from the trace's start.

import { CpuTimes } from "./cpu.js"
import { POOL_HEIGHT, pools_of } from "./pools.js"
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
  /** @type {number[]} Lanes that have a place, from the top. */
  shown = []
  /** @type {number[]} Threads that the filters leave: with a lane, or in that of their group. */
  kept_threads = []
  /** @type {Set<number>} */
  kept_lanes = new Set()
  /** @type {Map<number, number>} Where each lane begins, in lanes of threads from the top. */
  places = new Map()
  /** Height of all lanes, in lanes of threads. */
  height = 0

  /**
   * @param {number} number
   * @param {import("./types.js").TimelineMeta} meta
   * @param {import("./types.js").Columns} columns
   * @param {import("./types.js").GroupMeta[]} [groups]
   */
  constructor(number, meta, columns, groups = []) {
    this.number = number
    const { titles, build, key, lanes, codes, locks, duration, grain } = meta
    this.titles = titles
    this.build = build
    this.key = key
    /** The groups of threads that may share a lane. */
    this.pools = pools_of(lanes, columns[`${number}.group`], groups)
    /** Those of the trace, and then one for each group. */
    this.lanes = [...lanes, ...this.pools.map(({ name }) =>
      /** @type {import("./types.js").Lane} */ ({ name, kind: "group", native: false, rank: -1 }))]
    /** Group of each thread that has one. */
    this.pool_of = new Map(this.pools.flatMap((pool) => pool.members.map((lane) => [lane, pool])))
    this.codes = codes
    this.locks = locks
    this.duration = duration
    this.grain = grain
    /** That the program could use: no more of its threads have one at a time. */
    this.processors = meta.processors || Infinity
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
    this.entries = entries_of(columns, `${number}.en_`)
    this.named = spans_of(columns, `${number}.sp_`)
    this.samples = samples_of(columns, `${number}.sm_`)
    this.cpu = meta.cpu_offsets && new CpuTimes(columns, `${number}.`, meta.cpu_offsets)
    this.scale = 1e-6
    this.shift = 0
    this.groups = first_alike(locks)
    this.show(lanes.map((_, lane) => lane))
  }

  /**
   * Show lanes.
   * @param {number[]} lanes From the top.
   * @param {number[]} [threads] That are kept: those that have a lane or share one.
   */
  show(lanes, threads = lanes.filter((lane) => this.lanes[lane].kind === "thread")) {
    this.shown = lanes
    this.kept_threads = threads
    this.kept_lanes = new Set([...lanes, ...threads])
    this.places = new Map()
    this.height = 0
    for (const lane of lanes) {
      this.places.set(lane, this.height)
      this.height += this.height_of(lane)
    }
  }

  /** Whether a lane is left by the filters, if only as a part of its group. @param {number} lane */
  shows(lane) {
    return this.kept_lanes.has(lane)
  }

  /** Whether a lane has a place of its own. @param {number} lane */
  has_place(lane) {
    return this.places.has(lane)
  }

  /** Of a lane, in lanes of threads. @param {number} lane */
  height_of(lane) {
    return this.lanes[lane].kind === "group" ? POOL_HEIGHT : 1
  }

  /** The lane at a distance from the top, or -1. @param {number} distance */
  lane_at(distance) {
    return this.shown.find((lane) => {
      const begin = Number(this.places.get(lane))
      return distance >= begin && distance < begin + this.height_of(lane)
    }) ?? -1
  }

  /** Lanes between two distances from the top. @param {number} top @param {number} bottom */
  between(top, bottom) {
    return this.shown.filter((lane) => {
      const begin = Number(this.places.get(lane))
      return begin < bottom && begin + this.height_of(lane) > top
    })
  }

  /** The group whose lane this is. @param {number} lane */
  pool(lane) {
    return this.pools[lane - (this.lanes.length - this.pools.length)] ?? null
  }

  /** Threads of a group that the filters leave. @param {import("./types.js").Pool} pool */
  members(pool) {
    return pool.members.filter((lane) => this.shows(lane))
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

  /** Height of a lane's middle, or null if it has no place. @param {number} lane */
  level(lane) {
    const place = this.places.get(lane)
    return place === undefined ? null : this.height - place - this.height_of(lane) / 2
  }

  /** The same of the lane that shows a thread: its own, or that of its group. @param {number} lane */
  seat(lane) {
    return this.level(lane) ?? this.level(this.pool_of.get(lane)?.lane ?? -1)
  }

  /** Time that each lane of a thread is in one of some states, in the whole run, ns. @param {number[]} states */
  times(states) {
    const { offsets, start, state } = this.all
    return this.threads().map((lane) => {
      let sum = 0
      for (let row = offsets[lane]; row < offsets[lane + 1] - 1; row++) {
        if (states.includes(state[row])) sum += start[row + 1] - start[row]
      }
      return sum
    })
  }

  /** Lanes of threads. */
  threads() {
    return this.of_kind("thread")
  }

  /** Lanes of locks and callbacks. */
  others() {
    return [...this.of_kind("lock"), ...this.of_kind("callback")]
  }

  /** @param {import("./types.js").Lane["kind"]} kind */
  of_kind(kind) {
    return this.lanes.flatMap((lane, number) => (lane.kind === kind ? [number] : []))
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
 * When callbacks waited to get in, by lane and start, if any did.
 * @param {import("./types.js").Columns} columns
 * @param {string} prefix
 */
function entries_of(columns, prefix) {
  if (!columns[`${prefix}start`]) return null
  return {
    lane: columns[`${prefix}lane`], start: columns[`${prefix}start`], duration: columns[`${prefix}duration`],
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
