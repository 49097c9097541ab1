// What leaves the page: text and pictures for the clipboard or as files, and the visible range in the
// address of a report.

import { markdown } from "./markdown.js"
import { picture, png_of } from "./picture.js"
import { words_in } from "./text.js"

const LONGEST = 60  // letters of a title in the name of a file
const SOON = 60_000  // ms; until then a browser has taken what is saved

/** @typedef {import("./view.js").View} View */

/**
 * Save something as a file.
 * @param {Blob} blob
 * @param {string} name
 */
function save(blob, name) {
  const link = document.createElement("a")
  link.href = URL.createObjectURL(blob)
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), SOON)
}

/**
 * Put something into the clipboard; where the browser does not let the page do that, save it.
 * @param {View} view
 * @param {() => Promise<void>} copy
 * @param {Blob | Promise<Blob>} blob The same.
 * @param {string} end Of the file's name.
 * @param {string} what
 */
async function hand_over(view, copy, blob, end, what) {
  try {
    await copy()
  } catch {
    const name = file_name(view, end)
    save(await blob, name)
    return view.say(`the browser does not let the page use the clipboard: saved ${what} as ${name}`)
  }
  view.say(`copied: ${what}`)
}

/** @param {View} view @param {string} end */
function file_name({ box }, end) {
  const title = words_in(box.querySelector("h2")).replace(/[^\p{L}\p{N}.]+/gu, "-").replace(/^[-.]+|-+$/g, "")
  return `gilscope-${title.slice(0, LONGEST) || "view"}${end}`
}

/**
 * Copy a text.
 * @param {View} view
 * @param {string} text
 * @param {string} type Of what it is.
 * @param {string} end Of the name of a file.
 * @param {string} what
 */
export function copy_text(view, text, type, end, what) {
  return hand_over(view, () => copied(text), new Blob([text], { type }), end, what)
}

/** Copy the picture as PNG. @param {View} view */
export function copy_png(view) {
  const png = png_of(picture(view))
  // A clipboard takes the promise of it, as the click that allows it counts for a moment only.
  const copy = () => navigator.clipboard.write([new ClipboardItem({ "image/png": png })])
  return hand_over(view, copy, png, ".png", "the picture as PNG")
}

/** Save the picture as SVG. @param {View} view */
export function save_svg(view) {
  const name = file_name(view, ".svg")
  save(new Blob([picture(view).svg], { type: "image/svg+xml" }), name)
  view.say(`saved: the picture as ${name}`)
}

/** Copy verdict and findings. @param {View} view */
export const copy_markdown = (view) =>
  copy_text(view, markdown(view), "text/markdown", ".md", "verdict and findings as Markdown; “Copy PNG” has the picture for it")

/** @param {string} text */
async function copied(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text)
  // Pages that came over plain HTTP have no other way.
  const field = document.createElement("textarea")
  field.value = text
  document.body.append(field)
  field.select()
  const done = document.execCommand("copy")
  field.remove()
  if (!done) throw new Error("the browser does not let the page use the clipboard")
}

const PART = /^view-(\d+)=(-?[\d.e+-]+?),(-?[\d.e+-]+)$/

/**
 * The visible ranges that an address has, by the number of the view.
 * @param {string} fragment
 * @returns {Map<number, [start: number, end: number]>}
 */
export function ranges_in(fragment) {
  const found = new Map()
  for (const part of decodeURIComponent(fragment.replace(/^#/, "")).split("&")) {
    const [, number, start, end] = PART.exec(part) ?? []
    if (Number(end) > Number(start)) found.set(Number(number), [Number(start), Number(end)])
  }
  return found
}

/**
 * The same address with the visible range of a view.
 * @param {string} fragment
 * @param {number} number
 * @param {[start: number, end: number] | null} range None for all of it.
 */
export function with_range(fragment, number, range) {
  const ranges = ranges_in(fragment)
  if (range) ranges.set(number, range)
  else ranges.delete(number)
  const digits = (/** @type {number} */ value) => Number(value.toPrecision(9))
  return [...ranges].sort(([one], [other]) => one - other)
    .map(([view, [start, end]]) => `view-${view}=${digits(start)},${digits(end)}`).join("&")
}
