import assert from "node:assert/strict"
import test from "node:test"

import { findings_html } from "../../profiler/gilscope/view/app/findings.js"
import { text_of } from "../../profiler/gilscope/view/app/text.js"

const finding = (places, title = "one <lock> `table`") => ({
  build: "gil", name: "hot-lock", title, severity: "medium", label: "medium", evidence: [], advice: "", page: "", places,
})
const html = (findings, meant = () => true) => findings_html(findings, [{ key: "gil", build: "GIL build" }], meant)

test("places of one kind stand together, each leading to its own", () => {
  const places = [[0, 3e6, "in span a", 1], [0, 2e6, "in span b", 1], [5e6, 6e6, "in span a", 1]]
  const found = html([finding(places)])
  assert.match(text_of(found), /in span a: 3 ms at 0 ms 1 ms at 5 ms in span b: 2 ms at 0 ms$/)
  assert.deepEqual([...found.matchAll(/data-finding="(\S+)"/g)].map(([, place]) => place), ["0:0", "0:2", "0:1"])
})

test("names look like code, and are no markup", () => {
  assert.match(html([finding([])]), /one &lt;lock&gt; <code>table<\/code>/)
})

test("what a filter leaves of the findings is said where it is nothing", () => {
  assert.equal(text_of(html([finding([])], () => false)), "No finding has this text.")
  assert.match(html([]), /^<p class="quiet">No findings\./)
})
