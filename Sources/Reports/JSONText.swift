internal import FoundationEssentials

/// The bytes of a JSON object as every file and `--json` has them: sorted keys, indented, ending in a newline. Numbers that
/// JSON does not have, as of a broken model's perplexity, are the texts "inf", "-inf" and "nan".
package func jsonText(_ value: some Encodable) throws -> String {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
  encoder.nonConformingFloatEncodingStrategy = .convertToString(
    positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
  return String(decoding: try encoder.encode(value), as: UTF8.self) + "\n"
}
