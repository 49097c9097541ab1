import assert from "node:assert/strict"
import test from "node:test"

import { Kept, filter_words, meant } from "../../profiler/gilscope/view/app/kept.js"
import { HOLDING, WAITING_LOCK } from "../../profiler/gilscope/view/app/states.js"
import { settings, thread, timeline } from "./traces.js"

const DOOR = 1, DESK = 2  // codes

const office = (more) => timeline([
  [thread("main"), [[0, HOLDING], [100, WAITING_LOCK, DOOR], [150, WAITING_LOCK, DESK]], 400],
], {
  codes: [[-1, -1, false], [0, -1, false], [1, -1, false]],
  locks: [{ name: "DOOR", group: "DOOR", kind: "lock" }, { name: "DESK", group: "DESK", kind: "lock" }],
  ...more,
})

const kept_rows = (kept, { all }) => [0, 1, 2].filter((row) => kept.segment(all, row))

test("without a filter all is kept", () => {
  const one = office()
  const kept = new Kept(settings(), [one])
  assert.ok(kept.all)
  assert.deepEqual(kept_rows(kept, one), [0, 1, 2])
})

test("a lock keeps the waits for it", () => {
  const one = office()
  assert.deepEqual(kept_rows(new Kept(settings({ lock: "door" }), [one]), one), [1])
})

test("a least duration keeps what takes that long, of merged segments their mean", () => {
  const one = office()
  assert.deepEqual(kept_rows(new Kept(settings({ least: "0.1" }), [one]), one), [0, 2])
  one.all.count[2] = 10
  assert.deepEqual(kept_rows(new Kept(settings({ least: "0.1" }), [one]), one), [0])
})

test("callbacks and spans are kept by name, duration and lane", () => {
  const columns = {
    "0.cb_lane": [0, 0], "0.cb_start": [0, 10], "0.cb_duration": [5, 50], "0.cb_enter": [0, 0], "0.cb_label": [0, 1],
    "0.sp_lane": [0], "0.sp_start": [0], "0.sp_duration": [30], "0.sp_bytes": [-1], "0.sp_label": [0], "0.sp_depth": [0],
  }
  const one = office({ labels: ["log", "save"], span_labels: ["job"], columns })
  const kept = new Kept(settings({ callable: "SAVE", least: "20 ns" }), [one])
  assert.deepEqual([0, 1].map((row) => kept.callback(one, row)), [false, true])
  assert.ok(kept.span(one, 0))
  one.show([])
  assert.ok(!kept.callback(one, 1))
  assert.ok(!kept.span(one, 0))
})

test("a whole name means that name, a part of one means all that have it", () => {
  const names = ["worker 1", "worker 11"]
  assert.deepEqual(names.filter(meant("worker 1", names)), ["worker 1"])
  assert.deepEqual(names.filter(meant("WORK", names)), names)
})

test("filters are told in words", () => {
  const one = office()
  const all = settings({ thread: " main ", least: "2 ms", hidden: ["main", "gone"] })
  assert.deepEqual(filter_words(all, new Kept(all, [one]), [one]),
                   ["threads “main”", "at least 2 ms", "without 1 hidden lane"])
  assert.deepEqual(filter_words(settings(), new Kept(settings(), [one]), [one]), [])
})
