// Light and dark, in BokehJS's figures and in the page around them.

/** The first curve on light and on dark paper, where it is thin. */
const CURVE = ["#0072B2", "#4CA6E8"]
const LIGHT = { ink: "#1F2933", muted: "#66717D", paper: "#FFFFFF", wash: "#F1F3F5", line: "#DDE2E7" }
const DARK = { ink: "#E4E7EB", muted: "#9AA5B1", paper: "#171B20", wash: "#232A32", line: "#3A444F" }

/** Of the reader's system. */
const dark_system = () => matchMedia("(prefers-color-scheme: dark)")

/** Whether the page around the view is dark: JupyterLab says so, else the reader's system does. */
export function dark_page() {
  const light = document.body.dataset.jpThemeLight
  return light ? light === "false" : dark_system().matches
}

/**
 * Call something whenever the page around the view may have turned light or dark.
 * @param {() => void} action
 * @returns {() => void} What ends it.
 */
function follow_page(action) {
  const page = new MutationObserver(action)
  const system = dark_system()
  page.observe(document.body, { attributeFilter: ["data-jp-theme-light"] })
  system.addEventListener("change", action)
  return () => {
    page.disconnect()
    system.removeEventListener("change", action)
  }
}

export class Theme {
  /** @param {import("./view.js").View} view */
  constructor(view) {
    this.view = view
    this.dark = false
  }

  /** Follow the page, unless a reader has set a theme; returns what ends it. */
  follow() {
    return follow_page(this.view.guard(() => {
      if (this.view.settings.theme === "auto") this.show("auto")
    }))
  }

  /** @param {import("./types.js").Settings["theme"]} theme */
  show(theme) {
    const dark = theme === "auto" ? dark_page() : theme === "dark"
    const { view } = this
    this.dark = dark
    view.host.themed?.(dark, view.settings.theme)
    view.box.dataset.theme = dark ? "dark" : "light"
    this.paint_figures(dark ? DARK : LIGHT)
    this.paint_marks(dark ? DARK : LIGHT)
    this.paint_curves(dark)
  }

  /** Light or dark by hand; as the page is by itself, it is left to the page again. */
  turn() {
    const dark = !this.dark
    this.view.set("theme", dark === dark_page() ? "auto" : dark ? "dark" : "light")
  }

  /** @param {typeof LIGHT} colors */
  paint_figures({ ink, muted, paper, wash, line }) {
    for (const figure of this.view.drawing.figures()) {
      figure.setv({ background_fill_color: wash, border_fill_color: paper })
      figure.title?.setv({ text_color: ink })
      for (const axis of [...figure.left, ...figure.below]) {
        axis.setv({ major_label_text_color: ink, axis_label_text_color: muted })
      }
      for (const grid of figure.center) {
        if ("grid_line_color" in grid.properties && grid.grid_line_color) {
          grid.setv({ grid_line_color: line })
        }
      }
    }
  }

  /** @param {typeof LIGHT} colors */
  paint_marks({ ink, muted, paper }) {
    const { document, painters } = this.view
    for (const painter of painters) {
      for (const mark of [painter.after, painter.before]) mark.setv({ fill_color: paper })
      document.get_model_by_name(`veil-view-${painter.timeline.number}`).glyph.setv({ fill_color: paper })
      painter.done.setv({ text_color: muted })
      for (const name of ["link-view", "dot-view", "chosen-view", "arrow-view", "head-view"]) {
        const { glyph } = document.get_model_by_name(`${name}-${painter.timeline.number}`)
        glyph.setv({ line_color: ink })
        if (name === "dot-view" || name === "head-view") glyph.setv({ fill_color: ink })
      }
      document.get_model_by_name(`entries-view-${painter.timeline.number}`).glyph.setv({ fill_color: paper })
    }
    document.get_model_by_name("parallelism-legend").setv({ label_text_color: muted })
    document.get_model_by_name("overview-mark")?.setv({ fill_color: ink, line_color: ink })
  }

  /** @param {boolean} dark */
  paint_curves(dark) {
    const [from, to] = dark ? CURVE : [...CURVE].reverse()
    for (const name of ["overview", "parallelism"]) {
      for (const { glyph } of this.view.document.get_model_by_name(name).renderers) {
        if (glyph.line_color.value === from) glyph.setv({ line_color: { value: to } })
      }
    }
  }
}
