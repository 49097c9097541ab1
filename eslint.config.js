import js from "@eslint/js"
import globals from "globals"

export default [
  { ignores: ["**/bundle/**", ".venv*/**", "build/**", "out/**"] },
  js.configs.recommended,
  {
    languageOptions: { globals: { ...globals.browser, Bokeh: "readonly" } },
    rules: {
      complexity: ["error", 20],
      eqeqeq: "error",
      "max-len": ["error", { code: 130, ignoreComments: false }],
      "max-lines": ["error", { max: 330 }],
      "max-lines-per-function": ["error", { max: 50 }],
      "no-restricted-syntax": ["error", {
        selector: "ForInStatement", message: "for … of Object.keys() names what it goes over",
      }],
      "no-shadow": "error",
      "no-var": "error",
      "prefer-const": "error",
      semi: ["error", "never"],
    },
  },
  { files: ["tests/page/**", "eslint.config.js", "tools/page/**"], languageOptions: { globals: globals.node } },
]
