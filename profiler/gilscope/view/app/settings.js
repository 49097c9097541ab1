// What a reader can set: one state, whoever changes it: a key, a control, or a cell of a notebook.
// `View.set` is the only way in. What is set is told to the controls, and to the host.

/** @typedef {import("./types.js").SettingName} SettingName */
/** @typedef {import("./view.js").View} View */

/** @type {import("./types.js").Settings} */
export const START = {
  align: "start", order: "creation", locks: true, callbacks: true, thread: "", lock: "", callable: "",
  least: "", search: "", tab: "", theme: "auto", hidden: [], pinned: [], range: null,
}

/** What follows from a change, where that is not a new arrangement of the lanes. */
/** @type {Partial<Record<SettingName, (view: View, value: any) => void>>} */
export const EFFECTS = {
  align: (view, by) => view.axis.align(by),
  search: (view, text) => view.finder.search(text),
  tab: (view) => view.table.show(),
  theme: (view, theme) => view.theme.show(theme),
  range: (view, range) => (range ? view.axis.show(range[0], range[1]) : view.axis.fit()),
}

/** Whether two settings are the same. @param {unknown} one @param {unknown} other */
export const same = (one, other) => JSON.stringify(one) === JSON.stringify(other)
