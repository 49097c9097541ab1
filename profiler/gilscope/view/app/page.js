// What the page runs: all of the view in one module. A report has it within itself and calls
// `show_reports`; a notebook's widget (widget.js) asks its kernel for it.

export { unpack } from "./payload.js"
export { show_reports } from "./report.js"
export { START } from "./settings.js"
export { View } from "./view.js"
