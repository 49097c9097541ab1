import assert from "node:assert/strict"
import test from "node:test"

import { Kept } from "../../profiler/gilscope/view/app/kept.js"
import { BLOCKED, HOLDING, WAITING_GIL } from "../../profiler/gilscope/view/app/states.js"
import { callback_totals, span_totals, totals } from "../../profiler/gilscope/view/app/sums.js"
import { settings, thread, timeline } from "./traces.js"

const codes = [[-1, -1, false], [-1, 1, true], [0, -1, false]]
const locks = [{ name: "event", group: "event", kind: "event" }]

const run = () => timeline([
  [thread("main"), [[0, HOLDING], [100, WAITING_GIL, 1], [300, BLOCKED, 2], [350, HOLDING]], 400],
  [thread("worker"), [[100, HOLDING]], 300],
], { codes, locks })

test("what reaches out of the range counts in part", () => {
  const { states } = totals(run(), 50, 200, [0, 1])
  assert.deepEqual([states[0][HOLDING], states[0][WAITING_GIL], states[1][HOLDING]], [50, 100, 100])
})

test("waits that another thread held up are told from others", () => {
  const { time, contended, times, longest } = totals(run(), 0, 400, [0])
  assert.deepEqual([...time[0]], [[1, 200], [2, 50]])
  assert.deepEqual([...contended[0]], [[1, 200]])
  assert.deepEqual([...times], [0, 1, 1])
  assert.deepEqual([...longest], [0, 200, 50])
})

test("callbacks and spans are added up by name, the longest sum first", () => {
  const one = timeline([[thread("main"), [[0, HOLDING]], 100]], {
    labels: ["log", "save"], span_labels: ["job"],
    columns: {
      "0.cb_lane": [0, 0, 0], "0.cb_start": [0, 10, 60], "0.cb_duration": [5, 20, 10],
      "0.cb_enter": [1, 2, 3], "0.cb_label": [0, 1, 0],
      "0.sp_lane": [0, 0], "0.sp_start": [0, 90], "0.sp_duration": [30, 5], "0.sp_bytes": [100, -1],
      "0.sp_label": [0, 0], "0.sp_depth": [0, 0],
    },
  })
  const kept = new Kept(settings(), [one])
  assert.deepEqual(callback_totals(one, 0, 100, kept), [
    { label: "save", count: 1, time: 20, enter: 2, longest: 20 },
    { label: "log", count: 2, time: 15, enter: 4, longest: 10 },
  ])
  assert.deepEqual(callback_totals(one, 40, 50, kept), [])
  assert.deepEqual(span_totals(one, 0, 50, kept),
                   [{ label: "job", count: 1, time: 30, longest: 30, bytes: 100, sized: true }])
})
