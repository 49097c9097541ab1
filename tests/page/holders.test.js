import assert from "node:assert/strict"
import test from "node:test"

import { held, holders_html, holds } from "../../profiler/gilscope/view/app/holders.js"
import { HOLDING, RUNNING, WAITING_GIL } from "../../profiler/gilscope/view/app/states.js"
import { thread, timeline } from "./traces.js"

const run = (count = 1) => timeline([
  [thread("waits"), [[0, WAITING_GIL]], 1000],
  [thread("<long>"), [[0, HOLDING, 0, count], [600, RUNNING]], 1000],
  [thread("short"), [[0, RUNNING], [600, HOLDING], [700, RUNNING]], 1000],
])

test("holds are cut at the ends of the wait, and in order", () => {
  assert.deepEqual(holds(run(), 100, 650), [{ lane: 1, from: 100, to: 600 }, { lane: 2, from: 600, to: 650 }])
})

test("the longest holder comes first", () => {
  assert.deepEqual(held(holds(run(), 0, 1000)), [[1, 600], [2, 100]])
})

test("merged holds are not told one by one", () => {
  assert.equal(holds(run(3), 0, 1000), null)
  assert.equal(holders_html(run(3), 0, 1000), "")
})

test("the bar has each hold at its time, and names the threads", () => {
  const html = holders_html(run(), 0, 1000)
  assert.match(html, /left:0\.00%;width:60\.00%/)
  assert.match(html, /left:60\.00%;width:10\.00%/)
  assert.match(html, /&lt;long&gt; 600 ns/)
})
