import assert from "node:assert/strict"
import test from "node:test"

import { HOLDING, NOTHING, RUNNING, WAITING_GIL } from "../../profiler/gilscope/view/app/states.js"
import { first_alike } from "../../profiler/gilscope/view/app/timeline.js"
import { thread, timeline } from "./traces.js"

const two = () => timeline([
  [thread("main"), [[0, HOLDING], [100, WAITING_GIL], [250, HOLDING]], 400],
  [thread("worker"), [[50, RUNNING], [300, NOTHING]], 350],
])

test("a range shows the segments that touch it", () => {
  const { all } = two()
  assert.deepEqual(all.seen(0, 120, 200), [1, 2])
  assert.deepEqual(all.seen(0, 0, 400), [0, 3])
  for (const [from, to] of [all.seen(0, 500, 600), all.seen(1, 0, 40)]) assert.equal(from, to)
})

test("a time falls into one segment or none", () => {
  const { all } = two()
  assert.equal(all.at(0, 99), 0)
  assert.equal(all.at(0, 100), 1)
  assert.equal(all.at(1, 20), -1)  // before it begins
  assert.equal(all.at(1, 320), -1)  // where a lane shows nothing
})

test("exact segments stand in where they cover the range", () => {
  const one = two()
  const exact = Object.create(one.all)
  one.part = { from: 0, to: 100, segments: exact }
  assert.equal(one.segments(10, 90), exact)
  assert.equal(one.segments(10, 190), one.all)
})

test("axis and time are each other's inverse", () => {
  const one = two()
  Object.assign(one, { scale: 1e-6, shift: -4 })
  assert.equal(one.to_axis(2e6), -2)
  assert.equal(one.from_axis(-2), 2e6)
})

test("shown lanes stand from the top", () => {
  const one = two()
  one.show([1, 0])
  assert.deepEqual([one.level(1), one.level(0)], [1.5, 0.5])
  one.show([0])
  assert.equal(one.level(1), null)
  assert.deepEqual(one.kept_threads, [0])
})

test("locks of one name and kind are one", () => {
  const lock = (group, kind) => ({ name: group, group, kind })
  assert.deepEqual(first_alike([lock("a", "object"), lock("b", "object"), lock("a", "object"), lock("a", "mutex")]),
                   [0, 1, 0, 3])
})

test("spans of a lane come outermost first, with their bytes", () => {
  const one = timeline([[thread("main"), [[0, HOLDING]], 100]], {
    span_labels: ["send", "pickle"], spans: 2,
    columns: { "0.sp_lane": [0, 0], "0.sp_start": [10, 12], "0.sp_duration": [50, 20],
               "0.sp_bytes": [-1, 2500], "0.sp_label": [0, 1], "0.sp_depth": [1, 0] },
  })
  assert.deepEqual(one.spans_of(0, 15, 20), [1, 0])
  assert.deepEqual(one.spans_of(0, 70, 90), [])
  assert.equal(one.span_text(1), "pickle: 20 ns, 2.5 kB")
})
