import assert from "node:assert/strict"
import test from "node:test"

import { prose } from "../../profiler/gilscope/view/app/markdown.js"

test("names between backticks stay code, all else is no markup", () => {
  assert.equal(prose("3 threads contend for _thread.lock `jobs._lock` <b>"),
    "3 threads contend for \\_thread.lock `jobs._lock` \\<b\\>")
  assert.equal(prose("a ` alone"), "a \\` alone")
})
