package import Checkpoints
internal import FoundationEssentials
internal import Glibc
package import Models
internal import Wording

/// What a GGUF file says of where its model comes from, in the keys by which llama.cpp's programs and Hugging Face show
/// it: `general.name`, `basename`, `size_label`, `license`, `tags`, `base_model` and `source`. From the name of the
/// folder and the front matter of its README.md, as gguf-py makes them (metadata.py, utility.py).
package struct GGUFOrigin {
  package let members: [GGUFFile.Member]

  /// - Parameters:
  ///   - model: Of a folder.
  ///   - name: Of the model on the Hugging Face Hub, if its folder does not say.
  ///   - isLasered: Whether the file holds a reduction of the model, whose base it then is, and not the model itself.
  package init(_ model: Model, name: String? = nil, isLasered: Bool) {
    let folder = model.checkpoint.path
    let name = name ?? ModelCard.name(ofFolder: folder)
    let readme = FileManager.default.contents(atPath: folder + "/README.md")
      .flatMap { String(validating: $0, as: UTF8.self) }
    let front = readme.flatMap { FrontMatter.split($0).front }
    var members: [GGUFFile.Member] = []
    func set(_ key: String, _ value: GGUFValue) { members.append(.init(key: "general.\(key)", value: value)) }

    let words = (Self.split(name).model).split(separator: "-").map(String.init)
    let size = words.firstIndex(where: Self.isSize)
    set("name", .string(Self.title(Self.split(name).model) + (isLasered ? " lasered" : "")))
    if let size, size > 0 { set("basename", .string(words[..<size].joined(separator: "-"))) }
    if size == nil, !words.isEmpty { set("basename", .string(words.joined(separator: "-"))) }
    set("size_label", .string(Self.sizeLabel(model)))
    let licenses = front?.texts("license") ?? []
    if !licenses.isEmpty { set("license", .string(licenses.joined(separator: ","))) }
    for (key, name) in [("license_name", "license.name"), ("license_link", "license.link")] {
      if let text = front?.texts(key).first { set(name, .string(text)) }
    }
    if let organization = Self.split(name).organization, !isLasered {
      set("source.repo_url", .string(Self.address(organization, Self.split(name).model)))
    }
    let bases = isLasered ? [name] : front?.texts("base_model") ?? []
    if !bases.isEmpty { set("base_model.count", .uint32(UInt32(clamping: bases.count))) }
    for (number, base) in bases.enumerated() {
      let (organization, model) = Self.split(base)
      set("base_model.\(number).name", .string(Self.title(model)))
      guard let organization else { continue }
      set("base_model.\(number).organization", .string(Self.title(organization)))
      set("base_model.\(number).repo_url", .string(Self.address(organization, model)))
    }
    let tags = (front?.texts("tags") ?? []) + (isLasered ? ["laser"] : [])
    if !tags.isEmpty { set("tags", .strings(tags)) }
    let languages = front?.texts("language") ?? []
    if !languages.isEmpty { set("languages", .strings(languages)) }
    self.members = members
  }

  /// "org/model", or a name alone.
  private static func split(_ name: String) -> (organization: String?, model: String) {
    let parts = name.split(separator: "/")
    guard parts.count == 2 else { return (nil, parts.last.map(String.init) ?? name) }
    return (String(parts[0]), String(parts[1]))
  }

  private static func address(_ organization: String, _ model: String) -> String {
    "https://huggingface.co/\(organization)/\(model)"
  }

  /// Words for hyphens, with capitals but where there are some already, or numbers: "SmolLM2 135M Instruct".
  static func title(_ name: String) -> String {
    name.split(whereSeparator: { $0 == "-" || $0.isWhitespace }).map { word in
      let isLower = word.contains(where: \.isLetter) && !word.contains(where: \.isUppercase)
      let rest = word.dropFirst()
      let isVersion = word.first == "v" && rest.first?.isNumber == true && rest.allSatisfy { $0.isNumber || $0 == "." }
      guard isLower, word.first?.isNumber != true, !isVersion else { return String(word) }
      // As Python's title(): a letter behind anything else is a capital.
      var result = ""
      for character in word {
        result += result.last?.isLetter == true ? String(character) : character.uppercased()
      }
      return result
    }.joined(separator: " ")
  }

  /// "135M", "8x7B", "1.7b"
  private static func isSize(_ word: String) -> Bool {
    guard let unit = word.last, "KMBTkmbt".contains(unit) else { return false }
    let parts = word.dropLast().split(separator: "x", omittingEmptySubsequences: false)
    return (1...2).contains(parts.count) && parts.dropLast().allSatisfy { Int($0) != nil }
      && parts.last.map { !$0.isEmpty && $0.allSatisfy { $0.isNumber || $0 == "." } && Double($0) != nil } == true
  }

  /// How many parameters: "135M"; of a mixture, the experts and the parameters with one of them: "8x7.2B".
  static func sizeLabel(_ model: Model) -> String {
    func count(_ references: [TensorReference]) -> Double {
      references.reduce(0) { $0 + Double($1.rows) * Double($1.columns) }
    }
    let all = count(Array(Set(model.tensors)))
    let mixtures = model.layout.layers.filter { $0.router != nil }
    guard let mixture = model.configuration.mixture, !mixtures.isEmpty else { return rounded(all) }
    let experts = count(mixtures.flatMap { $0.experts.flatMap(\.all) })
    return "\(mixture.expertCount)x" + rounded(all - experts + experts / Double(mixture.expertCount))
  }

  /// Two digits at least: "1.3B", "13B", "135M", "0.50K".
  static func rounded(_ count: Double) -> String {
    let (scale, unit) =
      count > 1e12 ? (1e12, "T") : count > 1e9 ? (1e9, "B") : count > 1e6 ? (1e6, "M") : (1e3, "K")
    let scaled = count / scale
    let whole = scaled.rounded(.toNearestOrEven)
    let digits = whole < 1 ? 0 : String(Int(whole)).count
    return Numbers.fixed(scaled, max(0, 2 - digits)) + unit
  }
}
