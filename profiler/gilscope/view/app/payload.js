// Undoes view/data/payload.py: the view's data on its way from Python.

/**
 * Inflate a view's data; columns become Float64Arrays.
 * @param {ArrayBuffer | ArrayBufferView<ArrayBuffer>} buffer
 * @returns {Promise<any>}
 */
export async function unpack(buffer) {
  const stream = new Blob([buffer]).stream().pipeThrough(new DecompressionStream("deflate"))
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer())
  const size = new DataView(bytes.buffer).getUint32(0, true)
  const data = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + size)))
  let at = 4 + size
  for (const [name, layout] of Object.entries(data.columns)) {
    const [rows, width, steps] = /** @type {[number, number, number]} */ (layout)
    data.columns[name] = unfolded(bytes.subarray(at, at + rows * width), rows, width, Boolean(steps))
    at += rows * width
  }
  return data
}

/**
 * A column from the planes of its bytes.
 * @param {Uint8Array} planes
 * @param {number} rows
 * @param {number} width Bytes of a number.
 * @param {boolean} steps Whether they are differences.
 */
export function unfolded(planes, rows, width, steps) {
  const result = new Float64Array(rows)
  for (let plane = 0, factor = 1; plane < width; plane++, factor *= 256) {
    for (let row = 0; row < rows; row++) result[row] += planes[plane * rows + row] * factor
  }
  for (let row = 0, last = 0; row < rows; row++) {
    const folded = result[row]
    const value = folded % 2 ? -(folded + 1) / 2 : folded / 2
    result[row] = steps ? (last += value) : value
  }
  return result
}
