// Rows of tables in the order that a reader wants, and as CSV.

import { parse_size, parse_time, text_of } from "./text.js"

/** @typedef {{ column: number, down: boolean }} By */

/**
 * What a cell counts as: a number, of times in ns and of sizes in bytes, or a text; none is less
 * than 0.
 * @param {string} html
 * @returns {number | string}
 */
export function value_of(html) {
  const text = text_of(html), plain = text.replaceAll(",", "")
  if (text === "–" || text === "·" || !text) return -1
  const size = parse_size(plain)
  if (!Number.isNaN(size)) return size
  const signed = /^([+−]?)(.*)$/.exec(plain)
  const number = /^[\d.]+$/.test(String(signed?.[2])) ? Number(signed?.[2]) : parse_time(String(signed?.[2]))
  return Number.isNaN(number) ? text.toLowerCase() : (signed?.[1] === "−" ? -number : number)
}

/**
 * Rows by one column; those that are alike keep their order.
 * @param {string[][]} rows HTML of the cells.
 * @param {By | null} by
 */
export function sorted(rows, by) {
  if (!by) return rows
  const keyed = rows.map((row) => ({ row, value: value_of(row[by.column] ?? "") }))
  const way = by.down ? -1 : 1
  keyed.sort(({ value: one }, { value: other }) => {
    if (typeof one === typeof other) return one < other ? -way : one > other ? way : 0
    return typeof one === "number" ? -way : way
  })
  return keyed.map(({ row }) => row)
}

/**
 * The order after a click on a column: the greatest first, the least first, as it was.
 * @param {By | null} by
 * @param {number} column
 * @returns {By | null}
 */
export function turned(by, column) {
  if (by?.column !== column) return { column, down: true }
  return by.down ? { column, down: false } : null
}

/**
 * A table as CSV.
 * @param {string[]} heads
 * @param {string[][]} rows HTML of the cells.
 */
export function csv(heads, rows) {
  const cell = (/** @type {string} */ text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
  return [heads, ...rows.map((row) => row.map(text_of))].map((row) => `${row.map(cell).join(",")}\r\n`).join("")
}
