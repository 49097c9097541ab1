// The filters. The timelines show what they leave, and the tables count what the timelines show:
//
//   thread, callable and hidden lanes leave threads, and with them their intervals, callbacks, spans;
//   lock leaves waits for locks; it says nothing about callbacks and spans;
//   callable leaves the callbacks of that name, too;
//   least leaves whatever takes that long.
//
// Lanes of locks and callbacks are about all threads, as is the curve above all. The parallelism is
// that of the threads that are shown. Findings are about whole runs.

import { CALLBACK, ENTERING } from "./states.js"
import { parse_time, things, time_text } from "./text.js"

/**
 * Whether a name is meant by the text of a filter: it is one of the names, or parts of some.
 * @param {string} filter
 * @param {string[]} names
 * @returns {import("./types.js").Test}
 */
export function meant(filter, names) {
  const text = filter.trim(), word = text.toLowerCase()
  if (!word) return () => true
  return names.includes(text) ? (one) => one === text : (one) => one.toLowerCase().includes(word)
}

/** What the filters leave of intervals, callbacks and spans. */
export class Kept {
  /**
   * @param {import("./types.js").Settings} settings
   * @param {import("./timeline.js").Timeline[]} timelines
   */
  constructor(settings, timelines) {
    this.lock = meant(settings.lock, timelines.flatMap(({ locks }) => locks.map(({ name }) => name)))
    this.label = meant(settings.callable, timelines.flatMap(({ labels }) => labels))
    this.least = parse_time(settings.least)
    /** Which locks of each timeline are kept; null: all. */
    this.locks = settings.lock.trim() ? new Map(timelines.map((timeline) =>
      [timeline, timeline.locks.map(({ name }) => this.lock(name))])) : null
    this.all = !this.least && !this.locks
  }

  /**
   * @param {import("./segments.js").Segments} segments
   * @param {number} row
   */
  segment(segments, row) {
    if (this.all) return true
    const state = segments.state[row], { timeline } = segments
    // In lanes of locks and callbacks, what touches is one: it is as long as any part of it.
    const parts = row < segments.thread_rows ? segments.count[row] : 1
    if (this.least && segments.duration(row) / parts < this.least) return false
    if (!this.locks || state === CALLBACK || state === ENTERING) return true
    return Boolean(this.locks.get(timeline)?.[timeline.codes[segments.code[row]][0]])
  }

  /**
   * @param {import("./timeline.js").Timeline} timeline
   * @param {number} row
   */
  callback(timeline, row) {
    if (!timeline.calls) return false
    const { duration, lane, label } = timeline.calls
    return duration[row] >= this.least && timeline.shows(lane[row]) && this.label(timeline.labels[label[row]])
  }

  /**
   * @param {import("./timeline.js").Timeline} timeline
   * @param {number} row
   */
  span(timeline, row) {
    const { named } = timeline
    return named !== null && named.duration[row] >= this.least && timeline.shows(named.lane[row])
  }
}

/**
 * What is left, in words.
 * @param {import("./types.js").Settings} settings
 * @param {Kept} kept
 * @param {import("./timeline.js").Timeline[]} timelines
 */
export function filter_words({ thread, callable, lock, hidden }, { least }, timelines) {
  const names = new Set(timelines.flatMap(({ lanes }) => lanes.map(({ name }) => name)))
  const without = hidden.filter((name) => names.has(name)).length
  const merged = timelines.some(({ grain }) => grain > least) ? ", of merged intervals their mean" : ""
  const words = [
    thread.trim() && `threads “${thread.trim()}”`,
    callable.trim() && `callable “${callable.trim()}” and the threads that called it`,
    lock.trim() && `waits for “${lock.trim()}”`,
    least && `at least ${time_text(least)}${merged}`,
    without && `without ${things(without, "hidden lane")}`,
  ]
  return words.filter((one) => typeof one === "string").filter(Boolean)
}
