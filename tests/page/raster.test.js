import assert from "node:assert/strict"
import test from "node:test"

import { active, progress } from "../../profiler/gilscope/view/app/progress.js"
import { shares, stacked } from "../../profiler/gilscope/view/app/raster.js"
import { HOLDING, RUNNING, WAITING_GIL } from "../../profiler/gilscope/view/app/states.js"
import { LOOKS, thread, timeline } from "./traces.js"

const KINDS = 8, WIDTH = 4

const run = (more) => timeline(
  [[thread("main"), [[0, HOLDING], [150, WAITING_GIL], [200, RUNNING]], 400]], more)

const shares_of = (one) => shares(one.all, one.all.seen(0, 0, 400), 0, 400, WIDTH, KINDS, null)

test("each column has the share of each state", () => {
  const found = shares_of(run())
  const of = (state) => [...found.subarray(state * WIDTH, (state + 1) * WIDTH)]
  assert.deepEqual(of(HOLDING), [1, 0.5, 0, 0])
  assert.deepEqual(of(WAITING_GIL), [0, 0.5, 0, 0])
  assert.deepEqual(of(RUNNING), [0, 0, 1, 1])
})

test("a stalled state is never too small to be seen, and stands at the bottom", () => {
  const short = new Float64Array(KINDS)
  short[WAITING_GIL] = 0.001
  short[HOLDING] = 0.999
  const column = [...stacked(short, 1, 24, LOOKS)]
  assert.deepEqual(column, [...Array(4).fill(WAITING_GIL + 1), ...Array(20).fill(HOLDING + 1)])
})

test("the curve counts threads that do not wait, in whole columns of the run", () => {
  const one = run()
  const { curve, most } = progress(one, active(one, [0], 0, 400, WIDTH), 0, 400)
  assert.deepEqual(curve.y, [1, 0.5, 1, 1, 1])
  assert.deepEqual(curve.x.map((x) => Math.round(x * 1e6)), [0, 100, 200, 300, 400])
  assert.equal(most, 1)
})

test("a run that is over has no curve, but keeps its sign in the legend", () => {
  const one = run()
  const { curve, most } = progress(one, active(one, [0], 1000, 1400, WIDTH), 1000, 1400)
  assert.deepEqual(curve, { x: [0], y: [NaN] })
  assert.equal(most, 0)
})

test("no more threads have a processor than there are processors", () => {
  const one = run({ processors: 1 })
  const { curve, most } = progress(one, active(one, [0, 0, 0], 0, 400, WIDTH), 0, 400)
  assert.deepEqual(curve.y, [1, 1, 1, 1, 1])
  assert.equal(most, 1)
})

test("a thread that had no processor makes no progress", () => {
  const columns = { "0.cpu.time": [0, 400], "0.cpu.ran": [0, 200], "0.cpu.ready": [0, 150] }
  const one = run({ cpu_offsets: [0, 2], columns })
  const { curve } = progress(one, active(one, [0], 0, 400, WIDTH), 0, 400)
  const ran = curve.y.slice(0, -1).reduce((sum, share) => sum + share * 100, 0)
  assert.ok(Math.abs(ran - 200) < 1e-9)
})

test("before its first sample and after its last one a thread is taken to go on as between them", () => {
  const columns = { "0.cpu.time": [100, 300], "0.cpu.ran": [50, 50], "0.cpu.ready": [0, 0] }
  const one = run({ cpu_offsets: [0, 2], columns })
  assert.equal(progress(one, active(one, [0], 0, 400, WIDTH), 0, 400).most, 0)
})
