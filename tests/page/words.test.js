import assert from "node:assert/strict"
import test from "node:test"

import { HOLDING, RUNNING, WAITING_GIL, WAITING_LOCK } from "../../profiler/gilscope/view/app/states.js"
import { Writer, said_of, words_on } from "../../profiler/gilscope/view/app/words.js"
import { LOOKS, thread, timeline } from "./traces.js"

const CODES = [[-1, -1, false], [-1, 1, true], [0, 1, false], [0, 1, true]]
const run = (rows, more = {}) => timeline(
  [[thread("one"), rows, 1000], [thread("two"), [[0, RUNNING]], 1000]],
  { codes: CODES, locks: [{ name: "table", kind: "lock", group: "table" }], ...more })

const said = (state, code, count = 1) => {
  const made = run([[0, state, code, count]])
  return said_of(made, made.all, 0)
}

test("a wait names who held what was waited for, as far as it is known", () => {
  assert.deepEqual(said(WAITING_GIL, 1), ["waits for two", "two"])
  assert.deepEqual(said(WAITING_GIL, 0), ["waits for the GIL"])
  assert.equal(said(WAITING_LOCK, 3)[0], "waits for table, held by two")
  assert.equal(said(WAITING_LOCK, 2)[0], "waits for table, ended by two")
})

test("a lock is called by its own name, without its type", () => {
  const made = run([[0, WAITING_LOCK, 3, 1]], { locks: [{ name: "_thread.lock `jobs.lock`", kind: "lock", group: "" }] })
  assert.deepEqual(said_of(made, made.all, 0), ["waits for jobs.lock, held by two", "waits for jobs.lock", "jobs.lock"])
})

test("a hold names its function where the page has its stack", () => {
  const columns = { "0.detail": [0, -1, -1, -1] }
  const made = run([[0, HOLDING]], { columns, details: [[0, -1, -1]], stacks: [[["crunch", "a.py", 3, false]]] })
  assert.deepEqual(said_of(made, made.all, 0), ["crunch"])
  assert.deepEqual(said(HOLDING, 0), [])
})

test("nothing is said of several intervals that are drawn as one", () => {
  assert.deepEqual(said(WAITING_GIL, 1, 2), [])
})

test("words are read on their colour", () => {
  assert.equal(words_on("#0072B2"), "#FFFFFF")
  assert.equal(words_on("#E69F00"), "#1F2933")
})

const written = (rows, lane_height) => {
  const painter = {
    timeline: run(rows), looks: { ...LOOKS, color: LOOKS.color.map(() => "#000000") }, band: 0.8, width: 1000,
    pixels: lane_height, bottom: (lane) => 1 - lane,
  }
  const writer = new Writer(painter, 0, 1000, (text) => 6 * text.length)
  const { all } = painter.timeline
  writer.segments([[0, all.seen(0, 0, 1000), all]], { segment: () => true })
  return writer.words
}

test("the longest words that fit are written in the middle of what is seen of a box", () => {
  const { text, x } = written([[0, WAITING_GIL, 1], [200, WAITING_GIL, 1], [240, WAITING_GIL, 1], [250, RUNNING]], 40)
  assert.deepEqual(text, ["waits for two", "two"])
  assert.deepEqual(x.map((value) => Math.round(value * 1e6)), [100, 220])
})

test("nothing is written where lanes are low", () => {
  assert.deepEqual(written([[0, WAITING_GIL, 1]], 20).text, [])
})
