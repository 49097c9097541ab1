import assert from "node:assert/strict"
import test from "node:test"

import { details_html } from "../../profiler/gilscope/view/app/details.js"
import { Kept } from "../../profiler/gilscope/view/app/kept.js"
import { tip_html } from "../../profiler/gilscope/view/app/pointer.js"
import { HOLDING, WAITING_GIL } from "../../profiler/gilscope/view/app/states.js"
import { Tables, table } from "../../profiler/gilscope/view/app/tables.js"
import { LOOKS, settings, thread, timeline } from "./traces.js"

const run = () => timeline([
  [thread("<main>"), [[0, HOLDING], [1e6, WAITING_GIL, 1]], 3e6],
  [thread("worker"), [[1e6, HOLDING]], 3e6],
], { codes: [[-1, -1, false], [-1, 1, true]] })

const text_of = (html) => html.replace(/<[^>]+>/g, " ").replace(/\s+/g, " ").trim()

test("a wait is told with its holder, and names are no markup", () => {
  const one = run()
  const html = tip_html({ timeline: one, lane: 0, row: 1, segments: one.all, time: 2e6, value: 2 }, LOOKS)
  assert.equal(html, "<b>waiting: 2 ms</b><br>&lt;main&gt;, from 1.000 ms<br>held by worker")
})

test("details lead to the other thread and show both stacks", () => {
  const one = run()
  const choice = { timeline: one, lane: 0, row: 1, segments: one.all, start: 1e6, end: 3e6, other: 1 }
  const stacks = [[["wait", "/x/a.py", 3, false, "lock.acquire()"]], [["work", "/x/b.c", 0, true]]]
  const text = text_of(details_html(choice, LOOKS, [0, 1, 1], stacks))
  assert.match(text, /^waiting: 2 ms &lt;main&gt; · GIL build · from 1\.000000 to 3\.000000 ms/)
  assert.match(text, /Go to worker \(J\)/)
  assert.match(text, /which waits wait a\.py:3 lock\.acquire\(\)/)
  assert.match(text, /worker, which gives up the GIL work b\.c native/)
})

test("details without stacks say why there are none", () => {
  const one = run()
  const choice = { timeline: one, lane: 0, row: 1, segments: one.all, start: 1e6, end: 3e6, other: 1 }
  assert.match(details_html(choice, LOOKS, null, []), /not in this view/)
  assert.match(details_html(choice, LOOKS, "asked", []), /looking up the stacks/)
})

test("a table without rows is a sentence; a long one says how many are left", () => {
  assert.equal(text_of(table("Threads", ["Thread"], [], "none is shown")), "Threads: none is shown.")
  const rows = Array.from({ length: 42 }, (_, row) => [String(row)])
  assert.match(text_of(table("Threads", ["Thread"], rows, "")), /39 and 2 more$/)
})

test("every tab is a table or a sentence", () => {
  const one = run(), kept = new Kept(settings(), [one])
  const tables = new Tables({ looks: LOOKS, findings: [] }, [one], kept, [])
  for (const tab of ["threads", "locks", "callbacks", "spans", "blame", "difference", "findings"]) {
    assert.ok(text_of(tables.html(tab, [[0, 3e6]])).length > 10, tab)
  }
  assert.match(text_of(tables.html("blame", [[0, 3e6]])), /worker &lt;main&gt; 2 ms/)
})
