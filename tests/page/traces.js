// Small timelines for the tests, as Python would send them.

import { Timeline } from "../../profiler/gilscope/view/app/timeline.js"

const NO_LOCK = [-1, -1, false]

/** A lane of a thread. */
export const thread = (name) => ({ name, kind: "thread", native: false, rank: 0 })

/**
 * A timeline of lanes, each [head, [start, state, code][], end]; times in ns.
 * `more` are other parts of the description, columns by their names, and groups of threads.
 */
export function timeline(lanes, { columns = {}, groups = [], ...more } = {}) {
  const data = { "0.start": [], "0.state": [], "0.code": [], "0.count": [] }
  const offsets = [0]
  const end_of_lane = 255
  for (const [, rows, end] of lanes) {
    for (const [start, state, code = 0, count = 1] of [...rows, [end, end_of_lane]]) {
      data["0.start"].push(start)
      data["0.state"].push(state)
      data["0.code"].push(code)
      data["0.count"].push(count)
    }
    offsets.push(data["0.start"].length)
  }
  const meta = {
    titles: ["a run"], build: "GIL build", key: "gil", lanes: lanes.map(([head]) => head), offsets,
    tally_offsets: null, tally_grain: 0, cpu_offsets: null, codes: [NO_LOCK], locks: [],
    duration: Math.max(...lanes.map(([, , end]) => end)), grain: 0, callbacks: 0, labels: [], spans: 0,
    span_labels: [], sampled: [], details: [], stacks: [], ...more,
  }
  const all = Object.entries({ ...data, ...columns }).map(([name, values]) => [name, Float64Array.from(values)])
  return new Timeline(0, meta, Object.fromEntries(all), groups)
}

/** Settings that filter nothing. */
export const settings = (more = {}) => ({
  align: "start", order: "creation", locks: true, callbacks: true, thread: "", lock: "", callable: "",
  least: "", search: "", tab: "", theme: "auto", hidden: [], pinned: [], range: null, ...more,
})

/** Looks as of palette.py, in short. */
export const LOOKS = {
  label: ["holding", "running", "waiting", "waiting for a lock", "blocked", "stopped", "callback"],
  color: ["#0", "#1", "#2", "#3", "#4", "#5", "#6"],
  height: [1, 1, 0.5, 0.5, 0.25, 0.5, 1],
  stalled: [false, false, true, true, true, true, false],
  least: 6,
  strip: 0.3,
  stack: [2, 3, 5, 4, 0, 1, 6],
}
