// What leaves the page: text for the clipboard, and the visible range in the address of a report.

/** @typedef {import("./view.js").View} View */

/**
 * Put a text into the clipboard.
 * @param {string} text
 */
export async function copy(text) {
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

/** @param {Element | null} element */
const words_in = (element) => (element?.textContent ?? "").replace(/\s+/g, " ").trim()

/** Text that Markdown does not take for markup. @param {string} text */
export const plain = (text) => text.replace(/[\\`*_[\]<>|]/g, (letter) => `\\${letter}`)

/**
 * Verdict, builds and findings as Markdown, for an issue on a forge.
 * @param {View} view
 */
export function markdown({ box, data, timelines }) {
  const verdict = [...box.querySelectorAll(".outcome p")].map((line, place) => {
    const words = plain(words_in(line).replace(/^[▲▼=–]\s*/, ""))
    return place ? words : `**${words}**`
  })
  const cards = [...box.querySelectorAll(".cards > *")].map((card) =>
    `- ${[...card.children].map((line) => plain(words_in(line))).filter(Boolean).join(" · ")}`)
  const findings = data.findings.map(({ title, build, label, evidence, advice }) => {
    const where = timelines.find(({ key }) => key === build)?.build ?? build
    return [`- **${plain(title)}** (${plain([where, label].filter(Boolean).join(", "))})`,
            ...evidence.map((line) => `  - ${plain(line)}`), `  - ${plain(advice)}`].join("\n")
  })
  const parts = [`### ${plain(words_in(box.querySelector("h2")))}`, verdict.join("  \n"), cards.join("\n")]
  if (findings.length) parts.push(["#### Findings", ...findings].join("\n\n"))
  return `${parts.filter(Boolean).join("\n\n")}\n`
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
