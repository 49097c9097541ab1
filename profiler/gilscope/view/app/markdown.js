// Verdict, builds and findings as Markdown, for an issue on a forge.

import { words_in } from "./text.js"

const CODE = /`([^`]+)`/

/** Text that Markdown does not take for markup. @param {string} text */
export const plain = (text) => text.replace(/[\\`*_[\]<>|]/g, (letter) => `\\${letter}`)

/** The same of a text in which names stand between backticks: they stay so. @param {string} text */
export const prose = (text) => text.split(CODE)
  .map((part, at) => (at % 2 ? `\`${part}\`` : plain(part))).join("")

/** The text of an element as `prose` takes it. @param {Element | null} element */
function written(element) {
  const copy = /** @type {Element | undefined} */ (element?.cloneNode(true))
  if (!copy) return ""
  for (const code of copy.querySelectorAll("code")) code.textContent = `\`${code.textContent}\``
  return words_in(copy)
}

/** A cause, and what to do about it. @param {Element} line */
function cause(line) {
  const advice = written(line.querySelector("small")), all = written(line)
  return advice ? `${all.slice(0, all.length - advice.length).trim()}. ${advice}` : all
}

/** @param {import("./view.js").View} view */
export function markdown({ box, data, timelines }) {
  const verdict = [...box.querySelectorAll(".outcome p")].map((line, place) => {
    const words = prose(cause(line).replace(/^[▲▼=–]\s*/, ""))
    return place ? words : `**${words}**`
  })
  const doubts = [...box.querySelectorAll("p.banner")].map((line) => `> ${prose(written(line))}`)
  const cards = [...box.querySelectorAll(".cards > *")].map((card) =>
    `- ${[...card.children].map((line) => prose(written(line))).filter(Boolean).join(" · ")}`)
  const findings = data.findings.map(({ title, build, label, evidence, advice }) => {
    const where = timelines.find(({ key }) => key === build)?.build ?? build
    return [`- **${prose(title)}** (${plain([where, label].filter(Boolean).join(", "))})`,
            ...evidence.map((line) => `  - ${prose(line)}`), `  - ${prose(advice)}`].join("\n")
  })
  const parts = [`### ${plain(words_in(box.querySelector("h2")))}`, verdict.join("  \n"),
                 doubts.join("\n>\n"), cards.join("\n")]
  if (findings.length) parts.push(["#### Findings", ...findings].join("\n\n"))
  parts.push(`gilscope ${plain(data.version)}`)
  return `${parts.filter(Boolean).join("\n\n")}\n`
}
