import assert from "node:assert/strict"
import test from "node:test"

import { sample_tip, track_boxes } from "../../profiler/gilscope/view/app/samples.js"
import { RUNNING } from "../../profiler/gilscope/view/app/states.js"
import { thread, timeline } from "./traces.js"

const MS = 1e6
const sampled = () => timeline([[thread("main"), [[0, RUNNING]], 8 * MS], [thread("idle"), [[0, RUNNING]], 8 * MS]], {
  sampled: [[["work (app.py:5)", "go (app.py:9)"], "#111111"], [["rest (<app>:7)"], "#222222"]],
  columns: {
    "0.sm_lane": [0, 0, 0], "0.sm_start": [0, 2 * MS, 4 * MS], "0.sm_duration": [2 * MS, 2 * MS, MS],
    "0.sm_label": [0, 0, 1],
  },
})

test("stretches of one stack that touch are one box, below the lane", () => {
  const boxes = track_boxes(sampled(), 0, 8 * MS, 1000, () => 1)
  assert.deepEqual([boxes.left, boxes.right], [[0, 4], [4, 5]])
  assert.deepEqual(boxes.color, ["#111111", "#222222"])
  assert.ok(boxes.top.every((top, place) => boxes.bottom[place] < top && top < 1))
})

test("what is out of view is not drawn", () => {
  assert.deepEqual(track_boxes(sampled(), 6 * MS, 8 * MS, 1000, () => 1).left, [])
})

test("the pointer is told the stack, the innermost function first, made safe", () => {
  assert.deepEqual(sample_tip(sampled(), 0, 3 * MS), [
    "sampled in work (app.py:5)", "&nbsp;&nbsp;called by go (app.py:9)"])
  assert.deepEqual(sample_tip(sampled(), 0, 4.5 * MS), ["sampled in rest (&lt;app&gt;:7)"])
  assert.deepEqual(sample_tip(sampled(), 0, 7 * MS), [])
  assert.deepEqual(sample_tip(sampled(), 1, 3 * MS), [])
})
