// The findings of whole runs, each with its evidence and the places to go to.

import { prose, safe, time_text } from "./text.js"

/**
 * Buttons that lead to the places of a finding: those of one kind together, behind what they are.
 * @param {import("./types.js").Finding["places"]} places
 * @param {number} number Of the finding.
 */
function jumps(places, number) {
  /** @type {Map<string, string[]>} */
  const kinds = new Map()
  places.forEach((place, at) => {
    const kind = place[2] || "Show"
    kinds.set(kind, [...(kinds.get(kind) ?? []), `<button data-finding="${number}:${at}">${when(place)}</button>`])
  })
  return [...kinds].map(([kind, buttons]) => `<span>${prose(kind)}:</span> ${buttons.join(" ")}`).join(" ")
}

/** @param {import("./types.js").Finding["places"][0]} place */
const when = ([start, end]) => `${time_text(end - start)} at ${Number((start / 1e6).toFixed(1))} ms`

/**
 * @param {import("./types.js").Finding[]} findings
 * @param {import("./timeline.js").Timeline[]} timelines
 * @param {(html: string) => boolean} meant Whether a text is wanted.
 */
export function findings_html(findings, timelines, meant) {
  if (!findings.length) {
    return '<p class="quiet">No findings. Reasons to doubt the numbers are listed at the top.</p>'
  }
  const found = findings.map((one, place) => {
    if (!meant([one.title, one.advice, ...one.evidence].map(safe).join(" "))) return ""
    const evidence = one.evidence.map((line) => `<li>${prose(line)}</li>`).join("")
    const build = timelines.find((timeline) => timeline.key === one.build)?.build ?? ""
    const about = [build, one.label, one.page || one.name].filter(Boolean).join(" · ")
    return `<article class="finding ${safe(one.severity)}"><h4>${prose(one.title)}` +
      ` <small>${safe(about)}</small></h4><ul>${evidence}</ul>` +
      `<p>${prose(one.advice)}</p><p class="jumps">${jumps(one.places, place)}</p></article>`
  })
  const shown = found.join("")
  return shown ? `<div class="findings">${shown}</div>` : '<p class="quiet">No finding has this text.</p>'
}
