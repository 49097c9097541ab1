// Numbers and names as people read them.

/**
 * A number of 0 or more to three digits, all of them from 1,000 on; as gilscope/text.py.
 * @param {number} value
 */
export function three_digits(value) {
  if (value >= 999.5) return Math.floor(value + 0.5).toLocaleString("en")
  const decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0
  return String(Math.floor(value * 10 ** decimals + 0.5) / 10 ** decimals)
}

/** @type {[unit: string, factor: number][]} */
const TIMES = [["s", 1e9], ["ms", 1e6], ["µs", 1e3]]

/** @type {[unit: string, factor: number][]} */
const SIZES = [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]]

/**
 * A time in ns; as gilscope/text.py.
 * @param {number} ns
 */
export function time_text(ns) {
  for (const [unit, factor] of TIMES) {
    if (ns / factor >= 0.9995) return `${three_digits(ns / factor)} ${unit}`
  }
  return ns ? `${three_digits(ns)} ns` : "0"
}

/**
 * A number of bytes; as gilscope/text.py.
 * @param {number} bytes
 */
export function size_text(bytes) {
  for (const [unit, factor] of SIZES) {
    if (bytes >= factor) return `${three_digits(bytes / factor)} ${unit}`
  }
  return `${three_digits(bytes)} B`
}

/** @param {number} number */
export const count_text = (number) => Math.round(number).toLocaleString("en")

/** A number of things: "1 row", "2,400 rows". @param {number} number @param {string} what */
export const things = (number, what) => `${count_text(number)} ${what}${number === 1 ? "" : "s"}`

/** @type {Record<string, string>} */
const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" }

/**
 * Text that cannot be taken for markup: names come from the program under test.
 * @param {unknown} value
 */
export function safe(value) {
  return String(value).replace(/[&<>"']/g, (letter) => ENTITIES[letter])
}

/** @type {Record<string, string>} */
const LETTERS = Object.fromEntries(Object.entries(ENTITIES).map(([letter, entity]) => [entity, letter]))

/** The text that HTML shows: what `safe` has made is as it was. @param {string} html */
export function text_of(html) {
  return html.replace(/<[^>]*>/g, "").replace(/&(amp|lt|gt|quot|#39);/g, (entity) => LETTERS[entity]).trim()
}

/** The text of an element, in one line. @param {Element | null} element */
export const words_in = (element) => (element?.textContent ?? "").replace(/\s+/g, " ").trim()

/** @type {CanvasRenderingContext2D | null} */
let ruler = null

/**
 * Width of a text in pixels.
 * @param {string} text
 * @param {string} font As CSS has it.
 */
export function width_of(text, font) {
  ruler ??= /** @type {CanvasRenderingContext2D} */ (document.createElement("canvas").getContext("2d"))
  ruler.font = font
  return ruler.measureText(text).width
}

/** What something is called, without its type: `table` of "_thread.lock `table`". @param {string} name */
export const called = (name) => /`(.+)`/.exec(name)?.[1] ?? name

/**
 * Safe text in which what stands between backticks looks like code; as html/markup.py.
 * @param {unknown} value
 */
export const prose = (value) => safe(value).replace(/`([^`]+)`/g, "<code>$1</code>")

/**
 * A name in at most so many letters; as `cut` of words.py.
 * @param {string} name
 * @param {number} letters
 */
export function short_name(name, letters) {
  const all = name.replace("(anonymous namespace)::", "").replace(".<locals>", "")
  const own = all.length > letters && /`(.+)`|\b((?:created|allocated|first waited for) .+)$/.exec(all)
  const words = own ? own[1] ?? own[2] : all
  const end = Math.floor((letters * 2) / 5)
  return words.length <= letters ? words : `${words.slice(0, letters - 1 - end)}…${words.slice(-end)}`
}

/**
 * Read "1.2 kB" as `size_text` writes it: bytes; NaN of what is no size.
 * @param {string} text
 */
export function parse_size(text) {
  const [, number, unit] = /^([\d.]+) ([kMG]?B)$/.exec(text) ?? []
  return Number(number) * (SIZES.find(([name]) => name === unit)?.[1] ?? 1)
}

/** @type {Record<string, number>} */
const UNITS = { ns: 1, us: 1e3, "µs": 1e3, ms: 1e6, s: 1e9 }

/**
 * Read "20 µs", "1.5ms" or "3" (µs): ns; 0 of an empty text, NaN of what is no time.
 * @param {string} text
 */
export function parse_time(text) {
  if (!text.trim()) return 0
  const match = /^\s*(\d+\.?\d*|\.\d+)\s*(ns|us|µs|ms|s)?\s*$/.exec(text)
  return match ? Number(match[1]) * UNITS[match[2] ?? "µs"] : NaN
}
