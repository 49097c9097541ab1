import assert from "node:assert/strict"
import test from "node:test"

import { areas, counts, many, pool_label, pool_tip } from "../../profiler/gilscope/view/app/pools.js"
import { HOLDING, RUNNING, WAITING_GIL } from "../../profiler/gilscope/view/app/states.js"
import { LOOKS, thread, timeline } from "./traces.js"

const KINDS = 8
const run = () => timeline([
  [thread("main"), [[0, HOLDING]], 400],
  [thread("f-1"), [[0, RUNNING], [200, WAITING_GIL]], 400],
  [thread("f-2"), [[100, RUNNING]], 300],
], { columns: { "0.group": [-1, 0, 0] }, groups: [{ name: "f", peak: 2 }] })

test("a group has a lane after all others, and knows its threads", () => {
  const one = run(), [pool] = one.pools
  assert.deepEqual([pool.lane, pool.members, one.pool(3)], [3, [1, 2], pool])
  assert.equal(one.pool_of.get(2), pool)
  assert.equal(one.pool(2), null)
  assert.deepEqual(one.threads(), [0, 1, 2])
})

test("a group's lane is three lanes high, and threads in it have its place", () => {
  const one = run()
  one.show([3, 0], [0, 1, 2])
  assert.equal(one.height, 4)
  assert.deepEqual([one.level(3), one.level(0), one.level(1), one.seat(1)], [2.5, 0.5, null, 2.5])
  assert.deepEqual([0, 2.9, 3, 4].map((distance) => one.lane_at(distance)), [3, 3, 0, -1])
  assert.deepEqual(one.between(3, 4), [0])
  assert.ok(one.shows(1) && !one.has_place(1))
})

test("counts are threads in each state, column by column", () => {
  const sums = counts(run(), [1, 2], 0, 400, 4, KINDS, null)
  assert.deepEqual([...sums.subarray(RUNNING * 4, RUNNING * 4 + 4)], [1, 2, 1, 0])
  assert.deepEqual([...sums.subarray(WAITING_GIL * 4, WAITING_GIL * 4 + 4)], [0, 0, 1, 1])
})

test("counts of columns that are cut are parts of them", () => {
  const sums = counts(run(), [1, 2], 50, 450, 4, KINDS, null)
  assert.deepEqual([...sums.subarray(RUNNING * 4, RUNNING * 4 + 4)].map((one) => Number(one.toFixed(6))), [1.5, 1.5, 0.5, 0])
})

test("areas are stacked in the order of the states, as high as the share of the peak", () => {
  const sums = new Float64Array(KINDS)
  sums[WAITING_GIL] = 1
  sums[RUNNING] = 1
  const { pixels, rows } = areas(sums, 1, 4, LOOKS)
  const of = (state) => pixels.filter((value) => value === state + 1).length
  assert.deepEqual([of(WAITING_GIL), of(RUNNING), of(-1)], [rows / 4, rows / 4, rows / 2])
  assert.equal(pixels[0], WAITING_GIL + 1)
})

test("one waiting thread of thousands is seen", () => {
  const sums = new Float64Array(KINDS)
  sums[WAITING_GIL] = 1
  assert.deepEqual([...areas(sums, 1, 10_000, LOOKS).pixels.subarray(0, 2)], [WAITING_GIL + 1, 0])
})

test("the pointer is told how many are in each state, and how many there were at most", () => {
  const one = run(), [pool] = one.pools
  assert.equal(pool_tip(one, pool, [1, 2], 250, LOOKS),
               "<b>f × 2</b> at 0.000 ms<br>1 waiting<br>1 running<br>2 alive, 2 at most")
  assert.equal(pool_label(pool, [1, 2]), "f × 2")
})

test("few threads do not share a lane", () => {
  assert.deepEqual([many(Array(7).fill(0)), many(Array(8).fill(0))], [false, true])
})
