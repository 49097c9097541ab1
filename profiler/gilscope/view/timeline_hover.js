// What is under the pointer: the segment of lane `value` at `special_vars.x`.
// The body of a Bokeh CustomJSHover; `format` is "head" or "body".
//
// segments {start, state, lock, peer, count}, offsets, names, locks, threads, looks, grain

const { start, state, lock, peer, count } = segments.data
let low = offsets[value], high = offsets[value + 1] - 1
while (low < high) {
  const middle = (low + high) >> 1
  if (start[middle] > special_vars.x) high = middle
  else low = middle + 1
}
const row = low - 1
if (row < offsets[value]) return names[value]

function time(ms) {
  const [factor, unit] = ms >= 1000 ? [1e-3, "s"] : ms >= 1 ? [1, "ms"] : [1e3, "µs"]
  return `${Number((ms * factor).toPrecision(4))} ${unit}`
}

const code = state[row]
const duration = start[row + 1] - start[row]
if (format === "head") return `${looks.label[code]}: ${time(duration)}`

const lines = [`${names[value]}, from ${start[row].toFixed(3)} ms`]
if (lock[row] >= 0) lines.push(`for ${locks[lock[row]]}`)
if (peer[row] >= 0) lines.push(threads[peer[row]])
if (count[row] > 1) lines.push(`${count[row]} intervals shorter than ${time(grain)}, as one`)
return lines.join("\n")
