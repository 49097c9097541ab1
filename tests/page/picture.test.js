import assert from "node:assert/strict"
import test from "node:test"

import { lines_of } from "../../profiler/gilscope/view/app/picture.js"

const letters = (text) => text.length

test("a text is broken between words, and a word that is too long stands alone", () => {
  assert.deepEqual(lines_of("one two three", 7, letters), ["one two", "three"])
  assert.deepEqual(lines_of("a incomprehensible b", 5, letters), ["a", "incomprehensible", "b"])
  assert.deepEqual(lines_of("all of it", 100, letters), ["all of it"])
})
