/// A page of its own: one file without anything that it would have to load.
///
/// - Parameters:
///   - program: What made it.
///   - head: More of the page's head.
func htmlPage(title: String, program: String, head: [Markup] = [], _ parts: [Markup]) -> Markup {
  element(
    "html", ["lang": "en"],
    element(
      "head", [:],
      [
        element("meta", ["charset": "utf-8"]),
        element("meta", ["name": "viewport", "content": "width=device-width, initial-scale=1"]),
        element("meta", ["name": "color-scheme", "content": "light dark"]),
        element("meta", ["name": "generator", "content": Markup.Value(program)]),
      ] + head + [
        element("title", [:], .text(title)),
        element("style", [:], .styleSheet(PageStyle.charts), .styleSheet(PageStyle.page)),
      ]),
    element("body", [:], element("main", [:], parts)))
}
