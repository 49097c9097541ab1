import assert from "node:assert/strict"
import test from "node:test"

import { plain } from "../../profiler/gilscope/view/app/markdown.js"
import { ranges_in, with_range } from "../../profiler/gilscope/view/app/share.js"
import { csv, sorted, turned, value_of } from "../../profiler/gilscope/view/app/sorting.js"

test("cells count as what they say: times, sizes, numbers, names", () => {
  assert.equal(value_of("1.5 ms<i class=\"bar\"></i>"), 1.5e6)
  assert.equal(value_of("2,550"), 2550)
  assert.equal(value_of("1.2 kB"), 1200)
  assert.equal(value_of("−3 µs"), -3000)
  assert.equal(value_of("–"), -1)
  assert.equal(value_of("<button>Pool&lt;int&gt;</button>"), "pool<int>")
})

const ROWS = [["b", "2 ms"], ["a", "900 µs"], ["c", "–"], ["d", "2 ms"]]

test("rows are sorted by what cells count as, and those that are alike keep their order", () => {
  assert.deepEqual(sorted(ROWS, { column: 1, down: true }).map(([name]) => name), ["b", "d", "a", "c"])
  assert.deepEqual(sorted(ROWS, { column: 1, down: false }).map(([name]) => name), ["c", "a", "b", "d"])
  assert.equal(sorted(ROWS, null), ROWS)
})

test("a column is sorted downwards, upwards, and not at all", () => {
  const down = turned(null, 2), up = turned(down, 2)
  assert.deepEqual([down, up, turned(up, 2)], [{ column: 2, down: true }, { column: 2, down: false }, null])
  assert.deepEqual(turned(up, 1), { column: 1, down: true })
})

test("CSV has the cells' text, quoted where it must be", () => {
  assert.equal(csv(["Lock, or so", "Time"], [["<b>a &quot;b&quot;</b>", "2 ms"]]),
               '"Lock, or so",Time\r\n"a ""b""",2 ms\r\n')
})

test("names are not taken for markup", () => {
  assert.equal(plain("_lock|<a>*"), "\\_lock\\|\\<a\\>\\*")
})

test("an address keeps the visible range of each view", () => {
  const one = with_range("", 2, [1.5, 20])
  assert.equal(one, "view-2=1.5,20")
  const both = with_range(`#${one}`, 1, [0, 3])
  assert.equal(both, "view-1=0,3&view-2=1.5,20")
  assert.deepEqual([...ranges_in(`#${both}`)], [[1, [0, 3]], [2, [1.5, 20]]])
  assert.equal(with_range(`#${both}`, 2, null), "view-1=0,3")
  assert.equal(ranges_in("#view-1=9,3&else").size, 0)
})
