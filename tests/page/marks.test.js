import assert from "node:assert/strict"
import test from "node:test"

import { draw_arrows, draw_entries, longest_waits } from "../../profiler/gilscope/view/app/marks.js"
import { BLOCKED, RUNNING, WAITING_GIL, WAITING_LOCK } from "../../profiler/gilscope/view/app/states.js"
import { thread, timeline } from "./traces.js"

const ALL = { segment: () => true }
const HELD = 1, ENDED = 2, UNKNOWN = 3
const codes = [[-1, -1, false], [-1, 1, true], [0, 1, false], [-1, -1, false]]
const locks = [{ name: "table", group: "table", kind: "lock" }]

const painter_of = (rows, more = {}) => {
  const one = timeline([[thread("one"), rows, 10_000], [thread("two"), [[0, RUNNING]], 10_000]], { codes, locks, ...more })
  return { timeline: one, width: 1000, band: 0.5, bottom: (lane) => 1 - lane, arrows: {}, entries: {} }
}
const rows_of = ({ timeline: { all } }) => [0, 1].map((lane) => [lane, all.seen(lane, 0, 10_000), all])
const found = (rows) => {
  const painter = painter_of(rows)
  return longest_waits(painter, 0, 10_000, rows_of(painter), ALL).map(({ time, peer }) => [time, peer])
}

test("an arrow leads from a wait's begin to who held, from its end to who ended it", () => {
  const rows = [[0, RUNNING], [1000, WAITING_GIL, HELD], [1900, RUNNING], [5000, WAITING_LOCK, ENDED], [5500, RUNNING]]
  assert.deepEqual(found(rows), [[1000, 1], [5500, 1]])
})

test("what is no wait, too short to be seen, merged or waits for nobody known has no arrow", () => {
  const waits = [[3000, WAITING_GIL, HELD], [3100, WAITING_GIL, HELD, 2], [5000, WAITING_GIL, UNKNOWN]]
  assert.deepEqual(found([[0, BLOCKED, ENDED], ...waits]), [])
})

test("there are five arrows at most, and none close to a longer one", () => {
  const waits = Array.from({ length: 10 }, (_, place) =>
    [[1000 * place, WAITING_GIL, HELD], [1000 * place + 500 + place, RUNNING]])
  assert.deepEqual(found(waits.flat()).map(([time]) => time), [9000, 7000, 5000, 3000, 1000])
})

test("an arrow's head points to the lane of the other thread", () => {
  const painter = painter_of([[0, WAITING_GIL, HELD], [900, RUNNING]])
  draw_arrows(painter, 0, 10_000, rows_of(painter), ALL)
  assert.deepEqual(painter.arrows.data, { x0: [0], y0: [1.5], x1: [0], y1: [0.5], angle: [Math.PI] })
})

test("entries are hatched in the lower half; those that touch in a pixel are one", () => {
  const columns = {
    "0.en_lane": [0, 0, 0, 1], "0.en_start": [0, 1005, 5000, 5000], "0.en_duration": [1000, 500, 100, 100],
  }
  const painter = painter_of([[0, RUNNING]], { columns })
  draw_entries(painter, 0, 10_000)
  const { left, right, bottom, top } = painter.entries.data
  const ns = (list) => list.map((value) => Math.round(value * 1e6))
  assert.deepEqual([ns(left), ns(right)], [[0, 5000, 5000], [1505, 5100, 5100]])
  assert.deepEqual([bottom, top], [[1, 1, 0], [1.25, 1.25, 0.25]])
})
