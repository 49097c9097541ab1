// What is shown now as one picture, with the verdict and the legend: SVG, and PNG made of it.

import { safe, width_of, words_in } from "./text.js"

const EDGE = 16  // pixels around it
const FONT = "Inter, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif"
const LINE = 1.35  // of a font's size
const KEYS = { size: 12, line: 20, gap: 18, sign: 6 }  // of the legend, pixels
const SHARP = 2  // pixels of a PNG for one of the page
const NO_XML = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu
const STYLE = "image { image-rendering: pixelated }"
const DARK_STYLE = ".curve-0 { stroke: #4ca6e8 }"  // as app.css has it

/** @typedef {import("./view.js").View} View */
/** @typedef {{ svg: string, width: number, height: number }} Picture */

/**
 * A text in lines of at most so many pixels, broken between words.
 * @param {string} text
 * @param {number} width
 * @param {(text: string) => number} width_in Of a text in pixels.
 */
export function lines_of(text, width, width_in) {
  /** @type {string[]} */
  const lines = []
  for (const word of text.split(" ")) {
    const longer = lines.length ? `${lines[lines.length - 1]} ${word}` : word
    if (lines.length && width_in(longer) <= width) lines[lines.length - 1] = longer
    else lines.push(word)
  }
  return lines
}

/**
 * The title and the verdict, and how high they are.
 * @param {View} view
 * @param {number} room Pixels in a line.
 */
function heading({ box }, room) {
  const parts = []
  let y = EDGE
  for (const element of [box.querySelector("h2"), ...box.querySelectorAll(".outcome p")]) {
    if (!element) continue
    const { fontSize, fontWeight, color } = getComputedStyle(element), size = Number.parseFloat(fontSize)
    const font = `${fontWeight} ${fontSize} ${FONT}`
    const words = words_in(element).replace(/^([▲▼=–])\s*/, "$1 ")
    for (const line of lines_of(words, room, (text) => width_of(text, font))) {
      y += size * LINE
      parts.push(`<text x="${EDGE}" y="${y}" font-size="${size}" font-weight="${fontWeight}" fill="${color}">` +
        `${safe(line)}</text>`)
    }
    y += KEYS.sign
  }
  return { html: parts.join(""), end: y + KEYS.sign }
}

/**
 * The legend, and where it ends.
 * @param {View} view
 * @param {number} room Pixels in a line.
 * @param {number} top
 */
function legend({ box }, room, top) {
  const parts = []
  let x = 0, y = top
  for (const key of box.querySelectorAll(".legend .key")) {
    const sign = key.querySelector("svg"), words = words_in(key)
    const begin = Number(sign?.getAttribute("width")) + KEYS.sign
    const width = begin + width_of(words, `${KEYS.size}px ${FONT}`)
    if (x && x + width > room) [x, y] = [0, y + KEYS.line]
    parts.push(`<g transform="translate(${EDGE + x} ${y})">${sign?.outerHTML ?? ""}` +
      `<text x="${begin}" y="${KEYS.size}" font-size="${KEYS.size}">${safe(words)}</text></g>`)
    x += width + KEYS.gap
  }
  return { html: parts.join(""), end: y + KEYS.line + KEYS.sign }
}

/**
 * The figures and the names of groups, which stand beside them.
 * @param {View} view
 * @param {number} x Of the stage in the picture.
 * @param {number} y
 */
function figures({ stage, drawing, host }, x, y) {
  const origin = stage.getBoundingClientRect()
  const moved = (/** @type {DOMRect} */ { left, top }) => `translate(${x + left - origin.left} ${y + top - origin.top})`
  const parts = drawing.figures().map((figure) => {
    const shown = host.view_of(figure)
    if (!shown) return ""
    const svg = new XMLSerializer().serializeToString(shown.export("svg", false).canvas)
    return `<g transform="${moved(shown.el.getBoundingClientRect())}">${svg}</g>`
  })
  for (const area of stage.querySelectorAll(".names")) {
    const { top, bottom } = area.getBoundingClientRect()
    for (const name of area.querySelectorAll("button:not([data-more])")) {
      const place = name.getBoundingClientRect(), middle = (place.top + place.bottom) / 2
      if (middle < top || middle > bottom) continue  // scrolled out of view
      parts.push(`<text x="${x + place.right - origin.left}" y="${y + middle - origin.top + 4}" text-anchor="end" ` +
        `font-size="12">${safe(words_in(name))}</text>`)
    }
  }
  return { html: parts.join(""), end: y + origin.height }
}

/** The picture of a view as SVG. @param {View} view @returns {Picture} */
export function picture(view) {
  const { color, backgroundColor } = getComputedStyle(view.box)
  const room = Math.ceil(view.stage.getBoundingClientRect().width)
  const head = heading(view, room), keys = legend(view, room, head.end), rest = figures(view, EDGE, keys.end)
  const width = room + 2 * EDGE, height = Math.ceil(rest.end) + EDGE
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" ` +
    `viewBox="0 0 ${width} ${height}" font-family="${safe(FONT)}" color="${color}" fill="${color}">` +
    `<style>${STYLE}${view.theme.dark ? DARK_STYLE : ""}</style>` +
    `<rect width="${width}" height="${height}" fill="${backgroundColor}"/>${head.html}${keys.html}${rest.html}</svg>`
  // Names come from the program under test, and may have what no XML can have.
  return { svg: svg.replace(NO_XML, "\ufffd"), width, height }
}

/** The same as PNG. @param {Picture} picture @returns {Promise<Blob>} */
export async function png_of({ svg, width, height }) {
  const image = new Image()
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`
  await image.decode()
  const canvas = document.createElement("canvas")
  canvas.width = SHARP * width
  canvas.height = SHARP * height
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height)
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("the browser cannot draw so large a picture"))))
  })
}
