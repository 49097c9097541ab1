import assert from "node:assert/strict"
import test from "node:test"
import { deflateSync } from "node:zlib"

import { unfolded, unpack } from "../../profiler/gilscope/view/app/payload.js"

test("planes of bytes, folded signs and differences are undone", () => {
  assert.deepEqual([...unfolded(Uint8Array.of(0, 1, 2, 3), 4, 1, false)], [0, -1, 1, -2])
  assert.deepEqual([...unfolded(Uint8Array.of(2, 4, 1), 3, 1, true)], [1, 3, 2])
  assert.deepEqual([...unfolded(Uint8Array.of(0, 2, 1, 1), 2, 2, false)], [128, 129])
})

test("a view's data is inflated with its columns", async () => {
  const head = new TextEncoder().encode(JSON.stringify({ rows: 24, columns: { "0.start": [2, 1, 1], "0.state": [1, 1, 0] } }))
  const size = new Uint8Array(Uint32Array.of(head.length).buffer)
  const packed = deflateSync(Buffer.concat([size, head, Uint8Array.of(10, 4), Uint8Array.of(6)]))
  const data = await unpack(packed)
  assert.equal(data.rows, 24)
  assert.deepEqual([...data.columns["0.start"]], [5, 7])
  assert.deepEqual([...data.columns["0.state"]], [3])
})
