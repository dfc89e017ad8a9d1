internal import Wording

/// A README.md for a model's page on the Hugging Face Hub, of which one section, between two marks, is ours. What the page
/// says by now stays as it is: front matter gains what it lacks, and an earlier section of ours gives way.
struct CardPage {
  /// Of a page that is not there yet.
  let title: String
  /// Keys of the front matter, and items of its lists.
  let values: [(key: String, value: String)]
  let lists: [(key: String, value: String)]
  /// Markdown.
  let section: String

  private static let begin = "<!-- laser: begin -->"
  private static let end = "<!-- laser: end -->"

  /// - Parameters:
  ///   - existing: What the page says by now; nil where there is none.
  ///   - key: Of the front matter, of which nothing stays.
  ///   - lines: What it has instead, as `FrontMatter.replace` takes it.
  func text(existing: String?, replacing key: String? = nil, with lines: [String] = []) -> String {
    let (front, body) = FrontMatter.split(existing ?? "# \(title)\n")
    var merged = front ?? FrontMatter()
    merged.merge(values: values, lists: lists)
    if let key { merged.replace(key, with: lines) }
    return merged.text + (front == nil ? "\n" : "") + withSection(body)
  }

  private func withSection(_ body: Substring) -> String {
    let marked = "\(Self.begin)\n\(section)\n\(Self.end)"
    if let (before, after) = Self.around(body) { return before + marked + after }
    var text = String(body)
    while text.last?.isWhitespace == true { text.removeLast() }
    return text + (text.isEmpty ? "" : "\n\n") + marked + "\n"
  }

  /// What stands before and after a section of ours; nil where there is none.
  static func around(_ body: Substring) -> (before: Substring, after: Substring)? {
    guard let start = body.firstRange(of: begin), let stop = body[start.upperBound...].firstRange(of: end) else {
      return nil
    }
    return (body[..<start.lowerBound], body[stop.upperBound...])
  }
}
