import assert from "node:assert/strict"
import test from "node:test"

import { count_text, parse_time, safe, short_name, size_text, time_text } from "../../profiler/gilscope/view/app/text.js"

test("times and sizes have three digits", () => {
  assert.deepEqual([0, 1, 999.6, 12_250, 31e6, 1.236e9].map(time_text), ["0", "1 ns", "1 µs", "12.3 µs", "31 ms", "1.24 s"])
  assert.deepEqual([0, 999, 70_000, 21.47e9].map(size_text), ["0 B", "999 B", "70 kB", "21.5 GB"])
  assert.equal(count_text(1234567.8), "1,234,568")
})

test("a typed time is read with its unit, µs without one", () => {
  assert.deepEqual(["20 µs", "1.5ms", "3", ".5 s", " 7 ns ", "2us"].map(parse_time),
                   [20e3, 1.5e6, 3e3, 0.5e9, 7, 2e3])
  assert.equal(parse_time("  "), 0)
  for (const text of ["soon", "1 h", "-3 ms", "1e3", "ms"]) assert.ok(Number.isNaN(parse_time(text)), text)
})

test("names of the program under test cannot be markup", () => {
  assert.equal(safe(`<a href="x">&'`), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;")
})

test("a long name keeps its begin and its end, or the variable that it names", () => {
  assert.equal(short_name("worker", 26), "worker")
  assert.equal(short_name("f.<locals>.g", 26), "f.g")
  assert.equal(short_name("abcdefghijklmnopqrstuvwxyz", 11), "abcdef…wxyz")
  assert.equal(short_name("threading.Lock `module.NAME` of something long", 26), "module.NAME")
})
