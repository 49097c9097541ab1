import assert from "node:assert/strict"
import test from "node:test"

import { details_html } from "../../profiler/gilscope/view/app/details.js"
import { held, holders_html, holds } from "../../profiler/gilscope/view/app/holders.js"
import { HOLDING, RUNNING, WAITING_GIL, WAITING_LOCK } from "../../profiler/gilscope/view/app/states.js"
import { LOOKS, thread, timeline } from "./traces.js"

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
  assert.equal(holders_html(run(3), 0, 1000, holds(run(3), 0, 1000), "Held", "nobody"), "")
})

test("the bar has each hold at its time, and names the threads", () => {
  const html = holders_html(run(), 0, 1000, holds(run(), 0, 1000), "Held", "nobody")
  assert.match(html, /left:0\.00%;width:60\.00%/)
  assert.match(html, /left:60\.00%;width:10\.00%/)
  assert.match(html, /&lt;long&gt; 600 ns/)
  assert.match(html, /nobody 300 ns/)
})

test("the bar of a lock has the threads that had it, as the details say", () => {
  const lock = { name: "lock `table`", kind: "lock", group: "lock `table`" }
  const locked = timeline(
    [[thread("waits"), [[0, WAITING_LOCK, 0, 1]], 1000], [thread("has it"), [[0, RUNNING]], 1000]],
    { codes: [[0, -1, false]], locks: [lock] })
  const choice = { timeline: locked, lane: 0, row: 0, start: 0, end: 1000, other: -1 }
  choice.segments = locked.all
  const html = details_html(choice, LOOKS, [0, -1, -1, [[1, 250, 1000]]], [])
  assert.match(html, /left:25\.00%;width:75\.00%/)
  assert.match(html, /Had the lock meanwhile: .*has it 750 ns/)
  assert.match(html, /lock <code>table<\/code>/)
})
