import assert from "node:assert/strict"
import test from "node:test"

import { cpu_tip } from "../../profiler/gilscope/view/app/cpu.js"
import { RUNNING } from "../../profiler/gilscope/view/app/states.js"
import { thread, timeline } from "./traces.js"

const MS = 1e6
const sampled = () => timeline([[thread("main"), [[0, RUNNING]], 8 * MS], [thread("idle"), [[0, RUNNING]], 8 * MS]], {
  cpu_offsets: [0, 3, 3],
  columns: {
    "0.cpu.time": [0, 4 * MS, 8 * MS], "0.cpu.ran": [0, MS, 5 * MS], "0.cpu.ready": [0, 2 * MS, 2 * MS],
  },
})

test("the pointer is told shares between two samples, and nothing where there are none", () => {
  assert.deepEqual(cpu_tip(sampled(), 0, MS), [
    "of the time between two samples, 0 to 4 ms:",
    "25 % on a CPU, 50 % ready, waiting for a processor, 25 % asleep"])
  assert.deepEqual(cpu_tip(sampled(), 1, MS), [])
})

test("the time ready counts in proportion where a range cuts a stretch", () => {
  const { cpu } = sampled()
  assert.equal(cpu.ready_time(0, 0, 8 * MS), 2 * MS)
  assert.equal(cpu.ready_time(0, 2 * MS, 8 * MS), MS)
  assert.equal(cpu.ready_time(1, 0, 8 * MS), null)
})

test("stretches are joined until they are long enough to be drawn", () => {
  const { cpu } = sampled()
  assert.equal(cpu.stretches(0, 0, 8 * MS, 0).length, 2)
  assert.deepEqual(cpu.stretches(0, 0, 8 * MS, 5 * MS).map(({ start, end }) => [start, end]), [[0, 8 * MS]])
})
