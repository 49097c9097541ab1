// Draws the visible range of one build: boxes if few segments are in view, else a raster.
// The body of a Bokeh CustomJS; the rule is the one of columns.py, and a test compares the two.
//
// segments {start, state}, offsets, looks, rows, max_boxes, band, range, figure,
// picture, picture_view, boxes, box_view

const END = 255
const lanes = offsets.length - 1

/** First of the rows [low, high) whose start is greater than x, or high. */
function after(low, high, x) {
  const start = segments.data.start
  while (low < high) {
    const middle = (low + high) >> 1
    if (start[middle] > x) high = middle
    else low = middle + 1
  }
  return low
}

/** Rows [from, to) of each lane that are seen between start and end. */
function seen_rows(start, end) {
  const result = []
  for (let lane = 0; lane < lanes; lane++) {
    const low = offsets[lane], high = offsets[lane + 1] - 1
    const from = Math.max(low, after(low, high, start) - 1)
    let to = after(from, high, end)
    if (to > from && to === from + 1 && segments.data.start[to] <= start) to = from
    result.push([from, to])
  }
  return result
}

function draw_boxes(rows_of) {
  const { start, state } = segments.data
  const data = { left: [], right: [], bottom: [], top: [], color: [] }
  for (const code of [...looks.stack].reverse()) {
    for (let lane = 0; lane < lanes; lane++) {
      const base = lanes - 1 - lane + (1 - band) / 2
      for (let row = rows_of[lane][0]; row < rows_of[lane][1]; row++) {
        if (state[row] !== code) continue
        data.left.push(start[row])
        data.right.push(start[row + 1])
        data.bottom.push(base)
        data.top.push(base + band * looks.height[code])
        data.color.push(looks.color[code])
      }
    }
  }
  boxes.data = data
}

/** Time of each state in each column: Float64Array[states * width], in columns. */
function shares(from, to, left, scale, width) {
  const { start, state } = segments.data
  const result = new Float64Array(looks.height.length * width)
  for (let row = from; row < to; row++) {
    const offset = state[row] * width
    const x0 = Math.max(0, (start[row] - left) * scale)
    const x1 = Math.min(width, (start[row + 1] - left) * scale)
    const last = Math.min(width - 1, Math.floor(x1))
    for (let column = Math.floor(x0); column <= last; column++) {
      const part = Math.min(x1, column + 1) - Math.max(x0, column)
      if (part > 0) result[offset + column] += part
    }
  }
  return result
}

/** Stack the shares of one lane: u8[rows, width], bottom row first, a state's value plus 1. */
function stacked(share, width) {
  const result = new Uint8Array(rows * width)
  for (let column = 0; column < width; column++) {
    let bottom = 0
    for (const code of looks.stack) {
      const part = share[code * width + column]
      if (part <= 0) continue
      let height = Math.floor(part * looks.height[code] * rows + 0.5)
      if (looks.stalled[code]) height = Math.max(height, Math.floor(rows / looks.least))
      const top = Math.min(rows, bottom + height)
      for (let row = bottom; row < top; row++) result[row * width + column] = code + 1
      bottom = top
    }
  }
  return result
}

function draw_raster(rows_of, start, end) {
  const width = Math.max(1, Math.round(figure.inner_width || 1000))
  const NDArray = picture.data.image[0].constructor
  const data = { image: [], x: [], y: [], dw: [], dh: [] }
  for (let lane = 0; lane < lanes; lane++) {
    const share = shares(...rows_of[lane], start, width / (end - start), width)
    data.image.push(new NDArray(stacked(share, width), [rows, width]))
    data.x.push(start)
    data.y.push(lanes - 1 - lane + (1 - band) / 2)
    data.dw.push(end - start)
    data.dh.push(band)
  }
  picture.data = data
}

function draw() {
  const { start, end } = range
  const rows_of = seen_rows(start, end)
  const count = rows_of.reduce((sum, [from, to]) => sum + to - from, 0)
  const few = count <= max_boxes
  if (few) draw_boxes(rows_of)
  else draw_raster(rows_of, start, end)
  box_view.visible = few
  picture_view.visible = !few
  picture.drawn = true
}

// The latest range wins; the first picture does not wait.
clearTimeout(picture.timer)
if (picture.drawn) picture.timer = setTimeout(draw, 60)
else draw()
