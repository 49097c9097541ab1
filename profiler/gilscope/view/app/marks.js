// What is drawn over the lanes of a timeline: the chosen segment, and what leads from it.

/** @typedef {import("./painter.js").Painter} Painter */
/** @typedef {import("./types.js").Choice} Choice */

/**
 * Put a frame around a segment, and a line from its end to another lane.
 * @param {Painter} painter
 * @param {Choice | null} choice
 */
export function draw_choice(painter, choice) {
  const { timeline } = painter
  const chosen = no_boxes()
  const link = /** @type {Record<"x0" | "y0" | "x1" | "y1", number[]>} */ (
    { x0: [], y0: [], x1: [], y1: [] })
  const level = choice?.timeline === timeline ? timeline.level(choice.lane) : null
  if (choice && level !== null) {
    const bottom = painter.bottom(choice.lane), x = timeline.to_axis(choice.end)
    chosen.left.push(timeline.to_axis(choice.start))
    chosen.right.push(x)
    chosen.bottom.push(bottom)
    chosen.top.push(bottom + painter.band)
    const other = choice.other >= 0 ? timeline.seat(choice.other) : null
    if (other !== null) {
      link.x0.push(x)
      link.x1.push(x)
      link.y0.push(level)
      link.y1.push(other)
    }
  }
  painter.chosen.data = chosen
  painter.link.data = link
  dim(painter, choice)
}

/**
 * Dim what a finding does not speak of: all lanes but its own and the one that it leads to.
 * @param {Painter} painter
 * @param {Choice | null} choice
 */
function dim(painter, choice) {
  const { timeline } = painter
  const data = no_boxes()
  const mine = choice?.timeline === timeline
    ? [choice.lane, choice.other].map((lane) => timeline.seat(lane)) : []
  for (const lane of choice?.alone ? painter.visible() : []) {
    const level = Number(timeline.level(lane)), half = timeline.height_of(lane) / 2
    if (mine.includes(level)) continue
    data.left.push(timeline.to_axis(0))
    data.right.push(timeline.to_axis(timeline.duration))
    data.bottom.push(level - half)
    data.top.push(level + half)
  }
  painter.veil.data = data
}

/** The columns of boxes, empty. */
export function no_boxes() {
  return /** @type {Record<"left" | "right" | "bottom" | "top", number[]>} */ (
    { left: [], right: [], bottom: [], top: [] })
}
