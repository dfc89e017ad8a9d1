internal import FoundationEssentials

/// The bytes of a JSON object as every file and `--json` has them: sorted keys, indented, ending in a newline.
///
/// JSON has no infinity: a number beyond the range of doubles, as a perplexity can be, is null.
package func jsonText(_ value: some Encodable) throws -> String {
  let encoder = JSONEncoder()
  // A text of one NUL, which neither a path nor a text of ours is.
  encoder.nonConformingFloatEncodingStrategy = .convertToString(
    positiveInfinity: "\0", negativeInfinity: "\0", nan: "\0")
  encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
  let text = String(decoding: try encoder.encode(value), as: UTF8.self)
  return text.replacing("\"\\u0000\"", with: "null") + "\n"
}
